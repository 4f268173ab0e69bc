"""Showing the present: the card, edited in place, and the reaction on each reply. The newest state wins."""

import hashlib

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.model.ids import Ts
from taskwire.model.jobs import Receipt, link_of
from taskwire.model.links import Link
from taskwire.model.phases import FINAL
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.words import cards

# All cards share one limit on edits; one card alone is not edited more often than this.
CARD_INTERVAL_SECONDS = 3.0
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
        link = await self._doors.links.find(link_of(hand.turn.name))
        if link is None or link.bond.thread_ts is None:
            return done()
        away = await self._doors.memory.find("coder-away")
        card = cards.card(
            link, coder_url=self._doors.coder_url, unreachable_since_ms=int(away) if away else None
        )
        drawn = hashlib.sha256(card.model_dump_json().encode()).hexdigest()[:16]
        if drawn == link.drawn:
            return done()
        wait = await self._too_soon(link)
        if wait:
            return later(wait)
        await self._doors.slack.make_room("chat.update", link.bond.channel)
        meta = Metadata(id=f"card:{link.id}", kind="card", task_id=link.bond.task_id)
        try:
            await self._doors.slack.update(link.bond.channel, link.bond.thread_ts, card, meta)
        except (MessageGone, ChannelProblem):
            # A card that was deleted is not posted again into the thread that hung from it.
            return done()
        return done(self._doors.writes.field(Step(), link.id, "drawn", drawn))

    async def _too_soon(self, link: Link) -> float:
        """Seconds until this card may be edited again; a final phase need not wait."""
        if link.ended is not None or link.story.phase in FINAL:
            return 0.0
        interval = int(CARD_INTERVAL_SECONDS * 1000)
        is_first = await self._doors.memory.is_first("card-drawn", link.id, ttl_ms=interval)
        return 0.0 if is_first else CARD_INTERVAL_SECONDS / 2

    async def receipt(self, hand: Hand) -> Ending:
        """Let a reply show the reaction of its newest state, and no other of ours."""
        work = hand.job.work
        assert isinstance(work, Receipt)  # noqa: S101 - the worker hands each job to its kind's carrier
        link = await self._doors.links.find(link_of(hand.turn.name))
        if link is None:
            return done()
        wanted = REACTIONS[work.state]
        had = await self._doors.links.find_receipt(link.id, work.ts)
        if wanted == had:
            return done()
        try:
            await self._react(link, work.ts, had, wanted)
        except (MessageGone, ChannelProblem):
            return done()
        return done(self._doors.writes.receipt(Step(), link.id, work.ts, wanted))

    async def _react(self, link: Link, ts: Ts, had: str, wanted: str) -> None:
        channel = link.bond.channel
        if wanted:
            await self._doors.slack.make_room("reactions.add", channel)
            await self._doors.slack.add_reaction(channel, ts, wanted)
        if had:
            await self._doors.slack.make_room("reactions.remove", channel)
            await self._doors.slack.remove_reaction(channel, ts, had)
