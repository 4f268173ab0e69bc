"""Reads the copies of replies that were not delivered, which a button can send again.

A copy is bound to its link, or to the thread of its link, so nobody can move it to another task.
`state/link_writes.py` writes it.
"""

from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Reply
from taskwire.redis.decoding import CannotRead, is_forged, read
from taskwire.state.link_writes import kept_reply_place
from taskwire.telemetry import logger

_log = logger("taskwire.waiting_replies.kept")


async def find_kept_reply(deps: Dependencies, link: Link, job_id: str) -> Reply | None:
    """Find a reply that was not delivered. Return None if it is gone, or was written for another link.

    Raise CannotRead if a newer version of Taskwire has written it.
    """
    kept = await deps.notes.find_signed("reply", link.id, job_id)
    if kept is None:
        return None
    try:
        reply = read(partial(Reply.model_validate_json, context=kept_reply_place(link.id, job_id)), kept)
    except CannotRead as error:
        if not is_forged(error):
            raise
        _log.error("stored reply cannot be decrypted, treated as gone", link=link.id, why=error.why)
        return None
    is_own = not reply.claimed_in or link.record.had_thread(reply.claimed_in)
    return reply if is_own else None
