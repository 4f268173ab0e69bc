"""Jobs: one intended effect each, written down with everything needed to carry it out.

A job's id never changes and is derived from what it stands for, so that the same intent written twice is one
job. Which list a job stands in decides its order; what it needs to be carried out is its `work`.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal, NewType, Self

from pydantic import BaseModel, ConfigDict, Field

from taskwire.model.changes import Event, Notice
from taskwire.model.doubt import Mark
from taskwire.model.ids import ChannelId, LinkId, Ts, UserId, microseconds, moment_of
from taskwire.model.messages import Message

ListName = NewType("ListName", str)

# A message's ts in microseconds needs 51 bits; a sorted set keeps 53. Three lanes fit.
LANE = 2**51
# Slack takes answers by a response URL for 30 minutes.
RESPONSE_URL = timedelta(minutes=25)
# What the ids of replies begin with.
REPLY = "reply:"
# The text of what refuses a verb and not a reply, where too many wait.
ASKED = "asked"
# What a job's work has learned from what was tried, or asked of a person.
LEARNED = frozenset(
    {"waits", "unreached_ms", "looks", "errors", "asked", "was_rejected", "was_repeated", "is_confirmed"}
)


class Work(BaseModel):
    """What a job has to do; each kind is one class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def anew(self) -> Self:
        """The same as it was before anything was tried or asked."""
        fields = type(self).model_fields
        return self.model_copy(update={name: fields[name].default for name in LEARNED & fields.keys()})


class Asker(BaseModel):
    """Who asked, from where, when, and how they can be answered privately."""

    model_config = ConfigDict(frozen=True)

    person: UserId
    channel: ChannelId
    at: Ts
    thread_ts: Ts | None = None
    response_url: str | None = None


def reachable(asker: Asker, now: datetime) -> Asker:
    """The asker as they can still be answered at a time of Slack's clock: by no URL that it takes no more."""
    is_fresh = now - moment_of(asker.at) < RESPONSE_URL
    return asker if is_fresh else asker.model_copy(update={"response_url": None})


class FileRef(BaseModel):
    """A file that came with a message."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    url: str = ""
    size: int = 0
    mimetype: str = ""


ActVerb = Literal["send", "pause", "resume", "delete", "edit", "attach", "detach", "mute", "unmute"]
Verdict = Literal["arrived", "send", "drop"]
ReceiptState = Literal["taken", "waiting", "delivered", "failed", "none"]


class CreateAsked(Work):
    """Intake: somebody asked for a new task."""

    kind: Literal["create_asked"] = "create_asked"
    asker: Asker
    prompt: str = ""
    template: str | None = None
    preset: str | None = None
    name: str | None = None
    organization: str | None = None
    # Asked once more, on purpose: under which note the first asking is kept.
    kept: str = ""


class ActAsked(Work):
    """Intake: somebody asked something of a task that they named."""

    kind: Literal["act_asked"] = "act_asked"
    asker: Asker
    verb: ActVerb
    name: str
    text: str = ""


class PostCard(Work):
    """Steer: post the card, whose ts becomes the thread."""

    kind: Literal["post_card"] = "post_card"
    asker: Asker


class ReadThread(Work):
    """Reading: what was said in a link's thread while nobody listened, or knew that it was ours."""

    kind: Literal["read_thread"] = "read_thread"
    link: LinkId


class FindThread(Work):
    """Lost: somebody wrote in a thread whose card is ours, and of which nothing is known."""

    kind: Literal["find_thread"] = "find_thread"
    channel: ChannelId
    thread_ts: Ts
    person: UserId


class CreateTask(Work):
    """Steer: create the task in Coder and bind it to the link."""

    kind: Literal["create_task"] = "create_task"
    asker: Asker
    # An attempt was made whose outcome was not known: a task of this name may be ours.
    was_tried: bool = False
    # How many attempts Coder has answered with an error.
    errors: int = 0


class Reply(Work):
    """Steer: what a person wrote in the thread, for the agent."""

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
    is_without_files: bool = False
    # What a person was asked about it.
    asked: Literal["", "files", "stale", "in_doubt"] = ""
    was_rejected: bool = False
    was_repeated: bool = False
    waits: int = 0
    # Since when Coder has not reached the agent, which could take it otherwise.
    unreached_ms: int = 0


class Act(Work):
    """Steer: something asked of this link's task."""

    kind: Literal["act"] = "act"
    asker: Asker
    verb: ActVerb
    text: str = ""
    # Under which note the text is kept, where a button stands for it.
    kept: str = ""
    # Found in the thread after the bot had been away.
    was_away: bool = False
    # Waits for the workspace to stop, where a person has just asked for that.
    is_patient: bool = False
    waits: int = 0


class HeldInput(Work):
    """Steer: send or drop the replies that a person's pause holds."""

    kind: Literal["held_input"] = "held_input"
    asker: Asker
    is_dropped: bool


class Decided(Work):
    """Steer: a person's word on a reply that waits for it: held, in doubt, or not delivered."""

    kind: Literal["decided"] = "decided"
    asker: Asker
    job: str
    verdict: Verdict


class Happened(Work):
    """Tell: something has happened to the link; what follows is decided in its turn."""

    kind: Literal["happened"] = "happened"
    event: Event


class Written(BaseModel):
    """What the agent wrote, read once, so that every try of its notice brings the same."""

    model_config = ConfigDict(frozen=True)

    text: str = ""
    whole: str = ""
    cursor: str = ""


