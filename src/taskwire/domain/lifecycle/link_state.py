"""The state of a link's task: what is known about the task, and what was announced in the thread.

`transitions.py` decides how an event changes the state.
"""

from datetime import datetime
from typing import NamedTuple

from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.events import Acted, FrozenModel, Notice
from taskwire.domain.lifecycle.phases import Phase, Report
from taskwire.domain.sealed_model import Readable

# In milliseconds. After a start, Coder shows an error until the agent's app runs. So an error within this
# time may end by itself.
START_GRACE_MS = 300_000
# The phases in which a task waits for a person.
NEEDS_PERSON_PHASES = (Phase.NEEDS_YOU, Phase.FAILED, Phase.BROKEN)


class ReducerSettings(NamedTuple):
    """The settings that the reducer needs. Times are in milliseconds; 0 means never.

    An idle agent or an error is announced after it has lasted for `settle_ms`. A task that works, or whose
    state is unknown, is announced as stuck if nothing has changed for `stuck_ms`. People are reminded of a
    question that is open for `reminder_ms`. `fallback` is the id of the person or the user group that is
    reminded after the owner; empty if there is none.
    """

    settle_ms: int
    stuck_ms: int = 0
    reminder_ms: int = 0
    fallback: Readable = ""


class LinkState(FrozenModel):
    """What is known about a link's task, and what was announced about the task in the thread.

    Fields that end in `_ms` are times of Redis's clock in milliseconds. A field that ends in `_since_ms` says
    since when a condition holds; None if it does not hold. Fields that begin with `announced_` record what
    was announced, so that nothing is announced twice.
    """

    phase: Phase = Phase.STARTING
    unknown_status: Readable = ""
    since_ms: int = 0
    status: Readable = ""
    build: int = 0
    started_ms: int = 0
    active_since_ms: int | None = None
    last_report: Report | None = None
    report_build: int = 0
    final_report: Report | None = None
    # The last report before this turn. Coder repeats the text of this report while the agent works.
    previous_report: Report | None = None
    # The time of the agent's latest report before it got its latest input.
    input_after: datetime | None = None
    # When the agent got its latest input; 0 if it got none, or if an older version recorded that.
    delivered_ms: int = 0
    # For each input after which no report was seen yet: the time of the agent's latest report before it, in
    # order. These inputs separate the turns in the next reports.
    inputs_after: tuple[datetime, ...] = ()
    # How many inputs that are not in this state yet the agent may have got. `notices/coming_turns.py` counts
    # them just before an observation is applied.
    unseen_inputs: int = 0
    # When results (reports that the agent has finished or failed) called people since the latest input.
    result_calls_ms: tuple[int, ...] = ()
    # When a result was announced last, and the results that wait until they may be announced.
    result_ms: int = 0
    waiting_results: tuple[Notice, ...] = ()
    idle_since_ms: int | None = None
    error_since_ms: int | None = None
    unreachable_since_ms: int | None = None
    is_build_failed: bool = False
    is_script_failed: bool = False
    is_need_announced: bool = False
    announced_need_id: Readable = ""
    announced_error_build: int = 0
    # Whether an error came back after the agent was healthy for a while. Then the error's notice gets another
    # id.
    is_error_repeated: bool = False
    announced_pause_build: int = 0
    # The phase before the workspace was stopped. A question or a failure stays open during a pause.
    paused_from: Phase | None = None
    last_action: Acted | None = None
    # The time of the latest change that the list of tasks, an input or an act showed; 0 if it is not known.
    changed_ms: int = 0
    # Whether the task counts as stuck now, and whether it was announced as stuck in this turn.
    is_stuck: bool = False
    is_stuck_announced: bool = False
    # When the question of this turn was announced; 0 if it is answered, or was never announced.
    asked_ms: int = 0
    # How many reminders of the question have been sent, and when the latest reminder was sent.
    reminder_count: int = 0
    reminded_ms: int = 0
    # When the latest reminder is repeated, because a person has asked for that; 0 if nobody has.
    snoozed_until_ms: int = 0
    # The ids by which the agent's history can be read, even after the workspace has stopped.
    agent_id: Readable | None = None
    app_id: Readable | None = None

    @property
    def has_reported(self) -> bool:
        """Whether the agent has reported since the latest build of the workspace."""
        return self.last_report is not None and self.report_build == self.build

    @property
    def current_report(self) -> Report | None:
        """The agent's latest report; None if there is none, or if it is out of date.

        It is out of date if the agent works again and the text is the same as in a report of an earlier turn.
        """
        last, old = self.last_report, self.previous_report
        is_old = last is not None and old is not None and last.has_same_text(old)
        return None if is_old and self.phase is Phase.WORKING else last

    @property
    def open_phase(self) -> Phase:
        """The task's phase.

        If the task was paused while it waited for a person, this is the phase before the pause.
        """
        before = self.paused_from
        is_paused = self.phase in (Phase.PAUSING, Phase.PAUSED)
        return before if is_paused and before is not None and before in NEEDS_PERSON_PHASES else self.phase

    @property
    def grace_ends_ms(self) -> int:
        """The time until which the present error is not announced: it may be a normal part of the start.

        0 if the error began later than START_GRACE_MS after the start. It can then be announced.
        """
        is_early = self.error_since_ms is not None and self.error_since_ms - self.started_ms < START_GRACE_MS
        return self.started_ms + START_GRACE_MS if is_early else 0

    def find_actor(self, verb: str) -> UserId | None:
        """Return the person who made the task's latest build by the action `verb`: pause, resume or retry.

        Return None if the latest build was made in another way.
        """
        acted = self.last_action
        is_theirs = acted is not None and (acted.verb, acted.build) == (verb, self.build)
        return acted.person if acted is not None and is_theirs else None

    def begin_turn(self) -> "LinkState":
        """Return the state at the beginning of a turn: no question is open, and nothing is announced."""
        return self.model_copy(
            update={
                "is_need_announced": False,
                "is_stuck_announced": False,
                "result_calls_ms": (),
                "asked_ms": 0,
                "reminder_count": 0,
                "reminded_ms": 0,
                "snoozed_until_ms": 0,
            }
        )
