"""Stop means stop. A bare word such as *stop*, a verb, a stop sign and a command pause the task at once."""

import pytest

from taskwire.domain.ids import TaskId
from taskwire_sandbox.coder.steps import BuildPlan
from taskwire_sandbox.slack import Attachment

from .people import Thread
from .waiting import PROMPT, a_busy_agent, a_waiting_agent, comes_up
from .world import CARD_SECONDS, World

PAUSING = "Pausing *Fix the login*. A reply in its thread resumes it."
AS_TEXT = f"{PAUSING}\n[I meant it as text]"
HOLDING = "Pausing. 1 reply waits.\n[Resume and send] [Drop the reply] [I meant it as text]"


@pytest.mark.parametrize("word", ["stop", "Wait!", "*CANCEL*", "Could you stop it, please?"])
async def test_a_bare_word_pauses_ahead_of_what_waits(world: World, word: str) -> None:
    """A reply waits, and a person then replies only *stop* or a similar word. The task is paused at once, and
    the bot holds the waiting reply. The agent does not get the word."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")

    await world.alice.replies(thread, word)
    await world.passes(seconds=5)

    assert (task.status, task.inputs) == ("paused", [])
    assert world.alice.reads() == []
    assert thread.new_messages() == [HOLDING]
    await world.alice.clicks(thread, "Drop the reply")
    assert thread.new_messages() == ["Dropped 1 reply:\n| use main"]


async def test_a_polite_pause_does_not_resume_a_paused_task(world: World) -> None:
    """Alice asks twice, politely, to stop the task. The second message is no input, so the task stays
    paused."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "pause please")
    await world.passes(seconds=5)
    await world.polls()

    await world.alice.replies(thread, "please pause it")
    await world.passes(seconds=5)

    assert (task.status, task.inputs) == ("paused", [])
    assert world.alice.reads() == [
        AS_TEXT,
        "*Fix the login* is already paused. A reply in its thread resumes it.\n[I meant it as text]",
    ]
    assert thread.new_messages() == ["Paused by Alice. A reply resumes it."]


async def test_a_stop_with_waiting_replies_is_one_message(world: World) -> None:
    """A person stops a task while a reply waits. The bot's question about this reply and its line about the
    pause are one message. When the task is resumed, the bot edits this message again."""
    thread, _ = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")

    said = []
    await world.alice.replies(thread, "stop")
    said += thread.all_messages()[-1:]
    await world.passes(seconds=5)
    await world.polls()
    said += thread.all_messages()[-1:]
    await world.alice.clicks(thread, "Resume and send")
    await comes_up(world)
    await world.polls()

    assert said == [
        HOLDING,
        "Paused by Alice. 1 reply waits.\n[Resume and send] [Drop the reply] [I meant it as text]",
    ]
    assert thread.new_messages() == ["Paused and resumed by Alice."]
    assert world.alice.reads() == []


async def test_a_stop_on_the_card_is_told_once(world: World) -> None:
    """Alice presses *Stop* on the card. The card shows at once what happens, so the bot answers nothing. The
    thread gets one line when the task is paused."""
    thread, _ = await a_waiting_agent(world)
    await world.passes(CARD_SECONDS)

    await world.alice.clicks(thread, "Stop")
    at_once = thread.card().partition(":")[0]
    await world.passes(seconds=5)
    await world.polls()

    assert at_once == "Pausing…"
    assert world.alice.reads() == []
    assert thread.new_messages() == ["Paused by Alice. A reply resumes it."]


async def test_the_line_about_a_pause_also_tells_that_the_replies_were_dropped(world: World) -> None:
    """A person stops a task and drops the held reply. The message about the pause says that the reply was
    dropped, and later who paused the task. A second message shows the reply's text."""
    thread, _ = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")
    await world.alice.replies(thread, "stop")

    await world.alice.clicks(thread, "Drop the reply")
    dropped = thread.new_messages()
    await world.passes(seconds=5)
    await world.polls()

    assert dropped == ["Paused. What waited was dropped.", "Dropped 1 reply:\n| use main"]
    assert thread.all_messages()[-2:] == [
        "Paused by Alice. A reply resumes it.",
        "Dropped 1 reply:\n| use main",
    ]


