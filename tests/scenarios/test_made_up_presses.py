"""Presses of buttons that no message has. They take nothing away from anybody."""

import pytest

from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.parsing.naming import digest
from taskwire_sandbox.coder import SandboxTask

from .people import Person
from .test_owner_changes import connects
from .test_places import TOO_OLD
from .test_questions_answered import REFUSED
from .test_suspended_in_an_outage import goes_away
from .waiting import a_busy_agent, a_waiting_agent, comes_up, takes_all
from .world import World

DECIDED = ["Somebody already decided this."]
# What a payload of the Home tab has in place of a message. It names no channel.
HOME = {"channel": {}, "container": {"type": "view", "view_id": "V1"}, "view": {"type": "home", "id": "V1"}}


async def link_of(world: World, task: SandboxTask) -> LinkId:
    """Return the id of the task's link, which the values of the buttons contain."""
    link = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))
    assert link is not None
    return link.id


async def a_stranger(world: World, who: str) -> Person:
    """Return Mal, who is in the channel and has no right to Alice's task: a `teammate`, a `guest`, or a
    person `without_account`."""
    mal = world.person("mal", in_coder=who != "without_account", is_restricted=who == "guest")
    await world.slack.join(mal.id, "general")
    return mal


@pytest.mark.parametrize("verb", ["status", "watch", "pause", "edit"])
async def test_a_waiting_reply_is_not_taken_for_a_command(world: World, verb: str) -> None:
    """Alice's reply waits for a busy agent. Bob may steer her task, and makes up a press of a button of the
    question about a message with `!` that names her reply. Nothing happens, and the agent gets the reply."""
    thread, task = await a_busy_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    reply = await world.alice.replies(thread, "do not delete the database")
    await world.passes(seconds=10)

    await world.bob.presses_made_up("verb.do", f"{await link_of(world, task)} {verb}:reply:{reply}")
    await world.passes(seconds=10)
    await takes_all(world, task)
    await world.passes(seconds=10)

    assert world.bob.reads() == DECIDED
    assert task.inputs == ["do not delete the database"]
    assert thread.receipt(reply) == ["white_check_mark"]
    world.alice.reads(), world.bob.hears(), thread.new_messages()


async def test_a_held_reply_is_not_taken_for_a_command(world: World) -> None:
    """Alice's reply is held by a pause. Bob makes up a press that takes it for a command. It stays held."""
    thread, task = await a_busy_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    reply = await world.alice.replies(thread, "do not delete the database")
    await world.alice.replies(thread, "!stop")
    await world.passes(seconds=10)

    await world.bob.presses_made_up("verb.do", f"{await link_of(world, task)} status:reply:{reply}")
    await world.passes(seconds=10)

    assert world.bob.reads() == DECIDED
    assert thread.new_messages() == ["Pausing. 1 reply waits.\n[Resume and send] [Drop the reply]"]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    world.alice.reads(), world.bob.hears()


async def test_a_reply_that_was_not_delivered_is_not_taken_for_a_command(world: World) -> None:
    """Alice's reply was not delivered, and is stored for her. Bob makes up a press that takes it for a
    command. Alice can still send it."""
    thread, task = await a_waiting_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.coder.plan_fault("tasks.send", REFUSED)
    reply = await world.alice.replies(thread, "do not delete the database")
    await world.passes(seconds=10)

    await world.bob.presses_made_up("verb.do", f"{await link_of(world, task)} status:reply:{reply}")
    told = world.bob.reads()
    await world.alice.clicks(thread, "Try again")
    await world.passes(seconds=5)

    assert told == DECIDED
    assert task.inputs == ["do not delete the database"]
    world.alice.reads(), world.bob.hears(), thread.new_messages()


@pytest.mark.parametrize("who", ["teammate", "guest", "without_account"])
async def test_a_kept_reply_is_not_sent_by_a_press_of_stop_in_home(world: World, who: str) -> None:
    """The bot asks Alice about her message, because it begins with an unknown command. Mal has no right to
    her task, and makes up a press of *Stop* in the Home tab that names her message. The agent gets it only
    when she decides so."""
    thread, task = await a_waiting_agent(world)
    mal = await a_stranger(world, who)
    kept = await world.alice.replies(thread, "!rm -rf the database and go on")
    await world.passes(seconds=5)

    await mal.presses_made_up("task.pause", f"{await link_of(world, task)} reply:{kept}", told=HOME)
    await world.passes(seconds=10)
    got, receipt = list(task.inputs), thread.receipt(kept)
    await world.alice.clicks(thread, "Send as text")
    await world.passes(seconds=5)

    assert (got, receipt, task.status) == ([], [], "active")
    assert task.inputs == ["!rm -rf the database and go on"]
    world.alice.reads(), mal.reads(), mal.hears(), thread.new_messages()


