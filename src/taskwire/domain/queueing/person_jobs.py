"""Work for one person or one channel, in their own queues: direct messages, Home, settings, and reactions.

`jobs.py` has the work that belongs to tasks.
"""

from typing import Literal

from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.domain.sealed_model import Readable
from taskwire.domain.text.message import Message


class MessagePerson(Work):
    """Send one person a direct message (queue `direct_messages`).

    With `about`, the message is sent only if the person may then read the task of this link.
    """

    kind: Literal["message_person"] = "message_person"
    person: UserId
    message: Message
    about: LinkId | None = None
    # The kind that the message's metadata contain. Formats before 5 also queued summaries.
    message_kind: Literal["answer", "summary"] = "answer"


class AnswerPrivately(Work):
    """Show a private answer that a stopping process could not show (queue `handed_over_answers`)."""

    kind: Literal["answer_privately"] = "answer_privately"
    requester: Requester
    message: Message
    # Whether the answer replaces the message with the button that the person pressed.
    is_replacement: bool = False


class CallPerson(Work):
    """Send a person a direct message about a notice or a card (queue `direct_messages`).

    `channel` and `ts` say where the notice or the card is. With `about`, the message is sent only if the
    person may then read the task of this link.
    """

    kind: Literal["call_person"] = "call_person"
    person: UserId
    channel: ChannelId
    ts: Ts
    task_id: TaskId | None
    message: Message
    about: LinkId | None = None
    # The kind that the message's metadata contain.
    message_kind: Literal["answer", "call"] = "call"


class TellOfShare(Work):
    """Send one person a direct message that their share of a task begins or ends (queue `direct_messages`).

    `link` is the task's link. `sharer` asked for this at the time `at`. If `is_readable`, the person can read
    the task's thread, and the message gets a button that opens it.
    """

    kind: Literal["tell_of_share"] = "tell_of_share"
    person: UserId
    link: LinkId
    sharer: UserId
    at: Ts
    is_begin: bool
    is_readable: bool
    message: Message


class SummarizeQuietHours(Work):
    """Send a person the summary of the notices that their quiet hours have delayed (queue `quiet_hours`).

    `since_ms` is when the quiet hours began, in Unix milliseconds.
    """

    kind: Literal["summarize_quiet_hours"] = "summarize_quiet_hours"
    person: UserId
    since_ms: int


class SavePersonSettings(Work):
    """Store the settings that a person has entered (queue `intake`)."""

    kind: Literal["save_person_settings"] = "save_person_settings"
    person: UserId
    settings: PersonSettings
    # The person who gets a message that the settings were saved. None if they were saved in the Home tab,
    # which shows them, or together with a channel's settings.
    requester: Requester | None = None


class SaveChannelSettings(Work):
    """Check that a person may change the settings of a channel, and store the settings (queue `intake`).

    `own` are the person's own settings, if the person changed them in the same dialog. Another job stores
    them, and the answer of this job names them too.
    """

    kind: Literal["save_channel_settings"] = "save_channel_settings"
    requester: Requester
    settings: ChannelSettings
    own: PersonSettings | None = None


class TellChannel(Work):
    """Post in a channel a message that concerns no task (queue `channel_messages`)."""

    kind: Literal["tell_channel"] = "tell_channel"
    channel: ChannelId
    message: Message


class PublishHome(Work):
    """Show a person's tasks, as they are when the job runs, in the person's Home tab (queue `home`).

    `is_opened` is true if the person has just opened the tab. `answer` is the answer to a press of a button
    in the tab.
    """

    kind: Literal["publish_home"] = "publish_home"
    person: UserId
    is_opened: bool = False
    answer: Message | None = None


class ConnectAccount(Work):
    """Connect the Coder account whose token a person has entered (queue `account`).

    `sealed_token` is the token, encrypted for this person before the job is written.
    """

    kind: Literal["connect_account"] = "connect_account"
    requester: Requester
    sealed_token: str


class AuthorizeAccount(Work):
    """Connect the account of a person who has allowed Taskwire on Coder's page (queue `account`).

    `sealed_grant` is Coder's answer to the sign-in, encrypted for this person.
    """

    kind: Literal["authorize_account"] = "authorize_account"
    requester: Requester
    sealed_grant: str


