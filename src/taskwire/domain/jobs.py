"""Jobs: one intended effect each, stored with everything that is needed to carry it out.

A job's id is derived from what the job stands for and never changes, so the same intent written twice is one
job. The order of jobs depends on their queue. `work` says what a job has to do.
"""

from typing import Annotated, Literal, NamedTuple, NewType, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.agent_text import AgentText
from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId, microseconds
from taskwire.domain.message import AgentOutput, Message
from taskwire.domain.reconcile import Mark
from taskwire.domain.transitions import Event, Notice

QueueName = NewType("QueueName", str)

# A message's ts in microseconds needs 51 bits. A score of a sorted set has 53, so three lanes fit.
LANE = 2**51
# The id of the job that draws a new card's task and buttons for the first time.
FIRST_DRAWING = "card:first"
# The ids of replies begin with this.
REPLY = "reply:"
# If an answer says that too many jobs wait, this text marks that a verb was refused and not a reply.
ASKED = "asked"
# The fields in which a job's work records what earlier tries or a person's answer have shown.
_TRIED = {"waits", "unreached_ms", "looks", "errors", "was_rejected", "was_repeated"}
LEARNED = frozenset(_TRIED | {"asked", "is_confirmed", "settles", "outcome"})


class Work(BaseModel):
    """What a job has to do. Each kind of job is one class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def anew(self) -> Self:
        """Return the work as it was before any try and any question."""
        fields = type(self).model_fields
        return self.model_copy(update={name: fields[name].default for name in LEARNED & fields.keys()})


class Requester(BaseModel):
    """The person who asked, the place, the time, and how to answer them privately."""

    model_config = ConfigDict(frozen=True)

    person: UserId
    channel: ChannelId
    at: Ts
    thread_ts: Ts | None = None
    response_url: str | None = None
    # `channel` is where something is to be posted, or where a message is. Slack did not see the person write
    # there.
    is_elsewhere: bool = False


class FileRef(BaseModel):
    """A file that came with a message."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    url: str = ""
    size: int = 0
    mimetype: str = ""


ActVerb = Literal["send", "pause", "resume", "delete", "edit", "attach", "detach", "mute", "unmute"]
ReplyDecision = Literal["arrived", "send", "drop"]
ReceiptState = Literal["taken", "waiting", "delivered", "failed", "none"]


class CreateRequested(Work):
    """Queue `intake`. A person asked for a new task."""

    kind: Literal["create_requested"] = "create_requested"
    requester: Requester
    prompt: AgentText = AgentText("")
    template: str | None = None
    preset: str | None = None
    name: str | None = None
    organization: str | None = None
    # The text that was taken from the end of the prompt as options.
    behind: str = ""
    # If the person asked for another task on purpose: the key of the note that keeps the first request.
    kept: str = ""


class ActRequested(Work):
    """Queue `intake`. A person asked for something to be done to a task that they named."""

    kind: Literal["act_requested"] = "act_requested"
    requester: Requester
    verb: ActVerb
    name: str
    text: AgentText = AgentText("")


class AnswerPrivately(Work):
    """Queue `handed_over_answers`. A private answer that a stopping process did not show."""

    kind: Literal["answer_privately"] = "answer_privately"
    requester: Requester
    message: Message
    # The answer replaces the message whose button the person pressed.
    is_instead: bool = False


class PostCard(Work):
    """Queue `to_coder`. Post the card. Its ts becomes the thread."""

    kind: Literal["post_card"] = "post_card"
    requester: Requester


class ReadThread(Work):
    """Queue `backfill:threads`. Read a link's thread for messages that the bot missed."""

    kind: Literal["read_thread"] = "read_thread"
    link: LinkId


class Root(NamedTuple):
    """The root of a link's thread."""

    ts: Ts
    link: LinkId


class ScanChannel(Work):
    """Queue `backfill:channels`. Find out which of these threads have something new since a moment.

    The newest root comes first. `span_us` is the time in microseconds that the last page of the channel's
    history covered.
    """

    kind: Literal["scan_channel"] = "scan_channel"
    channel: ChannelId
    roots: tuple[Root, ...]
    since: Ts
    span_us: int = 0


