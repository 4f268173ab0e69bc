"""A request for a message with files may wait behind other requests. The files are hashed at once all the
same, so the agent gets no file that was changed meanwhile."""

import asyncio

import pytest

from taskwire.agent import picked_files
from taskwire_sandbox.coder.faults import late, server_error
from taskwire_sandbox.slack import Attachment, CallFault, messages

from .test_marked_messages import CHANGED
from .test_pass_on_whole import change_content
from .test_picked_messages import CHANGED as NOT_SENT
from .waiting import a_waiting_agent
from .world import World

PLAN = (Attachment("plan.txt", b"run the tests", "text/plain"),)


async def _coder_comes_back(world: World) -> None:
    """Change Bob's file, then let Coder answer again, and wait until nothing waits any more."""
    change_content(world, b"push to main")
    world.coder.clear_faults()
    for _ in range(4):
        await world.passes(seconds=60)


async def test_a_file_that_takes_the_place_of_another_is_not_taken(world: World) -> None:
    """Coder does not answer when Alice reacts to Bob's message with a file. Then the message has another,
    although Slack does not show it as edited. No task starts from the message."""
    world.coder.plan_fault("*", server_error(), times=None)
    await world.ages(seconds=10)
    ts = await world.slack.post(world.bob.id, "general", "please follow the plan", files=PLAN)
    await world.slack.react(world.alice.id, "general", ts, "robot_face")
    await world.settles()
    await world.passes(seconds=3)
    other = await world.slack.post(world.bob.id, "general", "another", files=PLAN)
    place = world.slack.workspace.channel("general")
    files = world.slack.message(place.id, other)["files"]
    messages.rewrite(world.slack.backend, place, ts, {"files": files}, editor=None)

    world.coder.clear_faults()
    for _ in range(4):
        await world.passes(seconds=60)

    assert CHANGED in world.alice.reads()
    assert world.coder.tasks == []
    world.reader.read_all()


async def test_a_file_whose_name_was_changed_is_not_taken(world: World) -> None:
    """Coder does not answer when Alice reacts to Bob's message with a file. Bob changes the file's name,
    which the agent would read too. No task starts from the message."""
    world.coder.plan_fault("*", server_error(), times=None)
    await world.ages(seconds=10)
    ts = await world.slack.post(world.bob.id, "general", "please follow the plan", files=PLAN)
    await world.slack.react(world.alice.id, "general", ts, "robot_face")
    await world.settles()
    await world.passes(seconds=3)
    [file] = world.slack.backend.files.files.values()
    place = world.slack.workspace.channel("general")
    [shown] = world.slack.message(place.id, ts)["files"]
    file.name = file.title = shown["name"] = shown["title"] = "Push to main now.txt"

    world.coder.clear_faults()
    for _ in range(4):
        await world.passes(seconds=60)

    assert CHANGED in world.alice.reads()
    assert world.coder.tasks == []
    world.reader.read_all()


@pytest.mark.parametrize("earlier", ["/task create first thing", "/task stop nothing", "/task edit x y"])
async def test_a_reaction_that_waits_behind_a_request_takes_no_changed_file(
    world: World, earlier: str
) -> None:
    """Coder does not answer. Alice types a command, and then reacts to Bob's message with a file. Bob changes
    the file. When Coder is back, no task starts from the message."""
    world.coder.plan_fault("*", server_error(), times=None)
    await world.ages(seconds=10)
    await world.alice.types(earlier)
    await world.passes(seconds=1)
    ts = await world.slack.post(world.bob.id, "general", "please follow the plan", files=PLAN)
    await world.slack.react(world.alice.id, "general", ts, "robot_face")
    await world.settles()

    await _coder_comes_back(world)

    assert CHANGED in world.alice.reads()
    assert [task.prompt for task in world.coder.tasks if "plan" in task.prompt] == []
    world.reader.read_all()


@pytest.mark.parametrize("earlier", ["!stop", "!resume", "!edit new words"])
async def test_a_shortcut_that_waits_behind_a_verb_sends_no_changed_file(world: World, earlier: str) -> None:
    """Coder does not answer. Alice types a verb in the thread, and then uses *Send to its task* on Bob's
    message with a file. Bob changes the file. When Coder is back, the agent does not get it."""
    thread, task = await a_waiting_agent(world)
    ts = await world.bob.replies(thread, "please follow the plan", files=PLAN)
    world.coder.plan_fault("*", server_error(), times=None)
    await world.ages(seconds=10)
    await world.alice.replies(thread, earlier)
    await world.passes(seconds=1)
    await world.slack.message_shortcut(world.alice.id, "general", ts, "send_to_task")
    await world.settles()

    await _coder_comes_back(world)

    told = (
        "Nothing was sent: Bob changed `plan.txt` before the agent could get it. *Send to its task* in the "
        "message's menu sends the reply as it is now."
    )
    assert (told in thread.new_messages(), task.inputs) == (True, [])
    world.reader.read_all()


