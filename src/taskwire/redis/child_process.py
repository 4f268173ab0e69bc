"""Become another program, as a child that does not outlive its parent.

Run as a script, by path, in a fresh and isolated interpreter: `tether.py PARENT_PID PROGRAM ARGUMENT...`. It
ties itself to its parent and then replaces itself with the program. It is a script and no `preexec_fn`, since
Python between fork and exec can deadlock in a process that has threads. Standard library only.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Tie this process to its parent, then turn into the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    os.umask(0o077)  # what the store writes is its owner's alone
    if sys.platform == "linux":  # macOS has nothing like it: there, only the lock keeps a second writer out
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("The parent ended before its store began")  # no signal comes for a death before prctl
    os.execv(program[0], program)  # noqa: S606 - the program that embedded.py has chosen


if __name__ == "__main__":
    main()
