"""Work that no person has asked for: missed messages, reopened channels, duplicates, other versions' jobs.

`jobs.py` has the work that people and tasks cause.
"""

from typing import ClassVar, Literal, NamedTuple

from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId
from taskwire.domain.lifecycle.reconcile import Mark
from taskwire.domain.queueing.work import Work
from taskwire.domain.sealed_model import Readable


class Root(NamedTuple):
    """The first message of a link's thread."""

    ts: Ts
    link: LinkId


class ReadThread(Work):
    """Read a link's thread for messages that the bot missed (queue `backfill:threads`)."""

    kind: Literal["read_thread"] = "read_thread"
    link: LinkId


class ScanChannel(Work):
    """Find, in one channel, the threads with messages newer than `since` (queue `backfill:channels`).

    `roots` are the threads to check, the newest first. `span_us` is the time in microseconds that the
    previous page of the channel's history covered; 0 before the first page.
    """

    kind: Literal["scan_channel"] = "scan_channel"
    channel: ChannelId
    roots: tuple[Root, ...]
    since: Ts
    span_us: int = 0


class FindThread(Work):
    """Restore the link of a thread that Redis does not know (queue `lost_threads`).

    `person` wrote in the thread. If the thread's first message is another message of this bot than a card,
    and the thread is in direct messages, the person is told that no agent gets what they wrote. If it is not
    a message of this bot, nothing happens.
    """

    kind: Literal["find_thread"] = "find_thread"
    channel: ChannelId
    thread_ts: Ts
    person: UserId


class ParkedBatch(Work):
    """Write a `Batch` that another version of Taskwire stored in its own format (queue `to_coder`)."""

    # A Lua script makes values of this class, so they have no signature. Each job in the batch has a
    # signature.
    is_signed: ClassVar[bool] = False

    kind: Literal["parked_batch"] = "parked_batch"
    batch: Readable


class ChannelOpened(Work):
    """Reopen the threads of a channel that accepts our messages again (queue `intake`)."""

    kind: Literal["channel_opened"] = "channel_opened"
    channel: ChannelId


class ThreadReopened(Work):
    """Post the messages that a closed thread missed, and update its card (queue `to_thread`).

    Also read the thread for messages that people wrote while it was closed.
    """

    kind: Literal["reopened"] = "reopened"


class RemoveDuplicateMessage(Work):
    """Remove all copies but one of a message that may have been posted twice (queue `duplicates`)."""

    kind: Literal["remove_duplicate_message"] = "remove_duplicate_message"
    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: Readable
    look_count: int = 0


class ReportDuplicateInput(Work):
    """Check whether the agent got an input twice, and if so, report this in the thread (queue `duplicates`).

    `ts` is the ts of the reply. `mark` says where the agent's log ended before the input was sent.
    """

    kind: Literal["report_duplicate_input"] = "report_duplicate_input"
    ts: Ts
    mark: Mark
    look_count: int = 0
