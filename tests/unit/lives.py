"""A task's life for tests of what follows: observations, reports, and a story as it unfolds."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from taskwire.model.changes import Event, Notice, Observed, Rules, Story, TimeCame, after
from taskwire.model.ids import TaskId, UserId
from taskwire.model.phases import Observation, Report

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
        created_at=when(0),
        report=last,
    )


@dataclass
class Told:
    """A story as it unfolds: every event at its time, and every notice with the time at which it was told."""

    story: Story = field(default_factory=Story)
    notices: list[tuple[int, Notice]] = field(default_factory=list)
    look_at: int | None = None

    def at(self, ms: int, event: Event) -> "Told":
        """Let something happen; the times to look again that came before it are kept."""
        while self.look_at is not None and self.look_at <= ms:
            self._take(self.look_at, TimeCame())
        self._take(ms, event)
        return self

    def until(self, ms: int) -> "Told":
        return self.at(ms, TimeCame())

    def _take(self, ms: int, event: Event) -> None:
        story, notices, look_at = after(self.story, event, Rules(SETTLE), T0 + ms)
        assert look_at is None or look_at > T0 + ms, "a time that has come is not a time to come"
        self.story, self.look_at = story, None if look_at is None else look_at - T0
        self.notices += [(ms, notice) for notice in notices]

    @property
    def kinds(self) -> list[str]:
        return [notice.kind for _, notice in self.notices]

    @property
    def times(self) -> list[tuple[int, str]]:
        return [(ms, notice.kind) for ms, notice in self.notices]


def observed(observation: Observation, *history: Report) -> Observed:
    return Observed(seen=observation, reports=history)


def working() -> Told:
    """A task whose agent began to work at 0."""
    return Told().at(0, observed(seen(last=report(0, "working"))))
