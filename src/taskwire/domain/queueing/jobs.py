"""The jobs that Redis stores.

A job is one intended effect. It contains everything that its handler needs. `work` says what the job has to
do. The id of a job is made from its intent. So if an intent is written twice, there is still only one job.
`queues.py` names the queues.

Four other modules have more kinds of work:

- `display_jobs.py`: work that shows the state of a task;
- `decisions.py`: work that follows from the buttons of a message about a task;
- `person_jobs.py`: work for one person or one channel;
- `maintenance.py`: work that no person has asked for.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.allowed import Barred
from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.lifecycle.events import Event, Notice
from taskwire.domain.person_settings import CallPlan
from taskwire.domain.queueing.decisions import (
    Choose,
    DecideHeld,
    DecideReply,
    PassOn,
    RecordOpened,
    SnoozeReminder,
)
from taskwire.domain.queueing.display_jobs import DrawCard, Receipt, ShowLive, ShowSession, StartFollowing
from taskwire.domain.queueing.maintenance import (
    ChannelOpened,
    FindThread,
    ParkedBatch,
    ReadThread,
    RemoveDuplicateMessage,
    ReportDuplicateInput,
    ScanChannel,
    ThreadReopened,
)
from taskwire.domain.queueing.person_jobs import PersonWork
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import EarlierMessages, FileRef, Requester, Surface
from taskwire.domain.sealed_model import Readable
from taskwire.domain.text.agent_text import AgentText
from taskwire.domain.text.message import AgentOutput, Message

# The ids of jobs of the kinds `Reply` and `ReplyChanged` begin with these.
REPLY_ID_PREFIX, CHANGE_ID_PREFIX = "reply:", "reply_changed:"
# The `text` of an AnswerInThread with the question `too_many`, if the rejected message was a verb and not a
# reply.
VERB_REFUSED = "verb_refused"
# The `text` of an AnswerInThread with the question `too_fast`, if a reply was refused because too many
# replies of its author wait to be checked.
REPLY_REFUSED = "reply_refused"
# The same if an edit or a deletion was refused because too many edits and deletions of its author wait.
CHANGE_REFUSED = "change_refused"


ActVerb = Literal[
    "send",
    "pause",
    "resume",
    "delete",
    "edit",
    "attach",
    "detach",
    "mute",
    "unmute",
    "follow",
    "unfollow",
    "watch",
    "unwatch",
    "share",
    "unshare",
    "give_thread",
    "read_replies",
    "read_mentions",
]


class MessageToBot(Work):
    """Carry out a direct message to the bot, or a mention in a thread without a task (queue `intake`)."""

    kind: Literal["message_to_bot"] = "message_to_bot"
    requester: Requester
    text: str
    blocks: str = ""
    files: tuple[FileRef, ...] = ()
    file_hashes: tuple[str, ...] = ()
    is_direct: bool = False


class CreateRequested(Work):
    """Check a person's request for a new task, and store it as a new link (queue `intake`)."""

    kind: Literal["create_requested"] = "create_requested"
    requester: Requester
    prompt: AgentText = AgentText("")
    template: str | None = None
    preset: str | None = None
    name: str | None = None
    organization: str | None = None
    # The text that was taken from the end of the prompt as options.
    trailing_options: str = ""
    # The key of the note that holds the request, if the person pressed the button of a question about it.
    note_key: Readable = ""
    # Whether the person accepted an offer of the bot. Even then, the bot asks again if the request repeats an
    # earlier request.
    is_offered: bool = False
    # The thread in which the card is posted; None if the card begins its own thread.
    thread_ts: Ts | None = None
    # The messages that the agent gets as context.
    context: EarlierMessages | None = None


class ActRequested(Work):
    """Find the task that a command names, and pass the command on to the task's queue (queue `intake`)."""

    kind: Literal["act_requested"] = "act_requested"
    requester: Requester
    verb: ActVerb
    name: str
    text: AgentText = AgentText("")
    # The ids of the people and user groups that the verb names.
    who: tuple[Readable, ...] = ()
    # Whether another job of the same request answers the person.
    is_answered_elsewhere: bool = False


