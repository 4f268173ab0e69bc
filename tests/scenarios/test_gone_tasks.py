"""Tasks that are no longer in Coder. The bot tells the thread once that its task is gone, and only when this
is certain. If the task returns, the bot tells the thread that too."""

import json

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import Fault, server_error
from taskwire_sandbox.coder.wire import Response

from .people import Thread
from .running_tasks import TITLE, a_task, card
from .world import World

GONE = f"Gone: {TITLE}. The task is no longer in Coder. No agent gets replies here now.\n[New task]"
EMPTY = Fault("empty", answer=Response(200, b'{"tasks":[],"count":0}'))


async def test_a_task_deleted_in_coder_is_told_after_a_second_look(world: World) -> None:
    """Somebody deletes a task in Coder. The bot waits until two lists in a row lack the task. Then the card
    shows that the task is gone, and the thread gets a message without a mention."""
    thread, task = await a_task(world)
    task.delete()

    await world.polls()
    after_one = thread.new_messages()
    await world.polls(times=3)

    assert after_one == []
    assert thread.new_messages() == [GONE]
    assert (await card(world, thread)).startswith(
        f"Gone: {TITLE}. This task is no longer in Coder, so no agent gets replies here. `/task create` "
        "creates a new task."
    )


async def test_a_task_deleted_from_slack_says_by_whom(world: World) -> None:
    """A person deletes a task in Slack. The bot tells the thread once who deleted it. It says nothing more
    when Coder's next list lacks the task."""
    thread, task = await a_task(world)
    await world.alice.clicks(thread, "Delete")
    await world.alice.submits()
    world.alice.reads()
    await world.polls(times=3)

    assert task.is_deleted
    assert thread.new_messages() == [
        f"Gone: {TITLE}. Alice deleted it. No agent gets replies here now.\n[New task]"
    ]


@pytest.mark.parametrize("where", ["in Slack", "in Coder"])
async def test_a_settled_notice_of_a_deleted_task_leads_nowhere(world: World, where: str) -> None:
    """A task with a notice in its thread is deleted, in Slack or in Coder. The notice says that the thread is
    closed. It no longer links to the task's page, which does not exist any more."""
    thread, task = await a_task(world)
    task.pause()
    await world.polls()
    await world.passes(seconds=5)
    before = thread.new_messages()

    if where == "in Slack":
        await world.alice.types(f"/task delete {task.name}")
        await world.alice.submits()
    else:
        task.delete()
    await world.polls(times=3)
    await world.passes(seconds=5)

    assert [said.rsplit("\n", 1)[-1] for said in before] == ["[Resume] [Edit prompt]"]
    paused = world.slack.thread(thread.channel, thread.ts)[1]
    assert "The workspace was stopped in Coder. Closed: this thread has no task any more." in str(
        paused["text"]
    )
    assert f"/tasks/alice/{task.id}" not in json.dumps(paused)
    thread.new_messages()
    world.alice.reads()


async def test_a_list_that_misses_a_task_once_tells_nothing(world: World) -> None:
    """One list lacks the task, and the next list has it. A task counts as gone only after two lists in a row
    lack it."""
    thread, _ = await a_task(world)

    for _ in range(3):
        world.coder.plan_fault("tasks.list", EMPTY)
        await world.polls(times=2)

    assert thread.new_messages() == []


async def test_two_empty_lists_tell_nothing_while_the_task_itself_is_there(world: World) -> None:
    """Two lists lack the task, but Coder still answers a request for the task alone. So the task is not
    gone."""
    thread, _ = await a_task(world)
    world.coder.plan_fault("tasks.list", EMPTY, times=4)

    await world.polls(times=5)

    assert thread.new_messages() == []
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")


async def test_a_page_that_cannot_be_read_is_no_proof(world: World) -> None:
    """Lists lack a task, and Coder fails when the bot asks for this task alone. The bot says nothing, because
    it does not know whether the task is gone. It asks again at the next poll."""
    thread, task = await a_task(world)
    task.delete()
    world.coder.plan_fault("tasks.get", server_error())

    await world.polls(times=2)
    before = thread.new_messages()
    await world.polls()

    assert before == []
    assert thread.new_messages() == [GONE]