async def test_a_task_that_is_resumed_in_coder_keeps_the_question_about_its_replies(world: World) -> None:
    """A pause holds a reply, and the task is resumed in Coder. The reply still waits for a decision, so the
    question keeps its buttons. It also says that the task was resumed."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=5)
    await world.polls()
    thread.new_messages()

    task.resume()
    await comes_up(world)
    await world.polls()
    resumed = thread.all_messages()[-1]
    await world.alice.clicks(thread, "Resume and send")
    await comes_up(world)

    assert resumed == "Paused by Alice, then resumed. 1 reply waits.\n[Resume and send] [Drop the reply]"
    assert task.inputs == ["use main"]
    assert thread.all_messages()[-1] == "Resumed. The agent gets the waiting replies."
    assert world.alice.reads() == ["*Fix the login* is already running. I'll send the reply that waits."]


async def test_a_reply_that_is_only_pause_goes_to_the_agent_and_offers_to_stop(world: World) -> None:
    """A person replies only `pause`, which may be text for the agent or a wish to stop the task. The agent
    gets the reply, and the bot offers *Stop the task*."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "Pause!")
    await world.alice.replies(thread, "pause the music")
    await world.passes(seconds=3)
    offered, sent = world.alice.reads(), list(task.inputs)
    await world.alice.presses("Stop the task")

    assert offered == [
        "I'm sending `pause` to the agent as your reply. Do you want to stop the task?\n[Stop the task]"
    ]
    assert sent == ["Pause!"]
    assert task.status == "paused"
    assert thread.new_messages() == ["Pausing. 1 reply waits.\n[Resume and send] [Drop the reply]"]
    assert world.alice.sees() == PAUSING


async def test_a_bare_pause_that_waits_is_taken_back_by_the_button(world: World) -> None:
    """Alice's reply `pause` waits for a busy agent, and she presses *Stop the task*. The task stops, and the
    agent does not get her reply."""
    thread, task = await a_busy_agent(world)
    word = await world.alice.replies(thread, "pause")
    await world.passes(seconds=3)
    offer = world.slack.ephemerals(world.alice.id)[-1]
    value = next(b["elements"][0]["value"] for b in offer.body["blocks"] if b["type"] == "actions")
    world.alice.reads()

    await world.alice.presses("Stop the task")
    pressed = world.alice.sees()
    await world.alice.presses_made_up("task.pause", value)
    await world.passes(seconds=5)

    assert pressed == AS_TEXT
    assert (task.status, task.inputs, thread.receipt(word)) == ("paused", [], [])
    assert len(world.alice.reads()) == 1
    assert thread.new_messages() == []


async def test_a_made_up_press_takes_no_reply_of_somebody_else_back(world: World) -> None:
    """Alice's reply waits for a busy agent. Bob may steer her task, and makes up a press of *Stop the task*
    that names her reply. The task stops, and her reply waits as after any other pause."""
    thread, task = await a_busy_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    reply = await world.alice.replies(thread, "do not delete the database")
    await world.passes(seconds=10)
    link = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))
    assert link is not None

    await world.bob.presses_made_up("task.pause", f"{link.id} reply:{reply}")
    await world.passes(seconds=10)

    assert (task.status, task.inputs, thread.receipt(reply)) == ("paused", [], ["hourglass_flowing_sand"])
    assert thread.new_messages() == ["Pausing. 1 reply waits.\n[Resume and send] [Drop the reply]"]
    assert world.bob.reads() == [PAUSING]
    assert (len(world.bob.hears()), len(world.alice.reads())) == (1, 1)


