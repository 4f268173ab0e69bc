"""Writes the tables that say who may do which act."""

import asyncio
import tempfile
from pathlib import Path

from taskwire import sealing
from tests.keys import KEY

from .actors import MODES
from .table import file_of, make_table


def main() -> None:
    """Try every act as every actor, and write the tables."""
    sealing.install_keys([KEY])
    for mode in MODES:
        with tempfile.TemporaryDirectory() as directory:
            file_of(mode).write_text(asyncio.run(make_table(Path(directory), "", mode)))


if __name__ == "__main__":
    main()