class PostCard(Work):
    """Post the card, which begins the thread (queue `to_coder`)."""

    kind: Literal["post_card"] = "post_card"
    requester: Requester


class CreateTask(Work):
    """Create the task in Coder and add it to the link (queue `to_coder`).

    If a person attached an existing task, only add that task to the link.
    """

    kind: Literal["create_task"] = "create_task"
    requester: Requester
    # Whether an earlier attempt had an unknown outcome. If so, a task of this name may be ours.
    was_tried: bool = False
    # The number of attempts that Coder answered with an error.
    error_count: int = 0


class Reply(Work):
    """Deliver a person's message in the thread to the agent (queue `to_coder`).

    `text` and `blocks` are the message as Slack sent it.
    """

    kind: Literal["reply"] = "reply"
    person: UserId
    ts: Ts
    text: str
    blocks: str = ""
    files: tuple[FileRef, ...] = ()
    # Whether backfill found the message after the bot had been away.
    was_away: bool = False
    # Whether the settings did not allow the bot in this channel when the message arrived.
    is_out_of_place: bool = False
    # Why the author might not use the bot when the message arrived, as far as this was known then.
    barred: Barred = ""
    # The author's name, if another person sends the message to the agent.
    author_name: str = ""
    # If another person sends the message, or has uploaded one of its files: the hashes of the files' contents
    # as the sender could read them. The hash of a file that is no text is empty.
    file_hashes: tuple[str, ...] = ()
    # The text with the names that mentioned people and channels had when the reply was admitted or shown.
    shown_text: AgentText = AgentText("")
    # Whether the author used `/task send` and did not write in the thread.
    is_from_command: bool = False
    # Where the author of the reply acted.
    surface: Surface = "reply"
    # Whether the author may steer. Until that is checked, the reply is among the jobs that need no agent.
    is_admitted: bool = False
    # Whether the bot asked about the reply, and a person answered that it is to be sent.
    is_confirmed: bool = False
    # Whether the bot asks only the author about the reply: it is a single word after `!` that is no verb.
    only_author_decides: bool = False
    # Whether a person agreed to send the reply without its files.
    is_without_files: bool = False
    # The names of the files that the agent cannot get, if the question was about them.
    unreadable_files: tuple[str, ...] = ()
    # The id of the question that the delivery settles, and the text that the question shows then.
    question_id: Readable = ""
    question_outcome: str = ""
    # The question about the reply that waits for a person's answer.
    question: Literal["", "files", "stale", "outcome_unknown"] = ""
    was_rejected: bool = False
    was_repeated: bool = False
    wait_count: int = 0
    # Since when Coder cannot reach the agent, in milliseconds of Redis's clock; 0 if Coder can reach it.
    unreachable_since_ms: int = 0


class SendToTask(Work):
    """Send the agent a message of the thread that was no input before (queue `to_coder`).

    Slack says who wrote the message and what is in it: a payload can be made up.
    """

    kind: Literal["send_to_task"] = "send_to_task"
    requester: Requester
    ts: Ts
    # What earlier versions wrote. It came from the payload, so it is not used.
    text: str = ""
    blocks: str = ""
    files: tuple[FileRef, ...] = ()
    file_hashes: tuple[str, ...] = ()
    author: UserId | None = None
    app_name: str = ""


