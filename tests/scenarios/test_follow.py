"""A person follows an agent: one message shows the agent's last lines, for ten minutes at most."""

import pytest

from taskwire.notices.follow import MOST_FOLLOWED
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Thread
from .waiting import a_busy_agent
from .world import SETTLE_SECONDS, World

STOPPED = "Stopped following *Fix the login*. The task goes on."
KEPT = " What the agent wrote last stays here:"


async def _followed(world: World) -> tuple[Thread, SandboxTask, str]:
    """Let Alice follow a busy agent. Return the thread, the task, and the ts of the message that follows the
    agent."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "!follow")
    return thread, task, thread.last_message()


def _shows(world: World, thread: Thread, ts: str) -> str:
    """Return what the message with this ts shows of the agent's log."""
    message = world.slack.message(thread.channel, ts)
    pieces = [
        str(piece["text"])
        for block in message["blocks"]
        if block["type"] == "rich_text"
        for part in block["elements"]
        for piece in part["elements"]
        if part["type"] == "rich_text_preformatted"
    ]
    return "".join(pieces)


async def _ends(world: World, thread: Thread) -> list[str]:
    """Let Alice type `!unfollow`. Return the first line of each message that is new in the thread."""
    await world.alice.replies(thread, "!unfollow")
    await world.passes(6)
    world.alice.reads()
    return [message.partition("\n")[0] for message in thread.new_messages()]


async def test_one_message_shows_what_the_agent_writes(world: World) -> None:
    """A person follows an agent. The bot edits one message in the thread until somebody presses *Stop
    following*. The message then says that the task goes on."""
    thread, task, ts = await _followed(world)
    task.says("Reading src/login.py")
    await world.passes(6)
    first = _shows(world, thread, ts)
    task.rewrites("Reading src/login.py\nRunning the tests")
    await world.passes(6)
    second = _shows(world, thread, ts)

    await world.alice.clicks(thread, "Unfollow")
    await world.passes(6)

    assert (first, second) == ("Reading src/login.py", "Reading src/login.py\nRunning the tests")
    assert thread.new_messages() == [
        f"{STOPPED}{KEPT}\nReading src/login.py Running the tests\n"
        "| Reading src/login.py\n| Running the tests"
    ]
    assert world.alice.reads() == []
    meta = world.slack.backend.workspace.channels[thread.channel].messages[ts].metadata
    assert meta is not None
    assert meta["event_payload"]["kind"] == "live"


async def test_following_ends_by_itself_after_ten_minutes(world: World) -> None:
    """Alice has followed an agent for ten minutes. The message then says that following has ended, and has a
    button to go on."""
    thread, task, _ = await _followed(world)
    task.says("Still reading")
    await world.passes(6)

    await world.passes(600)

    assert thread.new_messages() == [
        "Followed *Fix the login* for 10 minutes. What the agent wrote last stays here:\n"
        "Still reading\n| Still reading\n[Follow]"
    ]
    await world.alice.clicks(thread, "Follow")
    assert await _ends(world, thread) == [STOPPED + KEPT]


@pytest.mark.parametrize(
    ("state", "why", "notice"),
    [
        ("complete", "was done", "Done: Fix the login. Reply here if there is more to do."),
        ("idle", "needed somebody", "Needs you: Fix the login. Reply here to go on."),
        ("failed", "failed", "Failed: Fix the login. Reply here to tell the agent how to go on."),
    ],
)
async def test_following_ends_with_the_work(world: World, state: str, why: str, notice: str) -> None:
    """An agent that Alice follows is done, asks or fails. The message says so and keeps the last lines, and
    the notice has the answer."""
    thread, task, ts = await _followed(world)
    task.says("Reading src/login.py")
    await world.passes(6)
    task.becomes(state, "Opened PR #12")
    await world.polls()
    await world.passes(SETTLE_SECONDS)
    await world.passes(6)

    assert thread.new_messages() == [
        f"Followed *Fix the login* until the agent {why}. What the agent wrote last stays here:\n"
        "Reading src/login.py\n| Reading src/login.py",
        f"<@{world.alice.id}> Reading src/login.py.\n{notice}",
    ]
    assert _shows(world, thread, ts) == "Reading src/login.py"


