"""The command `taskwire`: sets HOME if the user has no home directory, then runs `cli`."""

import os
from pathlib import Path


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        Path.home()
    except RuntimeError:
        # A container's user may have no home directory. When slack_sdk is imported, it looks for a home
        # directory, but it writes nothing there.
        os.environ["HOME"] = "/"
    from taskwire import cli  # imported after HOME is set, because it imports slack_sdk

    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
