"""Opens the store for a command that may run beside the bot, and finds the workspace's key names in it."""

import contextlib
import re
from collections.abc import AsyncIterator

from redis.exceptions import RedisError

from taskwire import transport
from taskwire.doctor.findings import token_refused
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import UserId
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection, embedded, key_file
from taskwire.redis.connection import Connections
from taskwire.redis.error_reasons import reason
from taskwire.redis.keys import Keys
from taskwire.settings import Settings
from taskwire.slack.call_priorities import NoLimiter
from taskwire.slack.client import make_client
from taskwire.slack.errors import TokenProblem
from taskwire.slack.outbound import Outbound

# How long to wait for an embedded store that a bot is just starting or stopping, in seconds.
STORE_START_SECONDS = 5.0


@contextlib.asynccontextmanager
async def open_dead_letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    """Yield the dead letters of this workspace. Raises `UserError` if Slack or the store does not answer."""
    async with open_workspace(settings) as (connections, keys):
        yield DeadLetters(connections, keys, ServerClock())


@contextlib.asynccontextmanager
async def open_slack(settings: Settings) -> AsyncIterator[Outbound]:
    """Yield a Slack client without rate limits, for a few calls."""
    url = settings.slack_api_url
    async with transport.make_session(proxy=transport.proxy_for(url)) as session:
        client = make_client(settings.slack_bot_token.get_secret_value(), url, session=session)
        yield Outbound(client, NoLimiter(), str)


async def find_person(settings: Settings, who: str) -> UserId:
    """Return the Slack id of a person whom an operator names by id or by e-mail address.

    Raises `UserError` if there is no such person.
    """
    if re.fullmatch("[UW][A-Z0-9]{4,20}", who):
        return UserId(who)
    if "@" not in who:
        raise UserError("This is neither a Slack id (U…) nor an e-mail address.")
    async with open_slack(settings) as slack:
        try:
            found = await slack.find_user_by_email(who)
        except OutsideError as error:
            raise UserError(f"Slack could not be asked for this address: {error}.", "Try again.") from error
    if found is None:
        raise UserError(
            "Slack knows no active member with this address.",
            "Give the Slack id (U…) of a deactivated person.",
        )
    return found


@contextlib.asynccontextmanager
async def open_workspace(settings: Settings) -> AsyncIterator[tuple[Connections, Keys]]:
    """Yield the store and the names of this workspace's keys in it.

    Raises `UserError` if Slack or the store does not answer.
    """
    async with open_slack(settings) as slack:
        try:
            identity = await slack.get_identity()
        except TokenProblem as problem:
            raise token_refused(problem) from problem
        except OutsideError as error:
            raise UserError(
                f"Slack could not be asked for the workspace's id, which is in every key: {error}.",
                "Try again.",
            ) from error
    try:
        async with open_store(settings) as connections:
            await connection.check(connections)
            yield connections, Keys(identity.team_id, settings.key_prefix)
    except RedisError as error:
        said = f"The store does not answer as it should: {reason(error)}."
        raise UserError(said, "Look into its log, and at what `taskwire doctor` says of it.") from error


@contextlib.asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Connections]:
    """Connect to the store while the block runs.

    This is the configured Redis. If none is configured, it is the embedded store of the running bot. If no
    bot runs, an embedded store is started for this block.
    """
    async with contextlib.AsyncExitStack() as stack:
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
        elif (found := await embedded.find(settings.data_dir)) is not None:
            url = found
        else:
            store = await stack.enter_async_context(embedded.store(settings.data_dir, STORE_START_SECONDS))
            url = store.url
        key_file.install_existing(settings)
        yield await stack.enter_async_context(connection.open(url))