class FindThread(Work):
    """Queue `lost_threads`. A person wrote in a thread whose card is ours, but whose link is not known."""

    kind: Literal["find_thread"] = "find_thread"
    channel: ChannelId
    thread_ts: Ts
    person: UserId


class CreateTask(Work):
    """Queue `to_coder`. Create the task in Coder and join it to the link."""

    kind: Literal["create_task"] = "create_task"
    requester: Requester
    # An earlier attempt had an unknown outcome, so a task of this name may be ours.
    was_tried: bool = False
    # The number of attempts that Coder answered with an error.
    errors: int = 0


class Reply(Work):
    """Queue `to_coder`. A person's message in the thread, for the agent."""

    kind: Literal["reply"] = "reply"
    person: UserId
    ts: Ts
    text: str
    blocks: str = ""
    files: tuple[FileRef, ...] = ()
    # What is known of the reply so far, so that a later lease need not find it out again.
    was_away: bool = False
    is_from_command: bool = False
    # The author may steer. Before that is known, the reply is in a lane where no other reply delays it.
    is_admitted: bool = False
    is_confirmed: bool = False
    # A person agreed to send the reply without its files.
    is_without_files: bool = False
    left_out: tuple[str, ...] = ()
    # The question that the delivery answers, and the text that the question then shows.
    settles: str = ""
    outcome: str = ""
    # The question that a person was asked about the reply.
    asked: Literal["", "files", "stale", "outcome_unknown"] = ""
    was_rejected: bool = False
    was_repeated: bool = False
    waits: int = 0
    # Since when Coder has not reached the agent, although the agent could otherwise take the reply.
    unreached_ms: int = 0


class ParkedBatch(Work):
    """Queue `to_coder`. A batch that another version parked in its own format before the link was known."""

    kind: Literal["parked_batch"] = "parked_batch"
    batch: str


class Act(Work):
    """Queue `to_coder`. A person asked for something to be done to the link's task."""

    kind: Literal["act"] = "act"
    requester: Requester
    verb: ActVerb
    text: AgentText = AgentText("")
    # The key of the note that keeps the text, if a button stands for it.
    kept: str = ""
    # Backfill found the message after the bot had been away.
    was_away: bool = False
    # A workspace that runs but cannot be reached is stopped first.
    is_retry: bool = False
    # The job waits until the workspace has stopped, because the person has just asked for a pause.
    is_patient: bool = False
    # Another job of the same request gives the answer.
    is_part: bool = False
    waits: int = 0


class DecideHeld(Work):
    """Queue `to_coder`. Send or drop the replies that are held because a person paused the task."""

    kind: Literal["decide_held"] = "decide_held"
    requester: Requester
    is_dropped: bool


class DecideReply(Work):
    """Queue `to_coder`. A person decided about a reply that was held, in doubt or not delivered."""

    kind: Literal["decide_reply"] = "decide_reply"
    requester: Requester
    job: str
    decision: ReplyDecision


class ApplyEvent(Work):
    """Queue `to_thread`. Something has happened to the link. The handler decides what follows."""

    kind: Literal["apply_event"] = "apply_event"
    event: Event


class PostNotice(Work):
    """Queue `to_thread`. Post a notice. `written` is the agent's output, once that has been read."""

    kind: Literal["post_notice"] = "post_notice"
    notice: Notice
    written: AgentOutput | None = None


class PostText(Work):
    """Queue `to_thread`. Post a finished text. `is_call`: it mentions somebody who has to answer it.

    `about` is set if the text is a question with buttons: the id of a reply's job, or a word for a question
    about the task.
    """

    kind: Literal["post_text"] = "post_text"
    message: Message
    is_call: bool = False
    about: str = ""


class SettleQuestion(Work):
    """Queue `to_thread`. Replace a question's buttons by what became of it. `is_last`: that is final.

    `place` says which question. Without it, the newest question of this `about` is meant.
    """

    kind: Literal["settle_question"] = "settle_question"
    about: str
    words: str = ""
    is_last: bool = True
    place: str = ""


