"""Slack closes a thread to the bot. The bot tells the task's owner once. When the thread is open again, the
bot posts every notice."""

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import CallFault
from taskwire_sandbox.slack import messages as slack_messages
from taskwire_sandbox.slack.workspace import PRIVATE

from .people import Thread
from .running_tasks import TITLE, a_task
from .world import CARD_SECONDS, World

DONE = "Opened PR #12.\nDone: Fix the login redirect. Reply here if there is more to do."
IT_GOES_ON = "The agent goes on. `/task attach {name}` in another channel moves the task."


def told_to_alice(world: World) -> list[str]:
    """Return the bot's new direct messages to Alice, and count them as read from now on."""
    direct = world.slack.open_direct("alice").id
    told = [message for message in world.slack.messages(direct) if world.reader.is_unread(direct, message)]
    for message in told:
        world.reader.read_root(direct, str(message["ts"]))
    return [str(message["text"]) for message in told]


def sentence(thread: Thread, task: SandboxTask, why: str) -> str:
    """Return the sentence with which the bot tells an owner that a thread is closed, and why."""
    why = why.format(channel=f"<#{thread.channel}>")
    return f"I can't write in the thread of *{TITLE}* any more: {why}. {IT_GOES_ON.format(name=task.name)}"


async def test_an_archived_channel_is_left_alone_and_its_owner_told_once(world: World) -> None:
    """The channel of a thread is archived. The bot tells the task's owner once, and keeps the notices. It
    tries to edit the card once an hour, however often the agent reports."""
    thread, task = await a_task(world)
    await world.slack.archive("alice", "general")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    told = told_to_alice(world)
    before = len(world.slack.calls)
    for number in range(6):
        task.becomes("working", f"Step {number}")
        await world.polls()
        await world.passes(seconds=600)

    assert told == [sentence(thread, task, "{channel} is archived")]
    assert len(world.slack.calls) - before <= 2
    assert thread.new_messages() == told_to_alice(world) == []
    assert await world.dead_letters() == ["the channel takes no message: is_archived"]


async def test_when_the_channel_is_back_the_thread_hears_what_it_missed(world: World) -> None:
    """An archived channel is opened again. The bot posts the missed notices once, and nobody has to ask for
    them. The card shows the present state."""
    thread, task = await a_task(world)
    await world.slack.archive("alice", "general")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    task.pause()
    await world.polls()
    told = told_to_alice(world)

    await world.slack.unarchive("alice", "general")
    await world.settles()
    await world.passes(seconds=5)

    assert len(told) == 1
    assert [said.partition(":")[0] for said in thread.new_messages()] == [
        f"<@{world.alice.id}> Opened PR #12.\nDone",
        "Paused",
    ]
    assert thread.card().startswith(f"Paused: {TITLE}.")
    assert await world.dead_letters() == []


async def test_a_bot_that_is_invited_again_reads_what_was_written_meanwhile(world: World) -> None:
    """The bot got no events while it was not a member of the channel. When somebody invites it again, it
    reads the missed replies, so that nobody has to write them again."""
    thread, task = await a_task(world)
    await world.slack.leave(world.slack.bot_user_id, "general")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    told = told_to_alice(world)
    missed = await world.alice.replies(thread, "thanks, now tidy up")

    await world.slack.join(world.slack.bot_user_id, "general")
    await world.settles()
    await world.passes(seconds=5)

    assert told == [sentence(thread, task, "I was removed from {channel}")]
    assert thread.new_messages() == [f"<@{world.alice.id}> {DONE}"]
    assert task.inputs == ["thanks, now tidy up"]
    assert thread.receipt(missed) == ["white_check_mark"]
    assert await world.dead_letters() == []


async def test_a_thread_whose_channel_nobody_says_is_back_is_tried_with_the_next_notice(world: World) -> None:
    """A channel is archived and opened again, but the bot gets no event about this. The bot tries to post the
    next notice there and succeeds. Then it also posts the notices that were missed."""
    thread, task = await a_task(world)
    await world.slack.archive("alice", "general")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    told_to_alice(world)
    world.slack.workspace.channel("general").is_archived = False

    task.becomes("failed", "The tests broke")
    await world.polls()
    await world.passes(seconds=5)

    assert [said.partition(":")[0] for said in thread.new_messages()] == [
        f"<@{world.alice.id}> The tests broke.\nFailed",
        f"<@{world.alice.id}> Opened PR #12.\nDone",
    ]
    assert thread.card().startswith(f"Failed: {TITLE}. The tests broke.")


async def test_a_task_of_a_closed_thread_moves_to_another_channel(world: World) -> None:
    """The owner can detach the task and attach it in another channel. The bot does not try the old channel
    again."""
    world.slack.add_channel("elsewhere", ["alice"])
    _, task = await a_task(world)
    await world.slack.archive("alice", "general")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    told_to_alice(world)

    await world.alice.types(f"/task detach {task.name}", "elsewhere")
    detached = world.alice.reads()
    moved = await world.alice.runs(f"/task attach {task.name}", "elsewhere")
    await world.passes(seconds=5)

    assert detached == [
        f"Detached *{TITLE}*. The task itself stays as it is. `/task attach {task.name}` gives it a new "
        "thread."
    ]
    assert moved.card().startswith(f"Done: {TITLE}. Opened PR #12.")
    assert len(await world.dead_letters()) == 1


