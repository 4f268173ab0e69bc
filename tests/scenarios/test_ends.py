"""Every request ends in a known state, and the person is told once. This holds even if a system stays away or
a task never gets ready."""

from taskwire_sandbox.coder import faults
from taskwire_sandbox.slack import CallFault
from taskwire_sandbox.slack import messages as slack_messages

from .running_tasks import TITLE, a_task, card
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World

HOUR = 3_600.0
DONE = f"Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."


async def test_slack_away_for_an_hour_delays_what_is_told_and_doubles_nothing(world: World) -> None:
    """Slack is away for an hour. When it is back, the bot posts each notice once and in order. The card shows
    the present state."""
    thread, task = await a_task(world)
    for method in ("chat.postMessage", "chat.update", "conversations.replies", "conversations.history"):
        world.slack.faults.add(method, CallFault.SERVER_ERROR, times=None)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    task.pause()
    await world.polls()
    for _ in range(6):
        await world.passes(seconds=HOUR / 6)
    before = thread.new_messages()

    world.slack.faults.clear()
    for _ in range(3):
        await world.passes(seconds=310)

    assert before == []
    said = thread.new_messages()
    assert said[0] == f"<@{world.alice.id}> {DONE}"
    assert [each.partition(":")[0] for each in said[1:]] == ["Paused"]
    assert (await card(world, thread)).startswith(f"Paused: {TITLE}.")


async def test_a_task_that_never_gets_ready_gives_its_replies_back_after_a_day(world: World) -> None:
    """A reply waits for a task that never gets ready. After a day, the bot posts in the thread that the reply
    was not delivered, with its text. From then on, it asks Coder no more."""
    thread, task = await a_task(world)
    task.status_is("pending")
    await world.polls()
    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=10)
    waiting = thread.receipt(reply)

    await world.passes(seconds=24 * HOUR + 31)
    asked = len(world.coder.requests)
    for _ in range(5):
        await world.passes(seconds=HOUR)

    assert waiting == ["hourglass_flowing_sand"]
    assert thread.receipt(reply) == ["warning"]
    assert thread.new_messages()[-1] == (
        "This reply was not delivered: for a day, the agent was never ready.\n> use main\n[Try again]"
    )
    assert len(world.coder.requests) == asked
    assert task.inputs == []


async def test_a_reply_of_somebody_who_has_left_slack_goes_nowhere(world: World) -> None:
    """A person leaves Slack while their reply waits. The bot checks the author's rights again before it
    delivers the reply, so the agent never gets it. Other people's replies do not wait for this reply."""
    world.person("carol", roles=("owner",))
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")
    world.slack.workspace.user("alice").deleted = True
    await world.forgets()

    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == []
    assert thread.receipt(reply) == []
    assert (await world.jobs()) == {}
    # The stand-in shows this message to a person who has left. The real Slack would show it to nobody.
    assert len(world.alice.reads()) == 1
    thread.new_messages()


async def test_a_reply_of_somebody_who_has_left_coder_is_answered(world: World) -> None:
    """The author of a reply has a suspended Coder account. The agent does not get the reply. The bot tells
    the author privately why, and whom to ask."""
    thread, task = await a_busy_agent(world)
    world.coder.suspend("alice")
    await world.forgets()

    reply = await world.alice.replies(thread, "use main")
    await takes_all(world, task)

    assert task.inputs == []
    assert thread.receipt(reply) == []
    assert world.alice.reads() == [
        "The agent does not get your replies here. Your Coder account (alice@example.com) is suspended. "
        "Ask a Coder administrator."
    ]


async def test_a_notice_that_is_deleted_stays_deleted(world: World) -> None:
    """A person deletes one of the bot's notices in a thread. The bot does not post that notice again, and
    still posts later notices."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    (notice,) = world.slack.thread(thread.channel, thread.ts)[1:]
    slack_messages.remove(world.slack.backend, world.slack.workspace.channel("general"), str(notice["ts"]))
    await world.restarts()
    await world.polls()

    task.pause()
    await world.polls()

    assert [said.partition(":")[0] for said in thread.new_messages()] == ["Paused"]


async def test_a_reply_that_is_deleted_while_it_waits_leaves_nothing(world: World) -> None:
    """A person deletes a reply that waits for the agent. The reply leaves the queue, and the agent never gets
    it."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=3)

    await world.alice.deletes(thread, reply)
    await takes_all(world, task)

    assert task.inputs == []
    assert thread.new_messages() == []


async def test_a_question_that_dies_with_its_process_leaves_nothing_behind(world: World) -> None:
    """The process dies while it answers `/task status`. It leaves no job behind, and the person can ask
    again."""
    _, task = await a_waiting_agent(world)
    await world.alice.types("/task status fix-the-login", settles=False)

    await world.crashes()
    left = await world.jobs()
    await world.starts()
    world.alice.reads()
    await world.alice.types("/task status fix-the-login")

    assert left == {}
    assert [said.partition(":")[0] for said in world.alice.reads()] == ["Working"]
    assert task.inputs == []


async def test_the_person_is_told_which_request_was_given_up(world: World) -> None:
    """The bot gives up a person's request, perhaps days after the person made it. So its message to the
    person says which request it was."""
    thread, task = await a_task(world)
    await world.forgets()
    world.slack.faults.add("users.info", CallFault.ERROR, times=None, error="invalid_arguments")

    await world.alice.types(f"/task pause {task.name}")
    await world.alice.replies(thread, "!status")

    why = "users.info: invalid_arguments. `taskwire doctor` tells Taskwire administrators more."
    assert world.alice.reads() == [
        f"Stopping `{task.name}` failed: {why}",
        f"Answering you in the thread of *{TITLE}* failed: {why}",
    ]
    assert await world.dead_letters() == ["users.info: invalid_arguments"] * 2
    world.errors.clear()


async def test_a_pause_that_is_given_up_may_have_happened_and_that_is_said(world: World) -> None:
    """Coder's answer to a pause is lost, and Coder then fails for a day. The bot gives the pause up, and
    tells the person that it may have happened."""
    thread, task = await a_task(world)
    world.coder.plan_fault("tasks.pause", faults.cut_after())
    await world.alice.replies(thread, "!pause")
    world.coder.plan_fault("tasks.get", faults.server_error(), times=None)
    await world.passes(seconds=60)
    world.alice.reads()

    await world.passes(seconds=24 * HOUR)

    assert task.status in ("unknown", "paused")
    assert world.alice.reads() == [
        f"Stopping *{TITLE}* may have failed: every try failed for a day. Check the result before you ask "
        "again. "
        "`taskwire doctor` tells Taskwire administrators more."
    ]
    assert await world.dead_letters() == ["every try failed for a day"]
    assert [text.partition(". ")[0] for text in thread.new_messages()] == [
        f"<@{world.alice.id}> Stuck: {TITLE}"
    ]
    world.errors.clear()