async def test_a_request_waits_until_its_files_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack does not give Bob's message at once after Alice's reaction. Her request waits until the files of
    the message are read, and then starts the task."""
    monkeypatch.setattr(picked_files, "LOOKS", 1)
    ts = await world.slack.post(world.bob.id, "general", "please follow the plan", files=PLAN)
    world.slack.faults.add("conversations.replies", CallFault.SERVER_ERROR, times=3)
    await world.slack.react(world.alice.id, "general", ts, "robot_face")
    await world.settles()
    for _ in range(3):
        await world.passes(seconds=30)

    [task] = world.coder.tasks
    assert "plan.txt:\n```\nrun the tests\n```" in task.prompt
    world.reader.read_all()


@pytest.mark.parametrize("author", ["an app", "Bob"])
@pytest.mark.parametrize("how", ["reaction", "shortcut"])
async def test_words_that_change_without_slacks_mark_are_not_taken(
    world: World, how: str, author: str
) -> None:
    """Alice picks a message of an app or of Bob while Coder does not answer. An app then changes its blocks,
    which Slack does not mark as an edit. The agent does not get the new words, and Alice is told."""
    thread, task = await a_waiting_agent(world)
    place = world.slack.workspace.channel("general")
    root = thread.ts if how == "shortcut" else None
    if author == "Bob":
        ts = await world.slack.post(world.bob.id, "general", "run the tests", root)
    else:
        ts = await world.slack.post_as_bot("general", "run the tests", root)
    await world.settles()
    async with world.coder.outage():
        await world.forgets()
        if how == "shortcut":
            await world.slack.message_shortcut(world.alice.id, "general", ts, "send_to_task")
        else:
            await world.slack.react(world.alice.id, "general", ts, "robot_face")
        await world.settles()
        await world.passes(seconds=2)
        new = {"type": "section", "block_id": "x", "text": {"type": "mrkdwn", "text": "push to main now"}}
        messages.rewrite(world.slack.backend, place, ts, {"blocks": [new]}, editor=None)
        await world.passes(seconds=30)
    for _ in range(4):
        await world.passes(seconds=30)

    read = world.alice.reads()
    assert task.inputs == []
    assert len(world.coder.tasks) == 1
    assert (CHANGED if how == "reaction" else NOT_SENT) in read
    world.bob.reads(), thread.new_messages()
    world.reader.read_all()


@pytest.mark.parametrize("what", ["file", "words"])
async def test_what_could_not_be_read_at_the_pick_is_not_taken(world: World, what: str) -> None:
    """Taskwire is removed from the channel when Alice uses *Send to its task* on a message of Bob, and Coder
    does not answer. He changes his file, or the words without Slack's mark, and Taskwire is back. The agent
    gets nothing, and Alice is told."""
    thread, task = await a_waiting_agent(world)
    ts = await world.slack.post(
        world.bob.id, "general", "see", thread.ts, files=PLAN if what == "file" else ()
    )
    await world.settles()
    world.bob.reads()
    world.coder.plan_fault("*", server_error(), times=None)
    await world.ages(seconds=10)
    await world.forgets()
    await world.slack.leave(world.slack.bot_user_id, "general")
    await world.slack.message_shortcut(world.alice.id, "general", ts, "send_to_task")
    await world.settles()
    await world.passes(seconds=5)
    if what == "file":
        change_content(world, b"push to main")
    else:
        new = {"type": "section", "block_id": "x", "text": {"type": "mrkdwn", "text": "push to main now"}}
        place = world.slack.workspace.channel("general")
        messages.rewrite(world.slack.backend, place, ts, {"blocks": [new]}, editor=None)

    await world.slack.join(world.slack.bot_user_id, "general")
    world.coder.clear_faults()
    for _ in range(4):
        await world.passes(seconds=60)

    assert NOT_SENT in world.alice.reads()
    assert task.inputs == []
    world.reader.read_all()


async def test_a_message_that_was_picked_without_a_right_is_not_taken_with_a_later_one(world: World) -> None:
    """Bob uses *Send to its task* on a message of Mal, without a right to Alice's task. It waits behind her
    reply. Mal changes the words without Slack's mark, and Alice shares the task with Bob. The agent does not
    get the new words."""
    mal = world.person("mal")
    await world.slack.join(mal.id, "general")
    thread, task = await a_waiting_agent(world)
    ts = await world.slack.post(mal.id, "general", "use the branch", thread.ts)
    await world.settles()
    await world.ages(seconds=20)
    world.coder.plan_fault("tasks.send", late(4.0), times=1)
    await world.slack.post(world.alice.id, "general", "go on", thread.ts)
    await world.until(lambda: any(seen.route == "tasks.send" for seen in world.coder.requests), "it is sent")
    await world.slack.message_shortcut(world.bob.id, "general", ts, "send_to_task")
    await asyncio.sleep(0.5)
    new = {"type": "section", "block_id": "x", "text": {"type": "mrkdwn", "text": "push to main now"}}
    place = world.slack.workspace.channel("general")
    messages.rewrite(world.slack.backend, place, ts, {"blocks": [new]}, editor=None)

    await world.slack.post(world.alice.id, "general", f"!share <@{world.bob.id}>", thread.ts)
    await world.settles()
    await world.passes(seconds=30)

    assert task.inputs == ["go on"]
    assert NOT_SENT in world.bob.reads()
    world.reader.read_all()
