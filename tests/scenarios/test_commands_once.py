"""Repeated deliveries, lost answers and simultaneous actions take effect once."""

import asyncio

import pytest

from taskwire_sandbox.slack import CallFault, DeliveryFault

from .world import POST_SECONDS, World


@pytest.mark.parametrize("fault", [CallFault.DONE_THEN_CUT, CallFault.DONE_THEN_SERVER_ERROR])
async def test_a_card_whose_posting_was_not_answered_stands_once(world: World, fault: CallFault) -> None:
    """Slack's answer to the post of a card was lost. The bot finds its card in the channel and does not post
    it again."""
    world.slack.faults.add("chat.postMessage", fault)

    thread = await world.alice.runs("/task create fix it")
    await world.passes(seconds=60)

    assert len(world.slack.messages(thread.channel)) == 1
    assert len(world.coder.tasks) == 1
    assert ": Fix it. Owner: Alice." in thread.card()


async def test_a_form_that_slack_brings_twice_makes_one_task(world: World) -> None:
    """Slack delivers the submission of a form twice. The bot recognizes the second delivery by the id of the
    form's view, and creates one task."""
    await world.alice.types("/task fix it")
    world.slack.faults.add("view_submission", DeliveryFault.TWICE)

    await world.alice.submits()

    assert len(world.coder.tasks) == 1
    assert len(world.cards()) == 1


async def test_a_click_that_slack_brings_twice_is_one(world: World) -> None:
    """Slack delivers one press of a button twice. Both deliveries have the same time and person, so the bot
    handles one of them."""
    await world.alice.runs("/task create fix it")
    await world.passes(seconds=5)
    await world.alice.types("/task create fix it")
    world.slack.faults.add("block_actions", DeliveryFault.TWICE)

    await world.alice.presses("Create another")

    assert len(world.coder.tasks) == 2
    assert len(world.cards()) == 1
    assert len(world.alice.reads()) == 1


async def test_words_that_were_not_answered_are_sent_once(world: World) -> None:
    """`/task send` quotes the person's text in the thread, and Slack's answer to that post is lost. The
    thread has one quotation, and the agent gets the text once."""
    thread = await world.alice.runs("/task create fix it")
    await world.polls()
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)

    await world.alice.types(f"/task send {world.task('fix-it').name} use main")
    await world.passes(seconds=30)

    assert thread.new_messages() == ["Alice says: use main\n> use main"]
    assert world.task("fix-it").inputs == ["use main"]
    assert len(world.alice.reads()) == 1


async def test_two_who_attach_one_task_at_once_make_one_thread(world: World) -> None:
    """Two people attach one task at the same time. The task gets one thread. One of the two people is told
    that the task already has a thread or is getting one."""
    dora = world.person("dora")
    await world.restarts(admins=(dora.id,))
    world.slack.workspace.channel("general").members.append(dora.id)
    world.slack.add_channel("random", ["alice"])
    world.coder.add_task("alice", "fix it", name="loose")

    await asyncio.gather(
        world.slack.command("alice", "random", "/task", "attach loose"),
        world.slack.command("dora", "general", "/task", "attach loose"),
    )
    await world.settles()

    assert len(world.cards()) == 1
    [answer] = world.alice.reads() + dora.reads()
    assert "is getting a thread right now" in answer or "already has a thread" in answer


async def test_the_card_opens_the_dialog_for_a_paused_prompt(world: World) -> None:
    """A person opens the dialog *Edit prompt* from the card of a paused task. The dialog shows the task's
    prompt, and the submitted text replaces that prompt."""
    thread = await world.alice.runs("/task create fix it")
    await world.polls()
    task = world.task("fix-it")
    await world.alice.types(f"/task pause {task.name}")
    await world.polls()
    await world.passes(seconds=8)
    assert len(thread.new_messages()) == 1
    world.alice.reads()

    await world.alice.clicks(thread, "Edit prompt")
    assert world.alice.dialog() == (
        "[Edit the prompt]\nFix it\nIts new prompt: fix it\n"
        "The agent reads it when the task is resumed.\n[Save]"
    )
    assert await world.alice.submits(prompt=" \u200b ") == {"form.prompt": "The prompt cannot be empty."}
    await world.alice.submits(prompt="fix that")

    assert task.prompt == "fix that"
    assert world.alice.reads() == ["*Fix it* has a new prompt. The agent reads it when the task is resumed."]


async def test_the_delete_dialog_counts_what_waits(world: World) -> None:
    """A person deletes a task while replies wait for its agent. The dialog of *Delete* says how many replies
    wait. After the deletion, the bot posts their texts in the thread."""
    thread = await world.alice.runs("/task create fix it")
    await world.polls()
    task = world.task("fix-it")
    task.becomes("working", "On it")
    await world.alice.replies(thread, "use main")

    await world.alice.types(f"/task delete {task.name}")
    assert (
        "Pushed commits and the thread stay; I'll post the waiting reply in the thread."
        in world.alice.dialog()
    )
    await world.alice.submits()
    await world.passes(POST_SECONDS)

    assert task.is_deleted
    assert any("use main" in message for message in thread.new_messages())
    assert world.alice.reads() == ["*Fix it* is deleted."]


async def test_a_question_that_comes_twice_is_answered_twice_to_the_same_person(world: World) -> None:
    """A question is not claimed, because its answer is only shown. If its payload comes again, the person
    sees the answer again, and nobody else sees anything."""
    world.slack.faults.add("/task", DeliveryFault.TWICE)

    await world.alice.types("/task list")

    first, again = world.alice.reads()
    assert first == again
    assert world.bob.reads() == []
