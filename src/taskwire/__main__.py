"""The command `taskwire`: sees to what libraries need when they are imported; `cli` does the rest."""

import os
from pathlib import Path


def main() -> int:
    """Run a verb; returns the exit code."""
    try:
        Path.home()
    except RuntimeError:
        # A container's user may have none. slack_sdk asks when it is imported, and keeps nothing there.
        os.environ["HOME"] = "/"
    from taskwire import cli  # here, since it brings slack_sdk

    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
