"""The bond between one Slack thread and one Coder task."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from taskwire.model.changes import Story
from taskwire.model.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts, UserId, microseconds
from taskwire.model.phases import Observation

HOUR = 3_600_000_000


class Bond(BaseModel):
    """What a link is: made with the intent, completed when the card is posted and the task exists."""

    model_config = ConfigDict(frozen=True)

    id: LinkId
    channel: ChannelId
    made_at: Ts
    asked_by: UserId
    # Whom notices call: the task's owner in Slack, where known.
    owner_slack: UserId | None = None
    owner_id: str = ""
    owner_name: str = ""
    prompt: str = ""
    name: str = ""
    title: str = ""
    template: str = ""
    template_version_id: str = ""
    preset_id: str | None = None
    preset: str | None = None
    thread_ts: Ts | None = None
    task_id: TaskId | None = None

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

    bond: Bond
    story: Story = Story()
    seen: Observation | None = None
    hold: Hold | None = None
    ended: LinkEnd | None = None
    # Why there is no task, as mrkdwn, if that is how the link ended.
    failure: str = ""
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
        return self.bond.id

    @property
    def title(self) -> str:
        """What people call the task."""
        return self.bond.title or self.bond.name
