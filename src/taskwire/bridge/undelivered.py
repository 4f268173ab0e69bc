"""Replies that were not delivered for a reason that those behind them share: they are let go together.

So the thread hears of it once, one button sends all of them in their order, and none reaches the agent
without what was written before it.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Hand
from taskwire.bridge.saying import receipt, say
from taskwire.model.jobs import Job, Reply, in_turn, steer
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.store.letters import bury
from taskwire.store.links import KEPT_REPLY_MS
from taskwire.store.steps import Step

Waiting = tuple[Job, Reply]


async def list_with_those_behind(doors: Doors, hand: Hand, link: Link) -> list[Waiting]:
    """The reply in hand, and those behind it that wait for their turn and for nothing else."""
    jobs = [hand.job, *(job for job in await doors.links.list_waiting(link.id) if job.id != hand.job.id)]
    replies = [(job, job.work) for job in jobs if isinstance(job.work, Reply)]
    return [
        (job, reply)
        for job, reply in replies
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
