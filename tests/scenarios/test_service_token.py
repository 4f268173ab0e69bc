"""The service account's own token. Taskwire renews it before it expires, where Coder allows that."""

import asyncio
from datetime import timedelta

from pydantic import SecretStr

from taskwire_sandbox.coder.faults import hang

from .test_connect import scopes_of
from .test_notices_to_administrators import direct_messages
from .test_secrets_kept import stored
from .world import World

DAY_SECONDS = 86_400.0
# This time is longer than the claim by which one process keeps other processes from renewing the token.
CLAIM_SECONDS = 61.0


async def starts_with(world: World, *, days: float, scopes: tuple[str, ...] = ("all",)) -> SecretStr:
    """Start the bot with a service account's token that expires after these days and has these scopes. Return
    the token."""
    lifetime = timedelta(days=days)
    token = SecretStr(world.coder.add_token("taskwire", name="by hand", lifetime=lifetime, scopes=scopes))
    await world.restarts(coder_session_token=token, admins=(world.bob.id,))
    return token


def names(world: World) -> list[str]:
    """Return the names of the tokens that Taskwire has made for the service account."""
    return [name for name, _ in scopes_of(world, "taskwire") if name.startswith("taskwire-service")]


async def test_a_token_is_renewed_three_days_before_its_end(world: World) -> None:
    """The bot renews the service account's token three days before it expires. After that, the bot also
    starts when the operator's token in the settings has expired."""
    await starts_with(world, days=4)
    await world.bot.parts.account.check()
    early = names(world)
    await world.passes(1.5 * DAY_SECONDS)
    await world.bot.parts.account.check()
    renewed = names(world)

    await world.restarts()
    await world.bot.parts.account.check()
    await world.passes(4 * DAY_SECONDS)
    await world.forgets()
    await world.bot.parts.account.check()
    await world.alice.runs("/task create fix the login")

    assert early == []
    assert renewed == ["taskwire-service"]
    assert names(world) == ["taskwire-service", "taskwire-service-2"]
    assert world.task("fix-the-login").row.owner.username == "alice"
    assert direct_messages(world, "bob") == []


async def test_a_bot_that_dies_while_it_renews_leaves_one_token_that_works(world: World) -> None:
    """The bot makes a new token and dies before it stores the token. The next process makes another token and
    deletes the unstored token."""
    await starts_with(world, days=2.5)
    world.coder.plan_fault("keys.get", hang(), skips=1)
    renewal = asyncio.create_task(world.bot.parts.account.check())
    await world.until(lambda: names(world) == ["taskwire-service"], "it has made a token")
    lost = [key.id for key in world.coder.world.tokens.values() if key.name == "taskwire-service"]

    await world.crashes()
    renewal.cancel()
    await world.starts()
    await world.passes(CLAIM_SECONDS)
    await world.forgets()
    await world.bot.parts.account.check()
    await world.alice.runs("/task create fix the login")

    (left,) = (key for key in world.coder.world.tokens.values() if key.name.startswith("taskwire-service"))
    assert left.id not in lost
    assert world.task("fix-the-login").row.owner.username == "alice"
    assert direct_messages(world, "bob") == []


async def test_the_renewed_token_is_kept_encrypted(world: World) -> None:
    """The store has the renewed token only in encrypted form."""
    await starts_with(world, days=2.5)
    await world.bot.parts.account.check()
    own = next(key for key in world.coder.world.tokens.values() if key.name == "taskwire-service")

    assert own.key not in await stored(world)
    assert own.key not in repr([call.arguments for call in world.slack.calls])


async def test_a_token_that_the_operator_sets_takes_the_place_of_the_renewed_one(world: World) -> None:
    """The bot has renewed its token, and the operator then sets a new one in the settings. The bot uses the
    operator's new token."""
    await starts_with(world, days=2.5)
    await world.bot.parts.account.check()
    own = next(key for key in world.coder.world.tokens.values() if key.name == "taskwire-service")

    await starts_with(world, days=30)
    await world.bot.parts.account.check()
    del world.coder.world.tokens[own.id]
    await world.alice.runs("/task create fix the login")

    assert world.task("fix-the-login").row.owner.username == "alice"


async def test_a_token_that_may_make_no_other_stays_until_its_end(world: World) -> None:
    """Coder does not let the service account's token make another token. The bot tells administrators two
    days before the token expires."""
    scopes = ("task:*", "template:*", "user:read", "workspace:*", "organization:read", "api_key:read")
    await starts_with(world, days=2.5, scopes=scopes)

    await world.bot.parts.account.check()

    assert names(world) == []
