"""When a person pauses a task, the bot holds the replies that wait."""

from taskwire_sandbox.slack import Attachment, DeliveryFault

from .people import Thread
from .test_channel_settings import WAITS, set_channel
from .waiting import a_busy_agent, a_waiting_agent, comes_up
from .world import CARD_SECONDS, World

HOLDING = "Pausing. {}.\n[Resume and send] [Drop {}]"


async def held(world: World, *texts: str) -> tuple[Thread, list[str]]:
    """Send these replies to a busy agent, and pause the task, so that the bot holds them. Return the thread
    and the replies' ts."""
    thread, _ = await a_busy_agent(world)
    replies = [await world.alice.replies(thread, text) for text in texts]
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    return thread, replies


async def test_a_pause_goes_ahead_of_the_replies_that_wait_and_holds_them(world: World) -> None:
    """A person pauses a task while replies wait. The bot tells the thread how many replies it holds. None of
    them resumes the workspace."""
    thread, replies = await held(world, "first", "second")
    await world.passes(seconds=60)
    task = world.task("fix-the-login")

    assert (task.status, task.inputs) == ("paused", [])
    assert thread.new_messages() == [HOLDING.format("2 replies wait", "them")]
    assert [thread.receipt(reply) for reply in replies] == [["hourglass_flowing_sand"]] * 2
    await world.alice.clicks(thread, "Drop them")
    assert thread.new_messages() == ["Dropped 2 replies:\n| first\n| \n| second"]


async def test_resume_and_send(world: World) -> None:
    """A pause holds replies, and a person presses *Resume and send*. The workspace starts, and the agent gets
    the held replies in order."""
    thread, replies = await held(world, "first", "second")
    task = world.task("fix-the-login")
    thread.new_messages()

    await world.alice.clicks(thread, "Resume and send")
    await comes_up(world)

    assert task.inputs == ["first", "second"]
    assert [thread.receipt(reply) for reply in replies] == [["white_check_mark"]] * 2
    assert "Resumed. The agent gets the waiting replies." in thread.all_messages()
    assert world.alice.reads() == []


async def test_drop_them(world: World) -> None:
    """A pause holds replies, and a person presses *Drop them*. The bot posts the texts of these replies, and
    the agent does not get them. The task stays paused."""
    thread, replies = await held(world, "use <main> & go", "ask @bob, @taskwire")
    thread.new_messages()

    await world.alice.clicks(thread, "Drop them")
    await world.passes(seconds=31)

    task = world.task("fix-the-login")
    assert (task.status, task.inputs) == ("paused", [])
    assert "Paused. What waited was dropped." in thread.all_messages()
    assert thread.new_messages() == ["Dropped 2 replies:\n| use <main> & go\n| \n| ask @Bob, @Taskwire"]
    assert [thread.receipt(reply) for reply in replies] == [[], []]


async def test_a_task_whose_reply_waits_for_a_decision_needs_its_owner(world: World) -> None:
    """A pause holds a reply, so the task waits for its owner. `/task`, `/task list needs-me` and the Home tab
    say so, also while Coder fails. When the reply is dropped, the task needs nobody."""
    await world.alice.opens_home()
    thread, _ = await held(world, "first")
    await world.polls()
    await world.passes(CARD_SECONDS)

    home = world.alice.home()
    listed = await _lists(world)
    async with world.coder.outage():
        await world.polls(times=2)
        last_known = await _lists(world)
    await world.polls()
    await world.alice.clicks(thread, "Drop the reply")
    await world.passes(CARD_SECONDS)

    row = "Paused, 1 reply waits: Fix the login <"
    assert [row in each for each in (*listed, *last_known)] == [True] * 4
    assert "*Needs you*\n:double_vertical_bar: Fix the login · Paused · 1 reply waits · " in home, home
    assert all("Nothing needs you right now." in each for each in (world.alice.home(), *await _lists(world)))
    thread.new_messages()


async def test_resume_in_home_says_that_it_sends_what_waits(world: World) -> None:
    """A pause holds two replies, and Alice presses *Resume* in her Home tab. The answer in the tab says that
    the agent gets these replies too."""
    thread, _ = await held(world, "first", "second")
    await world.polls()
    await world.alice.opens_home()

    await world.alice.presses_in_home("Resume")
    await world.passes(CARD_SECONDS)
    said = world.alice.home().split("\n---\n")[0]
    await comes_up(world)

    assert said == "Resuming *Fix the login*. I'll also send the 2 replies that wait."
    assert world.task("fix-the-login").inputs == ["first", "second"]
    thread.new_messages()


