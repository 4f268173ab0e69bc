"""A process that asks a Coder for much at once and says how much memory it took; started by test_memory."""

import asyncio
import re
import sys
from pathlib import Path

from taskwire.coder import errors, lists
from taskwire.coder.client import CoderClient
from taskwire.domain.errors import OutsideError

AT_ONCE = 32


async def _log(coder: CoderClient, number: int) -> str:
    """Read a log as all do who read one: what is kept of it is short."""
    try:
        logs = await coder.get_logs(f"task-{number}")
    except OutsideError as error:
        return type(error).__name__
    return "read" if logs.logs[-1].content[-10:] else "empty"


async def _list(coder: CoderClient) -> str:
    """Read the list as the poll does, which keeps it until its end."""
    try:
        body = await coder.list_tasks_raw()
        cut = 0
        for piece in lists.pieces(body):
            cut += len(piece)
            await asyncio.sleep(0)
    except errors.TooLong:
        return "TooLong"
    return "read" if cut else "empty"


def _most_megabytes() -> int:
    """The most memory that this program took, by Linux.

    `ru_maxrss` would begin with what the process had that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1024


async def main(url: str) -> None:
    """Ask, and say what came of it and the most memory that it took."""
    async with CoderClient.open(url, "a-token") as coder:
        asked = [_log(coder, number) for number in range(AT_ONCE)]
        found = await asyncio.gather(*asked, _list(coder), _list(coder))
    print(*sorted(set(found)), _most_megabytes())  # noqa: T201 - its answer


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
