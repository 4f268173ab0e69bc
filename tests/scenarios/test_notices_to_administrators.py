"""The bot tells administrators by itself if its Coder account lacks a right, or if its token expires soon."""

from datetime import timedelta

from pydantic import SecretStr

from taskwire_sandbox.coder.faults import server_error

from .running_tasks import a_task, card
from .world import World


async def test_administrators_hear_that_the_token_ends_soon_once_a_day(world: World) -> None:
    """The token of Taskwire's Coder account expires soon, and Coder does not let the bot renew it. In the
    last two days, the bot tells each administrator once a day."""
    world.coder.plan_fault("tokens.create", server_error("Not now.", 400), times=None)
    carol = world.person("carol")
    group = world.slack.add_group("operators", ["carol"])
    ending = SecretStr(world.coder.add_token("taskwire", lifetime=timedelta(hours=30)))
    await world.restarts(admins=(world.bob.id, group.id), coder_session_token=ending)

    await world.bot.parts.account.check()
    await world.settles()
    await world.restarts()
    await world.bot.parts.account.check()
    await world.settles()

    for person in (world.bob, carol):
        told = direct_messages(world, person.name)
        assert len(told) == 1
        assert told[0].startswith(":warning: The token in CODER_SESSION_TOKEN ends on ")
        assert told[0].endswith(" UTC. Make a new one before that, and start me with it.")


async def test_a_good_account_is_looked_at_once_and_left_in_peace(world: World) -> None:
    """Taskwire's Coder account has its rights. The bot checks the account once and tells administrators
    nothing."""
    await world.restarts(admins=(world.bob.id,))
    requests = len(world.coder.requests)

    for _ in range(5):
        await world.bot.parts.account.check()
    await world.settles()

    assert [request.route for request in world.coder.requests[requests:]] == [
        "keys.get",
        "keys.get",
        "users.get",
        "authcheck",
        "keys.get",
    ]
    assert direct_messages(world, "bob") == []


async def test_an_account_without_its_role_is_told(world: World) -> None:
    """Taskwire's Coder account can read its own user, but cannot act for other people. The bot tells the
    administrators which role the account lacks."""
    await world.restarts(admins=(world.bob.id,))
    world.coder.user("taskwire").roles.clear()

    await world.bot.parts.account.check()
    await world.settles()

    assert direct_messages(world, "bob") == [
        ":warning: The Coder account taskwire lacks the role Owner, so it cannot act for other people. "
        "Ask a Coder administrator to give it that role."
    ]


async def test_a_coder_that_has_no_tasks_any_more_is_told_once(world: World) -> None:
    """Coder was updated to a version without Tasks. The bot tells the administrators once, and the cards show
    it too."""
    await world.restarts(admins=(world.bob.id,))
    thread, _ = await a_task(world)
    world.coder.plan_fault("tasks.list", server_error("Route not found.", 404), times=None)

    await world.polls()
    at_first = direct_messages(world, "bob")
    await world.polls(times=3)

    assert at_first == []
    assert ":warning: Coder has had no Tasks feature since" in await card(world, thread)
    assert direct_messages(world, "bob") == [
        ":warning: Coder has no Tasks feature. Taskwire needs Coder 2.28 to 2.36."
    ]


def direct_messages(world: World, name: str) -> list[str]:
    """Return the bot's unread direct messages to a person. Count them as read from now on."""
    channel = world.slack.open_direct(name).id
    messages = world.slack.messages(channel)
    for message in messages:
        world.reader.read_root(channel, str(message["ts"]))
    return [str(message["text"]) for message in messages]
