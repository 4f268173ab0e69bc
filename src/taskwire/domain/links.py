"""The bond between one Slack thread and one Coder task."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from taskwire.domain.agent_text import AgentText
from taskwire.domain.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts, UserId, microseconds
from taskwire.domain.phases import Observation
from taskwire.domain.transitions import LinkState

HOUR = 3_600_000_000


class LinkRecord(BaseModel):
    """What a link is: made with the intent, completed when the card is posted and the task exists."""

    model_config = ConfigDict(frozen=True)

    id: LinkId
    channel: ChannelId
    made_at: Ts
    requested_by: UserId
    # Whom notices call: the task's owner in Slack, where known.
    owner_slack: UserId | None = None
    owner_id: str = ""
    owner_name: str = ""
    prompt: AgentText = AgentText("")
    name: str = ""
    title: str = ""
    template: str = ""
    template_version_id: str = ""
    preset_id: str | None = None
    preset: str | None = None
    thread_ts: Ts | None = None
    task_id: TaskId | None = None
    # When Coder made the task.
    created_at: datetime | None = None

    @property
    def thread(self) -> ThreadRef | None:
        """The thread, once the card has been posted."""
        return None if self.thread_ts is None else ThreadRef(self.channel, self.thread_ts)

    @property
    def has_other_clock(self) -> bool:
        """Whether Slack's clock is hours behind ours: by it, the card is older than what asked for it."""
        return self.thread_ts is not None and microseconds(self.made_at) - microseconds(self.thread_ts) > HOUR


class Hold(BaseModel):
    """A pause that a person asked for: replies written before it wait for their word."""

    model_config = ConfigDict(frozen=True)

    by: UserId
    at: Ts


LinkEnd = Literal["gone", "detached", "failed"]


class Link(BaseModel):
    """A link as Redis holds it."""

    model_config = ConfigDict(frozen=True)

    record: LinkRecord
    state: LinkState = LinkState()
    seen: Observation | None = None
    hold: Hold | None = None
    ended: LinkEnd | None = None
    # The address of the thread that its task has got since.
    moved_to: str = ""
    # Why there is no task, as mrkdwn, if that is how the link ended.
    failure: str = ""
    # What the failed build of its workspace says, where that was told; it speaks of this build alone.
    broken: str = ""
    is_muted: bool = False
    # The card was deleted and has been posted anew.
    has_moved: bool = False
    # It may have been, at some time from then on, but its channel was closed before that could be read.
    maybe_moved_since: Ts | None = None
    # Slack's word for why nothing can be posted in the thread any more; empty as long as it can.
    closed: str = ""
    # Where the last excerpt ended, and what the card last showed.
    cursor: str = ""
    drawn: str = ""
    last_input_ts: Ts | None = None

    @property
    def id(self) -> LinkId:
        """The link's own id."""
        return self.record.id

    @property
    def broken_why(self) -> str:
        """Why the workspace's present build failed, in its own words; empty if that is not known."""
        build, _, why = self.broken.partition(" ")
        return why if build == f"{self.state.build}" else ""

    @property
    def title(self) -> str:
        """What people call the task."""
        return self.record.title or self.record.name