async def test_a_word_that_was_meant_as_text_is_sent_in_its_place(world: World) -> None:
    """Alice's reply `wait` pauses the task, and she presses *I meant it as text*. The agent gets `wait` as a
    reply, in its place between her other replies."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")
    word = await world.alice.replies(thread, "wait")
    await world.passes(seconds=3)
    thread.new_messages()

    await world.alice.clicks(thread, "I meant it as text")
    await world.alice.replies(thread, "then test")
    await comes_up(world)

    assert "The agent gets the waiting replies, then the new reply." in thread.all_messages()
    assert task.inputs == ["use main", "wait", "then test"]
    assert thread.receipt(word) == ["white_check_mark"]
    world.alice.reads()
    thread.new_messages()


async def test_a_word_is_sent_once_though_its_button_is_pressed_twice(world: World) -> None:
    """Alice's reply `stop` pauses the task, and she presses *I meant it as text* twice. The agent gets `stop`
    once. The bot answers the second press that this is already decided."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "stop")
    await world.passes(seconds=3)
    told = world.slack.ephemerals(world.alice.id)[-1]
    value = next(b["elements"][0]["value"] for b in told.body["blocks"] if b["type"] == "actions")

    await world.alice.presses("I meant it as text")
    await world.alice.presses_made_up("input.as_it_is", value)
    await comes_up(world)

    assert task.inputs == ["stop"]
    assert "Somebody already decided this." in world.alice.reads()
    thread.new_messages()


async def test_a_bare_word_of_somebody_who_may_not_steer_is_a_reply_like_any_other(world: World) -> None:
    """Bob may not steer Alice's task, and replies `stop`. The task goes on. The bot tells him that he may not
    steer, as for his other replies."""
    thread, task = await a_waiting_agent(world)

    await world.bob.replies(thread, "stop")
    await world.bob.replies(thread, "use main")

    assert (task.status, task.inputs) == ("active", [])
    assert world.bob.reads() == [
        "The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"
    ]
    assert thread.new_messages() == []


@pytest.mark.parametrize("place", ["thread", "home"])
async def test_a_stop_of_a_teammate_that_is_passed_on_stops_the_task(world: World, place: str) -> None:
    """Bob may not steer Alice's task, replies `stop` and asks her. Alice reads that he wants to stop it, and
    her press stops the task, once. The agent does not get the word."""
    thread, task = await a_busy_agent(world)
    await world.bob.replies(thread, "stop!")
    await world.bob.presses("Ask Alice to pass it on")
    await world.alice.opens_home()
    home = world.alice.home()

    await (world.alice.presses("Stop it") if place == "thread" else world.alice.presses_in_home("Stop it"))
    await world.polls()
    await world.passes(seconds=10)
    builds = len(task.builds)
    if place == "home":
        await world.alice.presses("Stop it")
        await world.passes(seconds=10)

    told = world.alice.reads()
    assert (
        ":speech_balloon: Fix the login · Bob asks you to stop this task\nstop!\n[Stop it] [Not now]" in home
    )
    if place == "thread":
        assert told == ["Passed on: the task stops.", PAUSING]
    else:
        assert told[0].startswith("You passed this on (")
    assert world.bob.reads() == ["Alice passed it on."]
    assert (task.status, task.inputs, len(task.builds)) == ("paused", [], builds)
    assert thread.new_messages() == ["Paused by Alice. A reply resumes it."]


async def test_the_owner_reads_that_a_teammate_wants_to_stop_the_task(world: World) -> None:
    """Bob asks Alice to pass his `stop` on. Her question says what her press does, and *Not now* does
    nothing."""
    thread, task = await a_busy_agent(world)
    await world.bob.replies(thread, "stop")
    await world.bob.presses("Ask Alice to pass it on")

    asked = world.alice.reads()
    await world.alice.presses("Not now")

    assert asked == [
        "Bob asks you to stop *Fix the login*:\n> stop\n[Stop it] [Always let Bob steer this] [Not now]"
    ]
    assert world.alice.sees() == "Not passed on."
    assert world.bob.reads() == ["Alice didn't pass it on."]
    assert (task.status, thread.new_messages()) == ("active", [])


