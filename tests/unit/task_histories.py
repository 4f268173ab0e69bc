"""The history of a task for tests of the reducer: observations, reports, and the notices that follow."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from taskwire.domain.ids import TaskId, UserId
from taskwire.domain.lifecycle.events import Event, Notice, Observed, TimerFired
from taskwire.domain.lifecycle.link_state import LinkState, ReducerSettings
from taskwire.domain.lifecycle.phases import Observation, Report
from taskwire.domain.lifecycle.transitions import reduce

SECOND, MINUTE = 1_000, 60_000
SETTLE = 20 * SECOND
T0 = 1_777_636_800_000
ALICE = UserId("U1")


def when(ms: int) -> datetime:
    return datetime.fromtimestamp((T0 + ms) / 1_000, UTC)


def report(ms: int, state: str, message: str = "Looking", uri: str = "") -> Report:
    return Report(id=f"r{ms}", at=when(ms), state=state, message=message, uri=uri)


def seen(
    status: str = "active",
    last: Report | None = None,
    build: int = 1,
    workspace: str = "running",
    is_healthy: bool | None = True,
    *,
    is_script_failed: bool = False,
) -> Observation:
    return Observation(
        task_id=TaskId("t-1"),
        name="fix-login",
        title="Fix the login",
        owner_id="o",
        owner_name="alice",
        status=status,
        workspace_status=workspace,
        build=build,
        is_healthy=is_healthy,
        is_script_failed=is_script_failed,
        created_at=when(0),
        report=last,
    )


@dataclass
class TaskHistory:
    """Applies events at their times, and records each notice with the time of its event."""

    state: LinkState = field(default_factory=LinkState)
    notices: list[tuple[int, Notice]] = field(default_factory=list)
    look_at: int | None = None
    rules: ReducerSettings = ReducerSettings(SETTLE)  # noqa: RUF009 - a named tuple cannot change

    def at(self, ms: int, event: Event) -> "TaskHistory":
        """Apply an event at this time. Fire the timers that are due before it first."""
        while self.look_at is not None and self.look_at <= ms:
            self._take(self.look_at, TimerFired())
        self._take(ms, event)
        return self

    def until(self, ms: int) -> "TaskHistory":
        return self.at(ms, TimerFired())

    def _take(self, ms: int, event: Event) -> None:
        state, notices, look_at = reduce(self.state, event, self.rules, T0 + ms)
        assert look_at is None or look_at > T0 + ms, "a time that has come is not a time to come"
        self.state, self.look_at = state, None if look_at is None else look_at - T0
        self.notices += [(ms, notice) for notice in notices]

    @property
    def kinds(self) -> list[str]:
        return [notice.kind for _, notice in self.notices]

    @property
    def times(self) -> list[tuple[int, str]]:
        return [(ms, notice.kind) for ms, notice in self.notices]


def observed(observation: Observation, *history: Report) -> Observed:
    return Observed(observation=observation, reports=history)


def working(rules: ReducerSettings | None = None) -> TaskHistory:
    """Return a history in which the agent began to work at time 0."""
    return TaskHistory(rules=rules or ReducerSettings(SETTLE)).at(
        0, observed(seen(last=report(0, "working")))
    )
