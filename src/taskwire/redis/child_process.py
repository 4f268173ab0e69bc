"""Runs another program in a child process that does not outlive its parent.

Run this file as a script, by path, in a fresh and isolated interpreter: `child_process.py PARENT_PID PROGRAM
ARGUMENT...`. The script binds itself to its parent, then replaces itself with the program. It is not a
`preexec_fn`, because Python code between fork and exec can deadlock in a process with threads. The script
imports only the standard library.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Bind this process to its parent, then replace it with the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    os.umask(0o077)  # only the owner may read the store's files
    if sys.platform == "linux":  # on macOS, only the lock keeps a second server from writing
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        # prctl sends no signal if the parent died before the call.
        sys.exit("The parent ended before its store began")
    os.execv(program[0], program)  # noqa: S606 - embedded.py chooses the program


if __name__ == "__main__":
    main()
