"""Replies that the agent does not have: which wait, and what becomes of those that will not be delivered.

Those behind a reply that is let go for a reason that they share are let go with it. So the thread hears of it
once, one button sends all of them in their order, and none reaches the agent without what was written before.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Hand
from taskwire.bridge.saying import receipt, say
from taskwire.model.ids import LinkId
from taskwire.model.jobs import Job, Reply, in_turn, steer
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.store.letters import bury
from taskwire.store.links import KEPT_REPLY_MS, Links
from taskwire.store.steps import Step

Waiting = tuple[Job, Reply]


def replies_among(jobs: Iterable[Job]) -> list[Waiting]:
    """Those of these jobs that are replies."""
    return [(job, job.work) for job in jobs if isinstance(job.work, Reply)]


def find_reply(jobs: Iterable[Job], job_id: str) -> Reply | None:
    """The reply of this job, if it is one of these."""
    return next((reply for job, reply in replies_among(jobs) if job.id == job_id), None)


async def list_undelivered(links: Links, link: LinkId) -> list[Waiting]:
    """All that wait: those that a pause holds, then those in the list."""
    return replies_among(await links.list_held(link) + await links.list_waiting(link))


async def list_with_those_behind(doors: Doors, hand: Hand, link: Link) -> list[Waiting]:
    """The reply in hand, and those behind it that wait for their turn and for nothing else."""
    jobs = [hand.job, *(job for job in await doors.links.list_waiting(link.id) if job.id != hand.job.id)]
    return [
        (job, reply)
        for job, reply in replies_among(jobs)
        if job.id == hand.job.id or (reply.is_admitted and not reply.asked)
    ]


def let_go_together(
    doors: Doors, hand: Hand, link: Link, replies: Sequence[Waiting], message: Message, why: str = ""
) -> Step:
    """Take these replies for not delivered, and keep them for another try; the first is the one in hand.

    With a reason `why` each becomes a dead letter too.
    """
    step = Step()
    for job, reply in replies:
        receipt(link.id, reply.ts, "failed", step)
        doors.writes.keep_reply(step, link.id, job.id, reply.anew())
        if why:
            turn = replace(hand.turn, job_id=job.id, score=str(in_turn(reply.ts)))
            bury(step, turn, job.model_dump_json(), why)
        if job.id != hand.job.id:
            step.drop(steer(link.id), job.id)
    (_, first), *others = replies
    if others:
        ids = json.dumps([job.id for job, _ in others])
        doors.memory.keeping(step, ids, "together", link.id, hand.job.id, ttl_ms=KEPT_REPLY_MS)
    name = f"failed:{first.ts}:{hand.now_ms}"
    return say(link.id, name, message, step, is_call=True, about=hand.job.id)


async def list_together(doors: Doors, link: Link, job_id: str) -> list[str]:
    """The replies that were let go with this one, and wait for the same word."""
    kept = await doors.memory.find("together", link.id, job_id)
    return [str(each) for each in json.loads(kept)] if kept else []
