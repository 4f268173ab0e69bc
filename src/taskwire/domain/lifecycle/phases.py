"""What Coder shows of a task: reports, log entries and observations; and the phase that people see."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict

from taskwire.domain.ids import TaskId, to_ms
from taskwire.domain.sealed_model import Readable, SealedModel


class Phase(StrEnum):
    """The state of a task as people see it, in a word or two."""

    STARTING = "starting"
    WORKING = "working"
    NEEDS_YOU = "needs you"
    DONE = "done"
    FAILED = "failed"
    PAUSING = "pausing"
    UNCLEAR = "unclear"
    PAUSED = "paused"
    BROKEN = "broken"
    GONE = "gone"
    OTHER = "other"


# A card is updated before other cards if its task is in one of these phases.
FINAL_PHASES = frozenset({Phase.DONE, Phase.FAILED, Phase.BROKEN, Phase.GONE})


@dataclass(frozen=True)
class AgentLogEntry:
    """One entry of an agent's log: an input, or the agent's output until the next input."""

    id: int
    is_input: bool
    text: str
    at: datetime


class Report(SealedModel):
    """What an agent has reported about its work at one moment.

    If the agent's history can be read, a report has the same `id` in every observation. Each start of a
    workspace creates a new agent. `agent_id` says which of these agents reported; empty if Coder does not
    say.
    """

    model_config = ConfigDict(frozen=True)

    id: Readable
    at: datetime
    state: Readable
    message: str = ""
    uri: str = ""
    agent_id: Readable = ""

    @property
    def is_final(self) -> bool:
        """Whether the agent reports that it has finished or failed."""
        return self.state in ("complete", "failed")

    def has_same_text(self, other: "Report") -> bool:
        """Return whether both reports have the same message and the same `uri`."""
        return (self.message, self.uri) == (other.message, other.uri)


def is_agent_lost(*, is_active: bool, is_healthy: bool | None, is_script_failed: bool) -> bool:
    """Return whether Coder cannot reach the agent of an active task.

    A call to such an agent fails after half a minute. An agent whose startup script failed is unhealthy, but
    can be reached.
    """
    return is_active and is_healthy is False and not is_script_failed


class Observation(SealedModel):
    """A task as Coder's list showed it at one moment."""

    model_config = ConfigDict(frozen=True)

    task_id: TaskId
    name: str
    title: str
    owner_id: Readable
    owner_name: str
    template: str = ""
    status: Readable
    workspace_id: Readable | None = None
    workspace_status: Readable = ""
    build: int = 0
    agent_id: Readable | None = None
    app_id: Readable | None = None
    is_healthy: bool | None = None
    # Whether the startup script failed. Such an agent is unhealthy, but it still takes input.
    is_script_failed: bool = False
    created_at: datetime
    report: Report | None = None

    @property
    def is_active(self) -> bool:
        """Whether the task is active. In a task that is not active, the agent's report describes the past."""
        return self.status == "active"

    @property
    def is_lost(self) -> bool:
        """Whether Coder cannot reach the agent, so that nothing can be sent to it or read from it."""
        return is_agent_lost(
            is_active=self.is_active, is_healthy=self.is_healthy, is_script_failed=self.is_script_failed
        )

    @property
    def is_build_failed(self) -> bool:
        """Whether the workspace could not be started or stopped. Only a new build ends this state."""
        return self.status == "error" and self.workspace_status in ("failed", "canceled")

    @property
    def is_starting(self) -> bool:
        """Whether the workspace waits for its start or is starting."""
        return self.status in ("pending", "initializing")

    @property
    def report_ms(self) -> int:
        """The time of the agent's latest report in Unix milliseconds; 0 if there is no report."""
        return 0 if self.report is None else to_ms(self.report.at)
