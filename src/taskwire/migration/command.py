"""`taskwire store`: moves an installation's data to another Redis, and removes a fence.

A fence is a mark in a store that keeps all processes of Taskwire from using the store. This module opens the
source and the target and reports progress. `migration/transfer` keeps the data consistent.
"""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

from redis.exceptions import RedisError

from taskwire import transport
from taskwire.doctor.findings import token_refused
from taskwire.domain import addresses
from taskwire.domain.errors import OutsideError, UserError
from taskwire.migration import transfer
from taskwire.migration.side import Side
from taskwire.migration.transfer import Moved, Report, Transfer
from taskwire.queue.fence import Fence
from taskwire.redis import connection, data_directory, embedded, key_file
from taskwire.redis.connection import Connections
from taskwire.redis.error_reasons import reason
from taskwire.redis.keys import Keys
from taskwire.settings import KEY_PREFIX, Settings
from taskwire.slack.call_priorities import NoLimiter
from taskwire.slack.client import make_client
from taskwire.slack.errors import TokenProblem
from taskwire.slack.models import Identity
from taskwire.slack.outbound import Outbound
from taskwire.state.owner import Owner

# The words that name a store on the command line in place of a URL or a directory.
EMBEDDED, STANDARD_INPUT = "embedded", "-"
# The timeout for one answer, in seconds. An answer may contain a hundred keys and may come over a slow
# connection.
MOVE_COMMAND_SECONDS = 30.0

StoreLocation = str | Path


async def move(
    settings: Settings, source: str, source_prefix: str | None, report: Report, *, replaces: bool
) -> Moved | None:
    """Move the store `source` to the store in the settings. Return None if an earlier run has moved it.

    `source_prefix` is the prefix of the keys in the source; None means the prefix in the settings. If the
    target already has data under its prefix, this data is deleted, but only if `replaces` is true.

    Raises `UserError` if the move is not possible or was interrupted.
    """
    # If the source's key is missing here, nobody could read the store after the move.
    key_file.install_existing(settings)
    bot = await _identity(settings)
    owner = Owner(bot.bot_user_id, "", settings.coder_url)
    keys = Keys(bot.team_id, settings.key_prefix)
    old_keys = Keys(bot.team_id, source_prefix or settings.key_prefix)
    place, target = _source_location(source, settings), _target_location(settings)
    if place == target and keys == old_keys:
        raise transfer.same_store()
    async with contextlib.AsyncExitStack() as stack:
        there = await stack.enter_async_context(_open_side(target, keys))
        if place == target:
            here = replace(there, keys=old_keys, where=_display_address(place, there.connections))
        else:
            _require_store(place)
            here = await stack.enter_async_context(_open_side(place, old_keys))
        here, there = _with_distinct_names(here, there)
        report(f"From {here.where} to {there.where}.")
        with _explain_redis_errors("It was broken off. Run it again: it goes on where it was."):
            return await Transfer(here, there, owner, report).move(replaces=replaces)


async def reopen(settings: Settings) -> Fence | None:
    """Remove the fence from the store in the settings. Return the fence; None if there was none."""
    bot = await _identity(settings)
    async with _open_side(_target_location(settings), Keys(bot.team_id, settings.key_prefix)) as side:
        with _explain_redis_errors("Run it again."):
            return await transfer.reopen(side)


def _target_location(settings: Settings) -> StoreLocation:
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    return settings.data_dir.absolute()


def _source_location(source: str, settings: Settings) -> StoreLocation:
    """Return the URL of the source, or the directory of an embedded store.

    The word `embedded` means the directory in the settings. With `-`, the URL is read from standard input.
    """
    if source == EMBEDDED:
        return settings.data_dir.absolute()
    if source == STANDARD_INPUT:
        return sys.stdin.readline().strip()
    return source if "://" in source else Path(source).absolute()


def _require_store(source: StoreLocation) -> None:
    """Raise `UserError` if the source cannot be a store.

    Without this check, Taskwire would create a store in a wrong directory. An error about a wrong URL would
    name REDIS_URL instead of `--from`.
    """
    if isinstance(source, Path):
        if not (source / data_directory.STORE_LOCK).exists():
            raise UserError(f"There is no store in {source}.", "Look at --from and TASKWIRE_DATA_DIR.")
        return
    try:
        addresses.parse_redis_url(source)
    except UserError as error:
        said = error.sentence.replace("REDIS_URL", "The address of --from")
        raise UserError(said, error.hint) from None


@contextlib.asynccontextmanager
async def _open_side(place: StoreLocation, keys: Keys) -> AsyncIterator[Side]:
    async with contextlib.AsyncExitStack() as stack:
        url = place
        if isinstance(place, Path):
            url = (await stack.enter_async_context(embedded.store(place))).url
        connections = await stack.enter_async_context(connection.open(str(url)))
        await connection.check(connections)
        raw = connection.open(str(url), command_seconds=MOVE_COMMAND_SECONDS, is_raw=True)
        await stack.enter_async_context(raw)
        is_own = isinstance(place, Path)
        yield Side(_display_address(place, connections), connections, raw.commands, keys, is_exclusive=is_own)


def _display_address(place: StoreLocation, connections: Connections) -> str:
    return str(place) if isinstance(place, Path) else connections.where


def _with_distinct_names(here: Side, there: Side) -> tuple[Side, Side]:
    """Return both sides with names that people can tell apart.

    Each name gets the key prefix of its side, unless both sides have the default prefix.
    """
    if {here.keys.installation, there.keys.installation} == {KEY_PREFIX}:
        return here, there
    here, there = [
        replace(side, where=f"{side.where} (key prefix {side.keys.installation})") for side in (here, there)
    ]
    return here, there


@contextlib.contextmanager
def _explain_redis_errors(hint: str) -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise UserError(f"A store does not answer as it should: {reason(error)}.", hint) from error


async def _identity(settings: Settings) -> Identity:
    url = settings.slack_api_url
    async with transport.make_session(proxy=transport.proxy_for(url)) as session:
        client = make_client(settings.slack_bot_token.get_secret_value(), url, session=session)
        try:
            return await Outbound(client, NoLimiter(), str).get_identity()
        except TokenProblem as problem:
            raise token_refused(problem) from problem
        except OutsideError as error:
            raise UserError(f"Slack could not be asked whose store it is: {error}.", "Try again.") from error
