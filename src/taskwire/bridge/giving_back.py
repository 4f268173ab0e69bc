"""Giving back: replies that had not reached the agent when their thread lost its task."""

from collections.abc import Sequence

from taskwire.bridge.doors import Doors
from taskwire.bridge.input_text import InputText
from taskwire.bridge.saying import receipt, say
from taskwire.model.jobs import Reply
from taskwire.model.links import Link
from taskwire.store.steps import Step
from taskwire.words import inputs


async def give_back(texts: InputText, link: Link, name: str, replies: Sequence[Reply], step: Step) -> Step:
    """Let the thread have the texts back, in one message, and mark the replies."""
    if not replies:
        return step
    for reply in replies:
        receipt(link.id, reply.ts, "failed", step)
    words = [await texts.words(reply) for reply in sorted(replies, key=lambda reply: reply.ts)]
    return say(link.id, f"given-back:{name}", inputs.given_back(words), step)


async def list_held(doors: Doors, link: Link) -> list[Reply]:
    """The replies that a pause holds."""
    return [job.work for job in await doors.links.list_held(link.id) if isinstance(job.work, Reply)]
