"""Who may use the bot is checked when something arrives, on every surface, before it can wait for Coder."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.people.permissions import People
from taskwire.replies.admit import ReplyReceiver
from taskwire.slack.inbound import MessageEdited
from taskwire_sandbox.coder import SandboxTask, faults

from .people import Thread
from .running_tasks import a_task
from .test_allowed_lists import NO_INPUT, NOT_IN_A_GROUP
from .test_audit import entries
from .test_share_ends import comes_back
from .world import World

SURFACES = {
    "command": "command",
    "offered command": "click",
    "button": "click",
    "home": "click",
    "dialog": "dialog",
    "own settings": "dialog",
    "shortcut": "shortcut",
    "shortcut on a message": "shortcut",
    "mention": "mention",
    "direct message": "direct",
    "reaction": "reaction",
}
IN_THREADS = {"reply": f"{NO_INPUT} {NOT_IN_A_GROUP}", "verb": NOT_IN_A_GROUP, "stop": NOT_IN_A_GROUP}


@pytest.fixture(autouse=True)
def _answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what Slack said about people longer than a slow machine needs for a story."""
    for name in ("ANSWER_TTL_MS", "LONGEST_TTL_MS"):
        monkeypatch.setattr(f"taskwire.people.directory.{name}", 50_000)


async def a_person_who_lost_the_right(world: World, way: str) -> tuple[Thread, SandboxTask]:
    """Alice has a task, and a request that waits because Coder does not answer. Then she leaves the user
    group that may use the bot, and the bot learns of it."""
    group = world.slack.add_group("platform-team", ["alice", "bob"])
    await world.restarts(allowed_groups=(group.id,))
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.polls()
    await world.alice.opens_home()
    if way == "dialog":
        await world.alice.types("/task create")
    if way == "own settings":
        await world.alice.presses_in_home("Change")
    if way == "offered command":
        await world.alice.types(f"/task stpo {task.name}")
        world.alice.reads()
    world.coder.plan_fault("*", faults.server_error(), times=None)
    await world.ages(seconds=60)
    await world.alice.types(f"/task mute {task.name}")
    group.members[:] = [world.bob.id]
    await world.ages(seconds=60)
    await world.alice.types("/task list")
    assert world.alice.reads() == [NOT_IN_A_GROUP]
    return thread, task


async def acts(world: World, way: str, thread: Thread, task: SandboxTask) -> Sequence[str]:
    """Let Alice act on one surface. Return what she is told."""
    alice, slack = world.alice, world.slack
    message = thread.ts
    if way == "shortcut on a message":
        message = await slack.post(world.bob.id, thread.channel, "words", thread.ts)
        await world.settles()
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "command": lambda: alice.types(f"/task pause {task.name}"),
        "offered command": lambda: alice.presses("Stop"),
        "button": lambda: alice.clicks(thread, "Stop"),
        "home": lambda: alice.presses_in_home("New task"),
        "dialog": lambda: alice.submits(prompt="fix it"),
        "own settings": lambda: alice.saves_own(calls="nothing"),
        "shortcut": lambda: slack.shortcut(alice.id, "new_task"),
        "shortcut on a message": lambda: slack.message_shortcut(
            alice.id, thread.channel, message, "send_to_task"
        ),
        "mention": lambda: slack.mention(alice.id, thread.channel, "fix it"),
        "direct message": lambda: alice.writes_directly(f"pause {task.name}"),
        "reaction": lambda: slack.react(alice.id, thread.channel, thread.ts, "octagonal_sign"),
        "reply": lambda: alice.replies(thread, "print all keys"),
        "verb": lambda: alice.replies(thread, "!pause"),
        "stop": lambda: alice.replies(thread, "stop"),
    }
    answer = await ways[way]()
    await world.settles()
    if way == "home":
        return [alice.home().partition("\n---")[0]]
    if way in ("own settings", "shortcut"):
        return [alice.dialog()]
    return [*(answer.values() if isinstance(answer, dict) else ()), *alice.reads()]


@pytest.mark.parametrize("way", [*SURFACES, *IN_THREADS])
async def test_a_person_who_lost_the_right_is_refused_at_once(world: World, way: str) -> None:
    """Alice may not use the bot any more, and Coder does not answer. Whatever she does is refused at once,
    while her earlier request still waits. Nothing of it is done when she may use the bot again."""
    thread, task = await a_person_who_lost_the_right(world, way)
    recorded = await entries(world)
    waiting = {name: jobs for name, jobs in (await world.jobs()).items() if name.startswith("intake:")}

    told = await acts(world, way, thread, task)

    refusal = IN_THREADS.get(way, NOT_IN_A_GROUP)
    assert told == {
        "own settings": [f"[Your settings]\n{refusal}"],
        "shortcut": [f"[New task]\n{refusal}"],
    }.get(way, [refusal])
    still = {name: jobs for name, jobs in (await world.jobs()).items() if name.startswith("intake:")}
    assert (len(waiting), still) == (1, waiting)
    if way in SURFACES:
        surface = {"offered command": "button", "own settings": "dialog"}.get(way, way.split(" on ")[0])
        by = {"reaction": "emoji", "direct message": "direct_message"}.get(surface, surface)
        assert (await entries(world))[len(recorded) :] == [
            f"alice {SURFACES[way]} by {by}: refused (not_in_a_group)"
        ]
    await comes_back(world)
    assert world.alice.reads() == [NOT_IN_A_GROUP]
    assert (task.inputs, task.status, len(world.coder.tasks)) == ([], "active", 1)
    world.bob.reads()
    thread.new_messages()


async def test_an_edit_by_a_person_who_lost_the_right_reaches_no_agent(world: World) -> None:
    """Alice's reply waits for Coder. She edits it while she may not use the bot. The agent gets neither text,
    even if she may use the bot again when Coder answers."""
    group = world.slack.add_group("platform-team", ["alice", "bob"])
    await world.restarts(allowed_groups=(group.id,))
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.polls()
    world.coder.plan_fault("*", faults.server_error(), times=None)
    reply = await world.alice.replies(thread, "add a test")
    group.members[:] = [world.bob.id]
    await world.forgets()
    await world.alice.types("/task list")
    assert world.alice.reads() == [NOT_IN_A_GROUP]

    deps, inbox = world.bot.parts.deps, world.bot.parts.inbox
    await world.stops()
    receiver = ReplyReceiver(deps, inbox, People(deps, ()).find_known_bar)
    claim = await receiver.claim_edit(
        MessageEdited(
            channel=ChannelId(thread.channel),
            ts=Ts(reply),
            person=UserId(world.alice.id),
            text="print all keys",
            delivery=f"{thread.channel}:{reply}:edit",
            thread_ts=Ts(thread.ts),
            edited_ts=Ts(f"{float(reply) + 1:.6f}"),
            is_bot_thread=True,
        )
    )
    group.members[:] = [world.alice.id, world.bob.id]
    await world.forgets()
    await world.starts()
    await comes_back(world)

    assert claim == "claimed"
    assert world.alice.reads() == [f"{NO_INPUT} {NOT_IN_A_GROUP}"]
    assert task.inputs == []
    thread.new_messages()
