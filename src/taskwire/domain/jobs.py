"""Jobs: one intended effect each, written down with everything needed to carry it out.

A job's id never changes and is derived from what it stands for, so that the same intent written twice is one
job. Which list a job stands in decides its order; what it needs to be carried out is its `work`.
"""

from typing import Annotated, Literal, NamedTuple, NewType, Self

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.agent_text import AgentText
from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId, microseconds
from taskwire.domain.message import AgentOutput, Message
from taskwire.domain.reconcile import Mark
from taskwire.domain.transitions import Event, Notice

QueueName = NewType("QueueName", str)

# A message's ts in microseconds needs 51 bits; a sorted set keeps 53. Three lanes fit.
LANE = 2**51
# The id of the drawing that gives a new card its task and its buttons.
FIRST_DRAWING = "card:first"
# What the ids of replies begin with.
REPLY = "reply:"
# The text of what refuses a verb and not a reply, where too many wait.
ASKED = "asked"
# What a job's work has learned from what was tried, or asked of a person.
_TRIED = {"waits", "unreached_ms", "looks", "errors", "was_rejected", "was_repeated"}
LEARNED = frozenset(_TRIED | {"asked", "is_confirmed", "settles", "outcome"})


class Work(BaseModel):
    """What a job has to do; each kind is one class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def anew(self) -> Self:
        """The same as it was before anything was tried or asked."""
        fields = type(self).model_fields
        return self.model_copy(update={name: fields[name].default for name in LEARNED & fields.keys()})


class Requester(BaseModel):
    """Who asked, from where, when, and how they can be answered privately."""

    model_config = ConfigDict(frozen=True)

    person: UserId
    channel: ChannelId
    at: Ts
    thread_ts: Ts | None = None
    response_url: str | None = None
    # The channel is where something is to go, or where a message stands, and not where Slack saw them write.
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
    """Queue `intake`. Somebody asked for a new task."""

    kind: Literal["create_requested"] = "create_requested"
    requester: Requester
    prompt: AgentText = AgentText("")
    template: str | None = None
    preset: str | None = None
    name: str | None = None
    organization: str | None = None
    # What was taken from the end of the prompt for options.
    behind: str = ""
    # Asked once more, on purpose: under which note the first asking is kept.
    kept: str = ""


class ActRequested(Work):
    """Queue `intake`. Somebody asked something of a task that they named."""

    kind: Literal["act_requested"] = "act_requested"
    requester: Requester
    verb: ActVerb
    name: str
    text: AgentText = AgentText("")


class AnswerPrivately(Work):
    """Queue `handed_over_answers`. An answer for one person that a process which stopped has not shown."""

    kind: Literal["answer_privately"] = "answer_privately"
    requester: Requester
    message: Message
    # In the place of the message whose button they pressed.
    is_instead: bool = False


class PostCard(Work):
    """Queue `to_coder`. Post the card, whose ts becomes the thread."""

    kind: Literal["post_card"] = "post_card"
    requester: Requester


class ReadThread(Work):
    """Reading: what was said in a link's thread while nobody listened, or knew that it was ours."""

    kind: Literal["read_thread"] = "read_thread"
    link: LinkId


class Root(NamedTuple):
    """The root of a link's thread."""

    ts: Ts
    link: LinkId


class ScanChannel(Work):
    """Channels: which of these threads have something new since a moment; the newest root comes first.

    `span_us` is how much time the last page of the channel's history has shown.
    """

    kind: Literal["scan_channel"] = "scan_channel"
    channel: ChannelId
    roots: tuple[Root, ...]
    since: Ts
    span_us: int = 0


class FindThread(Work):
    """Queue `lost_threads`. Somebody wrote in a thread whose card is ours, and of which nothing is known."""

    kind: Literal["find_thread"] = "find_thread"
    channel: ChannelId
    thread_ts: Ts
    person: UserId


class CreateTask(Work):
    """Queue `to_coder`. Create the task in Coder and bind it to the link."""

    kind: Literal["create_task"] = "create_task"
    requester: Requester
    # An attempt was made whose outcome was not known: a task of this name may be ours.
    was_tried: bool = False
    # How many attempts Coder has answered with an error.
    errors: int = 0


class Reply(Work):
    """Queue `to_coder`. What a person wrote in the thread, for the agent."""

    kind: Literal["reply"] = "reply"
    person: UserId
    ts: Ts
    text: str
    blocks: str = ""
    files: tuple[FileRef, ...] = ()
    # What is known of it so far, so that a later turn need not find out again.
    was_away: bool = False
    is_from_command: bool = False
    # Its author may steer; before that is known it stands where no other reply holds it up.
    is_admitted: bool = False
    is_confirmed: bool = False
    # The files that stay behind, on a person's word.
    is_without_files: bool = False
    left_out: tuple[str, ...] = ()
    # Which question its delivery settles, and what that says then.
    settles: str = ""
    outcome: str = ""
    # What a person was asked about it.
    asked: Literal["", "files", "stale", "outcome_unknown"] = ""
    was_rejected: bool = False
    was_repeated: bool = False
    waits: int = 0
    # Since when Coder has not reached the agent, which could take it otherwise.
    unreached_ms: int = 0


