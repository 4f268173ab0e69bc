"""What Coder says about a task, and the single phase that people see."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from taskwire.domain.ids import TaskId, to_ms


class Phase(StrEnum):
    """The present state of a task in one word."""

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


# A card that shows one of these is drawn before other cards.
FINAL = frozenset({Phase.DONE, Phase.FAILED, Phase.BROKEN, Phase.GONE})


@dataclass(frozen=True)
class AgentLogEntry:
    """One entry of a task's log: an input, or the agent's output until the next input."""

    id: int
    is_input: bool
    text: str
    at: datetime


class Report(BaseModel):
    """What the agent said about itself at one moment. `id` is stable where the history can be read.

    Each start of a workspace has its own agent. `agent_id` is empty if it is not known which agent reported.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    at: datetime
    state: str
    message: str = ""
    uri: str = ""
    agent_id: str = ""

    @property
    def is_finish(self) -> bool:
        """Whether the agent says that it has ended."""
        return self.state in ("complete", "failed")

    def says_the_same_as(self, other: "Report") -> bool:
        """Whether the two reports differ only in their time, because the screen has not changed."""
        return (self.message, self.uri) == (other.message, other.uri)


def is_agent_lost(*, is_active: bool, is_healthy: bool | None, is_script_failed: bool) -> bool:
    """Whether Coder has lost a task's agent: each call then waits half a minute and fails."""
    return is_active and is_healthy is False and not is_script_failed


class Observation(BaseModel):
    """A task as Coder's list showed it once."""

    model_config = ConfigDict(frozen=True)

    task_id: TaskId
    name: str
    title: str
    owner_id: str
    owner_name: str
    template: str = ""
    status: str
    workspace_id: str | None = None
    workspace_status: str = ""
    build: int = 0
    agent_id: str | None = None
    app_id: str | None = None
    is_healthy: bool | None = None
    # The startup script failed. That makes the agent unhealthy, but it still takes input.
    is_script_failed: bool = False
    created_at: datetime
    report: Report | None = None

    @property
    def is_active(self) -> bool:
        """Whether the task is active, so that the agent's own report counts."""
        return self.status == "active"

    @property
    def is_lost(self) -> bool:
        """Whether Coder has lost the agent, so that nothing can be sent to it or read from it."""
        return is_agent_lost(
            is_active=self.is_active, is_healthy=self.is_healthy, is_script_failed=self.is_script_failed
        )

    @property
    def is_build_failed(self) -> bool:
        """Whether the workspace could not be started or stopped. This does not end by itself."""
        return self.status == "error" and self.workspace_status in ("failed", "canceled")

    @property
    def is_coming_up(self) -> bool:
        """Whether the workspace is starting."""
        return self.status in ("pending", "initializing")

    @property
    def report_ms(self) -> int:
        """The time of the agent's last report in milliseconds; 0 if it never reported."""
        return 0 if self.report is None else to_ms(self.report.at)
