"""Threads whose task is gone, was detached, or was never created."""

import pytest

from taskwire_sandbox.coder.faults import server_error

from .waiting import a_busy_agent, a_waiting_agent
from .world import CARD_SECONDS, POST_SECONDS, World

ENDED = "Not delivered: {}.\n[New task]"
DETACHED = (
    "Not delivered: this thread is detached. `/task attach {}` gives its task a new one.\n"
    "[Attach again] [New task]"
)
ATTACHED = "The task has a <{}|new thread>. Replies here reach no agent."


async def test_a_reply_after_a_detach_gets_one_answer(world: World) -> None:
    """People reply in a thread whose task was detached. The bot marks each reply, and posts the reason once a
    day. The older message about the detached thread says that the buttons are in the newer one."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()

    replies = [await world.alice.replies(thread, text) for text in ("use main", "hello?")]
    await world.passes(seconds=5)

    assert thread.new_messages() == [DETACHED.format(task.name)]
    assert "This thread is detached. A newer message below says more." in thread.all_messages()
    assert [thread.receipt(reply) for reply in replies] == [["warning"], ["warning"]]
    assert task.inputs == []


async def test_the_answer_is_given_again_the_next_day(world: World) -> None:
    """A person replies in a detached thread on the next day. The first answer is far up in the thread by
    then, so the bot posts the reason again."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "!detach")
    await world.alice.replies(thread, "use main")
    thread.new_messages()

    # The record of the first answer expires by the store's own clock. Delete it instead of waiting.
    await world.connections.commands.delete(*await world.connections.commands.keys("*told:link_ended*"))
    await world.alice.replies(thread, "hello?")
    await world.passes(POST_SECONDS)

    assert thread.new_messages() == [DETACHED.format(task.name)]


async def test_attach_again_gives_the_task_a_new_thread(world: World) -> None:
    """A task was detached, and a person presses *Attach again*. The task gets a new thread. The old thread
    then links to the new thread and has no button any more."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()

    await world.alice.clicks(thread, "Attach again")
    await world.passes(POST_SECONDS)
    await world.passes(CARD_SECONDS)

    (card,) = world.cards()
    assert card.startswith("Working: Fix the login.")
    roots = [str(each["ts"]) for each in world.slack.messages(thread.channel) if "metadata" in each]
    where = world.slack.backend.permalink(thread.channel, roots[-1])
    assert thread.all_messages()[-1] == ATTACHED.format(where)
    assert thread.card().startswith(f"Moved: Fix the login. The task has a <{where}|new thread>.")
    assert thread.new_messages() == []
    assert task.status == "active"


@pytest.mark.parametrize("ended", ["failed", "paused", "working"])
async def test_detach_on_the_card_is_said_once(world: World, ended: str) -> None:
    """Alice chooses *Detach* in the card's menu. The bot says so once in the thread. The words are the same
    for a failed, a paused and a working task. She gets no private answer."""
    thread, task = await a_waiting_agent(world)
    if ended == "paused":
        task.pause()
    else:
        task.becomes(ended, "No such branch")
    await world.polls()
    await world.passes(CARD_SECONDS)
    thread.new_messages()

    await world.alice.clicks(thread, "Detach")
    await world.passes(CARD_SECONDS)

    assert thread.new_messages() == [
        "Detached: replies here no longer reach the agent. The task itself stays as it is.\n[Attach again]"
    ]
    assert world.alice.reads() == []
    page = f"{world.coder.url}/tasks/alice/{task.id}"
    assert (
        thread.card()
        == f"Detached: Fix the login. Owner: Alice. Template: Tasks on Docker. <{page}>\n[Open in Coder]"
    )


async def test_a_muted_task_stays_muted_when_it_is_attached_again(world: World) -> None:
    """Alice mutes a task and detaches it. *Attach again* keeps the mute, so the task calls nobody."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "!mute")
    await world.alice.replies(thread, "!detach")
    thread.new_messages()
    world.alice.reads()

    await world.alice.clicks(thread, "Attach again")
    await world.passes(POST_SECONDS)
    await world.alice.types(f"/task status {task.name}")

    (status,) = world.alice.reads()
    assert "Unmute" in status
    assert len(world.cards()) == 1