Asking = Literal[
    "status", "logs", "full_logs", "help", "edit", "delete", "not_a_verb", "too_many", "too_fast", "words"
]


class AnswerInThread(Work):
    """Queue `thread_answers`. Answer a person's question in the thread with what is true by then."""

    kind: Literal["answer_in_thread"] = "answer_in_thread"
    requester: Requester
    what: Asking
    text: str = ""
    words: tuple[str, ...] = ()
    job: str = ""


class ShowAnswer(Work):
    """Queue `thread_answers`. Show one person's private answer to everybody in the thread."""

    kind: Literal["show_answer"] = "show_answer"
    requester: Requester
    key: str


class ReplyChanged(Work):
    """Queue `to_coder`. A person edited or deleted a message. `now` is its present input, if any."""

    kind: Literal["reply_changed"] = "reply_changed"
    ts: Ts
    what: Literal["edited", "deleted"]
    now: Reply | None = None
    # The message as input although it begins with `!`, for a reply that was sent as it is.
    as_it_is: Reply | None = None
    # The author of a deleted message, if Slack says so.
    person: UserId | None = None
    # `was_away`: backfill found the change. `instead_of` is the text that it replaces. If the reply has
    # another text by now, a newer change has happened, and this one is dropped.
    was_away: bool = False
    instead_of: str = ""


class ShareFile(Work):
    """Queue `to_thread`. Upload a text as a file to a thread or to direct messages."""

    kind: Literal["share_file"] = "share_file"
    channel: ChannelId
    thread_ts: Ts | None
    name: str
    title: str
    text: str
    file_id: str = ""
    looks: int = 0


class DrawCard(Work):
    """Queue `card`. Update the card."""

    kind: Literal["draw_card"] = "draw_card"


class Receipt(Work):
    """Queue `receipts`. Show the reaction that belongs to the reply's newest state.

    With a `stray`, the state stays the same. A stopped process may have added the stray reaction too late and
    removed the right one.
    """

    kind: Literal["receipt"] = "receipt"
    ts: Ts
    state: ReceiptState
    stray: str | None = None


class MessagePerson(Work):
    """Queue `direct_messages`. Send one person a direct message."""

    kind: Literal["message_person"] = "message_person"
    person: UserId
    message: Message


class ChannelOpened(Work):
    """Queue `intake`. A channel that was closed to us accepts messages again."""

    kind: Literal["channel_opened"] = "channel_opened"
    channel: ChannelId


class Reopened(Work):
    """Queue `to_thread`. A thread accepts messages again: post what it missed, read what people wrote."""

    kind: Literal["reopened"] = "reopened"


class RemoveDuplicateMessage(Work):
    """Queue `duplicates`. A message may have been posted twice: keep one copy."""

    kind: Literal["remove_duplicate_message"] = "remove_duplicate_message"
    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: str
    looks: int = 0


class ReportDuplicateInput(Work):
    """Queue `duplicates`. An input may have been delivered twice: tell the thread if so."""

    kind: Literal["report_duplicate_input"] = "report_duplicate_input"
    ts: Ts
    marked: Mark
    looks: int = 0


AnyWork = Annotated[
    CreateRequested
    | ActRequested
    | AnswerPrivately
    | PostCard
    | CreateTask
    | ReadThread
    | ScanChannel
    | FindThread
    | Reply
    | ParkedBatch
    | Act
    | DecideHeld
    | DecideReply
    | ApplyEvent
    | PostNotice
    | PostText
    | SettleQuestion
    | AnswerInThread
    | ShowAnswer
    | ReplyChanged
    | ShareFile
    | DrawCard
    | Receipt
    | MessagePerson
    | ChannelOpened
    | Reopened
    | RemoveDuplicateMessage
    | ReportDuplicateInput,
    Field(discriminator="kind"),
]
# The kinds of all jobs.
KINDS = frozenset(str(work.model_fields["kind"].default) for work in get_args(get_args(AnyWork)[0]))


