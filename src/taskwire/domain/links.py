"""The link between one Slack thread and one Coder task."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from taskwire.domain.agent_text import AgentText
from taskwire.domain.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts, UserId, microseconds
from taskwire.domain.phases import Observation
from taskwire.domain.transitions import LinkState

HOUR = 3_600_000_000


class LinkRecord(BaseModel):
    """The thread and the task of a link. It is written with the intent, and completed as both are made."""

    model_config = ConfigDict(frozen=True)

    id: LinkId
    channel: ChannelId
    made_at: Ts
    requested_by: UserId
    # The person whom notices mention: the task's owner in Slack, if known.
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
        """The thread; None until the card is posted."""
        return None if self.thread_ts is None else ThreadRef(self.channel, self.thread_ts)

    @property
    def has_other_clock(self) -> bool:
        """Whether Slack's clock is hours behind ours: the card seems over an hour older than its request."""
        return self.thread_ts is not None and microseconds(self.made_at) - microseconds(self.thread_ts) > HOUR


class Hold(BaseModel):
    """A pause that a person asked for. Replies written before it wait for a person's decision."""

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
    # The address of the thread to which the task has moved.
    moved_to: str = ""
    # Why there is no task, as mrkdwn, if the link ended in that way.
    failure: str = ""
    # The number of the failed build, a blank, and its error as the thread was told it. It holds for this
    # build only.
    broken: str = ""
    is_muted: bool = False
    # The card was deleted and posted again.
    has_moved: bool = False
    # The card may have been posted again since this moment, but the channel was closed before that could be
    # checked.
    maybe_moved_since: Ts | None = None
    # Slack's error code that says why the thread accepts no more messages; empty as long as it accepts them.
    closed: str = ""
    # The cursor of the last excerpt, and what the card last showed.
    cursor: str = ""
    drawn: str = ""
    last_input_ts: Ts | None = None

    @property
    def id(self) -> LinkId:
        """The link's id."""
        return self.record.id

    @property
    def broken_why(self) -> str:
        """Why the workspace's present build failed, in Coder's words; empty if that is not known."""
        build, _, why = self.broken.partition(" ")
        return why if build == f"{self.state.build}" else ""

    @property
    def title(self) -> str:
        """The task's name for people."""
        return self.record.title or self.record.name