class Act(Work):
    """Carry out a command or a button's action on the link's task (queue `to_coder`)."""

    kind: Literal["act"] = "act"
    requester: Requester
    verb: ActVerb
    text: AgentText = AgentText("")
    # The ids of people and user groups, as in `ActRequested`.
    who: tuple[Readable, ...] = ()
    # The key of the note that holds the text, if the person pressed a button.
    note_key: Readable = ""
    # Whether backfill found the message after the bot had been away.
    was_away: bool = False
    # Whether a workspace that runs but cannot be reached is stopped before it is started.
    is_retry: bool = False
    # Whether the pressed button is in a message that everybody sees, and whether it is in a card's menu.
    is_public_press: bool = False
    is_from_menu: bool = False
    # Whether the pressed button is in a private answer, which the new answer replaces.
    is_undo: bool = False
    # Whether the job waits until the workspace has stopped, because the person has just asked for a pause.
    waits_for_stop: bool = False
    # The job id of the reply that said nothing but `stop`, or nothing but `pause` if its author then pressed
    # *Stop the task*. The reply is kept, so that a person can send it as text.
    reply_id: Readable = ""
    # Whether the task moves: after it was detached, it gets a new thread in the channel of the request.
    is_move: bool = False
    # Whether another job of the same request answers the person.
    is_answered_elsewhere: bool = False
    wait_count: int = 0
    # The number of the build with which this action itself has stopped a broken workspace, to start it again.
    stop_build: int | None = None

    @property
    def is_offered_stop(self) -> bool:
        """Whether the person pressed a button that names a reply: *Stop the task*, after a mere `pause`."""
        return self.verb == "pause" and bool(self.reply_id) and self.requester.surface not in ("", "reply")


class ApplyEvent(Work):
    """Apply an event to the link's state, and write the jobs that follow from it (queue `to_thread`)."""

    kind: Literal["apply_event"] = "apply_event"
    event: Event

    @classmethod
    def find_place(cls, context: object, fields: dict[str, Any]) -> str:
        """Return the job's queue; empty for observations and timers, whose queue a Lua script chooses."""
        event = fields.get("event")
        is_for_any = isinstance(event, dict) and event.get("event") in ("observed", "timer_fired")
        return "" if is_for_any else super().find_place(context, fields)


class PostNotice(Work):
    """Post a notice (queue `to_thread`).

    `agent_output` is None until the agent's output was read. `calls` says how each person hears of the
    notice; None if nobody has chosen another way than a mention.
    """

    kind: Literal["post_notice"] = "post_notice"
    notice: Notice
    agent_output: AgentOutput | None = None
    calls: CallPlan | None = None


class PostText(Work):
    """Post a message in the thread (queue `to_thread`).

    `is_call` is true if a person has to answer or act. Then the message is posted before other messages.
    `question_id` is set if the message is a question with buttons. It is the id of a reply's job, or a word
    if the question is about the task. `message_kind` is the kind in the metadata: `output` if an agent wrote
    the text.
    """

    kind: Literal["post_text"] = "post_text"
    message: Message
    is_call: bool = False
    message_kind: Literal["answer", "output"] = "answer"
    question_id: Readable = ""


class SettleQuestion(Work):
    """Replace the buttons of a question by `words` (queue `to_thread`).

    `is_last` is true if these words are final. `place` says, as JSON, where the question was posted. If
    `place` is empty, the job edits the newest question with this `question_id`.
    """

    kind: Literal["settle_question"] = "settle_question"
    question_id: Readable
    words: str = ""
    is_last: bool = True
    place: str = ""


ThreadQuestion = Literal[
    "status", "logs", "full_logs", "help", "edit", "delete", "not_a_verb", "rejection", "too_fast"
]


class AnswerInThread(Work):
    """Answer in the thread what a person has asked there (queue `thread_answers`).

    The answer shows the state at the time when the job runs. If `question` is `rejection`, the job is in the
    queue `to_thread` instead. If `question` is `rejection` or `too_fast`, `text` says whether a reply, a
    verb or an edit was rejected. If `question` is `not_a_verb`, `text` is a message that begins with `!`.
    Then `words` are verbs that the message may mean, and `job` is the id of the reply's job.
    """

    kind: Literal["answer_in_thread"] = "answer_in_thread"
    requester: Requester
    question: ThreadQuestion
    text: str = ""
    words: tuple[str, ...] = ()
    job: Readable = ""


class ShowAnswer(Work):
    """Show one person's private answer to everybody in the thread (queue `thread_answers`).

    The answer is stored under `key`.
    """

    kind: Literal["show_answer"] = "show_answer"
    requester: Requester
    key: Readable