class Job(BaseModel):
    """One intended effect.

    `tries` counts the failed tries in a row, `failing_since_ms` is when they began, and `surprises` is how
    many of them had an unexpected reason. `written_ms` is when the job was first written, if it was given up
    and sent again. `looked` names the attempt that was last looked for and not found, and how often.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    work: AnyWork
    tries: int = 0
    failing_since_ms: int = 0
    surprises: int = 0
    written_ms: int = 0
    looked: str = ""

    @property
    def is_sent_again(self) -> bool:
        """Whether the job was given up once. Its effect may have happened before that."""
        return self.written_ms > 0

    def afresh(self, written_ms: int) -> "Job":
        """Return the job without its tries, but with the time since which its effect may have happened."""
        return Job(id=self.id, work=self.work.anew(), written_ms=self.written_ms or written_ms)

    def knowing(self, **changes: str | int | AgentOutput | tuple[Root, ...] | tuple[str, ...]) -> "Job":
        """Return the job with these fields of its work replaced."""
        return self.model_copy(update={"work": self.work.model_copy(update=changes)})

    def looks(self, attempt: str) -> int:
        """Return how often this attempt was looked for and not found."""
        which, _, count = self.looked.rpartition(" ")
        return int(count) if which == attempt and count else 0

    def looked_for(self, attempt: str) -> "Job":
        """Count one more look that did not find this attempt."""
        return self.model_copy(update={"looked": f"{attempt} {self.looks(attempt) + 1}"})

    def failed_again(self, since_ms: int) -> "Job":
        """Count one more failed try. `since_ms` counts only for the first of them."""
        since_ms = self.failing_since_ms or since_ms
        return self.model_copy(update={"tries": self.tries + 1, "failing_since_ms": since_ms})


def intake(person: str) -> QueueName:
    """The queue of a person's requests that name no known link."""
    return QueueName(f"intake:{person}")


def to_coder(link: str) -> QueueName:
    """The queue of calls to Coder about one link."""
    return QueueName(f"to_coder:{link}")


def to_thread(link: str) -> QueueName:
    """The queue of one link's events, and of the messages about them."""
    return QueueName(f"to_thread:{link}")


def thread_answers(link: str) -> QueueName:
    """The queue of people's questions in one link's thread. No notice waits behind them."""
    return QueueName(f"thread_answers:{link}")


def receipts(link: str) -> QueueName:
    """The queue of receipts in one link's thread."""
    return QueueName(f"receipts:{link}")


def card(link: str) -> QueueName:
    """The queue of drawings of one link's card. No receipt waits behind them."""
    return QueueName(f"card:{link}")


def duplicates(link: str) -> QueueName:
    """The queue of effects that a stopped process may have repeated."""
    return QueueName(f"duplicates:{link}")


def lost_threads(channel: str, ts: str) -> QueueName:
    """The queue of a thread whose link is not known, or not known yet."""
    return QueueName(f"lost_threads:{channel}:{ts}")


# The queues of threads to read and of channels to scan for such threads. All replicas together work on one
# job of each at a time.
BACKFILL_THREADS = QueueName("backfill:threads")
BACKFILL_CHANNELS = QueueName("backfill:channels")


def link_of(name: str) -> LinkId:
    """Return the link that a queue belongs to."""
    return LinkId(name.partition(":")[2])


def urgent(ts: str) -> int:
    """The score in the first lane: pause, delete, detach, and what people do about input that waits."""
    return microseconds(ts)


def soon(ts: str) -> int:
    """The score in the second lane, for jobs that need no agent: resume, edit, mute, unchecked replies."""
    return LANE + microseconds(ts)


def newest_first(ts: str) -> int:
    """The score of a thread to read: the thread with the latest message goes first."""
    return -microseconds(ts)


def in_turn(ts: str) -> int:
    """The score in the third lane: input, in the order in which people wrote it."""
    return 2 * LANE + microseconds(ts)


def score_of(verb: ActVerb, ts: str) -> int:
    """The score of a request about a task."""
    return urgent(ts) if verb in ("pause", "delete", "detach") else soon(ts)
