"""The work of the jobs that run when a person presses a button of a message about a task."""

from typing import Literal

from taskwire.domain.ids import Ts, UserId
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.domain.sealed_model import Readable

ReplyDecision = Literal["arrived", "send", "drop", "verb"]
PassOnStep = Literal["ask", "pass_on", "always", "not_now"]


class DecideHeld(Work):
    """Resume a paused task and send its waiting replies, or drop these replies (queue `to_coder`).

    `is_dropped` says whether the person chose to drop the replies.
    """

    kind: Literal["decide_held"] = "decide_held"
    requester: Requester
    is_dropped: bool


class DecideReply(Work):
    """Carry out a person's decision about a reply that may not have arrived (queue `to_coder`).

    `job` is the id of the reply's job. If the decision is `verb`, the reply was meant as a command, and
    `verb` is the verb of that command.
    """

    kind: Literal["decide_reply"] = "decide_reply"
    requester: Requester
    job: Readable
    decision: ReplyDecision
    verb: str = ""


class PassOn(Work):
    """Ask a task's owner whether to send a teammate's reply to the agent, or carry out the owner's decision.

    The job is in the queue `to_coder`. `job` is the id of the reply's job. `step` says what to do: `ask` the
    owner, or the decision of the owner. If it is `always`, the task is also shared with the reply's author.
    `shown_hash` is the hash of the reply as the owner's question showed it. If the reply has changed since,
    the owner is asked again.
    """

    kind: Literal["pass_on"] = "pass_on"
    requester: Requester
    job: Readable
    step: PassOnStep
    shown_hash: str = ""


class Choose(Work):
    """Send the choice that a person made to the agent, as that person's reply (queue `to_coder`).

    `key` is the key of the notice with the choices, `message_ts` is the notice's ts, and `number` is the
    number of the choice. `remark` is what the person wrote beside the choice, in the dialog of *Answer*.
    `text` is the text of the reply; it is empty until the buttons of the notice have been removed. `author`
    is set if the owner passes on the choice of another person: it is that person. `author_name` is the name
    that the owner has read. `is_menu` is true if the agent's program accepts only the number of the choice.
    """

    kind: Literal["choose"] = "choose"
    requester: Requester
    key: Readable
    number: int
    message_ts: Ts | None = None
    remark: str = ""
    text: str = ""
    author: UserId | None = None
    author_name: str = ""
    is_menu: bool = False


class SnoozeReminder(Work):
    """Repeat a reminder of a question later, in an hour or tomorrow (queue `to_coder`).

    `message_ts` is the ts of the reminder.
    """

    kind: Literal["snooze_reminder"] = "snooze_reminder"
    requester: Requester
    message_ts: Ts | None = None
    until: Literal["hour", "tomorrow"]


class RecordOpened(Work):
    """Record that the task's owner has seen what the agent reported (queue `card`).

    The owner has opened the address that the agent reported, or has pressed *Seen*. `person` is the person
    who has pressed the button. A press by another person changes nothing. `requester` is set if the person
    is told of the change, because the button was in a message.
    """

    kind: Literal["record_opened"] = "record_opened"
    person: UserId
    at: Ts
    requester: Requester | None = None
