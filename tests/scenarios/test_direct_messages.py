"""A direct message is a command or a prompt. A prompt starts a task only after the person presses a
button."""

import pytest

from taskwire.domain.ids import TaskId
from taskwire.tasks.create import MOST_KEPT_REQUESTS

from .people import Thread
from .world import POST_SECONDS, World

OFFER = "Create a task with this?\n> fix the login redirect\n[Create] [Change] [My tasks]"


def _offer(world: World) -> Thread:
    """Return the bot's newest message in its direct conversation with Alice."""
    direct = world.alice.direct()
    return Thread(world, direct, str(world.slack.messages(direct)[-1]["ts"]))


async def test_a_direct_message_is_offered_as_a_task(world: World) -> None:
    """The bot answers a direct message with the offer of a task. Nothing is created before the person presses
    the offer's button."""
    await world.alice.writes_directly("fix the login redirect")

    assert world.reader.new_roots() == [OFFER]
    assert world.coder.tasks == []


async def test_a_direct_message_that_mentions_a_person_is_offered_too(world: World) -> None:
    """Nobody else reads a direct message to the bot, so a mention in it is just text."""
    await world.alice.writes_directly(f"fix what <@{world.bob.id}> found")

    assert world.reader.new_roots() == [
        "Create a task with this?\n> fix what @Bob found\n[Create] [Change] [My tasks]"
    ]


async def test_a_task_is_shared_by_a_direct_message(world: World) -> None:
    """A direct message that shares a task has a mention too."""
    thread = await world.alice.runs("/task create fix the login redirect")
    task = world.task("fix-the-login-redirect")

    await world.alice.writes_directly(f"share {task.name} <@{world.bob.id}>")

    link = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))
    assert link is not None
    assert link.shares == (world.bob.id,)
    world.alice.reads()
    world.bob.reads()
    world.reader.new_roots()
    thread.new_messages()


async def test_create_starts_the_task_in_the_direct_messages(world: World) -> None:
    """Alice presses *Create* on the offer. The offer loses its buttons, and the bot posts the task's card
    below the offer."""
    await world.alice.writes_directly("fix the login redirect")
    offer = _offer(world)

    await world.alice.clicks(offer, "Create")

    assert [task.prompt for task in world.coder.tasks] == ["fix the login redirect"]
    offered, card = world.reader.new_roots()
    assert offered == ("You chose *Create*:\n> fix the login redirect")
    assert card.startswith("Starting: Fix the login redirect. Owner: Alice.")


async def test_two_presses_start_one_task(world: World) -> None:
    """Alice presses *Create* on an offer twice. One task starts."""
    await world.alice.writes_directly("fix the login redirect")

    await world.alice.clicks_at_once(_offer(world), "Create", "Create")

    assert len(world.coder.tasks) == 1
    world.reader.new_roots()
    world.alice.reads()


async def test_change_opens_the_form_with_the_text(world: World) -> None:
    """Alice presses *Change* on the offer, and changes the text in the form. The bot creates the task with
    the submitted text. The offer shows that text and no buttons."""
    await world.alice.writes_directly("fix the login redirect name=login-fix")
    await world.alice.clicks(_offer(world), "Change")
    assert "What should the agent do?: fix the login redirect\nName: login-fix" in world.alice.dialog()

    errors = await world.alice.submits(prompt="fix the logout redirect")

    assert errors == {}
    assert [task.prompt for task in world.coder.tasks] == ["fix the logout redirect"]
    offered, card = world.reader.new_roots()
    assert offered == ("You chose *Create*:\n> fix the logout redirect")
    assert card.startswith("Starting: Fix the logout redirect.")


async def test_the_same_message_again_asks_before_a_second_task(world: World) -> None:
    """Alice has started a task from a direct message. She writes the same message again and presses *Create*
    on the new offer. The bot first asks whether to create another task."""
    await world.alice.writes_directly("fix the login redirect")
    await world.alice.clicks(_offer(world), "Create")
    world.reader.new_roots()

    await world.alice.writes_directly("fix the login redirect")
    await world.passes(POST_SECONDS)
    await world.alice.clicks(_offer(world), "Create")

    assert len(world.coder.tasks) == 1
    assert world.reader.new_roots() == [
        "You just created this task. Another one?\n> fix the login redirect\n[Create another]"
    ]


async def test_the_newest_offers_of_a_person_are_stored(world: World) -> None:
    """A person without a Coder account writes many direct messages, and presses no button. Only the newest
    offers are stored."""
    mal = world.person("mal", in_coder=False)
    for number in range(MOST_KEPT_REQUESTS + 3):
        await world.passes(seconds=7)
        await mal.writes_directly(f"fix number {number}")
    mal.hears()

    pattern = world.keys.named("notes", "kept_request", "*")
    kept = [key async for key in world.connections.commands.scan_iter(pattern)]

    assert len(kept) == MOST_KEPT_REQUESTS


