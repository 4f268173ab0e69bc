"""The real doors, for tests of single parts of the story: no pace but a 429's, and shorter times."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from taskwire import transport
from taskwire.bridge.doors import Doors
from taskwire.coder.client import CoderClient
from taskwire.model.changes import Rules
from taskwire.sandbox.slack import SlackSandbox
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound, Timeouts
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.letters import Letters
from taskwire.store.links import Links, LinkSteps
from taskwire.store.memory import Memory
from taskwire.store.pace import Limits, Pace
from taskwire.store.queue import Queue, TurnTimes
from taskwire.store.scripts import Clock, ServersClock
from taskwire.store.sweeps import Sweeps
from taskwire.telemetry import Metrics

POST_SECONDS = 1.0
TIMEOUTS = Timeouts(post=POST_SECONDS, change=POST_SECONDS, read=4.0)
TIMES = TurnTimes(lease_ms=1_000, longest_lease_ms=8_000, landing_margin_ms=1_500, second_look_ms=200)
KEYS = Keys("faults")
NOWHERE = "http://127.0.0.1:9"


@contextlib.asynccontextmanager
async def open_doors(
    slack: SlackSandbox,
    connections: Connections,
    clock: Clock | None = None,
    limits: Mapping[str, Limits] = MappingProxyType({}),
) -> AsyncIterator[Doors]:
    """Open the doors to a look-alike of Slack and to a store; Coder is not there."""
    session = transport.make_session()
    async with session, CoderClient.open(NOWHERE, "never-asked") as coder:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        clock = clock or ServersClock()
        pace = Pace(connections, KEYS, clock, Metrics(), limits=limits, otherwise=Limits(None))
        outbound = Outbound(client, pace, str, timeouts=TIMEOUTS)
        yield Doors(
            queue=Queue(connections, KEYS, clock, TIMES),
            links=Links(connections, KEYS, clock),
            writes=LinkSteps(KEYS),
            sweeps=Sweeps(connections, KEYS, clock),
            memory=Memory(connections, KEYS),
            letters=Letters(connections, KEYS, clock),
            slack=outbound,
            coder=coder,
            bot=await outbound.identity(),
            coder_url=NOWHERE,
            mask=str,
            rules=Rules(settle_ms=0),
        )
