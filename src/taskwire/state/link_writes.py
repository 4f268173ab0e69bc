"""Adds the writes about links to batches. `links.py` reads links."""

from collections.abc import Sequence

from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import LinkId, ThreadRef, Ts, UserId, microseconds
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Hold, Link, LinkRecord
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job, Reply
from taskwire.domain.queueing.queues import (
    LANE_WIDTH,
    input_score,
    no_agent_score,
    to_coder,
)
from taskwire.queue import dead_letters
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import DELIVERY_CLAIM_TTL_MS
from taskwire.redis.keys import Keys
from taskwire.sealing import seal_text
from taskwire.state.links import SEALED_FIELDS, split_links
from taskwire.state.retention import KeptTimes

# How many ts of received messages a link stores. Backfill skips these messages.
MAX_TAKEN_MESSAGES = 200
# How long these ts are stored after the last message. If a thread were silent for longer, backfill would take
# its old messages for new messages.
TAKEN_MESSAGE_TTL_MS = 400 * DAY_MS
# How long Redis stores that a channel is closed. If the channel opens again within this time, its threads get
# messages again.
CLOSED_CHANNEL_TTL_MS = 400 * DAY_MS
# How long the record of a task without a thread is stored. No request takes longer.
THREADLESS_LINK_TTL_MS = DAY_MS
# How long an undelivered reply is stored, so that its button can send it again.
KEPT_REPLY_TTL_MS = 7 * DAY_MS
# A link stores the receipt, and whether the agent has the reply, for at most this many replies.
MAX_MARKED_REPLIES = 500
# How long a link stores a reply's receipt, and whether the agent has the reply.
RECEIPT_TTL_MS = 7 * DAY_MS
# If people delete the first message of a thread again and again, replies in older threads are not accepted.
MAX_FORMER_THREADS = 20
# Of this many tasks that are gone, the newest, Redis stores that they were shared.
MAX_GONE_SHARED = 500
# How long Redis stores which agents are followed. No agent is followed for longer.
FOLLOWED_TTL_MS = DAY_MS