async def test_options_work_in_a_direct_message(world: World) -> None:
    """A direct message contains options of `create`. When the person presses *Create*, the task gets these
    options."""
    await world.alice.writes_directly("name=login-fix fix the login redirect")
    await world.alice.clicks(_offer(world), "Create")

    assert world.task("login-fix").prompt == "fix the login redirect"
    world.reader.new_roots()


async def test_commands_work_without_the_slash(world: World) -> None:
    """A direct message that begins with a verb does what the verb does after `/task`."""
    await world.alice.runs("/task create fix it")

    await world.alice.writes_directly("pause fix-it")

    assert world.alice.reads() == ["Pausing *Fix it*. A reply in its thread resumes it."]


async def test_create_in_a_direct_message_needs_no_confirmation(world: World) -> None:
    """A person writes `create` and a prompt in a direct message. The bot starts the task at once, without an
    offer."""
    await world.alice.writes_directly("create fix it")

    assert [task.prompt for task in world.coder.tasks] == ["fix it"]
    (card,) = world.reader.new_roots()
    assert card.startswith("Starting: Fix it.")


async def test_delete_in_a_direct_message_offers_the_dialog(world: World) -> None:
    """A person writes `delete` in a direct message. A message cannot open a dialog, so the bot's answer has a
    button that opens it."""
    await world.alice.runs("/task create fix it")

    await world.alice.writes_directly("delete fix-it")

    assert world.alice.reads() == [
        ("Delete *Fix it*? Its workspace is deleted too, with everything that was not pushed.\n[Delete…]")
    ]


@pytest.mark.parametrize("text", ["help", "?"])
async def test_help_says_what_a_direct_message_can_do(world: World, text: str) -> None:
    """A person writes `help` or `?` in a direct message. The answer names commands that work there, and has
    *New task* and *My tasks*."""
    await world.alice.writes_directly(text)

    assert world.alice.reads() == [
        "Tell me what to do, and I'll offer to create a task. `list`, `status NAME` and the other "
        "commands work here too, without `/task`.\n[New task] [My tasks]"
    ]


async def test_a_colleague_cannot_use_an_offer(world: World) -> None:
    """The bot offers Alice a task. Bob sends an invented press of her *Create*, and no task starts."""
    await world.alice.writes_directly("fix the login redirect")
    _, action, key = _offer(world).button("Create")

    await world.bob.presses_made_up(action, key)

    assert world.bob.reads() != []
    assert world.coder.tasks == []
    world.reader.new_roots()


async def test_a_person_without_an_account_is_told_when_they_press(world: World) -> None:
    """A person without a Coder account presses *Create* on the offer. The bot replaces the offer by the
    reason why no task starts."""
    eve = world.person("eve", in_coder=False)
    await eve.writes_directly("fix it")
    direct = eve.direct()
    offer = Thread(world, direct, str(world.slack.messages(direct)[-1]["ts"]))

    await eve.clicks(offer, "Create")

    assert world.reader.new_roots() == [
        "No Coder user has your address eve@example.com. Sign in to Coder once with it, or ask a Coder "
        "administrator to add you."
    ]


async def test_a_title_names_a_task_in_a_direct_message(world: World) -> None:
    """A direct message begins with a verb. If the words after it are exactly a task's title, the message is a
    command for this task. Otherwise, it is a prompt."""
    world.coder.add_task("alice", "Fix the login page", name="fix").becomes("working", "On it")

    await world.alice.writes_directly("status fix the login page")
    await world.alice.writes_directly("status fix the logout page")

    [status] = world.alice.reads()
    assert status.startswith("Working: Fix the login page. On it. Owner: alice.")
    assert world.reader.new_roots() == [
        "Create a task with this?\n> status fix the logout page\n[Create] [Change] [My tasks]"
    ]
    assert len(world.coder.tasks) == 1


async def test_a_question_to_the_bot_is_answered_from_its_offer(world: World) -> None:
    """A person asks the bot in a direct message what needs them. The bot offers a task with this text, and
    *My tasks* beside it, which shows the list and leaves the offer."""
    world.coder.add_task("alice", "Fix the login page", name="fix").becomes("idle", "Which one?")
    await world.alice.writes_directly("what needs me?")
    direct = world.alice.direct()
    offer = Thread(world, direct, str(world.slack.messages(direct)[-1]["ts"]))

    await world.alice.clicks(offer, "My tasks")

    assert world.alice.reads() == ["Tasks · mine:\n•  Starting: Fix the login page"]
    assert world.reader.new_roots() == [
        "Create a task with this?\n> what needs me?\n[Create] [Change] [My tasks]"
    ]
    assert len(world.coder.tasks) == 1