async def test_a_reply_that_waits_for_a_resume_shows_in_an_open_home_tab(world: World) -> None:
    """Replies do not resume tasks in this channel. Alice writes one to a paused task, and her open Home tab
    then says that it waits for her."""
    await set_channel(world, resumes=WAITS)
    thread, task = await a_waiting_agent(world)
    task.pause()
    await world.polls()
    await world.passes(CARD_SECONDS)
    await world.alice.opens_home()

    before = world.alice.home()
    await world.alice.replies(thread, "use main")
    await world.passes(CARD_SECONDS)

    assert ("reply waits" in before, "· 1 reply waits ·" in world.alice.home()) == (False, True)
    thread.new_messages()


async def _lists(world: World) -> list[str]:
    """Return what Alice's `/task` and `/task list needs-me` say."""
    for line in ("/task", "/task list needs-me"):
        await world.alice.types(line)
    return world.alice.reads()


async def test_dropping_twice_says_that_nothing_waits(world: World) -> None:
    """A person presses *Drop the reply* twice. The second press finds no held reply, and the bot answers that
    no reply waits."""
    thread, _ = await held(world, "first")
    thread.new_messages()

    await world.alice.clicks_at_once(thread, "Drop the reply", "Drop the reply")

    assert thread.new_messages() == ["Dropped 1 reply:\n| first"]
    assert world.alice.reads() == ["No reply waits in *Fix the login* any more."]


async def test_a_stranger_decides_nothing(world: World) -> None:
    """Bob may not steer the task, and presses the buttons for its held replies. The bot refuses. Alice, who
    may steer the task, can still decide."""
    thread, _ = await held(world, "first")
    thread.new_messages()

    await world.bob.clicks(thread, "Drop the reply")
    await world.bob.clicks(thread, "Resume and send")
    refused = world.bob.reads()
    await world.alice.clicks(thread, "Drop the reply")

    assert (
        refused
        == [
            (
                "*Fix the login* belongs to Alice, so you can't decide about replies to it. "
                "Alice can let you, with `!share @Bob` in its thread."
            )
        ]
        * 2
    )
    assert thread.new_messages() == ["Dropped 1 reply:\n| first"]


async def test_a_reply_written_after_the_pause_takes_the_others_with_it(world: World) -> None:
    """A person writes a reply after the pause. This reply resumes the task. The agent gets the held replies
    first, and then this reply."""
    thread, _ = await held(world, "first", "second")
    thread.new_messages()

    await world.alice.replies(thread, "third")
    await comes_up(world)

    assert world.task("fix-the-login").inputs == ["first", "second", "third"]


async def test_a_reply_written_before_the_pause_is_held_although_it_arrives_after(world: World) -> None:
    """Alice writes a reply before the pause, and Slack delivers it after the pause. The bot holds the
    reply."""
    thread, task = await a_waiting_agent(world)
    world.slack.faults.add("message", DeliveryFault.LATE, seconds=1)

    early = await world.slack.post(world.alice.id, thread.channel, "first", thread.ts)
    await world.slack.post(world.alice.id, thread.channel, "!pause", thread.ts)
    await world.settles()
    await world.passes(seconds=3)
    before = (task.status, task.inputs, thread.receipt(early), world.alice.reads())
    asked = thread.new_messages()
    await world.alice.replies(thread, "!resume")
    await comes_up(world)

    assert before == (
        "paused",
        [],
        ["hourglass_flowing_sand"],
        ["Pausing *Fix the login*. A reply in its thread resumes it."],
    )
    assert asked == [HOLDING.format("1 reply waits", "the reply")]
    assert task.inputs == ["first"]
    assert world.alice.reads() == ["Resuming *Fix the login*. I'll also send the reply that waits."]


async def test_after_dropping_the_pause_still_holds_what_was_written_before_it(world: World) -> None:
    """Alice drops a held reply, and the task stays paused. Then Slack delivers a reply that was written
    before the pause. The bot holds this reply too."""
    thread, task = await a_busy_agent(world)
    world.slack.faults.add("message", DeliveryFault.LATE, seconds=1)

    await world.slack.post(world.alice.id, thread.channel, "first", thread.ts)
    await world.slack.post(world.alice.id, thread.channel, "second", thread.ts)
    await world.slack.post(world.alice.id, thread.channel, "!pause", thread.ts)
    await world.until(lambda: thread.new_messages(), "the pause holds the second")
    await world.slack.click(world.alice.id, thread.channel, *thread.button("Drop the reply"))
    await world.settles()
    await world.passes(seconds=5)

    assert (task.status, task.inputs) == ("paused", [])
    assert thread.new_messages() == [
        "Dropped 1 reply:\n| second",
        HOLDING.format("1 reply waits", "the reply"),
    ]
    await world.alice.replies(thread, "!detach")
    assert len(thread.new_messages()) == 2


