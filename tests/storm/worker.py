"""One worker process of a storm: the real worker over the real doors, with posting as its only work."""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator

from aiohttp.connector import Connection

from taskwire import transport
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.posting import post_once, tidy_message
from taskwire.bridge.work import Worker
from taskwire.coder.client import CoderClient
from taskwire.model.changes import Rules
from taskwire.model.jobs import Say, link_of
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Metadata, Outbound
from taskwire.store import connection
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.links import Links, LinkSteps
from taskwire.store.memory import Memory
from taskwire.store.pace import Limits, Pace
from taskwire.store.queue import Queue
from taskwire.store.scripts import Clock, ServersClock
from taskwire.store.sweeps import Sweeps
from taskwire.telemetry import Metrics, configure_logs

from .given import TIMEOUTS, TIMES, WorkerGiven


async def main(given: WorkerGiven) -> None:
    """Work until killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    configure_logs("info", "json", str, sys.stdout)
    if given.window_ms:
        _widen(given.window_ms / 1000)
    async with connection.open(given.store_url) as connections, open_doors(given, connections) as doors:

        async def say(hand: Hand) -> Ending:
            return await _say(doors, hand)

        async def tidy(hand: Hand) -> Ending:
            return await tidy_message(doors, hand)

        worker = Worker(doors, {"say": say, "tidy_message": tidy}, Metrics())
        print('{"event": "started"}', flush=True)  # noqa: T201 - the parent counts by it
        await worker.run()


def _end_with_parent() -> None:
    """Who is killed cannot take its children along; they notice that nobody holds their input any more."""
    sys.stdin.read()
    os._exit(0)


async def _say(doors: Doors, hand: Hand) -> Ending:
    work = hand.job.work
    assert isinstance(work, Say)
    link = await doors.links.find(link_of(hand.turn.name))
    assert link is not None
    meta = Metadata(id=f"{link.id}:{hand.job.id}", kind="answer")
    await post_once(doors, hand, link.id, link.bond.channel, link.bond.thread_ts, work.message, meta)
    return done()


@contextlib.asynccontextmanager
async def open_doors(
    given: WorkerGiven, connections: Connections, clock: Clock | None = None
) -> AsyncIterator[Doors]:
    """The real doors, as fast as they go."""
    session = transport.make_session()
    async with session, CoderClient.open("http://127.0.0.1:9", "never-asked") as coder:
        client = make_client(given.token, given.slack_url, session=session)
        clock, keys = clock or ServersClock(), Keys("storm")
        # A 429 of Slack's counts for all; nothing else limits the pace.
        pace = Pace(connections, keys, clock, Metrics(), limits={}, otherwise=Limits(None))
        slack = Outbound(client, pace, str, timeouts=TIMEOUTS)
        yield Doors(
            queue=Queue(connections, keys, clock, TIMES),
            links=Links(connections, keys, clock),
            writes=LinkSteps(keys),
            sweeps=Sweeps(connections, keys, clock),
            memory=Memory(connections, keys),
            slack=slack,
            coder=coder,
            bot=await slack.identity(),
            coder_url="http://127.0.0.1:9",
            mask=str,
            rules=Rules(settle_ms=0),
        )


def _widen(seconds: float) -> None:
    """Make the window that no look can close as wide as a storm wants it: see CONTRIBUTING."""
    look = transport._look  # noqa: SLF001 - the place itself is what is widened

    def slow_look(conn: Connection) -> None:
        look(conn)
        time.sleep(seconds)

    transport._look = slow_look  # noqa: SLF001 - as above


if __name__ == "__main__":
    asyncio.run(main(WorkerGiven.model_validate_json(sys.argv[1])))