class LinkWrites:
    """Adds the writes about links to a batch. It does not write to Redis itself."""

    def __init__(self, keys: Keys, kept: KeptTimes | None = None) -> None:
        self._keys = keys
        self.kept = kept or KeptTimes()

    def write_record(self, batch: Batch, record: LinkRecord) -> Batch:
        """Write the record of a link, and add the link to its owner's list."""
        batch.write("HSET", self._keys.link(record.id), "record", record.model_dump_json())
        if record.owner_slack is not None:
            made_ms = microseconds(record.made_at) // 1000
            batch.write("ZADD", self._keys.named("links_of", record.owner_slack), made_ms, record.id)
        return batch

    def change_owner(self, batch: Batch, record: LinkRecord, former: UserId | None) -> Batch:
        """Write a record that names another owner than `former`.

        The task is then shared with nobody, and is not muted.
        """
        if former is not None:
            batch.write("ZREM", self._keys.named("links_of", former), record.id)
        self.remove_field(batch, record.id, "muted")
        self.set_shares(batch, record.id, ())
        return self.write_record(batch, record)

    def write_threadless_record(self, batch: Batch, record: LinkRecord) -> Batch:
        """Write the record of a task without a thread.

        The record expires after a day; no request takes longer.
        """
        return batch.write_expiring(
            THREADLESS_LINK_TTL_MS, "HSET", self._keys.link(record.id), "record", record.model_dump_json()
        )

    def write_thread(self, batch: Batch, record: LinkRecord) -> Batch:
        """Make the link's thread known, and append the messages that were parked for that thread."""
        where = f"{record.channel}:{record.thread_ts or record.root_ts}"
        batch.write("SET", self._keys.named("thread", where), record.id)
        return batch.adopt(self._keys.named("parked", where), record.id)

    def adopt_parked(self, batch: Batch, thread: ThreadRef, link: LinkId) -> Batch:
        """Append to a link's queues the messages that were parked before the link's thread was known."""
        return batch.adopt(self._keys.named("parked", f"{thread.channel}:{thread.ts}"), link)

    def move_thread(self, batch: Batch, record: LinkRecord, ts: Ts) -> Batch:
        """Give the link a new thread.

        Replies in the old thread still reach the link, until Redis forgets the old thread. Redis forgets it
        after the same time as the thread of an ended link.
        """
        self.set_field(batch, record.id, "moved", f"{record.thread_ts}")
        batch.write(
            "PEXPIRE", self._keys.named("thread", f"{record.channel}:{record.thread_ts}"), self.kept.ended_ms
        )
        former = () if record.thread_ts is None else (*record.former_threads, record.thread_ts)
        moved = record.model_copy(update={"thread_ts": ts, "former_threads": former[-MAX_FORMER_THREADS:]})
        return self.write_thread(self.write_record(batch, moved), moved)

    def move_card(self, batch: Batch, record: LinkRecord, ts: Ts) -> Batch:
        """Record that the card was posted again as a reply, so that the card no longer begins its thread."""
        self.set_field(batch, record.id, "moved", f"{record.thread_ts}")
        return self.write_record(batch, record.model_copy(update={"card_ts": ts}))

    def write_moved_to(self, batch: Batch, link: LinkId, where: str) -> Batch:
        """Record on an ended link the thread to which its task has moved.

        `where` is that thread's permalink.
        """
        sealed = seal_text(where, f"{link} moved_to")
        return batch.write_expiring(self.kept.ended_ms, "HSET", self._keys.link(link), "moved_to", sealed)

    def mark_closed(self, batch: Batch, record: LinkRecord, code: str) -> Batch:
        """Record that no message can be posted in the link's thread. `code` is Slack's error code.

        The thread's channel may open again later.
        """
        self.set_field(batch, record.id, "closed_error", code)
        return batch.write_expiring(
            CLOSED_CHANNEL_TTL_MS, "HSET", self._keys.named("closed", record.channel), record.id, code
        )

    def mark_reopened(self, batch: Batch, record: LinkRecord) -> Batch:
        """Record that messages can be posted in the link's thread again."""
        self.remove_field(batch, record.id, "closed_error")
        return batch.write("HDEL", self._keys.named("closed", record.channel), record.id)

    def write_task(self, batch: Batch, record: LinkRecord) -> Batch:
        """Store which link the task has, so that the poller finds the link."""
        return batch.write("HSET", self._keys.named("links"), str(record.task_id), record.id)

    def set_field(self, batch: Batch, link: LinkId, name: str, value: str) -> Batch:
        """Write one of a link's fields."""
        if name in SEALED_FIELDS:
            value = seal_text(value, f"{link} {name}")
        return batch.write("HSET", self._keys.link(link), name, value)

    def set_people(self, batch: Batch, link: LinkId, name: str, people: Sequence[str]) -> Batch:
        """Write a field of a link that is a list of people. If the list is empty, remove the field."""
        if not people:
            return self.remove_field(batch, link, name)
        return self.set_field(batch, link, name, " ".join(people))

    def set_shares(self, batch: Batch, link: LinkId, shares: Sequence[str]) -> Batch:
        """Write the people and groups with whom the owner shares a link's task."""
        index = self._keys.named("shared")
        if shares:
            batch.write("HSET", index, link, seal_text(" ".join(shares), f"{link} shares"))
        else:
            batch.write("HDEL", index, link)
        return self.set_people(batch, link, "shares", shares)

    def remove_field(self, batch: Batch, link: LinkId, name: str) -> Batch:
        """Remove one of a link's fields."""
        return batch.write("HDEL", self._keys.link(link), name)

    def write_state(self, batch: Batch, link: LinkId, state: LinkState, look_at_ms: int | None) -> Batch:
        """Write the state of a link's task, and the time of the link's next timer.

        If `look_at_ms` is None, the link has no timer.
        """
        self.set_field(batch, link, "state", state.model_dump_json(context=link))
        if look_at_ms is None:
            return batch.write("ZREM", self._keys.named("timers"), link)
        return batch.write("ZADD", self._keys.named("timers"), look_at_ms, link)

    def look_again(self, batch: Batch, links: Sequence[LinkId], at_ms: int) -> Batch:
        """Set the timers of these links to `at_ms`, in Unix milliseconds."""
        for some in split_links(links):
            batch.write(
                "ZADD", self._keys.named("timers"), *(word for link in some for word in (at_ms, link))
            )
        return batch

    def add_taken(self, batch: Batch, link: LinkId, ts: Ts) -> Batch:
        """Record that the link has received a message."""
        key = self._keys.link(link, "taken")
        batch.write_expiring(TAKEN_MESSAGE_TTL_MS, "ZADD", key, ts, ts)
        return batch.write("ZREMRANGEBYRANK", key, 0, -MAX_TAKEN_MESSAGES - 1)

    def read_every_reply(self, batch: Batch, link: LinkId, since: Ts) -> Batch:
        """Let every reply be input that is written after `since`, and not only mentions of the bot."""
        self.remove_field(batch, link, "mention_only")
        return self.set_field(batch, link, "every_reply_since", since)

    def mark_claimed(self, batch: Batch, delivery: str) -> Batch:
        """Mark a message as claimed before it arrives. When it arrives, it is not claimed again."""
        return batch.write_expiring(
            DELIVERY_CLAIM_TTL_MS, "SET", self._keys.named("claim", "message", delivery), "1"
        )

    def write_receipt(self, batch: Batch, link: LinkId, ts: Ts, reaction: str) -> Batch:
        """Store which reaction a reply has."""
        key = self._keys.link(link, "receipts")
        return batch.write_expiring(RECEIPT_TTL_MS, "HSET", key, ts, reaction).keep_newest(
            key, MAX_MARKED_REPLIES
        )

    def hold_replies(self, batch: Batch, link: LinkId, hold: Hold) -> Batch:
        """Hold the replies that were written before a pause, until a person decides about them."""
        self.set_field(batch, link, "hold", hold.model_dump_json(context=link))
        held = self._keys.named("held", link)
        batch.hold(to_coder(link), held, REPLY_ID_PREFIX, LANE_WIDTH, no_agent_score(hold.at))
        return batch.hold(to_coder(link), held, REPLY_ID_PREFIX, 2 * LANE_WIDTH, input_score(hold.at))

    def hold_reply(self, batch: Batch, link: LinkId, score: int) -> Batch:
        """Move the reply with this `score` from the queue to the held replies."""
        return batch.hold(to_coder(link), self._keys.named("held", link), REPLY_ID_PREFIX, score, score)

    def keep_reply(
        self, batch: Batch, link: LinkId, job_id: str, work: Reply, claimed_in: ThreadRef | None = None
    ) -> Batch:
        """Store a reply that was not delivered, so that its button can send it again.

        Give the thread as `claimed_in` if the link is not known yet.
        """
        if claimed_in is not None:
            work = work.model_copy(update={"claimed_in": f"{claimed_in.channel}:{claimed_in.ts}"})
        key, place = self._keys.reply(link, job_id), kept_reply_place(link, job_id)
        return batch.write_expiring(KEPT_REPLY_TTL_MS, "SET", key, work.model_dump_json(context=place))

    def forget_reply(self, batch: Batch, link: LinkId, job_id: str) -> Batch:
        """Delete a stored reply about which a person has decided.

        Its dead letter is deleted too, so that the reply is not sent twice.
        """
        batch.write("DEL", self._keys.reply(link, job_id))
        return dead_letters.remove_dead_letter(
            batch, self._keys, dead_letters.dead_letter_id(to_coder(link), job_id)
        )

    def add_question(self, batch: Batch, link: LinkId, question_id: str, place: str) -> Batch:
        """Store where a question was posted."""
        return batch.write_expiring(
            self.kept.ended_ms, "HSET", self._keys.link(link, "questions"), question_id, place
        )

    def remove_question(self, batch: Batch, link: LinkId, question_id: str) -> Batch:
        """Delete the place of a question, because the question is settled."""
        return batch.write("HDEL", self._keys.link(link, "questions"), question_id)

    def release_held(self, batch: Batch, link: LinkId) -> Batch:
        """Move the held replies back into the queue. Each reply gets its old place."""
        self.remove_field(batch, link, "hold")
        self.remove_field(batch, link, "waits_for_resume")
        return batch.unhold(to_coder(link), self._keys.named("held", link))

    def replace_held(self, batch: Batch, link: LinkId, job: Job, score: int) -> Batch:
        """Replace the job of a reply that a pause holds.

        `score` is the reply's place among the held replies.
        """
        body = job.model_dump_json(context=to_coder(link))
        return batch.write("HSET", self._keys.named("held", link), job.id, f"{score} {body}")

    def drop_held(self, batch: Batch, link: LinkId, *job_ids: str) -> Batch:
        """Remove these replies from the hold; if none is named, remove all held replies.

        The pause goes on.
        """
        held = self._keys.named("held", link)
        return batch.write("HDEL", held, *job_ids) if job_ids else batch.write("DEL", held)

    def mark_delivered(self, batch: Batch, link: LinkId, ts: Ts, told: str = "") -> Batch:
        """Record that the agent has a reply.

        `told` says what the thread was told about later changes of the reply.
        """
        key = self._keys.link(link, "delivered")
        return batch.write_expiring(RECEIPT_TTL_MS, "HSET", key, ts, told).keep_newest(
            key, MAX_MARKED_REPLIES
        )

    def follow(self, batch: Batch, link: LinkId, until_ms: int) -> Batch:
        """Record that a message in the thread shows the agent's output until `until_ms`, in ms since 1970."""
        self.set_field(batch, link, "follow", f"{until_ms}")
        return batch.write_expiring(FOLLOWED_TTL_MS, "ZADD", self._keys.named("followed"), until_ms, link)

    def unfollow(self, batch: Batch, link: LinkId) -> Batch:
        """Record that no message shows the agent's output any more."""
        self.remove_field(batch, link, "follow")
        return batch.write("ZREM", self._keys.named("followed"), link)

    def end(self, batch: Batch, record: LinkRecord, why: str) -> Batch:
        """End a link. The link's record is kept for a while; its task is no longer polled."""
        self.set_field(batch, record.id, "ended", why)
        batch.write("PEXPIRE", self._keys.link(record.id), self.kept.ended_ms)
        batch.write("ZREM", self._keys.named("timers"), record.id)
        batch.write("DEL", self._keys.named("held", record.id))
        batch.write("HDEL", self._keys.named("shared"), record.id)
        if record.owner_slack is not None:
            batch.write("ZREM", self._keys.named("links_of", record.owner_slack), record.id)
        if record.task_id is not None:
            batch.write("HDEL", self._keys.named("links"), record.task_id)
        root = record.thread_ts or record.root_ts
        if root is not None:
            thread = self._keys.named("thread", f"{record.channel}:{root}")
            if why == "failed" and record.root_ts is not None:
                # Another mention in this discussion may ask for a task again.
                batch.write("DEL", thread)
            else:
                batch.write("PEXPIRE", thread, self.kept.ended_ms)
        return batch

    def write_ended_record(self, batch: Batch, record: LinkRecord) -> Batch:
        """Write the record of a link that has ended."""
        key, text = self._keys.link(record.id), record.model_dump_json()
        return batch.write_expiring(self.kept.ended_ms, "HSET", key, "record", text)

    def end_as_gone(self, batch: Batch, link: Link, now_ms: int) -> Batch:
        """End a link whose task is gone.

        If the task is seen again while the record is kept, the link reopens, also with its shares.
        """
        record = link.record
        self.end(batch, record, "gone")
        if record.task_id is None or record.thread_ts is None:
            return batch
        if link.shares:
            shared = self._keys.named("gone_shared")
            batch.write_expiring(self.kept.ended_ms, "ZADD", shared, now_ms, record.id)
            batch.write("ZREMRANGEBYRANK", shared, 0, -MAX_GONE_SHARED - 1)
        gone = self._keys.named("gone_task", record.task_id)
        return batch.write_expiring(self.kept.ended_ms, "SET", gone, f"{record.id} {now_ms}")


def kept_reply_place(link: str, job_id: str) -> str:
    """Return the place to which the copy of a reply is bound, unless it is bound to its thread."""
    return f"{link} reply {job_id}"
