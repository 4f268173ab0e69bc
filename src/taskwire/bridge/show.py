"""Showing the present: the card, edited in place, and the reaction on each reply. The newest state wins."""

import hashlib
import random

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.bridge.posting import post_once
from taskwire.bridge.reach import find_away
from taskwire.model.ids import Ts
from taskwire.model.jobs import Receipt
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import FINAL
from taskwire.slack.errors import ChannelProblem, MessageGone, NoRoom
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.words import cards

# All cards share one limit on edits; one card alone is not edited more often than this.
CARD_INTERVAL_MS = 3_000
# Where all cards together wait for room, those that will not change soon go first.
OTHERS_SECONDS = (2.0, 6.0)
# A reaction of which it is not known whether it is there.
TRIED = "?"
REACTIONS = {
    "taken": "eyes",
    "waiting": "hourglass_flowing_sand",
    "delivered": "white_check_mark",
    "failed": "warning",
    "none": "",
}


class Shower:
    """Carries out the jobs of the show lists."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def card(self, hand: Hand) -> Ending:
        """Bring the card up to date, if it shows anything else now."""
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.bond.thread_ts is None:
            return done()
        away = await find_away(self._doors)
        card = cards.card(
            link,
            coder_url=self._doors.coder_url,
            unreachable_since_ms=away.since_ms if away else None,
            is_refused=away is not None and away.is_refused,
        )
        if hand.is_in_doubt:
            return await self._anew(hand, link, card)
        drawn = _digest(card, link)
        last, _, at = link.drawn.partition(" ")
        if drawn == last:
            return done()
        is_final = link.ended is not None or link.story.phase in FINAL
        wait_ms = 0 if is_final or not at else int(at) + CARD_INTERVAL_MS - hand.now_ms
        if wait_ms > 0:
            return later(wait_ms / 1000)
        try:
            await self._doors.slack.make_room("chat.update", link.bond.channel)
            await self._doors.slack.update(link.bond.channel, link.bond.thread_ts, card, _meta(link))
        except NoRoom as wait:
            spread = 0.0 if is_final else random.uniform(*OTHERS_SECONDS)  # noqa: S311 - so that cards do not wait in step
            return later((wait.after_seconds or 0.0) + spread)
        except MessageGone:
            return await self._anew(hand, link, card)
        except ChannelProblem:
            # Whoever archived the channel or removed us will not see it; the next change tries once again.
            return done()
        return done(self._doors.writes.field(Step(), link.id, "drawn", f"{drawn} {hand.now_ms}"))

    async def _anew(self, hand: Hand, link: Link, card: Message) -> Ending:
        """Post the card anew, once: somebody deleted it, and nothing can be said in a thread without a root.

        The link moves to the new thread; replies in the old one still reach the task. Deleted again, nobody
        wants it: the thread is detached and the task left alone.
        """
        writes, bond = self._doors.writes, link.bond
        if link.ended is not None:
            return done()
        if link.has_moved and not hand.is_in_doubt:
            return done(writes.ends(Step(), bond, "detached"))
        meta = Metadata(id=f"card:{link.id}:anew", kind="card", task_id=bond.task_id)
        try:
            ts = await post_once(self._doors, hand, link.id, bond.channel, None, card, meta)
        except ChannelProblem:
            return done()
        step = writes.moved(Step(), bond, ts)
        return done(writes.field(step, link.id, "drawn", f"{_digest(card, link)} {hand.now_ms}"))

    async def receipt(self, hand: Hand) -> Ending:
        """Let a reply show the reaction of its newest state, and no other of ours."""
        work = hand.work(Receipt)
        link = await self._doors.links.find(hand.link_id)
        if link is None:
            return done()
        wanted = REACTIONS[work.state]
        had = (await self._doors.links.find_receipt(link.id, work.ts)).split()
        if had == ([wanted] if wanted else []):
            return done()
        maybe = [name.removeprefix(TRIED) for name in had]
        if wanted and wanted not in maybe:
            # What is tried may be there whatever we hear of it, and must go when the next one comes.
            tried = " ".join([*had, TRIED + wanted])
            await self._doors.queue.write(self._doors.writes.receipt(Step(), link.id, work.ts, tried))
        try:
            await self._react(link, work.ts, maybe, wanted)
        except (MessageGone, ChannelProblem):
            return done()
        return done(self._doors.writes.receipt(Step(), link.id, work.ts, wanted))

    async def _react(self, link: Link, ts: Ts, maybe: list[str], wanted: str) -> None:
        channel = link.bond.channel
        if wanted:
            await self._doors.slack.make_room("reactions.add", channel)
            await self._doors.slack.add_reaction(channel, ts, wanted)
        for old in maybe:
            if old != wanted:
                await self._doors.slack.make_room("reactions.remove", channel)
                await self._doors.slack.remove_reaction(channel, ts, old)


def _meta(link: Link) -> Metadata:
    return Metadata(id=f"card:{link.id}", kind="card", task_id=link.bond.task_id)


def _digest(card: Message, link: Link) -> str:
    """What tells one drawing from another: how it looks, and which task its metadata names."""
    return hashlib.sha256(f"{card.model_dump_json()}{link.bond.task_id}".encode()).hexdigest()[:16]