class ReplyChanged(Work):
    """Apply an edit or a deletion of a message to the reply that was made from it (queue `to_coder`).

    `new_input` is the edited message. It is None if the message was deleted or is no longer input for the
    agent.
    """

    kind: Literal["reply_changed"] = "reply_changed"
    ts: Ts
    change: Literal["edited", "deleted"]
    new_input: Reply | None = None
    # If a person has sent the reply unchanged: the whole message as input, although it begins with `!`.
    verbatim_input: Reply | None = None
    # The author of a deleted message, if Slack says so.
    person: UserId | None = None
    # Whether backfill found the change.
    was_away: bool = False
    # If backfill found the change: the text that the change replaces. If the reply has another text by now,
    # the reply stays as it is.
    previous_text: str = ""


class ShareFile(Work):
    """Upload a text as a file to a thread or to direct messages (queue `to_thread`)."""

    kind: Literal["share_file"] = "share_file"
    channel: ChannelId
    thread_ts: Ts | None
    name: str
    title: str
    text: str
    file_id: Readable = ""
    look_count: int = 0
    # The person who asked for the file, and what the bot tells them when the file is uploaded.
    requester: Requester | None = None
    answer: Message | None = None


AnyWork = Annotated[
    CreateRequested
    | MessageToBot
    | ActRequested
    | PostCard
    | CreateTask
    | ReadThread
    | ScanChannel
    | FindThread
    | Reply
    | SendToTask
    | ParkedBatch
    | Act
    | DecideHeld
    | DecideReply
    | Choose
    | SnoozeReminder
    | PassOn
    | ApplyEvent
    | PostNotice
    | PostText
    | SettleQuestion
    | AnswerInThread
    | ShowAnswer
    | ReplyChanged
    | ShareFile
    | StartFollowing
    | ShowLive
    | ShowSession
    | DrawCard
    | RecordOpened
    | Receipt
    | PersonWork
    | ChannelOpened
    | ThreadReopened
    | RemoveDuplicateMessage
    | ReportDuplicateInput,
    Field(discriminator="kind"),
]
JOB_KINDS = frozenset(str(work.model_fields["kind"].default) for work in get_args(get_args(AnyWork)[0]))


class Job(BaseModel):
    """One intended effect. Times are in milliseconds of Redis's clock; 0 means never.

    `tries` counts the failed tries in a row. `failing_since_ms` is when the first of them began.
    `unexpected_errors` counts the tries with an unexpected exception. `first_written_ms` is set if the job
    was given up and sent again. `last_look` names an attempt and says how many searches have not found its
    effect. The two are separated by a blank.
    """

    model_config = ConfigDict(frozen=True)

    id: Readable
    work: AnyWork
    tries: int = 0
    failing_since_ms: int = 0
    unexpected_errors: int = 0
    first_written_ms: int = 0
    last_look: Readable = ""

    @property
    def was_resent(self) -> bool:
        """Whether the job was given up and sent again. Its effect may already have happened."""
        return self.first_written_ms > 0

    def without_tries(self, written_ms: int) -> "Job":
        """Return the job as it is sent again after it was given up. It counts its tries from zero.

        `written_ms` is when the job was first written.
        """
        return Job(
            id=self.id,
            work=self.work.without_progress(),
            first_written_ms=self.first_written_ms or written_ms,
        )

    def with_work(self, **changes: object) -> "Job":
        """Return the job with these fields of its `work` replaced."""
        return self.model_copy(update={"work": self.work.model_copy(update=changes)})

    def count_looks(self, attempt: str) -> int:
        """Return how many searches have not found the effect of this attempt."""
        which, _, count = self.last_look.rpartition(" ")
        return int(count) if which == attempt and count else 0

    def with_look(self, attempt: str) -> "Job":
        """Return the job after one more search that has not found the effect of this attempt."""
        return self.model_copy(update={"last_look": f"{attempt} {self.count_looks(attempt) + 1}"})

    def with_failure(self, since_ms: int) -> "Job":
        """Return the job after one more failed try.

        If the job was not failing before, it counts as failing since `since_ms`.
        """
        since_ms = self.failing_since_ms or since_ms
        return self.model_copy(update={"tries": self.tries + 1, "failing_since_ms": since_ms})