@pytest.mark.parametrize("who", ["teammate", "guest", "without_account"])
async def test_a_word_that_stopped_the_task_is_not_sent_by_a_press_of_stop_in_home(
    world: World, who: str
) -> None:
    """Alice's reply `stop` has stopped her task. Mal, who has no right to it, makes up a press of *Stop* in
    the Home tab that names her reply. It does not become text for the agent."""
    thread, task = await a_waiting_agent(world)
    mal = await a_stranger(world, who)
    kept = await world.alice.replies(thread, "stop")
    await world.passes(seconds=5)

    await mal.presses_made_up("task.pause", f"{await link_of(world, task)} reply:{kept}", told=HOME)
    await world.alice.types(f"/task resume {task.name}")
    await comes_up(world)

    assert (task.inputs, task.status) == ([], "active")
    world.alice.reads(), mal.reads(), mal.hears(), thread.new_messages()


@pytest.mark.parametrize("is_edited", [False, True])
@pytest.mark.parametrize("button", ["input.again", "input.as_it_is", "verb.do"])
async def test_a_word_about_which_only_its_author_is_asked_is_not_sent_by_another(
    world: World, button: str, *, is_edited: bool
) -> None:
    """Alice's reply is a single word after `!`, so only she is asked about it. Bob may steer her task, and
    makes up a press of a button of that question, perhaps after she has edited her reply. Nothing happens
    until she decides."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    kept = await world.alice.replies(thread, "!deploy")
    await world.passes(seconds=5)
    if is_edited:
        await world.alice.edits(thread, kept, "!deploy it now")
    world.bob.reads()

    verb = "status:" if button == "verb.do" else ""
    await world.bob.presses_made_up(button, f"{await link_of(world, task)} {verb}reply:{kept}")
    await world.passes(seconds=10)
    got = list(task.inputs)
    await world.alice.presses("Send as text")
    await world.passes(seconds=5)

    assert (got, world.bob.reads()) == ([], ["This button is too old. Write your request again."])
    assert task.inputs == ["!deploy it now" if is_edited else "!deploy"]
    world.alice.reads(), world.bob.hears(), thread.new_messages()


@pytest.mark.parametrize("edits", [["!deploy"], ["!pause"], ["deploy it"], ["please wait", "deploy"]])
async def test_a_message_that_is_edited_into_one_word_is_not_sent_by_another(
    world: World, edits: list[str]
) -> None:
    """Everybody is asked about Alice's message with `!`, and she edits it into a single word, or takes the
    `!` away. Bob may steer her task, and presses the button that he still sees. Nothing happens. The question
    is closed, and Alice is asked about the new words."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    kept = await world.alice.replies(thread, "!please wait")
    await world.passes(seconds=5)
    world.alice.reads(), world.bob.reads(), thread.new_messages()
    for words in edits:
        await world.alice.edits(thread, kept, words)
        await world.passes(seconds=5)
    asked, closed = world.alice.reads()[-1], thread.all_messages()[-1]

    await world.bob.presses_made_up("input.as_it_is", f"{await link_of(world, task)} reply:{kept}")
    await world.passes(seconds=10)
    got = list(task.inputs)
    await world.alice.presses("Send as text")
    await world.passes(seconds=5)

    assert (got, world.bob.reads()) == ([], ["This button is too old. Write your request again."])
    assert (task.inputs, task.status) == ([edits[-1]], "active")
    assert closed == "Closed: the reply was edited.\n> !please wait"
    assert asked == {
        "!deploy": "I don't know `!deploy`.\n[Help] [Send as text]",
        "!pause": "You edited this message. Is it text for the agent?\n> !pause\n[Stop it] [Send as text]",
    }.get(edits[-1], f"You edited this message. Is it text for the agent?\n> {edits[-1]}\n[Send as text]")
    world.alice.reads(), world.bob.hears(), thread.new_messages()


async def test_a_word_that_is_edited_into_more_words_is_asked_about_anew(world: World) -> None:
    """Only Alice is asked about a single word after `!`, and she edits it into more words. Only she is asked
    about the new words, which the question shows."""
    thread, task = await a_waiting_agent(world)
    kept = await world.alice.replies(thread, "!deploy")
    await world.passes(seconds=5)
    first = world.alice.reads()

    await world.alice.edits(thread, kept, "!deploy it now")
    await world.passes(seconds=5)
    second, said = world.alice.reads(), thread.new_messages()
    await world.alice.presses("Send as text")
    await world.passes(seconds=5)

    assert first == ["I don't know `!deploy`.\n[Help] [Send as text]"]
    assert (second, said) == (["I don't know `!deploy`.\n> !deploy it now\n[Help] [Send as text]"], [])
    assert task.inputs == ["!deploy it now"]
    world.alice.reads(), thread.new_messages()


async def test_a_message_that_is_edited_before_the_bot_asks_is_asked_about_as_it_is_then(
    world: World,
) -> None:
    """Coder is away when Alice writes a message with `!` and edits it into a single word, so the bot has not
    asked yet. When Coder is back, only she is asked, and about the new words."""
    thread, task = await a_waiting_agent(world)
    async with world.coder.outage():
        await world.forgets()
        kept = await world.alice.replies(thread, "!please wait")
        await world.passes(seconds=5)
        await world.alice.edits(thread, kept, "!deploy")
        await world.passes(seconds=5)
        world.alice.reads(), thread.new_messages()
    await world.passes(seconds=60)

    assert {*world.alice.reads()} == {"I don't know `!deploy`.\n[Help] [Send as text]"}
    assert not [said for said in thread.new_messages() if "I don't know" in said]
    assert task.inputs == []


