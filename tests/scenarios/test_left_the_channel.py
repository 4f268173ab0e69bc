"""A person asks in a private channel, leaves it, and is answered later. The answer shows nothing of the
channel."""

import contextlib

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack.faults import CallFault

from .people import Person, Thread
from .test_backfill import away, back
from .test_connect import pastes
from .world import CARD_SECONDS, World

SECRET = "The agent said this after the person had left"
NO_SUCH = "There is no such task that you can see here."


async def a_hidden_task(world: World, person: Person) -> tuple[Thread, SandboxTask]:
    """Let Alice start a task in a private channel in which this person is too."""
    world.slack.add_channel("hidden", ["alice", person.id], kind="private")
    thread = await world.alice.runs("/task create fix it", "hidden")
    task = world.task("fix-it")
    task.becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)
    return thread, task


async def leaves(world: World, person: Person, task: SandboxTask) -> None:
    """Remove the person from the channel. Later, the agent writes something new."""
    world.slack.workspace.channel("hidden").members.remove(person.id)
    world.clock.passes(60)
    await world.ages(seconds=60)
    task.says(SECRET)


def hears(world: World, person: Person) -> tuple[str, int]:
    """Return everything that the bot has shown to the person since the last call, and how many files."""
    direct = world.slack.messages(person.direct())
    files = sum(len(each.get("files", [])) for each in direct)
    return "\n".join([*person.reads(), *(str(each) for each in direct)]), files


@pytest.mark.parametrize(
    "asked",
    ["/task logs fix-it full", "/task logs fix-it", "/task status fix-it", "/task list all", "!logs full"],
)
async def test_a_question_that_waited_for_an_account_shows_nothing_of_a_channel_left_since(
    world: World, asked: str
) -> None:
    """Carol has no Coder account, and asks about Alice's task in a private channel. She is removed from the
    channel. Then she connects an account, so the bot answers her: it shows nothing of the task."""
    await world.restarts(accounts="both")
    carol = world.person("carol", in_coder=False)
    world.coder.add_user("cc", email="other@example.com")
    thread, task = await a_hidden_task(world, carol)

    if asked.startswith("!"):
        await carol.replies(thread, asked)
    else:
        await carol.types(asked, "hidden")
    must_connect = carol.reads()
    await leaves(world, carol, task)
    await world.slack.join(carol.id, "general")
    await carol.types("/task connect", "general")
    await pastes(world, carol, world.coder.add_token("cc"))
    await world.passes(CARD_SECONDS)
    await world.passes(CARD_SECONDS)

    shown, files = hears(world, carol)
    assert any("connect" in said.lower() for said in must_connect)
    assert (SECRET in shown, "Fix it" in shown, files) == (False, False, 0)


@pytest.mark.parametrize("asked", ["!logs full", "!logs", "!status"])
@pytest.mark.parametrize("is_coder_there", [True, False], ids=["", "Coder away"])
async def test_a_question_found_after_an_absence_shows_nothing_of_a_channel_left_since(
    world: World, asked: str, is_coder_there: bool
) -> None:
    """The bot is away while Bob asks in the thread of a private channel, and while he is removed from it.
    When the bot is back, it finds his question, and shows him nothing of the task."""
    thread, task = await a_hidden_task(world, world.bob)
    await away(world)
    await world.slack.post(world.bob.id, thread.channel, asked, thread.ts)
    world.clock.passes(900)
    await leaves(world, world.bob, task)

    async with world.coder.outage() if not is_coder_there else contextlib.nullcontext():
        await back(world)
        await world.passes(CARD_SECONDS)
    await world.passes(CARD_SECONDS)

    shown, files = hears(world, world.bob)
    assert (SECRET in shown, "Fix it" in shown, files) == (False, False, 0)


async def test_a_log_that_slack_did_not_take_at_first_is_not_shown_after_the_person_has_left(
    world: World,
) -> None:
    """Bob asks for the whole log, and Slack does not share the file with him at first. He is removed from the
    channel. When Slack shares files again, he does not get it."""
    thread, _ = await a_hidden_task(world, world.bob)
    fault = world.slack.faults.add("files.completeUploadExternal", CallFault.RATE_LIMITED, times=None)
    await world.slack.post(world.bob.id, thread.channel, "!logs full", thread.ts)
    await world.until(lambda: bool(fault.hits), "the bot tries to share the file")

    world.slack.workspace.channel("hidden").members.remove(world.bob.id)
    await world.ages(seconds=60)
    world.slack.faults.clear()
    for _ in range(3):
        await world.passes(seconds=60)

    shown, files = hears(world, world.bob)
    assert ("whole log" in shown, files) == (False, 0)