class Tell(Work):
    """Tell: post a notice, with what the agent wrote once that has been read."""

    kind: Literal["tell"] = "tell"
    notice: Notice
    written: Written | None = None


class Say(Work):
    """Tell: post an answer whose words are settled; `is_call`: somebody has to answer it.

    `about` is the job of the reply that it asks about, if it has buttons for that.
    """

    kind: Literal["say"] = "say"
    message: Message
    is_call: bool = False
    about: str = ""


class Settled(Work):
    """Tell: the question about a reply was settled in another way, and loses its buttons.

    It is the newest about this reply, unless `ts` says which.
    """

    kind: Literal["settled"] = "settled"
    about: str
    message: Message
    ts: Ts | None = None
    message_id: str = ""


class AnswerInThread(Work):
    """Tell: answer what a person asked in the thread, with what is true when it is posted."""

    kind: Literal["answer_in_thread"] = "answer_in_thread"
    asker: Asker
    what: Literal["status", "logs", "full_logs", "help", "edit", "delete", "not_a_verb", "too_many", "words"]
    text: str = ""
    words: tuple[str, ...] = ()
    job: str = ""


class Rewritten(Work):
    """Steer: a person edited or deleted a message; `now` is what it says as input, if it still is input."""

    kind: Literal["rewritten"] = "rewritten"
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
    """Tell: put a text into a thread as a file."""

    kind: Literal["share_file"] = "share_file"
    channel: ChannelId
    thread_ts: Ts | None
    name: str
    title: str
    text: str
    file_id: str = ""
    looks: int = 0


class DrawCard(Work):
    """Card: bring the card up to date."""

    kind: Literal["draw_card"] = "draw_card"


class Receipt(Work):
    """Show: the reaction that a reply should have now.

    With a `stray` the state that shows stays: a stopped process may have put the stray there too late, and
    taken the right one away.
    """

    kind: Literal["receipt"] = "receipt"
    ts: Ts
    state: ReceiptState
    stray: str | None = None


class Alert(Work):
    """Intake: an administrator hears of a trouble."""

    kind: Literal["alert"] = "alert"
    person: UserId
    sentence: str


class TellPerson(Work):
    """Intake: one person hears of something in their direct messages."""

    kind: Literal["tell_person"] = "tell_person"
    person: UserId
    message: Message


class ChannelOpened(Work):
    """Intake: a channel takes messages again that had been closed to us."""

    kind: Literal["channel_opened"] = "channel_opened"
    channel: ChannelId


class Reopened(Work):
    """Tell: a thread takes messages again: what it missed is told, and what was written there is read."""

    kind: Literal["reopened"] = "reopened"


class TidyMessage(Work):
    """Tidy: a message may have been posted twice; keep one copy."""

    kind: Literal["tidy_message"] = "tidy_message"
    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: str
    looks: int = 0


class TidyInput(Work):
    """Tidy: an input may have been delivered twice; tell the thread if so."""

    kind: Literal["tidy_input"] = "tidy_input"
    ts: Ts
    marked: Mark
    looks: int = 0


AnyWork = Annotated[
    CreateAsked
    | ActAsked
    | PostCard
    | CreateTask
    | ReadThread
    | FindThread
    | Reply
    | Act
    | HeldInput
    | Decided
    | Happened
    | Tell
    | Say
    | Settled
    | AnswerInThread
    | Rewritten
    | ShareFile
    | DrawCard
    | Receipt
    | Alert
    | TellPerson
    | ChannelOpened
    | Reopened
    | TidyMessage
    | TidyInput,
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

    def knowing(self, **changes: str | int | Written) -> "Job":
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


def intake(person: str) -> ListName:
    """The list of what one person asked that names no known link."""
    return ListName(f"intake:{person}")


def steer(link: str) -> ListName:
    """The list of calls to Coder about one link."""
    return ListName(f"steer:{link}")


def tell(link: str) -> ListName:
    """The list of what has happened to one link and is told of it."""
    return ListName(f"tell:{link}")


def show(link: str) -> ListName:
    """The list of states that the receipts in one link's thread should show."""
    return ListName(f"show:{link}")


def card(link: str) -> ListName:
    """The list in which one link's card is drawn; none of its receipts stands behind that."""
    return ListName(f"card:{link}")


def tidy(link: str) -> ListName:
    """The list of what a stopped process may have left double."""
    return ListName(f"tidy:{link}")


def lost(channel: str, ts: str) -> ListName:
    """The list of a thread whose link is not known, or not yet."""
    return ListName(f"lost:{channel}:{ts}")


# The one list of the threads that are to be read; all replicas together read one at a time.
READING = ListName("read:threads")


def link_of(name: str) -> LinkId:
    """The link that a list belongs to."""
    return LinkId(name.partition(":")[2])


def urgent(ts: str) -> int:
    """The score of what goes ahead of all else: pause, delete, detach, and what people do to input."""
    return microseconds(ts)


def soon(ts: str) -> int:
    """The score of what waits for no agent and so for no input: resume, edit, mute, who wrote a reply."""
    return LANE + microseconds(ts)


def in_turn(ts: str) -> int:
    """The score of input, which is delivered in the order in which it was written."""
    return 2 * LANE + microseconds(ts)


def score_of(verb: ActVerb, ts: str) -> int:
    """The score of something asked of a task."""
    return urgent(ts) if verb in ("pause", "delete", "detach") else soon(ts)
