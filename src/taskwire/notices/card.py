"""Shows the present state: edits the card, and sets the reaction on each reply.

Only the newest state is shown. Edits and reactions wait for a place in Slack's limits
(`queue/rate_limiter.py`). The limits say how often one card, and how often all cards together, may be edited.
The state is read when the place is free.
"""

import json

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import Ts, UserId, microseconds
from taskwire.domain.lifecycle.links import Link, is_group
from taskwire.domain.lifecycle.phases import FINAL_PHASES, Phase
from taskwire.domain.queueing.decisions import RecordOpened
from taskwire.domain.queueing.display_jobs import FIRST_DRAW_JOB_ID, DrawCard, Receipt
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done, name_owner, unknown
from taskwire.messages import cards
from taskwire.messages.task_lists import get_open_phase, result_seen
from taskwire.notices.agent_sessions import is_session_outdated, show_session
from taskwire.notices.closed_threads import claim_attempt, record_closed, reopen_if_closed
from taskwire.outbox.coder_health import find_outage
from taskwire.outbox.enqueue import draw
from taskwire.outbox.home_requests import is_home_kept, refresh_home, refresh_home_if_kept
from taskwire.outbox.owner_absence import find_unwatched_since
from taskwire.outbox.posting import PostIntent, post_once
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read
from taskwire.sealing import key_ring
from taskwire.slack.call_priorities import Priority, with_least_priority
from taskwire.slack.edit_shares import MAX_ACT_EDITS, MAX_STATE_EDITS
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata

# Marks a reaction that the message may have or may not have, because the outcome of the attempt to add it is
# unknown.
TRIED = "?"
# Marks the reaction that a repair keeps, until the repair is complete. Perhaps the message does not have this
# reaction yet.
REPAIRED = "="
REACTIONS = {
    "taken": "eyes",
    "waiting": "hourglass_flowing_sand",
    "delivered": "white_check_mark",
    "failed": "warning",
    "acknowledged": "+1",
    "none": "",
}