async def test_always_let_with_a_stop_stops_the_task_too(world: World) -> None:
    """Alice presses *Always let Bob steer this* below his `stop`. The task stops, and Bob can steer it."""
    thread, task = await a_busy_agent(world)
    await world.bob.replies(thread, "stop")
    await world.bob.presses("Ask Alice to pass it on")

    await world.alice.presses("Always let Bob steer this")
    await world.polls()
    await world.passes(seconds=10)

    always = "From now on Bob can steer the task; `!unshare @Bob` ends that."
    assert world.alice.reads() == [f"Passed on: the task stops. {always}", PAUSING]
    assert (task.status, task.inputs) == ("paused", [])
    assert (len(world.bob.hears()), world.bob.reads()) == (1, ["Alice passed it on."])
    assert thread.new_messages() == ["Paused by Alice. A reply resumes it."]


async def test_a_stop_of_somebody_who_may_steer_by_now_stops_the_task(world: World) -> None:
    """Bob replies `stop`, then Alice shares the task with him. His press of *Ask Alice* stops the task."""
    thread, task = await a_busy_agent(world)
    await world.bob.replies(thread, "stop")
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")

    await world.bob.presses("Ask Alice to pass it on")
    await world.polls()
    await world.passes(seconds=10)

    assert world.bob.reads() == ["You can steer this task now: your `stop` stops it.", PAUSING]
    assert (task.status, task.inputs) == ("paused", [])
    assert thread.new_messages() == ["Paused by Bob. A reply resumes it."]
    world.alice.reads(), world.bob.hears()


async def test_a_word_with_a_file_is_input(world: World) -> None:
    """A reply has a stop word and a file. It has more than the word, so the agent gets it and the task goes
    on."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "stop", (Attachment("why.txt", b"it is wrong"),))

    assert task.inputs == ["stop\n\nwhy.txt:\n```\nit is wrong\n```"]


async def test_a_reply_that_is_edited_to_a_bare_word_stops_nothing(world: World) -> None:
    """A reply waits for a busy agent, and its author edits it to `stop`. The task goes on, and the agent gets
    `stop` as text."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")

    await world.alice.edits(thread, reply, "stop")
    task.becomes("idle")
    await world.passes(seconds=5)

    assert (task.status, task.inputs) == ("active", ["stop"])


async def test_a_bare_word_stops_a_task_in_direct_messages(world: World) -> None:
    """A task's thread is in the direct messages with the bot. The reply `stop` pauses the task there, as it
    does in a channel."""
    direct = world.slack.open_direct("alice").id
    thread = await world.alice.runs(f"/task create {PROMPT}", direct)
    await world.polls()
    await world.passes(seconds=3)

    await world.alice.replies(thread, "stop")
    await world.passes(seconds=5)

    assert world.task("fix-the-login").status == "paused"
    assert world.alice.reads() == [AS_TEXT]


