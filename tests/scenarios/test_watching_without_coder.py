"""Coder is away, refuses the token, or answers nonsense. The cards say since when, and no event is lost."""

import pytest

from taskwire_sandbox.coder.faults import Fault, cut_after, nonsense, refused, server_error, too_many
from taskwire_sandbox.coder.wire import Response

from .running_tasks import TITLE, a_task, card, next_list_shows, timeless
from .world import World

AWAY = "Coder has not answered since <{date_short_pretty} at {time}>. This may be old."


@pytest.mark.parametrize(
    "fault",
    [
        refused(),
        cut_after(),
        server_error(),
        server_error("Bad gateway", 502),
        too_many(),
        nonsense(),
        nonsense(b'{"tasks":"none"}'),
        nonsense(b'{"message":"Welcome"}'),
        Fault("a page", answer=Response(302, b"", content_type="text/html")),
    ],
    ids=lambda fault: f"{fault.name}-{fault.answer.status if fault.answer else 'cut'}",
)
async def test_a_coder_that_fails_twice_is_shown_as_away_until_it_is_back(world: World, fault: Fault) -> None:
    """After one failed poll, the card does not change. After more failed polls, it says that Coder is away.
    When Coder answers again, the bot posts the changes that it has missed."""
    thread, task = await a_task(world)
    world.coder.plan_fault("tasks.list", fault, times=3)
    await world.polls()
    after_one = await card(world, thread)
    await world.polls(times=2)
    away = await card(world, thread)
    task.becomes("complete", "Opened PR #12")
    await world.polls()

    assert after_one.startswith(f"Working: {TITLE}. Reading the code. Owner: Alice.")
    assert away.startswith(
        f"Working: {TITLE}. Reading the code. :warning: {AWAY} Replies wait. Owner: Alice."
    )
    assert AWAY not in await card(world, thread)
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]
    assert (await world.bot.health())["coder"] == "ok"


async def test_since_when_is_the_first_failure_also_after_a_restart(world: World) -> None:
    """The bot restarts while Coder is away. The card keeps the time of the first failure."""
    thread, _ = await a_task(world)
    world.coder.plan_fault("tasks.list", server_error(), times=None)
    await world.polls(times=2)
    await world.passes(seconds=4)
    first = thread.card()
    await world.passes(seconds=600)
    await world.restarts()
    await world.polls(times=3)
    await world.passes(seconds=4)

    again = thread.card()
    world.coder.clear_faults()
    await world.polls()

    assert "Coder has not answered since" in first
    assert again == first
    assert "not answered" not in await card(world, thread)


async def test_list_and_status_show_what_was_last_known(world: World) -> None:
    """Coder is away. `/task list` and `/task status` show the latest known state, and since when Coder is
    away. The list has a person's own tasks and those with a thread in this channel."""
    thread, task = await a_task(world)
    world.slack.add_channel("random", ["alice", "bob"])

    async with world.coder.outage():
        await world.polls(times=2)
        await world.alice.types("/task list", "random")
        await world.alice.types(f"/task status {task.name}", "random")
        await world.bob.types("/task list", "random")
        await world.bob.types("/task list")
    await world.polls()

    listed, status = (timeless(each) for each in world.alice.reads())
    assert listed.startswith(f":warning: {AWAY} Tasks:\n•  Working: {TITLE}")
    assert status.startswith(
        f"Working: {TITLE}. Reading the code. :warning: {AWAY} Replies wait. Owner: Alice."
    )
    nothing, here = world.bob.reads()
    assert nothing == "Coder is not answering. Try again in a minute."
    assert TITLE in here
    assert thread.new_messages() == []


async def test_a_refused_token_is_said_at_once_and_drops_nothing(world: World) -> None:
    """Coder refuses the bot's token. The cards show this, and the administrators are told. The jobs wait, and
    continue when Coder accepts the token again."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await a_task(world)
    world.coder.user("taskwire").status = "suspended"
    await world.polls(times=2)
    refused_card = await card(world, thread)
    reply = await world.alice.replies(thread, "use main")
    task.becomes("complete", "Opened PR #12")
    direct = world.slack.open_direct("bob").id
    told = [str(message["text"]) for message in world.slack.messages(direct)]
    await world.passes(seconds=60)

    world.coder.user("taskwire").status = "active"
    await world.polls()
    for _ in range(3):
        await world.passes(seconds=60)

    assert refused_card.startswith(
        f"Working: {TITLE}. Reading the code. :warning: Coder has refused my token since "
        "<{date_short_pretty} at {time}>. This may be old. Replies wait."
    )
    assert told == [
        ":warning: Coder refuses CODER_SESSION_TOKEN, so I see no task and can do nothing in Coder. Make "
        "a new token from an account with the role Owner, and start me with it."
    ]
    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert [message.partition(":")[0] for message in thread.new_messages()] == [
        # A reply waits, so the notice of this turn's end mentions nobody.
        "Opened PR #12.\nDone"
    ]
    for message in world.slack.messages(direct):
        world.reader.read_root(direct, str(message["ts"]))


async def test_a_history_that_cannot_be_read_holds_nothing_up_for_long(world: World) -> None:
    """A task has a new report, but the bot cannot read the agent's history. After some tries, the bot posts
    the notice with what the list of tasks says."""
    thread, task = await a_task(world)
    world.coder.plan_fault("agents.get", server_error(), times=None)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    for _ in range(6):
        await world.passes(seconds=10)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]


async def test_one_task_that_cannot_be_read_hides_no_other(world: World) -> None:
    """A newer Coder shows one task in an unknown form. The bot still reads the other tasks."""
    thread, task = await a_task(world)
    other = await world.alice.runs("/task create tidy the docs")
    await world.polls()
    world.task("tidy-the-docs").becomes("complete", "Tidied")
    await next_list_shows(world, task, status={"phase": "active"})

    await world.polls()

    assert len(other.new_messages()) == 1
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")
    assert thread.new_messages() == []