async def test_a_reply_that_arrives_after_the_pause_joins_the_question_about_the_others(world: World) -> None:
    """Two replies are written before a pause, and one of them arrives after it. The thread has one message
    with buttons for both replies. It says who paused the task, and its buttons act on both."""
    thread, task = await a_busy_agent(world)
    world.slack.faults.add("message", DeliveryFault.LATE, seconds=2)

    early = await world.slack.post(world.alice.id, thread.channel, "first", thread.ts)
    await world.slack.post(world.alice.id, thread.channel, "second", thread.ts)
    await world.slack.post(world.alice.id, thread.channel, "!pause", thread.ts)
    await world.until(lambda: thread.new_messages(), "the pause holds the second")
    await world.polls()
    await world.until(lambda: thread.receipt(early), "the first has come")
    await world.settles()
    await world.passes(seconds=3)

    asked = [said for said in thread.all_messages() if "[Resume and send]" in said]
    assert asked == ["Paused by Alice. 2 replies wait.\n[Resume and send] [Drop them]"]
    assert thread.new_messages() == []
    await world.alice.clicks(thread, "Drop them")
    await world.passes(seconds=3)
    assert thread.new_messages() == ["Dropped 2 replies:\n| first\n| \n| second"]
    assert (task.status, task.inputs) == ("paused", [])


async def test_a_second_pause_says_again_what_waits(world: World) -> None:
    """Somebody pauses a paused task that has held replies. The bot answers again how many replies it
    holds."""
    thread, _ = await held(world, "first", "second")
    thread.new_messages()

    await world.alice.replies(thread, "!pause")
    said = thread.new_messages()
    await world.alice.clicks(thread, "Drop them")

    assert said == [
        "Paused. 2 replies wait.\n[Resume and send] [Drop them]",
    ]
    assert len(thread.new_messages()) == 1


async def test_detach_gives_back_what_waits(world: World) -> None:
    """Alice detaches the task while replies wait for its agent. The agent does not get these replies, and the
    bot posts their texts in the thread."""
    thread, task = await a_busy_agent(world)
    replies = [await world.alice.replies(thread, text) for text in ("first", "second")]

    await world.alice.replies(thread, "!detach")
    task.becomes("idle")
    await world.passes(seconds=31)

    assert task.inputs == []
    assert thread.new_messages() == [
        ("The agent did not get these 2 replies:\n| first\n| \n| second"),
        "Detached: replies here no longer reach the agent. The task itself stays as it is.\n[Attach again]",
    ]
    assert [thread.receipt(reply) for reply in replies] == [["warning"]] * 2


async def test_a_reply_of_files_alone_is_given_back_by_their_names(world: World) -> None:
    """Alice detaches the task while a reply waits that has files and no words. The bot's message about this
    reply shows the names of the files."""
    thread, _ = await a_busy_agent(world)
    await world.alice.replies(thread, "", (Attachment("build.log", b"at line 7"),))

    await world.alice.replies(thread, "!detach")

    assert thread.new_messages()[0] == ("The agent did not get this reply:\n| build.log")


async def test_delete_gives_back_what_waits_and_what_is_held(world: World) -> None:
    """Alice deletes a paused task that has held replies. The bot posts the texts of these replies, which the
    agent did not get."""
    thread, _ = await held(world, "first", "second")
    thread.new_messages()

    await world.alice.replies(thread, "!delete")
    await world.alice.clicks(thread, "Delete…")
    await world.alice.submits()
    await world.passes(seconds=5)

    assert thread.new_messages()[1:] == [
        ("The agent did not get these 2 replies:\n| first\n| \n| second"),
        "Gone: Fix the login. Alice deleted it. No agent gets replies here now.\n[New task]",
    ]


async def test_a_task_deleted_in_coder_gives_back_what_is_held(world: World) -> None:
    """Somebody deletes the task in Coder. The bot posts the texts of the held replies."""
    thread, replies = await held(world, "first", "second")
    thread.new_messages()

    world.task("fix-the-login").delete()
    await world.polls(times=3)

    assert thread.new_messages() == [
        "Gone: Fix the login. The task is no longer in Coder. No agent gets replies here now.\n[New task]",
        ("The agent did not get these 2 replies:\n| first\n| \n| second"),
    ]
    assert [thread.receipt(reply) for reply in replies] == [["warning"]] * 2


async def test_more_than_a_message_holds_is_given_back_as_a_file_too(world: World) -> None:
    """Alice detaches the task while long replies wait. Their texts do not fit into one message. The bot's
    message shows the end of them, and a file has all texts."""
    thread, _ = await a_busy_agent(world)
    for number in range(3):
        await world.alice.replies(thread, f"{number} " + "long words " * 300)

    await world.alice.replies(thread, "!detach")
    await world.passes(seconds=10)

    said, *rest = thread.new_messages()
    assert said.startswith(
        "The agent did not get these 3 replies (this is the end, the file below has the whole text):\n| …"
    )
    # Slack shows a file only after it has processed it, so a later message may come first.
    with_file, detached = sorted(rest)
    assert with_file == "(file replies.txt)"
    assert detached.startswith("Detached")