class ParkedBatch(Work):
    """Queue `to_coder`. What another version kept before a thread's link was known, in a way of its own."""

    kind: Literal["parked_batch"] = "parked_batch"
    batch: str


class Act(Work):
    """Queue `to_coder`. Something asked of this link's task."""

    kind: Literal["act"] = "act"
    requester: Requester
    verb: ActVerb
    text: AgentText = AgentText("")
    # Under which note the text is kept, where a button stands for it.
    kept: str = ""
    # Found in the thread after the bot had been away.
    was_away: bool = False
    # What runs but cannot be reached is stopped first.
    is_retry: bool = False
    # Waits for the workspace to stop, where a person has just asked for that.
    is_patient: bool = False
    # Asked for together with something else, which answers.
    is_part: bool = False
    waits: int = 0


class DecideHeld(Work):
    """Queue `to_coder`. Send or drop the replies that a person's pause holds."""

    kind: Literal["decide_held"] = "decide_held"
    requester: Requester
    is_dropped: bool


class DecideReply(Work):
    """Queue `to_coder`. A person's word on a reply that waits for it: held, in doubt, or not delivered."""

    kind: Literal["decide_reply"] = "decide_reply"
    requester: Requester
    job: str
    decision: ReplyDecision


class ApplyEvent(Work):
    """Queue `to_thread`. Something has happened to the link; what follows is decided in its turn."""

    kind: Literal["apply_event"] = "apply_event"
    event: Event


class PostNotice(Work):
    """Queue `to_thread`. Post a notice, with what the agent wrote once that has been read."""

    kind: Literal["post_notice"] = "post_notice"
    notice: Notice
    written: AgentOutput | None = None


class PostText(Work):
    """Queue `to_thread`. Post an answer whose words are settled; `is_call`: somebody has to answer it.

    `about` is what it asks about, if it has buttons for that: a reply's job, or something of the task's.
    """

    kind: Literal["post_text"] = "post_text"
    message: Message
    is_call: bool = False
    about: str = ""


