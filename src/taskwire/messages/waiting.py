"""Messages to a person whose request waits or was given up: which request, why, and for how long."""

from datetime import datetime
from typing import Literal

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.naming import make_title
from taskwire.domain.queueing.decisions import DecideHeld, DecideReply, PassOn, SnoozeReminder
from taskwire.domain.queueing.jobs import (
    Act,
    ActRequested,
    ActVerb,
    AnswerInThread,
    CreateRequested,
    CreateTask,
    PostCard,
)
from taskwire.domain.queueing.person_jobs import (
    AnswerQuestion,
    AuthorizeAccount,
    ConfirmAccount,
    ConnectAccount,
    DisconnectAccount,
    SaveChannelSettings,
    WaitForAccount,
)
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.messages.blocks import bold_name, escape_line, format_moment
from taskwire.messages.settings_form import name_place
from taskwire.messages.shapes import bold_title, statement

_VERB_ACTIVITIES: dict[ActVerb, str] = {
    "send": "sending your reply to",
    "pause": "stopping",
    "resume": "resuming",
    "delete": "deleting",
    "edit": "editing the prompt of",
    "attach": "giving a thread to",
    "detach": "detaching",
    "mute": "muting",
    "unmute": "unmuting",
    "follow": "following",
    "unfollow": "unfollowing",
    "watch": "watching",
    "unwatch": "unwatching",
    "share": "sharing",
    "unshare": "unsharing",
    "give_thread": "showing the thread to",
    "read_replies": "changing which replies go to",
    "read_mentions": "changing which replies go to",
}
SilentSystem = Literal["Coder", "Slack"]


# The person's request in words, for work that names no task.
_WISHES: dict[type[Work], str] = {
    ConnectAccount: "connecting your Coder account",
    AuthorizeAccount: "connecting your Coder account",
    ConfirmAccount: "connecting your Coder account",
    DisconnectAccount: "disconnecting your Coder account",
}


def describe_request(work: Work, link: Link | None) -> str:
    """Describe the request that a job carries out, for example `stopping *Fix the login*`, as mrkdwn."""
    match work:
        case CreateRequested(prompt=prompt) if prompt:
            return f"creating {bold_name(make_title(prompt))}"
        case PostCard() | CreateTask() if link is not None:
            verb = "giving a thread to" if link.record.task_id is not None else "creating"
            return f"{verb} {bold_title(link)}"
        case SaveChannelSettings(requester=requester):
            return f"saving the settings of {name_place(requester.channel)}"
        case ActRequested(verb=verb, name=name):
            return f"{_VERB_ACTIVITIES[verb]} `{escape_line(name, 60)}`"
        case Act(verb=verb) if link is not None:
            return f"{_VERB_ACTIVITIES[verb]} {_name_task(work, link)}"
        case DecideHeld(is_dropped=is_dropped) if link is not None:
            return f"{'dropping' if is_dropped else 'sending'} what waits in {_name_task(work, link)}"
        case SnoozeReminder() if link is not None:
            return f"delaying the reminder of {_name_task(work, link)}"
        case DecideReply() | PassOn() if link is not None:
            return f"carrying out what you decided about a reply in {_name_task(work, link)}"
        case AnswerInThread() if link is not None:
            return f"answering you in the thread of {_name_task(work, link)}"
        case _:
            return _describe_other(work)


def _name_task(work: Work, link: Link) -> str:
    """Return the task's title, unless the request came from outside of the task's channel.

    It is not known yet whether the person may see the task. The owner always may.
    """
    requester = getattr(work, "requester", None)
    if not isinstance(requester, Requester):
        return bold_title(link)
    is_known = requester.channel == link.record.channel or link.record.is_owned_by(requester.person)
    return bold_title(link) if is_known else "that task"


def create_waits_for_account(prompt: str) -> str:
    """Say in a list that a task waits until its person has connected their account, as mrkdwn.

    `prompt` is empty if it is not known yet.
    """
    return f"{_name_create(prompt)} waits for your Coder account."


def create_waits(prompt: str, *, is_coder_away: bool) -> str:
    """Say in a list that a task waits because Coder does not answer, or for another try, as mrkdwn.

    `prompt` is empty if it is not known yet.
    """
    return f"{_name_create(prompt)} waits{' for Coder' if is_coder_away else ''}. I'll try again."


def _name_create(prompt: str) -> str:
    return bold_name(make_title(prompt)) if prompt else "A new task"


def _describe_other(work: Work) -> str:
    """Describe the request that a job carries out, if the job belongs to no task."""
    match work:
        case WaitForAccount(wish=wish):
            return wish
        case AnswerQuestion(line=line):
            return f"`/task {escape_line(line, 60)}`" if line else "`/task`"
        case _:
            return _WISHES.get(type(work), "what you asked for")


def request_waits_for_version(until: datetime) -> Message:
    """Say that the request waits, because this version of Taskwire cannot read it.

    Another version has stored the request. At `until` the request is given up.
    """
    return statement(
        f"I can't read your request yet: another version of Taskwire stored it. {_waits_until(until)}"
    )


def request_waits_for_key(until: datetime) -> Message:
    """Say that the request waits, because the key with which it was encrypted is missing."""
    return statement(f"I can't read your request yet: a key of mine is missing. {_waits_until(until)}")


def _waits_until(until: datetime) -> str:
    return (
        f"I'll give it up if I still can't read it by {format_moment(until)}; later requests wait too, "
        "except "
        "a stop. I told the Taskwire administrators."
    )


def request_never_readable() -> Message:
    """Say that the request was given up, because no running version of Taskwire could read it for a week."""
    return statement(
        "I could not read a request here for a week: another version of Taskwire stored it. Ask again. "
        "`taskwire doctor` tells Taskwire administrators more."
    )


def request_waits_for_system(side: SilentSystem, request: str) -> Message:
    """Say that the request waits, because Coder or Slack (`side`) does not answer."""
    return statement(
        f"{side} is not answering, so {request} has to wait. I'll try for an hour; no need to repeat it."
    )


def request_waits_for_token(request: str) -> Message:
    """Say that the request waits, because Coder refuses the bot's own token."""
    return statement(
        f"Coder refuses my token, so {request} has to wait. I'll try for an hour. Tell a Taskwire "
        "administrator: `taskwire doctor` says what to do."
    )


def token_refused_too_long(request: str) -> Message:
    """Say that the request was given up, because Coder refused the bot's own token for an hour."""
    return statement(
        f"Coder refused my token for an hour, so {request} failed. Ask again when a Taskwire "
        "administrator has fixed that."
    )


def coder_never_had_tasks(request: str) -> Message:
    """Say that the request was given up, because Coder did not have the feature Tasks for an hour."""
    return statement(
        f"Coder had no Tasks feature for an hour, so {request} failed. Tell a Taskwire administrator: "
        "`taskwire doctor` says more."
    )


def never_answered_in_time(side: SilentSystem, request: str) -> Message:
    """Say that the request was given up, because Coder or Slack did not answer for an hour."""
    return statement(
        f"{side} did not answer for an hour, so {request} failed. Ask again when {side} is back."
    )
