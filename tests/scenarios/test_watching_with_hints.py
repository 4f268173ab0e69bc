"""Coder's webhook has one effect: the next poll comes sooner."""

import asyncio
import json
import time

import aiohttp
import pytest
from pydantic import SecretStr

from taskwire.app.bot import run_bot
from taskwire_sandbox.coder import SandboxTask, faults
from taskwire_sandbox.coder.steps import BuildPlan

from .running_tasks import TITLE, a_task
from .world import World

TOKEN = "a-word-that-only-coder-knows"
# Coder sends its notifications at this interval.
ROUND_SECONDS = 16


async def test_a_notification_of_coders_makes_the_next_look_come_at_once(world: World) -> None:
    """Somebody pauses a task in Coder. After Coder's notification, the thread is told before the next regular
    poll."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    thread, task = await a_task(world)
    world.coder.webhook_url = f"http://127.0.0.1:{world.bot.port}/coder/webhook?token={TOKEN}"

    task.pause()
    world.clock.passes(ROUND_SECONDS)
    await world.coder.catch_up()
    await world.until(
        lambda: len(world.slack.thread(thread.channel, thread.ts)) == 2, "the thread hears of it"
    )
    await world.settles()

    assert [message.partition(".")[0] for message in thread.new_messages()] == [f"Paused: {TITLE}"]


async def test_a_pause_that_takes_its_time_shows_when_it_is_over(world: World) -> None:
    """Coder's notification comes when the pause begins. The bot keeps asking Coder for the task until the
    pause is over."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    thread, task = await a_task(world)
    world.coder.template.plan = BuildPlan(stop=90)
    world.coder.webhook_url = f"http://127.0.0.1:{world.bot.port}/coder/webhook?token={TOKEN}"

    task.pause()
    await world.passes(1)
    await world.until(lambda: asked_for(world, task) > 2, "it is looked for")
    await world.settles()
    early = (task.status, thread.new_messages())
    world.clock.passes(90)
    await world.coder.catch_up()
    await world.until(
        lambda: len(world.slack.thread(thread.channel, thread.ts)) == 2, "the thread hears of it"
    )
    await world.settles()
    asked = asked_for(world, task)
    await world.bot.parts.poller.poll()

    assert early == ("unknown", [])
    assert [message.partition(".")[0] for message in thread.new_messages()] == [f"Paused: {TITLE}"]
    assert asked_for(world, task) == asked


async def test_trouble_of_the_account_ends_the_quick_looks(world: World) -> None:
    """Coder refuses the bot's account, so the bot stops asking for the announced change. The next poll
    reports the problem."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    thread, task = await a_task(world)
    world.coder.template.plan = BuildPlan(stop=90)
    world.coder.webhook_url = f"http://127.0.0.1:{world.bot.port}/coder/webhook?token={TOKEN}"
    refused = faults.server_error("You are signed out or your session has expired.", 401)
    world.coder.plan_fault("tasks.get", refused, times=None)
    before = asked_for(world, task)

    task.pause()
    await world.passes(1)
    await world.until(lambda: asked_for(world, task) > before, "it is looked for")
    await world.until(lambda: not is_followed(), "nobody looks for it any more")

    assert asked_for(world, task) == before + 1
    await world.settles()
    thread.new_messages()


def is_followed() -> bool:
    """Return whether the bot keeps asking Coder for an announced change."""
    return any(each.get_name() == "announced" for each in asyncio.all_tasks())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff{",
        b'{"payload": {"notification_name": "Task Idle", "labels": {"task_id": "x"}}}',
        b'{"payload": {"notification_name": "Task Paused", "labels": {"task_id": "../../users"}}}',
        b'{"payload": {"notification_name": "Task Paused", "labels": {"task_id": 7}}}',
    ],
)
async def test_what_a_notification_says_is_never_taken_for_true(world: World, body: bytes) -> None:
    """A notification is malformed, or its task id is invalid. It only causes a poll. The bot requests no
    single task."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    before = lists(world)

    answer = await post(world, f"/coder/webhook/{TOKEN}", body=body)
    await world.until(lambda: lists(world) > before, "a look")

    assert answer == 204
    assert {seen.route for seen in world.coder.requests if seen.user} <= {"tasks.list", "users.get"}


async def test_many_hints_at_once_are_one_look(world: World) -> None:
    """Many notifications at the same time cause one poll, so that nobody can make the bot overload Coder."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    before = lists(world)

    answers = [await post(world, f"/coder/webhook/{TOKEN}") for _ in range(20)]
    await world.until(lambda: lists(world) > before, "a look")
    await world.bot.parts.poller.poll()

    assert answers == [204] * 20
    assert lists(world) - before <= 3


async def test_a_hint_to_the_replica_that_does_not_poll_is_followed_too(world: World) -> None:
    """A notification reaches a replica that does not poll regularly. That replica polls at once."""
    thread, task = await a_task(world)
    hinted = world.settings.model_copy(update={"webhook_token": SecretStr(TOKEN)})
    async with run_bot(hinted, world.connections, clock=world.clock, has_timers=False) as other:
        task.becomes("complete", "Opened PR #12")
        answer = await post(world, f"/coder/webhook/{TOKEN}", other.port)
        await world.until(lambda: len(world.slack.thread(thread.channel, thread.ts)) == 2, "it is told")
        await world.settles()

    assert answer == 204
    assert len(thread.new_messages()) == 1


async def test_endless_hints_about_one_task_are_five_reads_a_second_at_most(world: World) -> None:
    """Somebody who knows the webhook's word announces a change of one task without end. A new announcement
    does not start anew, so the bot reads the task as often as after one."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    thread, task = await a_task(world)
    labels = {"task_id": task.id, "task": task.name}
    body = json.dumps({"payload": {"notification_name": "Task Paused", "labels": labels}}).encode()
    before, began = asked_for(world, task), time.monotonic()

    answers = [await post(world, f"/coder/webhook/{TOKEN}", body=body) for _ in range(100)]
    await world.until(lambda: asked_for(world, task) > before, "it is looked for")
    asked, seconds = asked_for(world, task) - before, time.monotonic() - began

    assert answers == [204] * 100
    assert asked <= 1 + 5 * seconds
    assert asked <= 50
    task.pause()
    await world.until(lambda: not is_followed(), "nobody looks for it any more")
    await world.settles()
    thread.new_messages()


@pytest.mark.parametrize("path", ["/coder/webhook", "/coder/webhook/guessed", "/coder/webhook?token="])
async def test_a_webhook_call_without_the_token_is_refused(world: World, path: str) -> None:
    """A call of the webhook whose URL does not contain the right token gets 403. Coder does not sign its
    calls, so only the token shows that Coder has made a call."""
    await world.restarts(webhook_token=SecretStr(TOKEN))

    assert await post(world, path) == 403


async def test_without_a_word_there_is_no_such_address(world: World) -> None:
    """If no token for the webhook is set, the bot answers a call of the webhook with 404."""
    assert await post(world, "/coder/webhook") == 404


async def post(world: World, path: str, port: int = 0, body: bytes = b'{"_version": "1.1"}') -> int:
    """Send a notification as Coder does, and return the HTTP status of the answer."""
    url = f"http://127.0.0.1:{port or world.bot.port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return answer.status


def asked_for(world: World, task: SandboxTask) -> int:
    """Return how many requests Coder got for this task alone."""
    return sum(seen.route == "tasks.get" and seen.path.endswith(task.id) for seen in world.coder.requests)


def lists(world: World) -> int:
    """Return how many requests Coder got for the list of tasks."""
    return sum(request.route == "tasks.list" for request in world.coder.requests)
