"""What can happen to a link, and the notices that may follow. `transitions` decides which notices."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.ids import UserId
from taskwire.domain.phases import Observation, Report

NoticeKind = Literal["needs_input", "completed", "failed", "error", "paused", "resumed", "gone"]


class FrozenModel(BaseModel):
    """A frozen value that can be stored in Redis."""

    model_config = ConfigDict(frozen=True)


class Notice(FrozenModel):
    """A change that the thread is told of.

    `id` is the same at every try. `is_call`: the notice mentions the people who have to act. `person` caused
    the change in Slack.
    """

    kind: NoticeKind
    id: str
    is_call: bool = False
    report: Report | None = None
    build: int = 0
    person: UserId | None = None


class Observed(FrozenModel):
    """Coder's list showed the task. `reports` is the agent's history, the oldest first, if it was read.

    `is_baseline`: this is the first observation, so nothing in it is announced.
    """

    event: Literal["observed"] = "observed"
    observation: Observation
    reports: tuple[Report, ...] = ()
    # When the stop of a paused task was asked for, if that is known.
    stopped_at: datetime | None = None
    is_baseline: bool = False


class Delivered(FrozenModel):
    """The agent got an input, which begins a turn. Reports after `last_report_at` belong to this turn."""

    event: Literal["delivered"] = "delivered"
    last_report_at: datetime | None = None


class Acted(FrozenModel):
    """A person paused, resumed or retried the task in Slack. `build` is the build that followed.

    The build of a `retry` is a stop before a new start. It does not count as a pause.
    """

    event: Literal["acted"] = "acted"
    verb: Literal["pause", "resume", "retry"]
    person: UserId
    build: int


class TimerFired(FrozenModel):
    """The time in `Transition.look_at_ms` has come."""

    event: Literal["timer_fired"] = "timer_fired"


class Vanished(FrozenModel):
    """The task is no longer in Coder. `person` deleted it in Slack; None if nobody did."""

    event: Literal["vanished"] = "vanished"
    person: UserId | None = None


Event = Annotated[Observed | Delivered | Acted | TimerFired | Vanished, Field(discriminator="event")]


def may_mention(event: Event) -> bool:
    """Whether a notice about this event may mention somebody. The link's state decides in the end."""
    match event:
        case TimerFired():
            return True
        case Observed(observation=seen):
            return seen.status == "error" or (seen.report is not None and seen.report.is_final)
        case _:
            return False