async def test_following_ends_when_somebody_stops_the_agent(world: World) -> None:
    """A person stops an agent that is being followed. The message says who stopped the agent, and keeps the
    agent's last lines."""
    thread, task, _ = await _followed(world)
    task.says("Reading src/login.py")
    await world.passes(6)

    await world.alice.clicks(thread, "Stop")
    await world.polls()
    await world.passes(6)

    assert thread.new_messages() == [
        "Followed *Fix the login* until Alice stopped the task. What the agent wrote last stays here:\n"
        "Reading src/login.py\n| Reading src/login.py",
        "Paused by Alice. A reply resumes it.",
    ]
    assert world.alice.reads() == []


async def test_coder_is_asked_for_the_log_only_while_somebody_follows(world: World) -> None:
    """While somebody follows, the bot reads the agent's log every few seconds. Before and afterwards, it does
    not read the log. It edits the message only if the log has changed."""
    thread, task = await a_busy_agent(world)
    task.says("Reading")
    await world.passes(30)
    assert _count(world) == 0

    await world.alice.replies(thread, "!follow")
    await world.passes(6)
    edits = _count_edits(world, thread)
    await world.passes(6)
    await world.passes(6)
    assert _count(world) == 4
    assert _count_edits(world, thread) == edits
    assert await _ends(world, thread) == [STOPPED + KEPT]
    asked = _count(world)
    await world.passes(60)

    assert _count(world) == asked


def _count(world: World) -> int:
    return sum(request.route == "tasks.logs" for request in world.coder.requests)


def _count_edits(world: World, thread: Thread) -> int:
    ts = thread.last_message()
    return sum(call.method == "chat.update" and call.arguments["ts"] == ts for call in world.slack.calls)


async def test_following_goes_on_after_a_restart(world: World) -> None:
    """The bot restarts while Alice follows an agent. After the restart, the bot edits the same message and
    posts no other."""
    thread, task, ts = await _followed(world)
    await world.restarts()

    task.says("Reading on")
    await world.passes(6)

    assert (_shows(world, thread, ts), thread.last_message()) == ("Reading on", ts)
    assert await _ends(world, thread) == [STOPPED + KEPT]


async def test_what_an_agent_writes_stays_text(world: World) -> None:
    """An agent that Alice follows writes mentions and secrets. Its lines in the message mention nobody and
    show no secret."""
    thread, task, ts = await _followed(world)
    task.says(f"<!channel> token {world.slack.bot_token} *bold*")
    await world.passes(6)

    shown = _shows(world, thread, ts)
    text = str(world.slack.message(thread.channel, ts)["text"])

    assert world.slack.bot_token not in shown + text
    assert "<!channel>" not in text
    assert "*bold*" in shown
    assert await _ends(world, thread) == [STOPPED + KEPT]


async def test_a_log_that_cannot_be_read_changes_nothing(world: World) -> None:
    """Alice follows an agent, and Coder fails once when the bot reads the log. The message stays as it is.
    The bot reads the log again a few seconds later."""
    thread, task, ts = await _followed(world)
    task.says("Reading")
    await world.passes(6)
    world.coder.plan_fault("tasks.logs", server_error(), times=1)
    task.rewrites("Reading on")
    await world.passes(6)
    before = _shows(world, thread, ts)

    await world.passes(6)

    assert (before, _shows(world, thread, ts)) == ("Reading", "Reading on")
    assert await _ends(world, thread) == [STOPPED + KEPT]


