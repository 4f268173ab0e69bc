"""An older version runs again after a newer one (a rollback). Jobs that only the newer version can read wait
for it. No later job overtakes them, and none is lost silently."""

import json
import re

from taskwire import sealing
from taskwire.domain.queueing.jobs import CreateRequested
from taskwire.domain.queueing.queues import (
    QueueName,
    card,
    intake,
    thread_answers,
    to_coder,
)
from taskwire.domain.sealed_model import opened
from taskwire_sandbox.coder import SandboxTask
from tests.sealed import seal_job

from .people import Thread
from .test_notices_to_administrators import direct_messages
from .versions import (
    append_unreadable_job,
    drop,
    link_of,
    make_dead_letter_readable,
    record_newer_version,
    rewrite_jobs_as_newer,
    rewrite_state_as_newer,
    switch_to_newer_version,
)
from .waiting import a_busy_agent, takes_all
from .world import World

DAY = 86_400.0


async def test_replies_that_a_newer_version_took_wait_for_it_in_their_order(world: World) -> None:
    """The newer version stored twelve replies, and the older version then stored a thirteenth. Three days
    later, the newer version runs again. The agent gets all thirteen in order."""
    thread, task = await a_busy_agent(world)
    link = await link_of(world)
    words = [f"word {number}" for number in range(12)]
    for word in words:
        await world.alice.replies(thread, word)
    await record_newer_version(world)
    await rewrite_jobs_as_newer(world, to_coder(link))

    await takes_all(world, task)
    for _ in range(6):
        await world.passes(seconds=60)
    await world.alice.replies(thread, "word 12")
    for _ in range(3):
        await world.passes(seconds=DAY)
    before = list(task.inputs)
    await switch_to_newer_version(world, to_coder(link))
    await world.passes(seconds=31)
    await world.polls(times=3)
    for _ in range(4):
        await world.passes(seconds=30)

    assert before == []
    assert task.inputs == [*words, "word 12"]
    assert await world.dead_letters() == []
    thread.new_messages()


async def test_people_who_wait_for_a_newer_version_are_told_once(world: World) -> None:
    """A reply waits for the newer version. The bot says nothing for the first minutes, because a new version
    may just be starting. Then it tells the thread and the administrators, once."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await a_reply_that_another_version_took(world)
    link = await link_of(world)
    await takes_all(world, task)
    await world.passes(seconds=60)
    keeper = world.bot.parts.newer
    await keeper.tell_waiting()
    await world.settles()
    at_first = thread.new_messages()

    await world.passes(seconds=300)
    for _ in range(2):
        await keeper.tell_waiting()
        await world.settles()

    assert [said.partition(":")[0] for said in at_first] == ["The agent stopped and said nothing.\nNeeds you"]
    (said,) = thread.new_messages()
    assert re.sub(r"<!date\^.*? at [\d:]+ UTC>", "then", said) == (
        "I can't read your request yet: another version of Taskwire stored it. I'll give it up if I still "
        "can't read it by then; later requests wait too, except a stop. I told the Taskwire administrators."
    )
    (told,) = direct_messages(world, "bob")
    assert told.startswith(
        ":warning: 1 queue waits for another version of Taskwire: I can't read its next job. "
        "Start the newest version "
    )
    await switch_to_newer_version(world, to_coder(link))
    await world.passes(seconds=60)
    thread.new_messages()


async def test_after_a_week_without_the_newer_version_its_work_is_given_up_and_told(world: World) -> None:
    """A reply has waited a week for the newer version, so the bot gives it up. It posts the reply's text with
    *Try again*, and tells the administrators. Later replies reach the agent."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await a_reply_that_another_version_took(world)
    await world.alice.replies(thread, "and rebase")
    await takes_all(world, task)
    keeper = world.bot.parts.newer
    await world.passes(seconds=7 * DAY - 60)
    await keeper.tell_waiting()
    await world.passes(seconds=30)
    before = list(task.inputs)

    await world.passes(seconds=60)
    await keeper.tell_waiting()
    await world.passes(seconds=60)
    await world.polls(times=2)
    await world.passes(seconds=60)

    assert before == []
    assert task.inputs == ["and rebase"]
    assert (
        "This reply was not delivered: another version of Taskwire stored it, and that version did not "
        "run for a week.\n> use main\n[Try again]"
    ) in thread.new_messages()
    assert [why.partition(": ")[0] for why in await world.dead_letters()] == ["it cannot be read"]
    assert direct_messages(world, "bob")[-1].startswith(
        ":warning: My data store has jobs of another version of Taskwire, which I cannot read. I waited"
    )
    await world.alice.clicks(thread, "Try again")
    await world.polls()
    await world.passes(seconds=60)
    assert task.inputs == ["and rebase", "use main"]
    assert await world.dead_letters() == []
    thread.new_messages()
    world.errors.clear()