async def test_a_stranger_cannot_attach_a_detached_task(world: World) -> None:
    """Bob may not steer a detached task, so the bot refuses his press of *Attach again*. The button stays for
    the owner and administrators."""
    thread, _ = await a_waiting_agent(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()

    await world.bob.clicks(thread, "Attach again")

    assert world.bob.reads() == [
        "There is no such task that you can see here. It may have been deleted. `/task list` shows the "
        "ones you can see."
    ]
    assert thread.all_messages()[-1].endswith("[Attach again]")


async def test_a_reply_after_the_task_is_gone(world: World) -> None:
    """A person replies in a thread whose task was deleted in Coder. The bot answers that the task is no
    longer there, and marks the reply with a warning."""
    thread, task = await a_waiting_agent(world)
    task.delete()
    await world.polls(times=3)
    thread.new_messages()

    reply = await world.alice.replies(thread, "use main")

    assert thread.new_messages() == [ENDED.format("the task is no longer in Coder")]
    assert thread.receipt(reply) == ["warning"]


async def test_a_mention_after_the_end_offers_a_new_task(world: World) -> None:
    """A person mentions the bot in a thread whose task is gone. The answer has a button that opens the form
    for this channel."""
    thread, task = await a_waiting_agent(world)
    task.delete()
    await world.polls(times=3)
    thread.new_messages()
    await world.ages(seconds=7 * 86_400)

    await world.alice.replies(thread, "@taskwire fix the footer too")
    offered = thread.new_messages()
    await world.alice.clicks(thread, "New task")

    assert offered == [ENDED.format("the task is no longer in Coder")]
    assert world.alice.dialog().startswith("[New task]\nTemplate: ")


async def test_replies_that_wait_when_the_task_goes_are_answered(world: World) -> None:
    """A task is deleted in Coder while replies wait for its agent. The bot says once that they reached no
    agent, and marks each reply with a warning."""
    thread, task = await a_busy_agent(world)
    replies = [await world.alice.replies(thread, text) for text in ("first", "second")]
    task.delete()
    await world.polls(times=3)
    await world.passes(seconds=31)

    assert thread.new_messages() == [
        "Gone: Fix the login. The task is no longer in Coder. No agent gets replies here now.\n[New task]",
        ENDED.format("the task is no longer in Coder"),
    ]
    assert [thread.receipt(reply) for reply in replies] == [["warning"], ["warning"]]


async def test_a_reply_where_no_task_was_created(world: World) -> None:
    """A person replies in the thread of a card for which no task was created. The bot answers that the task
    was never created, and marks the reply with a warning."""
    world.coder.plan_fault("tasks.create", server_error("Template is broken.", 400))
    thread = await world.alice.runs("/task create fix the login")
    world.alice.reads()

    reply = await world.alice.replies(thread, "use main")

    assert thread.new_messages() == [ENDED.format("the task was never created")]
    assert thread.receipt(reply) == ["warning"]


UNKNOWN = "Not delivered: I no longer know this thread. `/task attach NAME` gives its task a new one."


async def test_verbs_after_the_end_are_answered(world: World) -> None:
    """A person writes verbs in a thread whose task was detached. The bot answers each privately, as it does
    while the thread has a task."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()

    await world.alice.replies(thread, "!status")
    await world.alice.replies(thread, "!pause")

    assert thread.new_messages() == []
    assert world.alice.reads() == [
        DETACHED.format(task.name),
        "*Fix the login* has left its thread. `/task list` shows the tasks you can see.",
    ]


async def test_what_people_say_to_each_other_there_is_not_answered(world: World) -> None:
    """After the end of a link, a person writes an aside in the thread. The message is not for the bot, so the
    bot says nothing."""
    thread, _ = await a_waiting_agent(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()

    await world.alice.replies(thread, "@bob please take over")
    await world.alice.replies(thread, "// well")

    assert thread.new_messages() == []


async def test_a_reply_long_after_the_end_is_answered_too(world: World) -> None:
    """A person replies in a thread more than a month after its link ended. The bot has forgotten the link,
    but still recognizes its card, and answers."""
    thread, _ = await a_waiting_agent(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()
    await forgotten(world)

    for text in ("use main", "hello?", "// well", "@bob please take over"):
        await world.alice.replies(thread, text)
        await world.passes(seconds=31)
    await world.bob.replies(thread, "I have an idea")
    await world.passes(seconds=31)

    assert thread.new_messages() == [UNKNOWN]
    assert (world.alice.reads(), world.bob.reads()) == ([UNKNOWN], [UNKNOWN])


async def test_a_reply_in_a_thread_that_a_new_store_does_not_know_is_answered(world: World) -> None:
    """An operator started Taskwire with an empty store by mistake. The bot answers replies in old threads
    that it no longer knows the thread. So the operator can notice the mistake."""
    thread, _ = await a_waiting_agent(world)
    await world.stops()
    await world.connections.commands.flushall()
    await world.starts()

    for person in (world.alice, world.bob):
        await person.replies(thread, "use main")
    await world.passes(seconds=31)

    assert thread.new_messages() == [UNKNOWN]
    assert (world.alice.reads(), world.bob.reads()) == ([], [UNKNOWN])


async def forgotten(world: World) -> None:
    """Delete what the store has about threads and links, as Redis does a month after a link's end."""
    redis = world.connections.commands
    for pattern in ("thread:*", "link:*"):
        async for key in redis.scan_iter(world.keys.named(pattern)):
            await redis.delete(key)
