"""A task with a working agent, and the task's card, for stories about what happens to tasks."""

import json
import re

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import Fault
from taskwire_sandbox.coder.wire import Response

from .people import Thread
from .world import CARD_SECONDS, World

TITLE = "Fix the login redirect"
PULL = "https://github.com/acme/app/pull/12"
_DATE = re.compile(r"<!date\^\d+\^([^|]*)\|[^>]*>")


async def a_task(world: World) -> tuple[Thread, SandboxTask]:
    """Create a task of Alice whose agent is working. Return its thread and the task."""
    thread = await world.alice.runs("/task create fix the login redirect")
    task = world.task("fix-the-login-redirect")
    await world.polls()
    task.becomes("working", "Reading the code")
    await world.polls()
    await world.passes(CARD_SECONDS)
    return thread, task


async def card(world: World, thread: Thread) -> str:
    """Let enough time pass for two edits of the card, because one press can cause two edits. Return what the
    card shows then, without times."""
    await world.passes(CARD_SECONDS)
    await world.passes(CARD_SECONDS)
    return timeless(thread.card())


def small_text(world: World, thread: Thread) -> str:
    """Return the small text of a card: the task's owner, template, pull request and name."""
    blocks = world.slack.message(thread.channel, thread.card_ts)["blocks"]
    [facts] = [block["elements"] for block in blocks if block["block_id"] == "facts"]
    return " · ".join(str(piece["text"]) for piece in facts)


def timeless(text: str) -> str:
    """Return a text in which each time is replaced by the name of Slack's format for it. The text is then the
    same in every run."""
    return _DATE.sub(r"<\1>", text)


async def next_list_shows(world: World, task: SandboxTask, **fields: object) -> None:
    """Change fields of a task in the next list that Coder answers with, and only there."""
    answer = json.loads(await world.bot.parts.deps.service_coder.list_tasks_raw())
    answer["tasks"] = [each | fields if each["id"] == task.id else each for each in answer["tasks"]]
    world.coder.plan_fault("tasks.list", Fault("altered", answer=Response(200, json.dumps(answer).encode())))
