"""What can happen to a link, and the notices that the bot may then post.

`transitions` decides which notices follow from an event.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.phases import Observation, Report
from taskwire.domain.sealed_model import Readable, SealedModel

NoticeKind = Literal[
    "needs_input", "completed", "failed", "error", "paused", "resumed", "stuck", "gone", "reminder"
]


class FrozenModel(SealedModel):
    """A frozen value that can be stored in Redis."""

    model_config = ConfigDict(frozen=True)


class Notice(FrozenModel):
    """A change to announce in the thread.

    `id` stays the same when the notice is tried again. If `is_call` is true, the notice mentions the people
    who have to act. `person` caused the change in Slack; None if the change was caused elsewhere.
    """

    kind: NoticeKind
    id: Readable
    is_call: bool = False
    report: Report | None = None
    build: int = 0
    person: UserId | None = None
    # For the kinds `stuck` and `reminder`, in milliseconds: when the state began, and how long it had lasted
    # when the notice was made.
    since_ms: int = 0
    lasted_ms: int = 0
    # For `reminder`: the person or user group that is called instead of the owner; empty for the owner.
    fallback: Readable = ""
    # For the kind `error`: the id of the job of the first reply that waits, if a reply waits.
    waiting_reply_job: Readable = ""


class Observed(FrozenModel):
    """Coder's list showed the task.

    `reports` are the agent's reports so far, the oldest first; empty if they were not read. If `is_baseline`
    is true, this is the first observation of the task, so nothing in it is announced.
    """

    event: Literal["observed"] = "observed"
    observation: Observation
    reports: tuple[Report, ...] = ()
    # When the workspace of a paused task was told to stop, if that is known.
    stopped_at: datetime | None = None
    is_baseline: bool = False


class Delivered(FrozenModel):
    """The agent got an input, which begins a turn.

    `last_report_at` is when the agent had last reported before this input; None if never. Later reports
    belong to the new turn. `person` sent the input. If that person sent another person's words,
    `author_name` is the name of the other person.
    """

    event: Literal["delivered"] = "delivered"
    last_report_at: datetime | None = None
    person: UserId | None = None
    author_name: str = ""


class Acted(FrozenModel):
    """A person paused, resumed or retried the task in Slack. `build` is the number of the resulting build.

    A `retry` makes two builds: the first stops the workspace, the second starts it. Then `build` is the
    number of the first. This stop does not count as a pause.
    """

    event: Literal["acted"] = "acted"
    verb: Literal["pause", "resume", "retry"]
    person: UserId
    build: int


class Snoozed(FrozenModel):
    """A person wants to be reminded again at `until_ms`, in milliseconds of Redis's clock."""

    event: Literal["snoozed"] = "snoozed"
    until_ms: int


class TimerFired(FrozenModel):
    """The time at which the reducer wanted to look again (`Transition.look_at_ms`) has come."""

    event: Literal["timer_fired"] = "timer_fired"


class Vanished(FrozenModel):
    """The task is no longer in Coder. `person` deleted it from Slack; None if it was deleted elsewhere."""

    event: Literal["vanished"] = "vanished"
    person: UserId | None = None


Event = Annotated[
    Observed | Delivered | Acted | Snoozed | TimerFired | Vanished, Field(discriminator="event")
]


def may_mention(event: Event) -> bool:
    """Return whether this event may lead to a notice that mentions somebody.

    The answer may be wrong, because only the reducer knows which notices follow from the event.
    """
    match event:
        case TimerFired():
            return True
        case Observed(observation=seen):
            return seen.status == "error" or (seen.report is not None and seen.report.is_final)
        case _:
            return False
