"""The command `taskwire`: sets HOME if the user has no home directory, then runs `cli`."""

import os
from pathlib import Path


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        Path.home()
    except RuntimeError:
        # A container's user may have no home directory. slack_sdk looks for it when it is imported, and
        # writes nothing there.
        os.environ["HOME"] = "/"
    from taskwire import cli  # here, since it brings slack_sdk

    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
