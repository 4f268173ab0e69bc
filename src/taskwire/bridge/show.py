"""Showing the present: the card, edited in place, and the reaction on each reply. The newest state wins.

Both wait for their place in Slack's limits, which are kept in `store/pace.py`: how often one card, and all of
them, may be edited too. What is shown is what holds when the place is there.
"""

import hashlib

from taskwire.bridge.closing import closed, is_worth_a_try, opens
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, in_doubt
from taskwire.bridge.posting import PostNote, post_once
from taskwire.bridge.reach import find_away
from taskwire.bridge.saying import draw
from taskwire.model.ids import Ts
from taskwire.model.jobs import Job, Receipt
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import FINAL
from taskwire.model.urgency import Urgency
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.words import cards

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
    """Carries out the jobs of the show and card lists."""

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
            silence=away.why if away else "away",
        )
        if hand.is_in_doubt:
            return await self._anew(hand, link, card)
        drawn = _digest(card, link)
        # Older versions wrote beside it when that was.
        if drawn == link.drawn.partition(" ")[0]:
            return done()
        if not await is_worth_a_try(self._doors, link):
            return done()
        is_final = link.ended is not None or link.story.phase in FINAL
        urgency = Urgency.FINAL_CARD if is_final else Urgency.CARD
        slack, channel, ts = self._doors.slack, link.bond.channel, link.bond.thread_ts
        await slack.make_room_to_update(channel, ts, urgency)
        # An edit whose answer is lost may have been made: from here on nobody knows what the card shows.
        await hand.write(self._doors.writes.no_field(Step(), link.id, "drawn"))
        # Who was stopped here may put an old card over a newer one.
        hand.tidy = draw(link.id, self._doors.writes.no_field(Step(), link.id, "drawn"))
        try:
            await slack.update(channel, ts, card, _meta(link), has_room=True)
        except MessageGone:
            return await self._anew(hand, link, card)
        except ChannelProblem as problem:
            return done(closed(self._doors, hand, link, problem.code))
        return done(opens(link, self._doors.writes.field(Step(), link.id, "drawn", drawn)))

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
            ts = await self._find_anew(hand, link, meta)
            ts = ts or await post_once(self._doors, hand, link.id, bond.channel, None, card, meta)
        except ChannelProblem as problem:
            if hand.is_in_doubt and not hand.note:
                # This turn's own attempt: with what it noted the next turn looks, and ends as it must.
                return in_doubt()
            step = closed(self._doors, hand, link, problem.code)
            if hand.is_in_doubt:
                since = PostNote.model_validate_json(hand.note).since
                writes.field(step, link.id, "maybe_moved", since)
            return done(step)
        step = writes.moved(Step(), bond, ts)
        writes.no_field(step, link.id, "maybe_moved")
        return done(opens(link, writes.field(step, link.id, "drawn", _digest(card, link))))

    async def _find_anew(self, hand: Hand, link: Link, meta: Metadata) -> Ts | None:
        """The card that may have been posted anew just before the channel was closed."""
        since = link.maybe_moved_since
        if since is None or hand.is_in_doubt:
            return None
        copies = await self._doors.slack.find_copies(link.bond.channel, None, since, meta.id)
        return copies[0] if copies else None

    async def receipt(self, hand: Hand) -> Ending:
        """Let a reply show the reaction of its newest state, and no other of ours."""
        work = hand.work(Receipt)
        link = await self._doors.links.find(hand.link_id)
        if link is None:
            return done()
        wanted = REACTIONS[work.state]
        had = (await self._doors.links.find_receipt(link.id, work.ts)).split()
        if work.stray is not None:
            also = [TRIED + work.stray] if work.stray and work.stray not in " ".join(had) else []
            if len(had) > 1 or any(name.startswith(TRIED) for name in had):
                # A newer state is about to be shown, and takes away whatever may be there.
                return done(self._remembering(link, work.ts, [*had, *also]))
            wanted, had = "".join(had), [*(TRIED + name for name in had), *also]
        if had == ([wanted] if wanted else []):
            return done()
        try:
            await self._react(hand, link, work.ts, had, wanted)
        except (MessageGone, ChannelProblem):
            return done()
        return done(self._doors.writes.receipt(Step(), link.id, work.ts, wanted))

    async def _react(self, hand: Hand, link: Link, ts: Ts, had: list[str], wanted: str) -> None:
        """Add what is wanted, then take away what else there is, which may have to wait for its place.

        What is tried may be there whatever we hear of it, and must go when the next one comes. Who was
        stopped here, and goes on when others have shown a newer state, leaves the order to look after that.
        """
        slack, channel = self._doors.slack, link.bond.channel
        others = [name for name in had if name.removeprefix(TRIED) != wanted]
        if wanted and wanted not in had:
            await hand.write(self._remembering(link, ts, [*others, TRIED + wanted]))
            hand.tidy = self._tidy_step(hand, ts, wanted)
            await slack.add_reaction(channel, ts, wanted)
        while others:
            now = [*others, *([wanted] if wanted else [])]
            await hand.write(self._remembering(link, ts, now))
            hand.tidy = self._tidy_step(hand, ts, wanted)
            await slack.remove_reaction(channel, ts, others[0].removeprefix(TRIED))
            others = others[1:]

    def _remembering(self, link: Link, ts: Ts, now: list[str]) -> Step:
        return self._doors.writes.receipt(Step(), link.id, ts, " ".join(now))

    def _tidy_step(self, hand: Hand, ts: Ts, wanted: str) -> Step:
        work = Receipt(ts=ts, state="none", stray=wanted)
        return Step().append(hand.turn.name, Job(id=f"stray:{ts}:{hand.turn.token}", work=work), score="due")


def _meta(link: Link) -> Metadata:
    return Metadata(id=f"card:{link.id}", kind="card", task_id=link.bond.task_id)


def _digest(card: Message, link: Link) -> str:
    """What tells one drawing from another: how it looks, and which task its metadata names."""
    return hashlib.sha256(f"{card.model_dump_json()}{link.bond.task_id}".encode()).hexdigest()[:16]
