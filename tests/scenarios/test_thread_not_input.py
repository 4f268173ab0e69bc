"""Messages in a task's thread that are not for the agent."""

import pytest

from .waiting import a_busy_agent, a_waiting_agent
from .world import World


@pytest.mark.parametrize(
    "words",
    [
        "@bob what do you think?",
        "!aside I will ask Bob",
        "// the agent need not know",
        "<!here> anybody?",
    ],
)
async def test_what_is_said_to_people_stays_between_people(world: World, words: str) -> None:
    """A message in a task's thread mentions other people or is marked as an aside. The agent does not get it,
    and it gets no receipt."""
    thread, task = await a_waiting_agent(world)

    aside = await world.alice.replies(thread, words)
    await world.passes(seconds=3)

    assert task.inputs == []
    assert thread.receipt(aside) == []


async def test_an_aside_to_the_bot_itself_is_left_alone(world: World) -> None:
    """A message mentions the bot but is marked as an aside (`//`). The agent does not get it, and the bot
    says nothing."""
    thread, task = await a_waiting_agent(world)

    await world.slack.mention(world.alice.id, thread.channel, "// is only a bot", thread.ts)
    await world.settles()

    assert task.inputs == []
    assert (world.alice.reads(), thread.new_messages()) == ([], [])


async def test_bots_are_not_heard(world: World) -> None:
    """The bot ignores messages of other apps."""
    thread, task = await a_waiting_agent(world)

    await world.slack.post_as_bot(thread.channel, "build failed", thread.ts)
    await world.settles()

    assert task.inputs == []
    assert thread.new_messages() == ["build failed"]


async def test_a_person_who_may_not_steer_is_told_once_and_privately(world: World) -> None:
    """Bob may not steer, and replies twice. The agent gets neither reply, and they have no receipt. The bot
    tells Bob once, in a private message."""
    thread, task = await a_waiting_agent(world)

    first = await world.bob.replies(thread, "use my branch")
    second = await world.bob.replies(thread, "please")
    await world.passes(seconds=3)

    assert task.inputs == []
    assert [thread.receipt(reply) for reply in (first, second)] == [[], []]
    assert world.bob.reads() == [
        "The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"
    ]


async def test_a_person_who_may_not_steer_is_told_although_another_reply_waits(world: World) -> None:
    """Alice's reply waits for a busy agent. Bob, who may not steer, replies too. The bot answers Bob at once,
    and does not mark his reply."""
    thread, task = await a_busy_agent(world)
    waiting = await world.alice.replies(thread, "use main")

    comment = await world.bob.replies(thread, "use my branch")
    await world.passes(seconds=3)
    told = (world.bob.reads(), thread.receipt(comment), thread.receipt(waiting))
    task.becomes("idle")
    await world.passes(seconds=5)

    assert told == (
        ["The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"],
        [],
        ["hourglass_flowing_sand"],
    )
    assert task.inputs == ["use main"]


async def test_a_guest_is_told_why(world: World) -> None:
    """A guest replies in a task's thread. The agent does not get the reply. The bot tells the guest that
    guests cannot use Taskwire."""
    thread, task = await a_waiting_agent(world)
    guest = world.person("gina", is_restricted=True)
    await world.slack.join(guest.id, "general")

    await guest.replies(thread, "let me try")

    assert task.inputs == []
    assert guest.reads() == [
        "The agent does not get your replies here. Guests in this Slack cannot use Taskwire. Ask a full "
        "member to do it."
    ]


async def test_an_administrator_may_steer(world: World) -> None:
    """An administrator may steer another person's task. The settings list administrators by id, so an
    administrator needs no Coder account."""
    thread, task = await a_waiting_agent(world)
    admin = world.person("root", in_coder=False)
    await world.slack.join(admin.id, "general")
    await world.restarts(admins=(admin.id,))

    await admin.replies(thread, "stop touching the tests")

    assert task.inputs == ["Root wrote:\n> stop touching the tests"]
    assert admin.reads() == []


async def test_a_mention_of_the_bot_makes_a_reply_to_somebody_else_input(world: World) -> None:
    """A reply mentions Bob, so it would be for people only. It also mentions the bot, so the agent gets
    it."""
    thread, task = await a_waiting_agent(world)

    await world.slack.mention(world.alice.id, thread.channel, "do as @bob says", thread.ts)
    await world.settles()

    assert task.inputs == ["do as @Bob says"]