async def test_an_account_that_lost_its_rights_ends_nothing(world: World) -> None:
    """The service account loses its role, so it sees no tasks. The bot does not take the tasks as deleted,
    even after a restart. When the account has the role again, notices are posted as before."""
    thread, task = await a_task(world)
    account = world.coder.user("taskwire")
    account.roles.clear()
    await world.polls(times=3)
    await world.restarts()
    await world.polls(times=3)
    told = thread.new_messages()

    account.roles.add("owner")
    task.becomes("complete", "Opened PR #12")
    await world.polls()

    assert told == []
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]


async def test_many_that_vanish_at_once_are_the_accounts_trouble(world: World) -> None:
    """More than five tasks vanish at the same time. The bot tells the administrators and not the threads.
    /readyz also says that tasks have vanished."""
    await world.restarts(admins=(world.bob.id,))
    threads = await some_tasks(world, 6)
    for _, task in threads:
        task.delete()

    await world.polls(times=4)

    direct = world.slack.open_direct("bob").id
    told = [str(message["text"]) for message in world.slack.messages(direct)]
    assert [thread.new_messages() for thread, _ in threads] == [[]] * 6
    assert told == [
        ":warning: 6 of 6 tasks with a thread are missing from Coder's list: has the account of "
        "CODER_SESSION_TOKEN lost rights? Give them back within a day, or I'll count the missing tasks "
        "as deleted."
    ]
    assert "6 of 6 tasks with a thread are missing" in (await world.bot.health())["coder"]
    for message in world.slack.messages(direct):
        world.reader.read_root(direct, str(message["ts"]))


async def test_many_that_are_still_gone_after_a_day_were_deleted(world: World) -> None:
    """Many tasks vanished a day ago, and the service account still has its role. The administrators had time
    to act, so the bot now tells the threads."""
    threads = await some_tasks(world, 6)
    for _, task in threads:
        task.delete()
    await world.polls(times=3)
    before = [thread.new_messages() for thread, _ in threads]

    await world.passes(seconds=24 * 3_600)
    await world.polls()
    for _ in range(6):
        await world.passes(seconds=3)
    await world.polls()

    assert before == [[]] * 6
    assert [len(thread.new_messages()) for thread, _ in threads] == [1] * 6
    assert (await world.bot.health())["coder"] == "ok"


async def test_a_few_that_vanish_at_once_are_told(world: World) -> None:
    """Five tasks vanish at the same time. A person may have deleted them, so the bot tells each thread."""
    threads = await some_tasks(world, 5)
    for _, task in threads:
        task.delete()

    await world.polls(times=2)
    for _ in range(6):
        await world.passes(seconds=3)

    assert [len(thread.new_messages()) for thread, _ in threads] == [1] * 5


async def test_a_gone_link_comes_back_with_its_task(world: World) -> None:
    """Coder shows a task again that was gone. The bot tells the thread that the task is back. Replies reach
    the agent again."""
    thread, task = await a_task(world)
    hidden = Fault("hidden", answer=Response(404, NOT_FOUND))
    world.coder.plan_fault("tasks.list", EMPTY, times=2)
    world.coder.plan_fault("tasks.get", hidden)
    await world.polls(times=2)
    gone = thread.new_messages()

    await world.polls(times=2)
    reply = await world.alice.replies(thread, "are you there?")
    await world.passes(seconds=40)

    assert gone == [GONE]
    assert thread.new_messages() == [
        f"Back: {TITLE}. Coder shows this task again. Its agent gets replies here as before."
    ]
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    task.becomes("idle", "Yes")
    await world.polls()
    assert task.inputs == ["are you there?"]


NOT_FOUND = b'{"message":"Resource not found or you do not have access to this resource"}'


async def some_tasks(world: World, count: int) -> list[tuple[Thread, SandboxTask]]:
    """Create this number of tasks, whose agents work. Return each task with its thread."""
    made = []
    for number in range(count):
        thread = await world.alice.runs(f"/task create name=task-{number} do part {number}")
        made.append((thread, world.task(f"task-{number}")))
        await world.passes(seconds=5)
    for _, task in made:
        task.becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)
    return made