class CardAndReceipts:
    """Handles the jobs of the card and the receipts."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.with_link(DrawCard, self.draw_card),
            Handler.with_link(Receipt, self.receipt),
            Handler.with_link(RecordOpened, self.record_opened),
        )

    async def draw_card(self, context: JobContext, link: Link) -> Outcome:
        """Edit the card of the task, unless it already shows the present state.

        If the card was deleted, post it again.
        """
        if link.record.shown_ts is None:
            return done()
        menu_used = context.work(DrawCard).menu_used
        if menu_used is not None and not context.is_outcome_unknown:
            await context.write(self._deps.writes.set_field(Batch(), link.id, "menu_used", menu_used))
            link = link.model_copy(update={"menu_used": menu_used})
        if link.hold is not None:
            # Only this way to read a link counts its held replies.
            link = (await self._deps.links.list_links([link.id])).get(link.id, link)
        outage = await find_outage(self._deps)
        settings = await self._deps.channel_settings.get(link.record.channel)
        card = cards.card(
            link,
            coder_url=self._deps.coder_url,
            forges=self._deps.forges,
            unreachable_since_ms=outage.since_ms if outage else None,
            silence=outage.why if outage else "away",
            # The card shows this only while a person's pause is under way.
            is_resumed_by_reply=settings.is_resumed_by_reply or link.shown_pending != "pause",
            unwatched_since_ms=await find_unwatched_since(self._deps, link),
            is_open=await self._people.is_open_to_channel(link),
        )
        if context.is_outcome_unknown:
            return await self._post_again(context, link, card)
        drawn = _digest(card, link)
        # Older versions of Taskwire also stored a time after the digest.
        if drawn == link.drawn_card.partition(" ")[0]:
            return done()
        await self._tell_home(context, link, drawn)
        if is_session_outdated(self._deps, link):
            await context.write(show_session(link.id))
        if not await claim_attempt(self._deps, link):
            return done()
        priority = self._choose_priority(context, link)
        slack, channel, ts = self._deps.slack, link.record.channel, link.record.shown_ts or Ts("")
        await slack.reserve_update(channel, ts, priority)
        # If Slack's answer is lost, the edit may have been made. From here on, nobody knows what the card
        # shows.
        await context.write(self._deps.writes.remove_field(Batch(), link.id, "drawn_card"))
        # If the process freezes now, its call may arrive later and replace a newer card. Then the card is
        # edited again.
        context.compensation = draw(link.id, self._deps.writes.remove_field(Batch(), link.id, "drawn_card"))
        try:
            await slack.update(channel, ts, card, _make_metadata(link), is_reserved=True)
        except MessageGone:
            return await self._post_again(context, link, card)
        except ChannelProblem as problem:
            return done(record_closed(self._deps, context, link, problem.code))
        return done(
            reopen_if_closed(link, self._deps.writes.set_field(Batch(), link.id, "drawn_card", drawn))
        )

    async def record_opened(self, context: JobContext, link: Link) -> Outcome:
        """Record that the owner has opened the agent's result. From now on, the task does not need the owner.

        Do nothing if another person has opened it.
        """
        work = context.work(RecordOpened)
        if not link.record.is_owned_by(work.person):
            return done()
        opened_ms = microseconds(work.at) // 1000
        batch = self._deps.writes.set_field(Batch(), link.id, "opened", f"{opened_ms}")
        await refresh_home_if_kept(self._deps, work.person, batch)
        if work.requester is None or get_open_phase(link) is not Phase.DONE:
            return done(batch)
        return done(batch, (work.requester, result_seen(link)))

    def _choose_priority(self, context: JobContext, link: Link) -> Priority:
        """Return the priority of an edit. It is low if the owner's other cards have had many edits."""
        # The thread is told of the same pause at once, and the two should agree.
        is_paused = link.state.phase is Phase.PAUSED and link.state.find_actor("pause") is not None
        is_pending = link.shown_pending is not None or is_paused
        if not is_pending and context.job.id == FIRST_DRAW_JOB_ID:
            return Priority.FIRST_CARD
        if not is_pending and (link.end_reason is not None or link.state.phase in FINAL_PHASES):
            return Priority.FINAL_CARD
        most = MAX_ACT_EDITS if is_pending else MAX_STATE_EDITS
        edit = f"{link.id} {context.job.id} {context.lease.since_ms}"
        if self._deps.edit_shares.is_late(name_owner(context, link), edit, most, context.now_ms):
            return Priority.LATER_CARD
        # The person who acted waits for the card to show that the act is being carried out, or its effect.
        return Priority.MENTION if is_pending else Priority.CARD

    async def _tell_home(self, context: JobContext, link: Link, drawn: str) -> None:
        """Queue an update of the Home tabs of the owner and of each person with whom the task is shared.

        `drawn` is the digest of the card's present state. Do nothing if the tabs were updated for this state
        already. The tabs do not wait for the card's edit. The tabs of members of a user group are not
        updated.
        """
        if link.told_home == drawn:
            return
        people = [link.record.owner_slack or "", *(each for each in link.shares if not is_group(each))]
        kept = [UserId(each) for each in people if each and await is_home_kept(self._deps, UserId(each))]
        if not kept:
            return
        told = self._deps.writes.set_field(Batch(), link.id, "told_home", drawn)
        for person in kept:
            refresh_home(person, told)
        await context.write(told)

    async def _post_again(self, context: JobContext, link: Link, card: Message) -> Outcome:
        """Post the card again, once, after it was deleted.

        A thread whose first message was deleted accepts no messages, and the card is usually that message.
        The link moves to the thread of the new card. Replies in the old thread still reach the task. If the
        card is deleted again, the link ends and the task goes on. If the task was requested in a thread that
        begins with another message, the new card is posted in the same thread.
        """
        writes, record = self._deps.writes, link.record
        if link.end_reason is not None:
            return done()
        if link.has_moved and not context.is_outcome_unknown:
            return done(writes.end(Batch(), record, "detached"))
        meta = Metadata(id=f"card:{link.id}:anew", kind="card", task_id=record.task_id)
        try:
            ts = await self._find_reposted(context, link, meta)
            ts = ts or await post_once(
                self._deps, context, link.id, record.channel, record.root_ts, card, meta
            )
        except ChannelProblem as problem:
            if context.is_outcome_unknown and not context.intent:
                # The attempt was made under this lease. The next lease learns its outcome from the intent
                # record.
                return unknown()
            batch = record_closed(self._deps, context, link, problem.code)
            if context.is_outcome_unknown:
                since = read(PostIntent.model_validate_json, context.intent).since
                writes.set_field(batch, link.id, "maybe_moved", since)
            return done(batch)
        move = writes.move_thread if record.root_ts is None else writes.move_card
        batch = move(Batch(), record, ts)
        writes.remove_field(batch, link.id, "maybe_moved")
        return done(
            reopen_if_closed(link, writes.set_field(batch, link.id, "drawn_card", _digest(card, link)))
        )

    async def _find_reposted(self, context: JobContext, link: Link, meta: Metadata) -> Ts | None:
        """Return the ts of the new card if it was posted just before the channel was closed.

        Return None if no such card is found.
        """
        since = link.maybe_moved_since
        if since is None or context.is_outcome_unknown:
            return None
        copies = await self._deps.slack.find_copies(link.record.channel, link.record.root_ts, since, meta.id)
        return copies[0] if copies else None

    async def receipt(self, context: JobContext, link: Link) -> Outcome:
        """Show the reaction for the reply's newest state, and remove all other reactions of the bot."""
        work = context.work(Receipt)
        had = (await self._deps.links.find_receipt(link.id, work.ts)).split()
        if work.stray_reaction is not None:
            return await self._repair(context, link, work.ts, had, work.stray_reaction)
        wanted = REACTIONS[work.state]
        if had == ([wanted] if wanted else []):
            return done()
        is_waiting = work.state in ("taken", "waiting")
        with with_least_priority(Priority.WAITING_RECEIPT if is_waiting else Priority.RECEIPT):
            return await self._react(context, link, work.ts, _all_tried(had), wanted)

    async def _repair(self, context: JobContext, link: Link, ts: Ts, had: list[str], stray: str) -> Outcome:
        """Add the stored reaction again, and remove all other reactions of the bot.

        A process that was frozen may have added its reaction `stray` after a newer state was shown. `had` are
        the stored reactions.
        """
        also = [TRIED + stray] if stray and stray not in " ".join(had) else []
        repaired = next((name for name in had if name.startswith(REPAIRED)), None)
        if repaired is None and (len(had) > 1 or any(name.startswith(TRIED) for name in had)):
            # A waiting job is about to show a newer state, and removes the other reactions.
            return done(self._remembering(link, ts, [*had, *also]))
        wanted = "".join(had) if repaired is None else repaired.removeprefix(REPAIRED)
        others = [name for name in _all_tried(had) if name != wanted]
        return await self._react(context, link, ts, [*others, *also], wanted, REPAIRED + wanted)

    async def _react(
        self, context: JobContext, link: Link, ts: Ts, had: list[str], wanted: str, repaired: str = ""
    ) -> Outcome:
        """Add the wanted reaction, then remove the others. The removals may have to wait for Slack's limits.

        `had` are the reactions that the message may have. A reaction stays in the stored list until it is
        removed, because the call that adds it may have succeeded, whatever Slack answered.

        A process that was frozen may add its reaction after another process has shown a newer state. It then
        writes a job that repairs the reactions. Only this repair gives `repaired`: the wanted reaction with
        the mark `=`. If the repair is interrupted and runs again, this mark tells which reaction to keep.
        """
        slack, channel = self._deps.slack, link.record.channel
        others = [name for name in had if name.removeprefix(TRIED) != wanted]
        try:
            if wanted and wanted not in had:
                await context.write(self._remembering(link, ts, [*others, repaired or TRIED + wanted]))
                context.compensation = self._compensation(context, ts, wanted)
                await slack.add_reaction(channel, ts, wanted)
            while others:
                now = [*others, *filter(None, [repaired or wanted])]
                await context.write(self._remembering(link, ts, now))
                context.compensation = self._compensation(context, ts, wanted)
                await slack.remove_reaction(channel, ts, others[0].removeprefix(TRIED))
                others = others[1:]
        except (MessageGone, ChannelProblem):
            return done()
        return done(self._deps.writes.write_receipt(Batch(), link.id, ts, wanted))

    def _remembering(self, link: Link, ts: Ts, now: list[str]) -> Batch:
        return self._deps.writes.write_receipt(Batch(), link.id, ts, " ".join(now))

    def _compensation(self, context: JobContext, ts: Ts, wanted: str) -> Batch:
        work = Receipt(ts=ts, state="none", stray_reaction=wanted)
        return Batch().append(
            context.lease.name, Job(id=f"stray:{ts}:{context.lease.token}", work=work), score="due"
        )


def _all_tried(had: list[str]) -> list[str]:
    """Return these reactions. If a repair has set the mark `=` on a reaction, the mark `?` replaces it.

    A reaction with the mark `?` may be on the message or not.
    """
    names = [TRIED + name.removeprefix(REPAIRED) if name.startswith(REPAIRED) else name for name in had]
    return [name for name in names if name != TRIED]


def _make_metadata(link: Link) -> Metadata:
    return Metadata(id=f"card:{link.id}", kind="card", task_id=link.record.task_id)


def _digest(card: Message, link: Link) -> str:
    """Return a digest of the card's content, and of the task that the card's metadata names."""
    return key_ring().digest(json.dumps(card.model_dump()), f"{link.record.task_id}")
