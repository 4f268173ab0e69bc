"""The Home tab shows tasks only to people who may list them at this moment, in Slack and in Coder."""

from collections.abc import Awaitable, Callable

import pytest

from taskwire.domain.ids import UserId
from taskwire.outbox.home_requests import refresh_home
from taskwire_sandbox.coder.faults import server_error

from .people import Person, Thread
from .running_tasks import TITLE, a_task
from .test_connect import connects
from .world import CARD_SECONDS, SETTLE_SECONDS, World

WORDS = "Which customer should I delete?"


async def _suspended(world: World, person: Person) -> None:
    world.coder.suspend(person.name)


async def _removed(world: World, person: Person) -> None:
    world.coder.user(person.name).email = f"nobody-{person.name}@example.com"


async def _guest(world: World, person: Person) -> None:
    world.slack.workspace.user(person.id).is_restricted = True


async def _deactivated(world: World, person: Person) -> None:
    world.slack.workspace.user(person.id).deleted = True


async def _out_of_the_group(world: World, person: Person) -> None:
    [group] = world.slack.workspace.groups.values()
    group.members.remove(person.id)


Loss = Callable[[World, Person], Awaitable[None]]
LOSSES: dict[Loss, str] = {
    _suspended: "Your Coder account ({name}@example.com) is suspended. Ask a Coder administrator.",
    _removed: "No Coder user has your address {name}@example.com. Sign in to Coder once with it, or ask a "
    "Coder administrator to add you.",
    _guest: "Guests in this Slack cannot use Taskwire. Ask a full member to do it.",
    _deactivated: "Only people can steer tasks.",
    _out_of_the_group: "Only members of some user groups can use Taskwire. Ask a Taskwire administrator "
    "to let you in.",
}


async def _shares_with_bob(world: World) -> Thread:
    """Let Alice create a task and share it with Bob. Both have their Home tabs open."""
    group = world.slack.add_group("platform-team", ["alice", "bob"])
    await world.restarts(allowed_groups=(group.id,))
    thread, task = await a_task(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.alice.reads()
    await world.alice.opens_home()
    await world.bob.opens_home()
    await world.passes(CARD_SECONDS)
    return thread


async def _asks(world: World) -> None:
    """Let the agent ask a question, and wait until the tabs that show it are published."""
    world.task("fix-the-login-redirect").becomes("idle", WORDS)
    await world.polls()
    await world.passes(SETTLE_SECONDS)
    for _ in range(3):
        await world.passes(CARD_SECONDS)


@pytest.mark.parametrize("is_opened", [True, False], ids=["opened", "published"])
@pytest.mark.parametrize("loses", LOSSES)
async def test_home_shows_no_task_to_a_person_who_may_not_list_it_any_more(
    world: World, loses: Loss, is_opened: bool
) -> None:
    """An owner and a person with a share lose what lets them use Taskwire. Ten seconds later, their tabs say
    what `/task list` says, also if the bot publishes them by itself. No word of the agent is in them."""
    thread = await _shares_with_bob(world)
    people = (world.alice, world.bob)

    for person in people:
        await loses(world, person)
    await world.ages(seconds=10)
    await _asks(world)
    if is_opened:
        for person in people:
            await person.opens_home()

    for person in people:
        assert person.home() == LOSSES[loses].format(name=person.name)
        if loses is not _deactivated:
            await person.types("/task list")
            assert person.reads() == [person.home()]
    thread.new_messages(), world.cards(), world.bob.hears()


async def test_a_tab_that_says_why_not_is_published_again_when_it_is_opened(world: World) -> None:
    """The tab of a suspended person is published once more, with the reason, and then left alone. When Coder
    lets the person in again and they open the tab, it shows their tasks."""
    thread = await _shares_with_bob(world)
    world.coder.suspend("bob")
    await world.ages(seconds=10)
    await _asks(world)
    published = len(_list_published(world, world.bob))

    world.task("fix-the-login-redirect").becomes("working", "Deleting nobody")
    await world.polls()
    await world.passes(3 * CARD_SECONDS)
    later = len(_list_published(world, world.bob))
    world.coder.user("bob").status = "active"
    await world.ages(seconds=10)
    opened = await world.bob.opens_home()

    assert later == published
    assert f"*Running*\n:gear: {TITLE}" in opened
    thread.new_messages(), world.cards(), world.bob.hears()


def _list_published(world: World, person: Person) -> list[object]:
    return [
        call
        for call in world.slack.calls
        if call.method == "views.publish" and call.arguments["user_id"] == person.id
    ]


@pytest.mark.parametrize("is_opened", [True, False], ids=["opened", "published"])
async def test_home_without_a_token_shows_how_to_connect_and_no_task(world: World, is_opened: bool) -> None:
    """Without a service account, Coder refuses the tokens of an owner and of a person with a share. Their
    tabs show no task until they connect again, as the bot promises."""
    await world.restarts(accounts="personal", coder_session_token=None)
    for person in (world.alice, world.bob):
        await connects(world, person)
    thread = await _shares_with_bob(world)
    await _asks(world)
    seen = world.alice.home(), world.bob.home()

    for key in [key for key in world.coder.world.tokens.values() if key.user.username in ("alice", "bob")]:
        del world.coder.world.tokens[key.id]
    await world.ages(seconds=10)
    for person in (world.alice, world.bob):
        if is_opened:
            await person.opens_home()
        else:
            await world.bot.parts.deps.queues.write(refresh_home(UserId(person.id)))
    await world.passes(3 * CARD_SECONDS)

    for person, before in zip((world.alice, world.bob), seen, strict=True):
        assert WORDS in before
        assert WORDS not in person.home()
        assert TITLE not in person.home()
        assert person.home().endswith("Your requests wait.\n[Connect] [Disconnect]")
    thread.new_messages(), world.cards(), world.alice.hears(), world.bob.hears()


async def test_while_coder_is_away_home_shows_what_is_known(world: World) -> None:
    """While Coder does not say who people are, the tab shows the last known state, as `/task list` does."""
    thread = await _shares_with_bob(world)
    await _asks(world)
    await world.ages(seconds=10)
    world.coder.plan_fault("users.list", server_error(), times=None)

    opened = await world.alice.opens_home(), await world.bob.opens_home()

    assert all(WORDS in home for home in opened)
    thread.new_messages(), world.cards(), world.bob.hears()