class ConfirmAccount(Work):
    """Connect the account if the person has entered the number that their browser shows (queue `account`)."""

    kind: Literal["confirm_account"] = "confirm_account"
    requester: Requester
    number: str


class DisconnectAccount(Work):
    """Delete the token of the person's connected account from Redis and from Coder (queue `account`)."""

    kind: Literal["disconnect_account"] = "disconnect_account"
    requester: Requester


class DeleteToken(Work):
    """Delete in Coder a token of a person's account that was replaced by a new token (queue `account`).

    `sealed_token` is the replaced token, encrypted for the person. Jobs of older versions do not have it.
    `sealed_refresh_token` is the refresh token that belongs to the replaced token; empty if there was none.
    """

    kind: Literal["delete_token"] = "delete_token"
    person: UserId
    key_id: Readable
    sealed_token: str = ""
    sealed_refresh_token: str = ""


class WaitForAccount(Work):
    """Put a request back into its queue when a person has connected their account.

    This job waits in the queue `waiting_requests` of `person`, whose account is missing. `requester` made the
    request, and may be another person than `person`. `wish` is the request as mrkdwn. `waiting_job` is the
    job of the request as JSON. `queue` is the queue to which that job returns.
    """

    kind: Literal["wait_for_account"] = "wait_for_account"
    person: UserId
    requester: Requester
    wish: str
    queue: str
    waiting_job: str


class AnswerQuestion(Work):
    """Answer a question that a person has asked by a command (queue `intake`).

    `line` is the command after `/task`.
    """

    kind: Literal["answer_question"] = "answer_question"
    requester: Requester
    line: str


class RenewToken(Work):
    """Replace the token of a connected account before the token expires (queue `account`).

    `key_id` is the id of the token. If the account has another token by now, the job does nothing.
    """

    kind: Literal["renew_token"] = "renew_token"
    person: UserId
    key_id: Readable


class StopByReaction(Work):
    """Pause the task whose message got a stop sign, or whose thread got Slack's *Stop* (queue `intake`)."""

    kind: Literal["stop_by_reaction"] = "stop_by_reaction"
    requester: Requester
    message_ts: Ts


class MakeTaskOfMessage(Work):
    """Start a task from a message because a person put the configured reaction on it (queue `intake`)."""

    kind: Literal["make_task_of_message"] = "make_task_of_message"
    requester: Requester
    message_ts: Ts
    # The hashes of the contents of the message's files, as in `Reply`; None until the job knows them.
    file_hashes: tuple[str, ...] | None = None


class ReadPickedFiles(Work):
    """Store the hashes of the files of a message that a person has picked (queue `picked_files`).

    The request itself may wait for long, and the message's author can change the files meanwhile.
    """

    kind: Literal["read_picked_files"] = "read_picked_files"
    person: UserId
    at: Ts
    channel: ChannelId
    message_ts: Ts


class ForgetInLink(Work):
    """Remove a person's data from a link, because the person is to be forgotten (queue `to_coder`).

    `request_id` is the id of the operator's request. If the task is the person's own, its link ends.
    """

    kind: Literal["forget_in_link"] = "forget_in_link"
    person: UserId
    request_id: Readable


class CheckOwner(Work):
    """Find out who owns the task of a link, because a person has connected or disconnected its Coder user, or
    because that may have happened while the task had no open link (queue `to_coder`)."""

    kind: Literal["check_owner"] = "check_owner"


PersonWork = (
    MessagePerson
    | AnswerPrivately
    | StopByReaction
    | MakeTaskOfMessage
    | ReadPickedFiles
    | CallPerson
    | TellOfShare
    | SummarizeQuietHours
    | SavePersonSettings
    | SaveChannelSettings
    | TellChannel
    | PublishHome
    | ConnectAccount
    | AuthorizeAccount
    | ConfirmAccount
    | DisconnectAccount
    | RenewToken
    | DeleteToken
    | ForgetInLink
    | CheckOwner
    | WaitForAccount
    | AnswerQuestion
)
