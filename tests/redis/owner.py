"""A process that owns an embedded store, for tests to kill: `python -m tests.redis.owner DIRECTORY`.

When the store runs, the process prints its URL. The exit status is 0 after SIGTERM, 1 if the store dies, and
2 if the directory cannot be used. Before it ends with 1 or 2, the process prints a sentence that says why.
"""

import asyncio
import signal
import sys
from pathlib import Path

from taskwire.domain.errors import UserError
from taskwire.redis import embedded


async def main(data_dir: Path) -> int:
    """Own the store until SIGTERM, or until the store dies. Return the exit status of the process."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        async with embedded.store(data_dir) as running:
            say(running.url)
            running.died.add_done_callback(lambda _: stopped.set())
            await stopped.wait()
            if running.died.done():
                say(running.died.result())
                return 1
    except UserError as error:
        say(str(error))
        return 2
    return 0


def say(line: str) -> None:
    """Print one line without a delay."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
