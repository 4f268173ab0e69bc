"""The process limits its memory, however many long answers Coder sends at the same time."""

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from taskwire.coder import errors
from taskwire.coder.client import LARGEST_ANSWER_BYTES, LARGEST_LIST_BYTES, CoderClient

ROOT = Path(__file__).parents[2]
# The memory may grow by this much: two whole lists (128 MB), the joined copy of one of them (64 MB), and one
# log of 16 MB with its text and its parsed parts (about 96 MB). If all 32 logs were read at the same time,
# their bodies alone would take 512 MB. How far these peaks meet depends on chance. Imported code is not
# counted.
MEGABYTES = 290
PIECE = 64 * 1024
Handler = Callable[[web.Request], AsyncIterator[bytes]]


@asynccontextmanager
async def _answering(pieces: Handler, **headers: str) -> AsyncIterator[str]:
    """Run a server that answers every request with these pieces."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
        await response.prepare(request)
        try:
            async for piece in pieces(request):
                await response.write(piece)
        except ConnectionError:
            # The client closes the connection when the answer exceeds its limit.
            pass
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _without_end(_: web.Request) -> AsyncIterator[bytes]:
    yield b'{"logs":[{"content":"'
    while True:
        yield b"x" * PIECE


async def _as_long_as_may_be(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the longest body that the client still reads: a log of one entry that is not plain ASCII, or a
    list of tasks."""
    if not request.path.endswith("/logs"):
        task = b'{"id":"1","name":"a-task","owner_id":"o","initial_prompt":"' + b"x" * 3_000 + b'"}'
        yield b'{"tasks":[' + task
        for _ in range(LARGEST_LIST_BYTES // len(task) - 20):
            yield b"," + task
        yield b"]}"
        return
    entry = {"id": 1, "content": "", "type": "output", "time": "2026-11-26T10:00:00Z"}
    begin, _, end = json.dumps({"logs": [entry]}).encode().partition(b'"content": "')
    yield begin + b'"content": "\xe2\x9c\x93'
    for _ in range((LARGEST_ANSWER_BYTES - 4 * PIECE) // PIECE):
        yield b"x" * PIECE
    yield end


@pytest.mark.parametrize(("pieces", "found"), [(_without_end, "TooLong"), (_as_long_as_may_be, "read")])
async def test_memory_stays_within_bounds_at_the_worst(pieces: Handler, found: str) -> None:
    """The client reads 32 logs and two lists at the same time. Its memory stays within the limit, even if
    each answer has the greatest length or never ends."""
    async with _answering(pieces) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.coder.memory_probe", url), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()

    *outcomes, megabytes = said.decode().split()
    assert outcomes == [found]
    assert int(megabytes) < MEGABYTES


async def test_what_is_compressed_is_refused_before_it_swells() -> None:
    """If Coder compresses an answer, the client refuses the answer before unpacking it. Taskwire asks for no
    compression, and a small compressed answer could fill the memory."""

    async def bomb(_: web.Request) -> AsyncIterator[bytes]:
        yield gzip.compress(b"x" * 1_000_000)

    headers = {"Content-Encoding": "gzip"}
    async with _answering(bomb, **headers) as url, CoderClient.open(url, "a-token") as coder:
        with pytest.raises(errors.UnexpectedCoderAnswer, match="compressed"):
            await coder.get_logs("a-task")


@pytest.mark.parametrize(
    ("most", "ask"),
    [
        (LARGEST_LIST_BYTES, lambda coder: coder.list_tasks_raw()),
        (LARGEST_ANSWER_BYTES, lambda coder: coder.get_logs("a-task")),
        (LARGEST_ANSWER_BYTES, lambda coder: coder.list_users("x")),
    ],
    ids=["list", "log", "people"],
)
async def test_an_answer_is_borne_up_to_its_length(most: int, ask: Callable[[CoderClient], object]) -> None:
    """The client reads each answer up to the limit for its kind. The limit for lists of tasks is higher than
    the limit for other answers."""
    async with _answering(_without_end) as url, CoderClient.open(url, "a-token") as coder:
        with pytest.raises(errors.TooLong, match=f"longer than {most:,} bytes"):
            await ask(coder)  # type: ignore[misc] # each of these is a coroutine