async def test_there_is_nothing_to_follow_while_the_agent_waits(world: World) -> None:
    """The bot refuses to follow an agent that waits for a reply. It also refuses to follow an agent that a
    message in the thread already shows."""
    thread, task, _ = await _followed(world)
    await world.alice.replies(thread, "!follow")
    twice = world.alice.reads()
    assert await _ends(world, thread) == [STOPPED]
    task.becomes("idle", "Which login?")
    await world.polls()
    await world.passes(30)
    thread.new_messages()

    await world.alice.replies(thread, "!follow")

    assert twice == ["A message in this thread already shows what the agent of *Fix the login* writes."]
    assert world.alice.reads() == [
        "The agent of *Fix the login* is not working now, so there is nothing to follow."
    ]


async def test_only_people_who_may_steer_follow(world: World) -> None:
    """Bob may not steer Alice's task, so the bot refuses to follow its agent for him. Everybody in the thread
    would see the message about the agent."""
    thread, _ = await a_busy_agent(world)

    await world.bob.replies(thread, "!follow")

    assert world.bob.reads() == [
        "*Fix the login* belongs to Alice, so you can't follow its agent. "
        "Alice can let you, with `!share @Bob` in its thread."
    ]
    assert thread.new_messages() == []


async def test_a_few_agents_are_followed_at_once(world: World) -> None:
    """The bot already follows ten agents, so it refuses to follow another. Each followed agent needs edits,
    and Slack limits the edits of the whole bot."""
    thread, _ = await a_busy_agent(world)
    key, soon = world.keys.named("followed"), 10**15
    await world.connections.commands.zadd(key, {f"other{number}": soon for number in range(MOST_FOLLOWED)})
    await world.connections.commands.expire(key, 60)

    await world.alice.replies(thread, "!follow")

    assert world.alice.reads() == [
        "10 agents are already followed, which is the limit. Try again in a few minutes."
    ]


async def test_one_person_follows_a_few_agents_only(world: World) -> None:
    """Alice follows three agents, and the bot refuses to follow a fourth for her. Bob still follows his. When
    she has stopped following one, she can follow another."""
    threads = []
    for name in ("one", "two", "three", "four"):
        threads.append(await world.alice.runs(f"/task create name={name} do {name}"))
        world.task(name).becomes("working", "On it")
        await world.polls()
        await world.passes(4)
    bobs = await world.bob.runs("/task create name=five do five")
    world.task("five").becomes("working", "On it")
    await world.polls()
    await world.passes(4)

    for thread in threads:
        await world.alice.replies(thread, "!follow")
    refused = world.alice.reads()
    await world.bob.replies(bobs, "!follow")
    await world.alice.replies(threads[0], "!unfollow")
    await world.passes(6)
    await world.alice.replies(threads[3], "!follow")
    await world.passes(6)
    refused_again = world.alice.reads()
    for thread in (*threads[1:], bobs):
        await (world.bob if thread is bobs else world.alice).replies(thread, "!unfollow")
        await world.passes(6)

    assert refused == [
        "You already follow 3 agents, which is the limit. Send `!unfollow` in one of their threads."
    ]
    assert (refused_again, world.bob.reads()) == ([], [])
    assert [len(each.new_messages()) for each in (*threads, bobs)] == [1, 1, 1, 1, 1]


async def test_the_menu_of_a_card_offers_to_follow(world: World) -> None:
    """The card's menu has *Follow*. While somebody follows the agent, the menu has *Unfollow*
    instead."""
    thread = await world.alice.mentions("fix it")
    world.task("fix-it").becomes("working", "On it")
    await world.polls()
    await world.passes(4)

    offered = thread.card()
    await world.alice.clicks(thread, "Follow")
    await world.passes(4)
    again = thread.card()
    await world.alice.clicks(thread, "Unfollow")
    await world.passes(6)

    assert "[⋯ Open in Coder, Follow, Logs, " in offered
    assert "[⋯ Open in Coder, Unfollow, Logs, " in again
    assert thread.new_messages() == ["Stopped following *Fix it*. The task goes on."]
    assert world.alice.reads() == []
