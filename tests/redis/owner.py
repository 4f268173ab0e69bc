"""A process that owns an embedded store, for tests to kill: `python -m tests.redis.owner DIRECTORY`.

When the store runs, the process prints its URL. The process ends with 0 after SIGTERM, with 1 and a sentence
if the store dies, and with 2 and a sentence if it cannot use the directory.
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
