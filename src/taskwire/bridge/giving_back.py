"""Giving back: replies that had not reached the agent when their thread lost its task."""

from collections.abc import Sequence

from taskwire.bridge.doors import Doors
from taskwire.bridge.input_text import InputText
from taskwire.bridge.questions import settle
from taskwire.bridge.saying import receipt, say_with
from taskwire.bridge.undelivered import replies_among
from taskwire.model.ids import microseconds
from taskwire.model.jobs import Reply
from taskwire.model.links import Link
from taskwire.store.steps import Step
from taskwire.words import inputs


async def give_back(texts: InputText, link: Link, name: str, replies: Sequence[Reply], step: Step) -> Step:
    """Let the thread have the texts back and mark the replies; what is in doubt is told apart."""
    if not replies:
        return step
    for reply in replies:
        receipt(link.id, reply.ts, "failed", step)
        if reply.asked:
            settle(link, reply, "ended", step)
    in_order = sorted(replies, key=lambda reply: microseconds(reply.ts))
    doubtful = [await texts.words(reply) for reply in in_order if reply.asked == "in_doubt"]
    words = [await texts.words(reply) for reply in in_order if reply.asked != "in_doubt"]
    if doubtful:
        say_with(link, f"never-known:{name}", inputs.never_known(doubtful), doubtful, step)
    return say_with(link, f"given-back:{name}", inputs.given_back(words), words, step) if words else step


async def list_held(doors: Doors, link: Link) -> list[Reply]:
    """The replies that a pause holds."""
    return [reply for _, reply in replies_among(await doors.links.list_held(link.id))]