async def test_a_reply_given_up_for_a_newer_version_is_sent_again_once_only(world: World) -> None:
    """The bot gave up a reply that it could not read. The operator sends it again, with a version that can
    read it. When the author then presses *Try again*, nothing more is sent."""
    thread, task = await a_reply_that_another_version_took(world)
    await takes_all(world, task)
    await world.passes(seconds=7 * DAY + 60)
    await world.bot.parts.newer.tell_waiting()
    await world.passes(seconds=60)
    (letter,) = await world.letters().list_ids()
    await make_dead_letter_readable(world, letter)

    sent = await world.letters().send_again(letter)
    await world.passes(seconds=60)
    resent = list(task.inputs)
    task.becomes("complete", "Rebased")
    await world.polls(times=2)
    await world.alice.clicks(thread, "Try again")
    await world.polls(times=2)
    await world.passes(seconds=60)

    world.errors.clear()
    assert sent == "sent"
    assert resent == ["use main"]
    assert task.inputs == ["use main"]
    thread.new_messages()


async def test_what_no_version_can_read_that_was_here_is_told_too(world: World) -> None:
    """Two jobs wait in the store, and no version that ever used this store can read them. The bot still tells
    the thread and the administrators. It gives the jobs up after a week."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await a_busy_agent(world)
    link = await link_of(world)
    await world.alice.replies(thread, "use main")
    await rewrite_jobs_as_newer(world, to_coder(link))
    await append_unreadable_job(world, thread_answers(link, world.alice.id), "answer:1")
    await takes_all(world, task)
    keeper = world.bot.parts.newer
    for _ in range(6):
        await world.passes(seconds=60)
    await keeper.tell_waiting()
    await world.settles()
    at_first = [said for said in thread.new_messages() if "another version of Taskwire stored" in said]
    told = direct_messages(world, "bob")

    await world.passes(seconds=7 * DAY)
    await keeper.tell_waiting()
    await world.passes(seconds=60)

    given_up = thread.new_messages()
    assert len(at_first) == 2
    assert [said.partition(" for ")[0] for said in told] == [":warning: 2 queues wait"]
    assert any(
        said.startswith("This reply was not delivered: another version of Taskwire") for said in given_up
    )
    assert any(said.startswith("I could not read a request here for a week") for said in given_up)
    assert len(await world.dead_letters()) == 2
    assert direct_messages(world, "bob")[-1].startswith(
        ":warning: My data store has jobs of another version of Taskwire"
    )
    world.errors.clear()


async def test_a_person_whose_command_waits_for_a_newer_version_is_written_to(world: World) -> None:
    """A newer version stored a command. The bot tells the person by direct message that the command and their
    later commands wait."""
    await record_newer_version(world)
    await append_unreadable_job(world, intake(world.alice.id), "click:1")
    await world.passes(seconds=301)

    await world.bot.parts.newer.tell_waiting()
    await world.settles()

    (told,) = direct_messages(world, "alice")
    assert told.startswith("I can't read your request yet: another version of Taskwire stored")
    await switch_to_newer_version(world)
    await drop(world, intake(world.alice.id), "click:1")


async def test_administrators_hear_what_waits_though_they_wait_themselves(world: World) -> None:
    """An administrator's own command waits for the newer version. The bot still sends this administrator its
    alert about waiting jobs."""
    await world.restarts(admins=(world.alice.id,))
    await record_newer_version(world)
    await append_unreadable_job(world, intake(world.alice.id), "click:1")
    await world.passes(seconds=301)

    await world.bot.parts.newer.tell_waiting()
    await world.settles()

    told = direct_messages(world, "alice")
    assert len(told) == 2
    assert any(said.startswith(":warning: 1 queue waits for another version") for said in told)
    await switch_to_newer_version(world)
    await drop(world, intake(world.alice.id), "click:1")


async def test_a_person_is_written_to_whatever_else_a_lists_name_says(world: World) -> None:
    """A newer version may add a part to the name of a person's queue. The bot still finds the person in the
    name, and tells them that their request waits."""
    name = QueueName(f"{intake(world.alice.id)}:newer")
    await record_newer_version(world)
    await append_unreadable_job(world, name, "newer:1")
    await world.passes(seconds=301)

    await world.bot.parts.newer.tell_waiting()
    await world.settles()

    assert len(direct_messages(world, "alice")) == 1
    await switch_to_newer_version(world)
    await drop(world, name, "newer:1")


async def test_what_can_be_made_anew_waits_for_nobody(world: World) -> None:
    """The older version cannot read jobs of the newer version that edit a card or run backfill. It drops
    them, because it makes its own jobs for that."""
    thread, task = await a_busy_agent(world)
    link = await link_of(world)
    await record_newer_version(world)
    await append_unreadable_job(world, card(link), "card")
    await append_unreadable_job(world, QueueName("backfill:threads"), link)
    await world.passes(seconds=60)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await world.passes(seconds=60)

    assert thread.card().startswith("Done: ")
    assert await world.jobs() == {}
    thread.new_messages()


async def test_replies_of_a_newer_version_are_given_back_with_the_others(world: World) -> None:
    """One reply is stored by the newer version, and a second by the older one. Alice detaches the task while
    the older version runs. The bot posts the texts of both replies."""
    thread, task = await a_reply_that_another_version_took(world)
    await world.passes(seconds=31)
    await world.alice.replies(thread, "and rebase")

    await world.alice.types(f"/task detach {task.name}")
    await world.passes(seconds=60)

    assert thread.new_messages()[0] == (
        "The agent did not get these 2 replies:\n| use main\n| \n| and rebase"
    )
    assert await world.jobs() == {}
    world.alice.reads()


async def test_replies_of_a_newer_version_that_a_pause_holds_can_be_dropped(world: World) -> None:
    """A newer version stored a reply, and a pause holds it. When a person drops it while the older version
    runs, the reply is removed with its receipt."""
    thread, task = await a_busy_agent(world)
    link = await link_of(world)
    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=3)
    await record_newer_version(world)
    await rewrite_jobs_as_newer(world, to_coder(link))
    await world.alice.replies(thread, "!pause")
    await world.polls()

    await world.alice.clicks(thread, "Drop the reply")
    await world.passes(seconds=60)

    assert thread.receipt(reply) == []
    assert await world.jobs() == {}
    assert task.inputs == []
    thread.new_messages()
    world.alice.reads()


async def test_a_reply_of_a_newer_version_goes_in_its_new_words_when_it_is_edited(world: World) -> None:
    """A newer version stored a reply, and its author edits it while the older version runs. The older version
    cannot read the stored reply, but it can read the edited message. The agent gets the edited text."""
    thread, task = await a_busy_agent(world)
    link = await link_of(world)
    reply = await world.alice.replies(thread, "use main")
    await record_newer_version(world)
    await rewrite_jobs_as_newer(world, to_coder(link))
    await world.passes(seconds=31)

    await world.alice.edits(thread, reply, "use the branch")
    await takes_all(world, task)
    await world.passes(seconds=60)

    assert task.inputs == ["use the branch"]
    thread.new_messages()


async def test_a_link_of_a_newer_version_stands_in_nobody_elses_way(world: World) -> None:
    """A newer version wrote the state of one link, and the older version cannot read it. The notices of this
    task wait for the newer version. Other tasks get theirs, and the list has all tasks."""
    thread, task = await a_busy_agent(world)
    link = await link_of(world)
    other = await world.bob.runs("/task create mend the footer")
    thread.new_messages()
    await record_newer_version(world)
    story = await rewrite_state_as_newer(world, link)
    task.becomes("complete", "Opened PR #12")
    world.task("mend-the-footer").becomes("complete", "Opened PR #13")

    await world.polls(times=2)
    await world.passes(seconds=400)
    before = thread.new_messages()
    await world.alice.types("/task list")
    await world.alice.types(f"/task status {task.name}")
    said = world.alice.reads()

    assert before == []
    assert other.new_messages()[-1].startswith(f"<@{world.bob.id}> Opened PR #13.\nDone: ")
    assert "Fix the login" in said[0]
    assert said[1] == (
        "I can't read this: another version of Taskwire wrote it. Ask a Taskwire administrator."
    )
    assert await world.dead_letters() == []
    await story()
    await switch_to_newer_version(world)
    await world.passes(seconds=60)
    assert thread.new_messages()[-1].startswith(f"<@{world.alice.id}> Opened PR #12.\nDone: Fix the login")


async def test_another_task_whose_first_asking_a_newer_version_kept_waits_for_it(world: World) -> None:
    """A person presses *Create another*, and only the newer version can read the stored request behind the
    button. The older version does not refuse the press. The newer version creates the task later."""
    await world.alice.runs("/task create fix it")
    await world.alice.types("/task create fix it")
    world.alice.reads()
    redis = world.connections.commands
    (note,) = [key async for key in redis.scan_iter(world.keys.named("notes", "kept_request", "*"))]
    stored = json.loads(sealing.open_text(str(await redis.get(note)), note))
    kept = opened(CreateRequested, stored)
    await redis.set(note, _as_note(kept | {"mood": "cheerful"}, note), keepttl=True)
    await record_newer_version(world)

    await world.alice.presses("Create another")
    await world.passes(seconds=30)
    before = len(world.coder.tasks)
    await redis.set(note, _as_note(kept, note), keepttl=True)
    await switch_to_newer_version(world)
    await world.settles()

    assert before == 1
    assert len(world.coder.tasks) == 2
    assert world.alice.sees() == ("Creating another one.\n> fix it")
    assert len(world.cards()) == 1


def _as_note(work: dict[str, object], key: str) -> str:
    """Return this request as the text that Redis holds for the note with this key."""
    stored = json.loads(seal_job({"id": "1", "work": work}))["work"]
    return sealing.seal_text(json.dumps(stored), key)


async def a_reply_that_another_version_took(world: World) -> tuple[Thread, SandboxTask]:
    """Let Alice write *use main* to a busy agent, and let a newer version store this reply. Return the thread
    and the task."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")
    await record_newer_version(world)
    await rewrite_jobs_as_newer(world, to_coder(await link_of(world)))
    return thread, task
