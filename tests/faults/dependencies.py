"""Opens the dependencies of handlers, with a real store and a stand-in for Slack, for tests of single
jobs."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType

from taskwire import transport
from taskwire.coder.client import CoderClient
from taskwire.dependencies import Dependencies
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.link_state import ReducerSettings
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.queueing.jobs import PostText
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.outbox.private_answers import PrivateAnswers
from taskwire.people.accounts import Accounts
from taskwire.people.directory import Directory
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.leases import LeaseTimes, Queues
from taskwire.queue.rate_limiter import MethodLimits, RateLimiter
from taskwire.queue.scripts import Clock, ServerClock
from taskwire.recovery.newer_versions import NewerVersions
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.slack.calls import SlackTimeouts
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound
from taskwire.state.accounts import AccountStore
from taskwire.state.audit import AuditLimits, AuditTrail
from taskwire.state.link_writes import LinkWrites
from taskwire.state.links import Links
from taskwire.state.notes import Notes
from taskwire.state.observations import Observations
from taskwire.state.settings import SettingsStore
from taskwire.telemetry import Metrics
from taskwire.worker import Worker
from taskwire_sandbox.slack import SlackSandbox

POST_SECONDS = 1.0
TIMEOUTS = SlackTimeouts(post=POST_SECONDS, change=POST_SECONDS, read=4.0)
TIMES = LeaseTimes(lease_ms=1_000, longest_lease_ms=8_000, late_arrival_ms=1_500, recheck_ms=200)
KEYS = Keys("faults")
NOWHERE = "http://127.0.0.1:9"


async def _examine_nothing() -> Message:
    return Message(text="")


@contextlib.asynccontextmanager
async def open_dependencies(
    slack: SlackSandbox,
    connections: Connections,
    clock: Clock | None = None,
    limits: Mapping[str, MethodLimits] = MappingProxyType({}),
) -> AsyncIterator[Dependencies]:
    """Open the dependencies of handlers on a stand-in for Slack and a store. No server answers at Coder's
    URL.

    `limits` are the rate limits of Slack's methods. A method without a limit is called at once; only a 429
    answer makes it wait. All timeouts are short.
    """
    session = transport.make_session()
    async with session, CoderClient.open(NOWHERE, "never-asked") as coder:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        clock = clock or ServerClock()
        limiter = RateLimiter(connections, KEYS, clock, Metrics(), limits=limits, default=MethodLimits(None))
        outbound = Outbound(client, limiter, str, timeouts=TIMEOUTS)
        yield Dependencies(
            queues=Queues(connections, KEYS, clock, TIMES),
            links=Links(connections, KEYS, clock),
            writes=LinkWrites(KEYS),
            observations=Observations(connections, KEYS, clock),
            channel_settings=SettingsStore(connections, KEYS, "channel_settings", ChannelSettings()),
            person_settings=SettingsStore(connections, KEYS, "person_settings", PersonSettings()),
            notes=Notes(connections, KEYS),
            dead_letters=DeadLetters(connections, KEYS, clock),
            audit=AuditTrail(connections, KEYS, clock, AuditLimits()),
            slack=outbound,
            examine=_examine_nothing,
            service_coder=coder,
            accounts=AccountStore(connections, KEYS),
            bot=await outbound.get_identity(),
            coder_url=NOWHERE,
            mask=str,
            mask_own=str,
            rules=ReducerSettings(settle_ms=0),
        )


async def _is_shared_with_nobody(person: UserId, link: Link) -> bool:
    del person, link
    return False


def new_worker(deps: Dependencies, carry: Callable[[JobContext], Awaitable[Outcome]]) -> Worker:
    """Return a worker whose handler for `post_text` jobs is `carry`."""
    metrics = Metrics()
    return Worker(
        deps,
        Accounts(deps, Directory(deps), _is_shared_with_nobody),
        {"post_text": Handler.without_link(PostText, carry)},
        metrics,
        NewerVersions(deps, AdminAlerts(deps, ()), metrics),
        PrivateAnswers(deps.slack, deps.queues),
        lambda _: "",
    )
