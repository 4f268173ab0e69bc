"""The jobs that Redis stores.

A job is one intended effect. It holds everything that its handler needs. `work` says what the job has to do.
The id of a job is made from its intent. So an intent that is written twice is one job.
`queues.py` names the queues.
"""

from typing import Annotated, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.agent_text import AgentText
from taskwire.domain.events import Event, Notice
from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId
from taskwire.domain.message import AgentOutput, Message
from taskwire.domain.reconcile import Mark

# The difference between the scores of two lanes. A message's ts in microseconds needs 51 bits. A score of a
# sorted set has 53 bits, so three lanes fit.
# The id of the job that first edits a new card.
FIRST_DRAW_JOB_ID = "card:first"
# The ids of jobs of the kind `Reply` begin with this.
REPLY_ID_PREFIX = "reply:"
# The `text` of an AnswerInThread with the question `too_many`, if a verb was refused and not a reply.
VERB_REFUSED = "verb_refused"
# The fields of a job's work that record earlier tries and a person's answer.
_TRIED = {"wait_count", "unreachable_since_ms", "look_count", "error_count", "was_rejected", "was_repeated"}
_PROGRESS_FIELDS = frozenset(_TRIED | {"question", "is_confirmed", "question_id", "question_outcome"})


class Work(BaseModel):
    """What a job has to do. Each kind of job has one subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def without_progress(self) -> Self:
        """Return the work as it was before the first try."""
        fields = type(self).model_fields
        return self.model_copy(
            update={name: fields[name].default for name in _PROGRESS_FIELDS & fields.keys()}
        )


class Requester(BaseModel):
    """The person who asked, where and when they asked, and how to answer them privately."""

    model_config = ConfigDict(frozen=True)

    person: UserId
    channel: ChannelId
    at: Ts
    thread_ts: Ts | None = None
    response_url: str | None = None
    # Whether the person may have asked in another channel. `channel` is then the place for the result.
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
    trailing_options: str = ""
    # The key of the note that holds the first request, if the person asked for another task on purpose.
    note_key: str = ""


class ActRequested(Work):
    """Queue `intake`. A person used a command on a task that they named."""

    kind: Literal["act_requested"] = "act_requested"
    requester: Requester
    verb: ActVerb
    name: str
    text: AgentText = AgentText("")


class AnswerPrivately(Work):
    """Queue `handed_over_answers`. Show a private answer that a stopping process could not show."""

    kind: Literal["answer_privately"] = "answer_privately"
    requester: Requester
    message: Message
    # Whether the answer replaces the message with the button that the person pressed.
    is_replacement: bool = False


class PostCard(Work):
    """Queue `to_coder`. Post the card, which begins the thread."""

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
    """Queue `backfill:channels`. Find the threads of a channel that have messages newer than `since`.

    `roots` are the threads to check, the newest first. `span_us` is the time in microseconds that the last
    page of the channel's history covered.
    """

    kind: Literal["scan_channel"] = "scan_channel"
    channel: ChannelId
    roots: tuple[Root, ...]
    since: Ts
    span_us: int = 0


class FindThread(Work):
    """Queue `lost_threads`. Find the link of a thread in which `person` wrote. Its card is ours."""

    kind: Literal["find_thread"] = "find_thread"
    channel: ChannelId
    thread_ts: Ts
    person: UserId


class CreateTask(Work):
    """Queue `to_coder`. Create the task in Coder and join it to the link."""

    kind: Literal["create_task"] = "create_task"
    requester: Requester
    # Whether an earlier attempt had an unknown outcome. If so, a task of this name may be ours.
    was_tried: bool = False
    # The number of attempts that Coder answered with an error.
    error_count: int = 0


class Reply(Work):
    """Queue `to_coder`. A person's message in the thread, for the agent."""

    kind: Literal["reply"] = "reply"
    person: UserId
    ts: Ts
    text: str
    blocks: str = ""
    files: tuple[FileRef, ...] = ()
    # Whether backfill found the message after the bot had been away.
    was_away: bool = False
    # Whether the author used `/task send` and did not write in the thread.
    is_from_command: bool = False
    # Whether the author may steer. Until that is checked, the reply is in a lane without waiting replies.
    is_admitted: bool = False
    # Whether a person answered the question about the reply by sending it.
    is_confirmed: bool = False
    # Whether a person agreed to send the reply without its files.
    is_without_files: bool = False
    # The names of the files that the agent cannot get, if the question was about them.
    unreadable_files: tuple[str, ...] = ()
    # The id of the question that the delivery answers, and the text that the question shows after it.
    question_id: str = ""
    question_outcome: str = ""
    # The question about the reply that waits for a person's answer.
    question: Literal["", "files", "stale", "outcome_unknown"] = ""
    was_rejected: bool = False
    was_repeated: bool = False
    wait_count: int = 0
    # Since when Coder cannot reach the agent, in milliseconds of Redis's clock; 0 if it can.
    unreachable_since_ms: int = 0