async def test_a_new_prompt_of_one_task_is_not_read_by_another_task(world: World) -> None:
    """Alice types a new prompt for her running task in a private channel, and the bot keeps the prompt for
    the button *Stop and edit*. Mal makes up a press of this button for a task of his own, with the key of
    her prompt. His task does not get it."""
    world.slack.add_channel("hidden", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "hidden")
    await world.polls()
    hers = world.coder.tasks[-1]
    mal = world.person("mal")
    await world.slack.join(mal.id, "general")
    await mal.runs("/task create name=mine do my work")
    await world.polls()
    edit = await world.alice.replies(thread, "!edit rotate the payroll keys")
    await world.passes(seconds=5)

    key = digest(await link_of(world, hers), f"edit:{edit}")
    await mal.presses_made_up("edit.pause", f"{await link_of(world, world.task('mine'))} {key}")
    await world.passes(seconds=30)
    await world.polls()

    assert world.task("mine").prompt == "do my work"
    assert TOO_OLD in mal.reads()
    world.reader.read_all()


@pytest.mark.parametrize("is_detached", [False, True])
async def test_an_ended_thread_does_not_give_the_tasks_new_prompt(world: World, *, is_detached: bool) -> None:
    """Alice's task has moved to a private channel, where she gave it another prompt. Mal presses *New like
    this* of the old card, which has no such entry any more. The form with the new prompt does not open."""
    world.slack.add_channel("secret", ["alice"], kind="private")
    await world.alice.runs("/task create " + "fix the login " * 400)
    await world.polls()
    task = world.coder.tasks[-1]
    old = await link_of(world, task)
    if is_detached:
        await world.alice.types(f"/task detach {task.name}")
        await world.passes(seconds=5)
    for act in ("attach", "stop", "edit"):
        words = " PLUTONIUM" + " is in the cellar" * 400 if act == "edit" else ""
        await world.alice.types(f"/task {act} {task.name}{words}", "secret")
        await world.passes(seconds=10)
        await world.polls()
    mal = await a_stranger(world, "teammate")

    await mal.presses_made_up("task.new_like", old)

    assert task.prompt.startswith("PLUTONIUM")
    assert "PLUTONIUM" not in mal.dialog()
    world.reader.read_all()


async def test_nobody_learns_who_decided_in_a_channel_that_they_cannot_read(world: World) -> None:
    """In a private channel, Alice has passed on a reply of Mal. Bob, who is not there, makes up presses of
    the question's buttons. He reads each time that there is no such task."""
    world.slack.add_channel("secret", ["alice"], kind="private")
    mal = world.person("mal")
    await world.slack.join(mal.id, "secret")
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await world.polls()
    await world.passes(seconds=3)
    reply = await mal.replies(thread, "use the branch")
    await world.passes(seconds=8)
    await mal.presses("Ask Alice to pass it on")
    await world.alice.presses("Pass it on")
    await world.passes(seconds=5)

    for step in ("ask", "not_now", "always"):
        await world.bob.presses_made_up(f"teammate.{step}", f"{await link_of(world, task)} reply:{reply}")

    read = world.bob.reads()
    assert len(read) == 3
    assert [each for each in read if "no such task" not in each] == []
    world.alice.reads(), world.alice.hears(), mal.reads(), mal.hears(), thread.new_messages(), world.cards()


@pytest.mark.parametrize("trouble", ["no account", "Coder away"])
@pytest.mark.parametrize("button", ["task.pause", "task.resume", "task.delete", "task.mute", "task.watch"])
async def test_a_press_that_waits_names_no_task_of_a_private_channel(
    world: World, button: str, trouble: str
) -> None:
    """Mal, who cannot see Alice's task, makes up a press of a button. It waits for Mal's account, or for
    Coder. The answer does not have the task's title."""
    if trouble == "no account":
        await world.restarts(accounts="both")
    world.slack.add_channel("secret", ["alice"], kind="private")
    await world.alice.runs("/task create Zebra acquisition", "secret")
    task = world.task("zebra-acquisition")
    await takes_all(world, task)
    mal = world.person("mal", in_coder=trouble == "Coder away")
    await world.slack.join(mal.id, "general")
    await world.ages(seconds=60)
    if trouble == "Coder away":
        goes_away(world)

    await mal.presses_made_up(button, f"{await link_of(world, task)}")
    await world.passes(seconds=5)
    read = [*mal.reads(), *mal.hears()]

    assert not [each for each in read if "ebra" in each]
    world.coder.clear_faults()
    if trouble == "no account":
        world.coder.add_user("m2", email="m2@example.com")
        await connects(world, mal, "m2")
    await world.passes(seconds=60)
    world.reader.read_all()
