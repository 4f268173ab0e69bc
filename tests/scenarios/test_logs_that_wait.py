"""A private answer with an agent's log waits for one of the agent's places. The person's right is checked
again then."""

import asyncio
from typing import Any

import pytest

from taskwire.coder.agent_places import MAX_AGENT_JOBS_OF_OWNER
from taskwire.slack.calls import Method
from taskwire_sandbox.coder.faults import late
from taskwire_sandbox.slack import CallFault

from .waiting import takes_all
from .world import World


def _count_logs(world: World) -> int:
    """Return how many requests for a log Coder has got."""
    return sum(seen.route == "tasks.logs" for seen in world.coder.requests)


@pytest.mark.parametrize("command", ["logs", "logs full"])
@pytest.mark.parametrize("end", ["unshared", "suspended", "unshared, with a task of the name"])
async def test_a_log_that_waited_is_shown_only_to_who_may_still_read_it(
    world: World, command: str, end: str
) -> None:
    """Dave, who has a share of Alice's task in a private channel, asks for its log, and has to wait, because
    other people's questions hold the places of Alice's agents. Meanwhile his share ends, or Coder suspends
    him. He reads nothing of what the agent has written, also if the name that he typed means a task of his
    own by then."""
    dave = world.person("dave")
    await world.slack.join(dave.id, "general")
    others = [world.person(name) for name in ("eve", "finn", "gus")]
    world.slack.add_channel("secret", ["alice", "eve", "finn", "gus"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{dave.id}>")
    task.becomes("working")
    await world.polls(times=2)
    dave.reads(), dave.hears()
    world.coder.plan_fault("tasks.logs", late(4.0), times=MAX_AGENT_JOBS_OF_OWNER)
    for number in range(MAX_AGENT_JOBS_OF_OWNER):
        asking = others[number % len(others)]
        await asking.types(f"/task logs {task.id}", "secret", settles=False)
    await world.until(lambda: _count_logs(world) >= MAX_AGENT_JOBS_OF_OWNER, "the places are taken")
    verb, _, rest = command.partition(" ")
    await dave.types(f"/task {verb} fix {rest}".strip(), settles=False)
    await asyncio.sleep(0.5)
    waits = dave.reads()

    if end.endswith("of the name"):
        await dave.types("/task create fix other things", settles=False)
        await world.until(lambda: len(world.coder.tasks) > 1, "the other task")
    if end.startswith("unshared"):
        await world.slack.post(world.alice.id, thread.channel, f"!unshare <@{dave.id}>", thread.ts)
        await world.until(lambda: any("no longer" in each for each in world.alice.reads()), "the share ends")
    else:
        world.coder.suspend("dave")
    world.clock.passes(60)
    await world.ages(seconds=60)
    task.says("The whole key is 1234")
    await world.until(dave.has_news, "the answer")
    await world.settles()

    assert waits == []
    shown = [*dave.reads(), *dave.hears()]
    assert shown
    assert not [each for each in shown if "1234" in each or "(file" in each]
    world.alice.reads(), world.alice.hears(), thread.new_messages(), world.cards()
    world.reader.read_all()


async def test_an_export_that_waited_is_sent_only_to_an_administrator(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root, an administrator by a user group, exports the audit trail, and the file waits for Slack.
    Meanwhile he is removed from the group. He gets no file."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    group = world.slack.add_group("admins", ["root"])
    await world.restarts(admins=(group.id,))
    await world.alice.runs("/task create fix the login")
    slack, is_free = world.bot.parts.deps.slack, asyncio.Event()
    reserve = slack.reserve

    async def wait_and_reserve(method: str, *rest: Any) -> None:
        if method == Method.COMPLETE_UPLOAD:
            await is_free.wait()
        await reserve(method, *rest)

    monkeypatch.setattr(slack, "reserve", wait_and_reserve)
    await root.types("/task audit export", settles=False)
    await asyncio.sleep(0.5)
    waits = [*root.reads(), *root.hears()]
    group.members.remove(root.id)
    await world.ages(seconds=600)
    world.clock.passes(120)
    is_free.set()
    await world.until(root.has_news, "the answer")
    await world.settles()

    assert waits == []
    assert root.hears() == []
    assert [each for each in root.reads() if "Only Taskwire administrators" not in each] == []
    world.reader.read_all()


@pytest.mark.parametrize("command", ["status", "list"])
async def test_an_answer_that_waited_for_slack_shows_only_what_the_person_may_still_see(
    world: World, command: str
) -> None:
    """Dave, who has a share of Alice's task in a private channel, asks for its status. Slack limits the look
    at his profile. Meanwhile his share ends, and the agent says something. He does not read it."""
    dave = world.person("dave")
    await world.slack.join(dave.id, "general")
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{dave.id}>")
    task.becomes("working", "Old words")
    await world.polls(times=2)
    dave.reads(), dave.hears()
    await world.ages(seconds=60)
    await world.alice.types("/task templates")
    world.slack.faults.add("users.info", CallFault.RATE_LIMITED, seconds=6, times=1)
    await dave.types("/task templates", settles=False)
    await asyncio.sleep(0.5)
    await world.alice.types("/task templates", settles=False)
    await dave.types(f"/task {command} {task.id if command == 'status' else ''}".strip(), settles=False)
    await asyncio.sleep(0.5)
    await world.slack.post(world.alice.id, thread.channel, f"!unshare <@{dave.id}>", thread.ts)
    await world.until(lambda: any("no longer" in each for each in world.alice.reads()), "the share ends")
    world.clock.passes(12)
    task.becomes("idle", "The key is in vault 8")

    await asyncio.sleep(6)
    await world.settles()

    shown = dave.reads()
    assert shown
    assert not [each for each in shown if "vault 8" in each]
    world.reader.read_all()
