"""What is said while somebody does not answer: which of a person's wishes waits, and for how long."""

from datetime import datetime
from typing import Literal

from taskwire.domain.jobs import (
    Act,
    ActRequested,
    ActVerb,
    AnswerInThread,
    CreateRequested,
    CreateTask,
    DecideHeld,
    DecideReply,
    PostCard,
    Work,
)
from taskwire.domain.links import Link
from taskwire.domain.message import Message
from taskwire.domain.naming import title_for
from taskwire.messages.blocks import escaped, named
from taskwire.messages.shapes import statement, title

_DOING: dict[ActVerb, str] = {
    "send": "sending your words to",
    "pause": "pausing",
    "resume": "resuming",
    "delete": "deleting",
    "edit": "changing the prompt of",
    "attach": "giving a thread to",
    "detach": "detaching",
    "mute": "muting",
    "unmute": "unmuting",
}
SilentSide = Literal["Coder", "Slack"]


def wish(work: Work, link: Link | None) -> str:
    """Name what somebody asked for, as what is being done: `pausing *Fix the login*`."""
    match work:
        case CreateRequested(prompt=prompt) if prompt:
            return f"creating {named(title_for(prompt))}"
        case PostCard() | CreateTask() if link is not None:
            verb = "giving a thread to" if link.record.task_id is not None else "creating"
            return f"{verb} {title(link)}"
        case ActRequested(verb=verb, name=name):
            return f"{_DOING[verb]} `{escaped(name, 60)}`"
        case Act(verb=verb) if link is not None:
            return f"{_DOING[verb]} {title(link)}"
        case DecideHeld(is_dropped=is_dropped) if link is not None:
            return f"{'dropping' if is_dropped else 'sending'} what waits in {title(link)}"
        case DecideReply() if link is not None:
            return f"carrying out what you decided on a reply in {title(link)}"
        case AnswerInThread() if link is not None:
            return f"answering you in the thread of {title(link)}"
        case _:
            return "what you asked for"


def for_newer(until: datetime) -> Message:
    """An older version runs again, say, and cannot read what a newer one took."""
    return statement(
        "Another version of me took what was asked here, and the one that runs now cannot read it. It waits "
        f"for a version that can, until {until:%Y-%m-%d} at most. What is asked after it waits too, except a "
        "pause. Administrators, where any are named, are told."
    )


def newer_never_came() -> Message:
    """It was given up."""
    return statement(
        "Another version of me took something here, and the one that runs now cannot read it. No version "
        "that can has come for a week, so I gave it up. Please ask again. Whoever runs Taskwire can see it "
        "with `taskwire doctor`."
    )


def waits(side: SilentSide, wished: str) -> Message:
    """Somebody does not answer, and what was asked for waits."""
    return statement(
        f"{side} does not answer me right now, so {wished} has to wait. I try again for up to an hour; "
        "there is no need to repeat it."
    )


def waits_for_token(wished: str) -> Message:
    """Coder refuses the bot's own token, and what was asked for waits."""
    return statement(
        f"Coder refuses my token, so {wished} has to wait. I try again for up to an hour. "
        "Please tell whoever runs Taskwire: `taskwire doctor` says what to do."
    )


def refused_for_an_hour(wished: str) -> Message:
    """Coder answered, and refused the bot's own token all the while."""
    return statement(
        f"Coder refused my token for an hour, so I gave up {wished}. Please ask again when whoever runs "
        "Taskwire has mended that."
    )


def never_had_tasks(wished: str) -> Message:
    """Coder answered, and had no Tasks all the while."""
    return statement(f"This Coder had no Tasks for an hour, so I gave up {wished}.")


def never_answered(side: SilentSide, wished: str) -> Message:
    """Somebody stayed away."""
    return statement(
        f"{side} did not answer me for an hour, so I gave up {wished}. Please ask again when it is back."
    )