async def test_the_verb_stop_is_a_pause(world: World) -> None:
    """`!stop` pauses the task. It cannot be meant as text, so the answer has no button to send it as text."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "!stop")
    await world.passes(seconds=5)

    assert (task.status, task.inputs) == ("paused", [])
    assert world.alice.reads() == [PAUSING]


@pytest.mark.parametrize("verb", ["stop", "cancel"])
async def test_the_command_stop_is_a_pause(world: World, verb: str) -> None:
    """`/task stop NAME` and `/task cancel NAME` do what `/task pause NAME` does."""
    _, task = await a_waiting_agent(world)

    await world.alice.types(f"/task {verb} {task.name}")
    await world.passes(seconds=5)

    assert task.status == "paused"
    assert world.alice.reads() == [PAUSING]


async def test_a_task_is_stopped_while_its_workspace_starts(world: World) -> None:
    """A person stops a task whose workspace is still starting. Coder cannot stop the workspace yet, so the
    pause waits. The bot holds the task's replies meanwhile."""
    world.coder.template.plan = BuildPlan(provision=20)
    thread = await world.alice.runs(f"/task create {PROMPT}")
    await world.polls()
    await world.alice.replies(thread, "use main")

    await world.alice.replies(thread, "stop")
    for _ in range(10):
        await world.passes(seconds=5)
    task = world.task("fix-the-login")

    assert (task.status, task.inputs) == ("paused", [])
    assert world.alice.reads() == [
        "The workspace of *Fix the login* is starting or stopping. I'll stop the task after that.",
    ]
    assert thread.new_messages() == [HOLDING]
    await world.alice.clicks(thread, "Drop the reply")
    thread.new_messages()


async def the_messages(world: World, thread: Thread) -> tuple[str, str]:
    """Let the agent of the only task finish. Return the ts of its card and of its notice."""
    world.task("fix-the-login").becomes("complete", "Opened PR #12")
    await world.polls()
    assert len(thread.new_messages()) == 1
    return thread.ts, thread.last_message()


@pytest.mark.parametrize("which", [0, 1])
async def test_a_stop_sign_on_the_card_or_a_notice_pauses(world: World, which: int) -> None:
    """A person reacts to the card or to a notice with a stop sign. The task is paused, and the bot answers
    privately in the thread."""
    thread, task = await a_waiting_agent(world)
    messages = await the_messages(world, thread)

    await world.slack.react(world.alice.id, thread.channel, messages[which], "octagonal_sign")
    await world.settles()
    await world.passes(seconds=5)

    assert task.status == "paused"
    assert world.alice.reads() == [PAUSING]
    assert world.slack.ephemerals(world.alice.id)[-1].thread_ts == thread.ts


async def test_a_stop_sign_of_somebody_who_may_not_steer_stops_nothing(world: World) -> None:
    """Bob, who may not stop the task, reacts with a stop sign. The task goes on, and the bot tells Bob
    privately that he may not stop it."""
    thread, task = await a_waiting_agent(world)

    await world.slack.react(world.bob.id, thread.channel, thread.ts, "octagonal_sign")
    await world.settles()

    assert task.status == "active"
    assert world.bob.reads() == [
        "*Fix the login* belongs to Alice, so you can't stop it. "
        "Alice can let you, with `!share @Bob` in its thread. "
        "Or write `stop` there and ask Alice to pass it on."
    ]


async def test_other_reactions_and_other_messages_stop_nothing(world: World) -> None:
    """A person puts a stop sign on a person's message, and another emoji on the card. The task goes on."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=3)
    elsewhere = await world.slack.post(world.alice.id, thread.channel, "no task")

    await world.slack.react(world.alice.id, thread.channel, reply, "octagonal_sign")
    await world.slack.react(world.alice.id, thread.channel, elsewhere, "octagonal_sign")
    await world.slack.react(world.alice.id, thread.channel, thread.ts, "tada")
    await world.settles()

    assert (task.status, world.alice.reads()) == ("active", [])


async def test_many_stop_signs_are_limited(world: World) -> None:
    """A person adds twelve stop signs within a minute. The bot ignores the last two, and tells the person
    once that the limit is ten requests."""
    thread, _ = await a_waiting_agent(world)
    for _ in range(12):
        await world.slack.react(world.bob.id, thread.channel, thread.ts, "octagonal_sign")
        await world.slack.unreact(world.bob.id, thread.channel, thread.ts, "octagonal_sign")
    await world.settles()

    said = world.bob.reads()
    assert len(said) == 11
    assert (
        said.count(
            "I take 10 requests a minute, so I skipped the rest. Try again in a minute. The agents still "
            "get replies."
        )
        == 1
    )
