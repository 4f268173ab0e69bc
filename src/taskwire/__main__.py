"""The command `taskwire`: protects the process's memory and sets HOME if there is none, then runs `cli`."""

import contextlib
import ctypes
import os
import resource
import sys
from pathlib import Path

PR_SET_DUMPABLE = 4  # linux/prctl.h


def main() -> int:
    """Run the command line and return its exit code."""
    forbid_core_files()
    try:
        Path.home()
    except RuntimeError:
        # A container's user may have no home directory. When slack_sdk is imported, it looks for a home
        # directory, but it writes nothing there.
        os.environ["HOME"] = "/"
    # Imported late, because it imports slack_sdk, and takes a second.
    from taskwire import cli

    return cli.main()


def forbid_core_files() -> None:
    """Let the kernel write no core file of this process, because its memory has tokens and keys.

    Child processes may write none either. On Linux, the kernel also gives no core to a program that collects
    core files. No other program of the same user may read this process's memory or environment.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)


if __name__ == "__main__":
    raise SystemExit(main())
