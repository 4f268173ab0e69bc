"""Edits and deletions: a reply that still waits changes or leaves its list; afterwards the thread says so.

They stand ahead of the reply in its own list, so that nothing of it is under way when they are carried out:
it waits, is held, is kept for another try, is with the agent, or has not arrived yet.
"""

import json
from datetime import timedelta
from typing import cast

from taskwire.bridge.doors import Doors
from taskwire.bridge.fates import ASKED_SECONDS
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.input_text import InputText
from taskwire.bridge.people import People
from taskwire.bridge.questions import settle
from taskwire.bridge.saying import receipt, say
from taskwire.bridge.undelivered import find_reply, list_together, list_undelivered
from taskwire.model import replies
from taskwire.model.ids import microseconds, moment_of
from taskwire.model.jobs import REPLY, Job, Reply, Rewritten, in_turn, soon, steer
from taskwire.model.links import Link
from taskwire.model.messages import Block
from taskwire.store.claims import CLAIM_MS
from taskwire.store.steps import Step
from taskwire.words import inputs

# What Slack has just stored may be missing where a thread is read, so a young reply is not taken for deleted.
YOUNG = timedelta(minutes=1)
CLAIM = timedelta(milliseconds=CLAIM_MS)


class Rewriter:
    """Carries out what people do to messages that they have written."""

    def __init__(self, doors: Doors, people: People, texts: InputText) -> None:
        self._doors = doors
        self._people = people
        self._texts = texts

    async def rewritten(self, hand: Hand) -> Ending:
        """Bring what is written down in line with what the message says now."""
        work = hand.work(Rewritten)
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.ended is not None:
            return done()
        links, job_id = self._doors.links, f"{REPLY}{work.ts}"
        if work.was_away and not await self._is_right(link, job_id, work):
            return done()
        for jobs, change in ((links.list_waiting, self._in_list), (links.list_held, self._in_hold)):
            if old := find_reply(await jobs(link.id), job_id):
                meant = self._meant(old, work)
                step = change(link, job_id, old, meant)
                return done(await self._in_doubt(link, meant, step) if old.asked == "in_doubt" else step)
        kept = await self._doors.memory.find("reply", link.id, job_id)
        if kept is not None:
            old = Reply.model_validate_json(kept)
            return done(await self._in_memory(link, job_id, old, self._meant(old, work)))
        told = await links.find_delivered(link.id, work.ts)
        if told is not None:
            return done(await self._too_late(link, work, told))
        is_known = work.ts in await links.list_taken(link.id)
        return done(None if is_known else self._before_it_came(link, work))

    async def _is_right(self, link: Link, job_id: str, work: Rewritten) -> bool:
        """Whether what was read after a gap holds: no event has overtaken it, and no page was behind."""
        if work.what == "deleted" and self._age(work) < YOUNG:
            return False
        waiting = await list_undelivered(self._doors.links, link.id)
        return [reply.text for job, reply in waiting if job.id == job_id] == [work.instead_of]

    def _meant(self, old: Reply, work: Rewritten) -> Rewritten:
        """What the change says of this reply: one that goes as it is may begin with `!` in new words too."""
        blocks = cast("list[Block]", json.loads(old.blocks)) if old.blocks else []
        if not replies.begins_with_mark(old.text, self._doors.bot.bot_user_id, blocks):
            return work
        return work.model_copy(update={"now": work.now or work.as_it_is})

    def _in_list(self, link: Link, job_id: str, old: Reply, work: Rewritten) -> Step:
        if work.now is None:
            return _deleted(link, old, Step().drop(steer(link.id), job_id))
        new = _in_new_words(old, work.now)
        delay_ms = int(ASKED_SECONDS * 1000) if new.asked else 0
        job = Job(id=job_id, work=new)
        step = Step().append(steer(link.id), job, score=_place(new), delay_ms=delay_ms, is_newest=True)
        return _asked_anew(link, old, new, step)

    def _in_hold(self, link: Link, job_id: str, old: Reply, work: Rewritten) -> Step:
        if work.now is None:
            return _deleted(link, old, self._doors.writes.drop_held(Step(), link.id, job_id))
        new = _in_new_words(old, work.now)
        step = self._doors.writes.rehold(Step(), link.id, Job(id=job_id, work=new), _place(new))
        return _asked_anew(link, old, new, step)

    async def _in_memory(self, link: Link, job_id: str, old: Reply, work: Rewritten) -> Step:
        if work.now is None:
            step = self._doors.writes.forget_reply(Step(), link.id, job_id)
            if not await list_together(self._doors, link, job_id):
                # Else its button is that of the others too.
                settle(link, old, "deleted", step)
            return receipt(link.id, work.ts, "none", step)
        return self._doors.writes.keep_reply(Step(), link.id, job_id, _in_new_words(old, work.now))

    async def _in_doubt(self, link: Link, work: Rewritten, step: Step) -> Step:
        """The agent may have the reply as it was."""
        if work.now is None:
            message = inputs.deleted_in_doubt(await self._people.find_name(work.person))
        else:
            message = inputs.edited_in_doubt(await self._texts.words(work.now))
        return say(link.id, f"{work.what}-in-doubt:{work.ts}", message, step)

    async def _too_late(self, link: Link, work: Rewritten, told: str) -> Step:
        if work.what in told.split():
            return Step()
        if work.what == "deleted":
            message = inputs.deleted_late(await self._people.find_name(work.person))
        else:
            message = inputs.edited_late(await self._texts.words(work.now) if work.now is not None else "")
        step = say(link.id, f"{work.what}:{work.ts}", message)
        return self._doors.writes.delivered(step, link.id, work.ts, f"{told} {work.what}".strip())

    def _age(self, work: Rewritten) -> timedelta:
        return self._doors.slack.now() - moment_of(work.ts)

    def _before_it_came(self, link: Link, work: Rewritten) -> Step | None:
        """Slack may bring a change before the message, which then must not come in its earlier words."""
        is_older_than_link = microseconds(work.ts) < microseconds(link.bond.thread_ts or link.bond.made_at)
        if is_older_than_link or self._age(work) > CLAIM:
            return None
        step = self._doors.writes.claimed(Step(), f"{link.bond.channel}:{work.ts}")
        self._doors.writes.taken(step, link.id, work.ts)
        if work.now is None:
            return step
        job = Job(id=f"{REPLY}{work.ts}", work=work.now)
        return step.append(steer(link.id), job, score=soon(work.ts), is_newest=True)


def _deleted(link: Link, old: Reply, step: Step) -> Step:
    if old.asked:
        settle(link, old, "deleted", step)
    return receipt(link.id, old.ts, "none", step)


def _place(reply: Reply) -> int:
    return in_turn(reply.ts) if reply.is_admitted else soon(reply.ts)


def _asked_anew(link: Link, old: Reply, new: Reply, step: Step) -> Step:
    """A question that was asked about it stands; one about its files is asked anew if need be."""
    return settle(link, old, "edited", step) if old.asked and not new.asked else step


def _in_new_words(old: Reply, now: Reply) -> Reply:
    """The reply with its new words and files, and what is known of it."""
    words = {"text": now.text, "blocks": now.blocks, "files": now.files}
    if old.asked in ("stale", "in_doubt"):
        return old.model_copy(update=words)
    return old.model_copy(update=words | {"asked": "", "is_without_files": False})