async def test_a_task_of_a_closed_thread_is_moved_by_attach(world: World) -> None:
    """The owner attaches the task in another channel. The bot posts nothing in the old thread any more."""
    world.slack.add_channel("elsewhere", ["alice"])
    thread, task = await a_task(world)
    del world.slack.workspace.channels[thread.channel]

    moved = await world.alice.runs(f"/task attach {task.name}", "elsewhere")
    await world.passes(seconds=5)

    assert moved.card().startswith(f"Working: {TITLE}.")
    world.alice.reads()


async def test_a_channel_that_is_made_private_goes_on(world: World) -> None:
    """A channel is made private, and the bot is still a member. Slack now delivers the channel's messages as
    those of a private channel. Replies still reach the agent."""
    thread, task = await a_task(world)
    world.slack.workspace.channel("general").kind = PRIVATE

    reply = await world.alice.replies(thread, "use main")
    task.becomes("idle")
    await world.polls()
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    thread.new_messages()


async def test_a_channel_that_is_deleted_ends_like_one_that_is_closed(world: World) -> None:
    """A channel is deleted, and Slack only says that it is not found. The bot tells the task's owner that
    either the bot was removed from the channel or the channel was deleted."""
    thread, task = await a_task(world)
    del world.slack.workspace.channels[thread.channel]
    task.becomes("complete", "Opened PR #12")
    await world.polls()

    assert told_to_alice(world) == [sentence(thread, task, "I was removed from {channel}, or it was deleted")]
    assert await world.dead_letters() == ["the channel takes no message: channel_not_found"]


async def test_an_owner_who_has_left_is_told_nothing_and_holds_nothing_up(world: World) -> None:
    """A channel is archived, and the task's owner has left Slack. The bot sends the owner no direct message.
    The notice becomes a dead letter, so no job waits."""
    _, task = await a_task(world)
    world.slack.workspace.user("alice").deleted = True
    world.slack.workspace.channel("general").is_archived = True
    task.becomes("complete", "Opened PR #12")

    await world.polls()

    assert told_to_alice(world) == []
    assert await world.dead_letters() == ["the channel takes no message: is_archived"]


async def test_a_card_that_may_stand_in_a_closed_channel_is_told_as_that(world: World) -> None:
    """The bot posts the card of a new task, but Slack's answer is lost. Then the bot is removed from the
    channel and cannot look for the card. It creates no task, and tells the person that a card may be in the
    channel."""
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    world.slack.faults.add("conversations.history", CallFault.SERVER_ERROR)
    await world.alice.types("/task create fix the login redirect")
    world.reader.new_roots()
    await world.slack.leave(world.slack.bot_user_id, "general")

    await world.passes(seconds=61)

    assert world.alice.reads() == [
        "Slack is not answering, so creating *fix the login redirect* has to wait. I'll try for an "
        "hour; no need to repeat it.",
        "I may have posted a card in <#{}>: Slack's answer was lost, and I can't look there now. The task "
        "was not created. Ask again, and ignore that card if you see it.".format(
            world.slack.workspace.channel("general").id
        ),
    ]
    assert world.coder.tasks == []


async def test_a_bot_that_is_removed_while_a_card_is_posted_anew_finds_it_when_it_is_back(
    world: World,
) -> None:
    """The bot posts a new card for a deleted one, but Slack's answer is lost. Then the bot is removed from
    the channel before it has looked for the card. It finds the card when somebody invites it again."""
    thread, task = await a_task(world)
    slack_messages.remove(world.slack.backend, world.slack.workspace.channel("general"), thread.ts)
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    away = world.slack.faults.add(
        "conversations.history", CallFault.ERROR, times=None, error="not_in_channel"
    )
    task.becomes("working", "Step 1")
    await world.polls()
    for _ in range(3):
        await world.passes(seconds=31)
    told = told_to_alice(world)
    away.times = 0

    await world.slack.leave(world.slack.bot_user_id, "general")
    await world.slack.join(world.slack.bot_user_id, "general")
    await world.settles()
    await world.passes(CARD_SECONDS)
    shown = world.cards()

    assert told == [sentence(thread, task, "I was removed from {channel}")]
    assert [each.partition(".")[0] for each in shown] == [f"Working: {TITLE}"]


async def test_a_card_that_may_stand_anew_in_a_closed_channel_is_looked_for_when_it_is_open(
    world: World,
) -> None:
    """The bot may have posted a new card just before it was removed from the channel. When somebody invites
    it again, it first looks for that card. A second card would split the thread."""
    thread, task = await a_task(world)
    slack_messages.remove(world.slack.backend, world.slack.workspace.channel("general"), thread.ts)
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    world.slack.faults.add("conversations.history", CallFault.SERVER_ERROR)
    task.becomes("working", "Step 1")
    await world.polls()
    await world.passes(CARD_SECONDS)
    await world.slack.leave(world.slack.bot_user_id, "general")
    await world.passes(seconds=61)
    told = told_to_alice(world)

    await world.slack.join(world.slack.bot_user_id, "general")
    await world.settles()
    await world.passes(CARD_SECONDS)
    shown = world.cards()
    roots = [str(root["ts"]) for root in world.slack.messages("general") if root["text"] in shown[0]]
    moved = Thread(world, thread.channel, roots[0])
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await world.passes(CARD_SECONDS)

    assert told == [sentence(thread, task, "I was removed from {channel}")]
    assert [each.partition(".")[0] for each in shown] == [f"Working: {TITLE}"]
    assert world.cards() == []
    assert moved.card().startswith(f"Done: {TITLE}. Opened PR #12.")
    assert moved.new_messages() == [f"<@{world.alice.id}> {DONE}"]