class SettleQuestion(Work):
    """Queue `to_thread`. A question loses its buttons and says what became of it, so far or for good.

    It is the newest about this, unless `place` says which.
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
    """Queue `thread_answers`. Answer what a person asked in the thread, with what is true by then."""

    kind: Literal["answer_in_thread"] = "answer_in_thread"
    requester: Requester
    what: Asking
    text: str = ""
    words: tuple[str, ...] = ()
    job: str = ""


class ShowAnswer(Work):
    """Queue `thread_answers`. Show to everybody in the thread what one person was answered."""

    kind: Literal["show_answer"] = "show_answer"
    requester: Requester
    key: str


class ReplyChanged(Work):
    """Queue `to_coder`. A person edited or deleted a message; `now` is the input that it is now, if any."""

    kind: Literal["reply_changed"] = "reply_changed"
    ts: Ts
    what: Literal["edited", "deleted"]
    now: Reply | None = None
    # What it says if it begins with `!` and so is no input: the words of one that was sent as it is.
    as_it_is: Reply | None = None
    # Who had written what is deleted, where Slack says so.
    person: UserId | None = None
    # Found when the thread was read after a gap; then the words that it replaces, since what is not in these
    # words any more has been changed by something newer.
    was_away: bool = False
    instead_of: str = ""


class ShareFile(Work):
    """Queue `to_thread`. Put a text into a thread, or into direct messages, as a file."""

    kind: Literal["share_file"] = "share_file"
    channel: ChannelId
    thread_ts: Ts | None
    name: str
    title: str
    text: str
    file_id: str = ""
    looks: int = 0


class DrawCard(Work):
    """Queue `card`. Bring the card up to date."""

    kind: Literal["draw_card"] = "draw_card"


class Receipt(Work):
    """Queue `receipts`. The reaction that a reply should have now.

    With a `stray` the state that shows stays: a stopped process may have put the stray there too late, and
    taken the right one away.
    """

    kind: Literal["receipt"] = "receipt"
    ts: Ts
    state: ReceiptState
    stray: str | None = None


class Alert(Work):
    """Queue `direct_messages`. An administrator hears of a trouble."""

    kind: Literal["alert"] = "alert"
    person: UserId
    sentence: str


class MessagePerson(Work):
    """Queue `direct_messages`. One person hears of something in their direct messages."""

    kind: Literal["message_person"] = "message_person"
    person: UserId
    message: Message


class ChannelOpened(Work):
    """Queue `intake`. A channel takes messages again that had been closed to us."""

    kind: Literal["channel_opened"] = "channel_opened"
    channel: ChannelId


class Reopened(Work):
    """Queue `to_thread`. A thread takes messages again: post what it missed, read what was written there."""

    kind: Literal["reopened"] = "reopened"


class RemoveDuplicateMessage(Work):
    """Queue `duplicates`. A message may have been posted twice; keep one copy."""

    kind: Literal["remove_duplicate_message"] = "remove_duplicate_message"
    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: str
    looks: int = 0


class ReportDuplicateInput(Work):
    """Queue `duplicates`. An input may have been delivered twice; tell the thread if so."""

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
    | Alert
    | MessagePerson
    | ChannelOpened
    | Reopened
    | RemoveDuplicateMessage
    | ReportDuplicateInput,
    Field(discriminator="kind"),
]


class Job(BaseModel):
    """One intended effect.

    `tries` counts the turns in a row that failed to bring it about, since when, and how many of them for a
    reason that nobody expected. `written_ms` is when it was first written, if it has been given up since and
    was sent again. `looked` is which attempt was looked for in vain, and how often.
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
        """Whether it was given up once: what it was to do may have been done before that."""
        return self.written_ms > 0

    def afresh(self, written_ms: int) -> "Job":
        """The same job as if nothing had been tried, but knowing since when it may have been done."""
        return Job(id=self.id, work=self.work.anew(), written_ms=self.written_ms or written_ms)

    def knowing(self, **changes: str | int | AgentOutput | tuple[Root, ...] | tuple[str, ...]) -> "Job":
        """The same job with something learned: these fields of its work are others now."""
        return self.model_copy(update={"work": self.work.model_copy(update=changes)})

    def looks(self, attempt: str) -> int:
        """How often this attempt was looked for in vain."""
        which, _, count = self.looked.rpartition(" ")
        return int(count) if which == attempt and count else 0

    def looked_for(self, attempt: str) -> "Job":
        """The same job after one more look that did not find this attempt."""
        return self.model_copy(update={"looked": f"{attempt} {self.looks(attempt) + 1}"})

    def failed_again(self, since_ms: int) -> "Job":
        """The same job after one more turn that did not bring it about; `since_ms` if this is the first."""
        since_ms = self.failing_since_ms or since_ms
        return self.model_copy(update={"tries": self.tries + 1, "failing_since_ms": since_ms})


def intake(person: str) -> QueueName:
    """The list of what one person asked that names no known link."""
    return QueueName(f"intake:{person}")


def to_coder(link: str) -> QueueName:
    """The list of calls to Coder about one link."""
    return QueueName(f"to_coder:{link}")


def to_thread(link: str) -> QueueName:
    """The list of what has happened to one link and is told of it."""
    return QueueName(f"to_thread:{link}")


def thread_answers(link: str) -> QueueName:
    """The list of what people ask for in one link's thread; nothing that calls anybody stands behind it."""
    return QueueName(f"thread_answers:{link}")


def receipts(link: str) -> QueueName:
    """The list of states that the receipts in one link's thread should show."""
    return QueueName(f"receipts:{link}")


def card(link: str) -> QueueName:
    """The list in which one link's card is drawn; none of its receipts stands behind that."""
    return QueueName(f"card:{link}")


def duplicates(link: str) -> QueueName:
    """The list of what a stopped process may have left double."""
    return QueueName(f"duplicates:{link}")


def lost_threads(channel: str, ts: str) -> QueueName:
    """The list of a thread whose link is not known, or not yet."""
    return QueueName(f"lost_threads:{channel}:{ts}")


# The lists of the threads that are to be read, and of the channels that are to be looked through for such;
# all replicas together read one of each at a time.
BACKFILL_THREADS = QueueName("backfill:threads")
BACKFILL_CHANNELS = QueueName("backfill:channels")


def link_of(name: str) -> LinkId:
    """The link that a list belongs to."""
    return LinkId(name.partition(":")[2])


def urgent(ts: str) -> int:
    """The score of what goes ahead of all else: pause, delete, detach, and what people do to input."""
    return microseconds(ts)


def soon(ts: str) -> int:
    """The score of what waits for no agent and so for no input: resume, edit, mute, who wrote a reply."""
    return LANE + microseconds(ts)


def newest_first(ts: str) -> int:
    """The score of a thread that is to be read: the latest news goes first."""
    return -microseconds(ts)


def in_turn(ts: str) -> int:
    """The score of input, which is delivered in the order in which it was written."""
    return 2 * LANE + microseconds(ts)


def score_of(verb: ActVerb, ts: str) -> int:
    """The score of something asked of a task."""
    return urgent(ts) if verb in ("pause", "delete", "detach") else soon(ts)
