"""Makes many large requests to a Coder at the same time, and prints by how many megabytes the memory grew.
test_memory starts this program."""

import asyncio
import re
import sys
from pathlib import Path

from taskwire.coder import errors, lists
from taskwire.coder.client import CoderClient
from taskwire.domain.errors import OutsideError

AT_ONCE = 32


async def _log(coder: CoderClient, number: int) -> str:
    """Read a log as the product does: only the end of the log is kept."""
    try:
        logs = await coder.get_logs(f"task-{number}")
    except OutsideError as error:
        return type(error).__name__
    return "read" if logs.logs[-1].content[-10:] else "empty"


async def _list(coder: CoderClient) -> str:
    """Read the list of tasks as the poll does: the body is kept until the last piece is read."""
    try:
        body = await coder.list_tasks_raw()
        cut = 0
        for piece in lists.iter_chunks(body):
            cut += len(piece)
            await asyncio.sleep(0)
    except errors.TooLong:
        return "TooLong"
    return "read" if cut else "empty"


def _most_megabytes() -> int:
    """Return the peak memory of this program in MB, as Linux reports it.

    `ru_maxrss` would include the memory of the parent process.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1024


async def main(url: str) -> None:
    """Make the requests. Print their outcomes and by how many megabytes the peak memory grew."""
    before = _most_megabytes()
    async with CoderClient.open(url, "a-token") as coder:
        asked = [_log(coder, number) for number in range(AT_ONCE)]
        found = await asyncio.gather(*asked, _list(coder), _list(coder))
    print(*sorted(set(found)), _most_megabytes() - before)  # noqa: T201 - its answer


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