class ParkedBatch(Work):
    """Queue `to_coder`. Apply a batch that a process of another version parked, in that version's format."""

    kind: Literal["parked_batch"] = "parked_batch"
    batch: str


class Act(Work):
    """Queue `to_coder`. Carry out a command or a button's action on the link's task."""

    kind: Literal["act"] = "act"
    requester: Requester
    verb: ActVerb
    text: AgentText = AgentText("")
    # The key of the note that holds the text, if the person pressed a button.
    note_key: str = ""
    # Whether backfill found the message after the bot had been away.
    was_away: bool = False
    # Whether a workspace that runs but cannot be reached is stopped before it is started.
    is_retry: bool = False
    # Whether the job waits until the workspace has stopped, because the person has just asked for a pause.
    waits_for_stop: bool = False
    # Whether another job of the same request gives the answer.
    is_answered_elsewhere: bool = False
    wait_count: int = 0


class DecideHeld(Work):
    """Queue `to_coder`. Send or drop the replies that are held because a person paused the task."""

    kind: Literal["decide_held"] = "decide_held"
    requester: Requester
    is_dropped: bool


class DecideReply(Work):
    """Queue `to_coder`. Carry out a person's decision about a reply that the agent may not have."""

    kind: Literal["decide_reply"] = "decide_reply"
    requester: Requester
    job: str
    decision: ReplyDecision


class Choose(Work):
    """Queue `to_coder`. Send one of the choices that an agent offered as a person's reply.

    `key` names the notice. `text` is set once the question is settled.
    """

    kind: Literal["choose"] = "choose"
    requester: Requester
    key: str
    number: int
    text: str = ""


class ApplyEvent(Work):
    """Queue `to_thread`. Apply an event to the link's state, and write the jobs that follow from it."""

    kind: Literal["apply_event"] = "apply_event"
    event: Event


class PostNotice(Work):
    """Queue `to_thread`. Post a notice. `agent_output` is None until the agent's output was read."""

    kind: Literal["post_notice"] = "post_notice"
    notice: Notice
    agent_output: AgentOutput | None = None


class PostText(Work):
    """Queue `to_thread`. Post a message. `is_call`: the message mentions a person who has to answer it.

    `question_id` is set if the message is a question with buttons. It is the id of a reply's job, or a word
    for a question about the task.
    """

    kind: Literal["post_text"] = "post_text"
    message: Message
    is_call: bool = False
    question_id: str = ""


class SettleQuestion(Work):
    """Queue `to_thread`. Replace the buttons of a question by `words`. `is_last`: this text is final.

    `place` identifies the question. If it is empty, the newest question with this `question_id` is meant.
    """

    kind: Literal["settle_question"] = "settle_question"
    question_id: str
    words: str = ""
    is_last: bool = True
    place: str = ""


ThreadQuestion = Literal[
    "status", "logs", "full_logs", "help", "edit", "delete", "not_a_verb", "rejection", "too_fast", "words"
]


class AnswerInThread(Work):
    """Queue `thread_answers`. Answer a person's question in the thread as of the time when the job runs."""

    kind: Literal["answer_in_thread"] = "answer_in_thread"
    requester: Requester
    question: ThreadQuestion
    text: str = ""
    words: tuple[str, ...] = ()
    job: str = ""


class ShowAnswer(Work):
    """Queue `thread_answers`. Show one person's private answer to everybody in the thread."""

    kind: Literal["show_answer"] = "show_answer"
    requester: Requester
    key: str


class ReplyChanged(Work):
    """Queue `to_coder`. A person edited or deleted a message. `new_input` is None if it is no input now."""

    kind: Literal["reply_changed"] = "reply_changed"
    ts: Ts
    change: Literal["edited", "deleted"]
    new_input: Reply | None = None
    # The message as input although it begins with `!`, for a reply that a person has sent unchanged.
    verbatim_input: Reply | None = None
    # The author of a deleted message, if Slack says so.
    person: UserId | None = None
    # Whether backfill found the change.
    was_away: bool = False
    # The text that the change replaces, if backfill found it. A reply with another text stays as it is.
    previous_text: str = ""


