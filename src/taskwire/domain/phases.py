"""What Coder says about a task, and the one phase that a person sees."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from taskwire.domain.ids import TaskId, to_ms


class Phase(StrEnum):
    """The present of a task in one word."""

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


# A card that comes to one of these is drawn before others.
FINAL = frozenset({Phase.DONE, Phase.FAILED, Phase.BROKEN, Phase.GONE})


class Report(BaseModel):
    """What the agent said of itself at one moment. `id` names it for ever where the history can be read.

    Each start of a workspace has an agent of its own; where it is not known which this was, it is empty.
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
        """Whether the agent says that it has come to an end."""
        return self.state in ("complete", "failed")

    def says_the_same_as(self, other: "Report") -> bool:
        """Whether this is only the screen standing still after the other."""
        return (self.message, self.uri) == (other.message, other.uri)


def is_agent_lost(*, is_active: bool, is_healthy: bool | None, is_script_failed: bool) -> bool:
    """Whether Coder has lost the agent of a task: it waits half a minute for each call, and nothing comes."""
    return is_active and is_healthy is False and not is_script_failed


class Observation(BaseModel):
    """A task as one list of Coder showed it."""

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
    # Its startup script failed, which makes it unhealthy; it takes input all the same.
    is_script_failed: bool = False
    created_at: datetime
    report: Report | None = None

    @property
    def is_active(self) -> bool:
        """Whether the agent's own word counts."""
        return self.status == "active"

    @property
    def is_lost(self) -> bool:
        """Whether Coder has lost the agent, so that nothing can be sent to it or read of it."""
        return is_agent_lost(
            is_active=self.is_active, is_healthy=self.is_healthy, is_script_failed=self.is_script_failed
        )

    @property
    def is_build_failed(self) -> bool:
        """Whether the workspace could not be started or stopped; that does not pass by itself."""
        return self.status == "error" and self.workspace_status in ("failed", "canceled")

    @property
    def is_coming_up(self) -> bool:
        """Whether the workspace is on its way to active."""
        return self.status in ("pending", "initializing")

    @property
    def report_ms(self) -> int:
        """When the agent last reported, in milliseconds; 0 if it never did."""
        return 0 if self.report is None else to_ms(self.report.at)
