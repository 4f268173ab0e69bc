"""A task that runs, and what its card shows, for stories about what becomes of tasks."""

import json
import re

from taskwire_sandbox.coder import PuppetTask
from taskwire_sandbox.coder.faults import Fault
from taskwire_sandbox.coder.wire import Answer

from .people import Thread
from .world import CARD_SECONDS, World

TITLE = "Fix the login redirect"
PULL = "https://github.com/acme/app/pull/12"
_DATE = re.compile(r"<!date\^\d+\^([^|]*)\|[^>]*>")


async def a_task(world: World) -> tuple[Thread, PuppetTask]:
    """A task of Alice's whose agent works, with its thread."""
    thread = await world.alice.runs("/task create fix the login redirect")
    task = world.task("fix-the-login-redirect")
    await world.polls()
    task.becomes("working", "Reading the code")
    await world.polls()
    await world.passes(CARD_SECONDS)
    return thread, task


async def card(world: World, thread: Thread) -> str:
    """What the card shows once it has been brought up to date."""
    await world.passes(CARD_SECONDS)
    return timeless(thread.card())


def timeless(text: str) -> str:
    """A text with the form of its times instead of the times."""
    return _DATE.sub(r"<\1>", text)


async def next_list_shows(world: World, task: PuppetTask, **fields: object) -> None:
    """Let Coder's next list show a task with other fields than it has."""
    answer = json.loads(await world.bot.parts.deps.coder.list_tasks_raw())
    answer["tasks"] = [each | fields if each["id"] == task.id else each for each in answer["tasks"]]
    world.coder.misbehave("tasks.list", Fault("altered", answer=Answer(200, json.dumps(answer).encode())))