class ShareFile(Work):
    """Queue `to_thread`. Upload a text as a file to a thread or to direct messages."""

    kind: Literal["share_file"] = "share_file"
    channel: ChannelId
    thread_ts: Ts | None
    name: str
    title: str
    text: str
    file_id: str = ""
    look_count: int = 0
    # The person who asked for the file, and what they are told when it is there.
    requester: Requester | None = None
    answer: Message | None = None


class DrawCard(Work):
    """Queue `card`. Update the card."""

    kind: Literal["draw_card"] = "draw_card"


class Receipt(Work):
    """Queue `receipts`. Show the state of a reply as a reaction.

    `stray_reaction` is one that a stopped process may have added too late. It is removed then.
    """

    kind: Literal["receipt"] = "receipt"
    ts: Ts
    state: ReceiptState
    stray_reaction: str | None = None


class MessagePerson(Work):
    """Queue `direct_messages`. Send one person a direct message."""

    kind: Literal["message_person"] = "message_person"
    person: UserId
    message: Message


class ChannelOpened(Work):
    """Queue `intake`. Reopen the threads of a channel that accepts our messages again."""

    kind: Literal["channel_opened"] = "channel_opened"
    channel: ChannelId


class ThreadReopened(Work):
    """Queue `to_thread`. Bring a thread up to date after it was closed."""

    kind: Literal["reopened"] = "reopened"


class RemoveDuplicateMessage(Work):
    """Queue `duplicates`. Remove all copies but one of a message that may have been posted twice."""

    kind: Literal["remove_duplicate_message"] = "remove_duplicate_message"
    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: str
    look_count: int = 0


class ReportDuplicateInput(Work):
    """Queue `duplicates`. Tell the thread if an input was delivered twice."""

    kind: Literal["report_duplicate_input"] = "report_duplicate_input"
    ts: Ts
    mark: Mark
    look_count: int = 0


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
    | Choose
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
    | ThreadReopened
    | RemoveDuplicateMessage
    | ReportDuplicateInput,
    Field(discriminator="kind"),
]
# The kinds of all jobs.
JOB_KINDS = frozenset(str(work.model_fields["kind"].default) for work in get_args(get_args(AnyWork)[0]))


class Job(BaseModel):
    """One intended effect.

    `tries` counts the failed tries in a row, `failing_since_ms` is when they began, and `unexpected_errors`
    counts those with an unexpected exception. `first_written_ms` is set if the job was given up and sent
    again. `last_look` is the attempt that was last looked for in vain, a blank, and the number of looks.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    work: AnyWork
    tries: int = 0
    failing_since_ms: int = 0
    unexpected_errors: int = 0
    first_written_ms: int = 0
    last_look: str = ""

    @property
    def was_resent(self) -> bool:
        """Whether the job was given up and sent again. Its effect may already have happened."""
        return self.first_written_ms > 0

    def without_tries(self, written_ms: int) -> "Job":
        """Return the job for sending it again, without its tries. `written_ms` is when it was written."""
        return Job(
            id=self.id,
            work=self.work.without_progress(),
            first_written_ms=self.first_written_ms or written_ms,
        )

    def with_work(self, **changes: str | int | AgentOutput | tuple[Root, ...] | tuple[str, ...]) -> "Job":
        """Return the job with these fields of its work replaced."""
        return self.model_copy(update={"work": self.work.model_copy(update=changes)})

    def count_looks(self, attempt: str) -> int:
        """Count how often this attempt was looked for and not found."""
        which, _, count = self.last_look.rpartition(" ")
        return int(count) if which == attempt and count else 0

    def with_look(self, attempt: str) -> "Job":
        """Return the job with one more look that did not find this attempt."""
        return self.model_copy(update={"last_look": f"{attempt} {self.count_looks(attempt) + 1}"})

    def with_failure(self, since_ms: int) -> "Job":
        """Return the job with one more failed try. `since_ms` is when this try began."""
        since_ms = self.failing_since_ms or since_ms
        return self.model_copy(update={"tries": self.tries + 1, "failing_since_ms": since_ms})
