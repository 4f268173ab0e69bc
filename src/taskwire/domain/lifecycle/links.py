"""The link between one Slack thread and one Coder task, as Redis stores it."""

from datetime import datetime
from enum import IntEnum
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from taskwire.domain.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts, UserId, microseconds
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.phases import Observation, Phase
from taskwire.domain.sealed_model import Readable, SealedModel
from taskwire.domain.text.agent_text import AgentText, sanitize_for_agent

_HOUR_US = 3_600_000_000


class Rights(IntEnum):
    """What a person may do with a task. Each right includes the rights listed before it.

    `OWN` allows no more than `MANAGE`. It only chooses what the task's owner is shown.
    """

    SEE = 0
    STEER = 1
    MANAGE = 2
    OWN = 3


def is_group(who: str) -> bool:
    """Return whether this is the id of a user group, and not of a person."""
    return who.startswith("S")


class LinkRecord(SealedModel):
    """The thread and the task of a link.

    The record is written before the thread and the task exist. `thread_ts` and `task_id` are added when Slack
    and Coder have made them. `made_at` is when the link was requested.
    """

    model_config = ConfigDict(frozen=True)

    id: LinkId
    channel: ChannelId
    made_at: Ts
    requested_by: UserId
    # The task's owner in Slack, if known. Notices mention this person.
    owner_slack: UserId | None = None
    # The name that Slack showed for the owner when the link was made.
    owner_slack_name: str = ""
    owner_id: Readable = ""
    owner_name: str = ""
    # The prompt. Once the task exists, only its beginning.
    prompt: AgentText = AgentText("")
    # Earlier messages that the agent gets after the prompt. Once the task exists, only their first character.
    context: AgentText = AgentText("")
    name: str = ""
    title: str = ""
    template: str = ""
    template_version_id: Readable = ""
    preset_id: Readable | None = None
    preset: str | None = None
    thread_ts: Ts | None = None
    # The ts of the thread's first message, if somebody asked for the task in a discussion. In all other
    # threads, the card is the first message.
    root_ts: Ts | None = None
    # The card's ts if the card is not the root of its thread.
    card_ts: Ts | None = None
    # The first messages of the thread's predecessors, the newest last. Replies in these threads still reach
    # the task.
    former_threads: tuple[Ts, ...] = ()
    task_id: TaskId | None = None
    # When Coder made the task.
    created_at: datetime | None = None

    @property
    def task_input(self) -> AgentText:
        """The text that Coder gets as the task's prompt, with the earlier messages of the thread, if any."""
        return sanitize_for_agent(f"{self.prompt}\n\n{self.context}") if self.context else self.prompt

    @property
    def shown_ts(self) -> Ts | None:
        """The card's ts; None until the card is posted."""
        return self.card_ts or self.thread_ts

    @property
    def thread(self) -> ThreadRef | None:
        """The channel and the ts of the thread; None until the card is posted."""
        return None if self.thread_ts is None else ThreadRef(self.channel, self.thread_ts)

    @property
    def contact(self) -> UserId | None:
        """The person who hears of the link: the owner, or who requested it. None if that is not known."""
        return self.owner_slack or self.requested_by or None

    def is_owned_by(self, person: UserId, account_id: str | None = None) -> bool:
        """Return whether the person counts as the owner of the task.

        `account_id` is the id of the person's account in Coder, empty if they have none. It decides. Leave it
        out if Coder is not asked: then the stored owner counts. Who requested the link counts only while the
        task has no owner, because an administrator may have attached the task of another person.
        """
        if account_id is not None and self.owner_id:
            return account_id == self.owner_id
        has_owner = self.owner_slack is not None or bool(self.owner_id)
        return person == (self.owner_slack if has_owner else self.requested_by)

    def is_stored_owner(self, person: UserId, connected_id: str | None) -> bool:
        """Return whether the person counts as the owner of the task while Coder does not answer.

        `connected_id` is the id of the Coder user that they have connected; None for none. A person who has
        connected another user than the task's does not count.
        """
        return self.is_owned_by(person) and connected_id in (None, self.owner_id)

    @property
    def is_requested_by_owner(self) -> bool:
        """Whether the task's present owner has asked for this thread.

        An administrator or a former owner may have asked for it instead.
        """
        return self.owner_slack is not None and self.owner_slack == self.requested_by

    def had_thread(self, where: str) -> bool:
        """Return whether `where`, as `channel:ts`, is the task's thread or was an earlier one."""
        threads = (self.thread_ts, self.root_ts, *self.former_threads)
        return where in {f"{self.channel}:{ts}" for ts in threads if ts is not None}

    @property
    def has_other_clock(self) -> bool:
        """Whether the card's ts is over an hour before `made_at`, because Slack's clock is behind ours."""
        return (
            self.shown_ts is not None and microseconds(self.made_at) - microseconds(self.shown_ts) > _HOUR_US
        )


class Hold(SealedModel):
    """A pause that a person asked for. Replies written before the pause wait for a person's decision."""

    model_config = ConfigDict(frozen=True)

    person: UserId
    at: Ts
    # The id of the reply's job if the person wrote only a word like `stop`, and may have meant it as text.
    reply_id: Readable = ""


class PauseLine(SealedModel):
    """The bot's message about a pause that a person asked for. A resume edits this message.

    `build` is the number of the workspace's build that the pause made. `says_how` means that the message now
    says how to resume the task.
    """

    model_config = ConfigDict(frozen=True)

    ts: Ts
    message_id: Readable
    person: UserId
    build: int = 0
    says_how: bool = False


LinkEnd = Literal["gone", "detached", "failed"]
# An action that a person asked for and that is being carried out. `retry` stops a workspace and starts it
# again.
PendingAct = Literal["pause", "resume", "retry", "delete"]
_PENDING_ACTS: dict[str, PendingAct] = {act: act for act in get_args(PendingAct)}
_RUNNING_PHASES = (Phase.STARTING, Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED)


def is_act_overtaken(act: PendingAct, before: LinkState, after: LinkState) -> bool:
    """Return whether the card need no longer show an action as pending, after the state has changed.

    This is so if there is a new build. The phase may then be the same, because the task was paused and
    resumed between two polls. It is also so if the phase has changed. But while a pause is pending, a change
    between two phases of a running workspace does not count, because the agent may report until its workspace
    stops.
    """
    if before.build != after.build:
        return True
    if act == "pause" and before.phase in _RUNNING_PHASES and after.phase in _RUNNING_PHASES:
        return False
    return before.phase is not after.phase


class Link(BaseModel):
    """A link: its record, the state of its task, and what its card and thread show."""

    model_config = ConfigDict(frozen=True)

    record: LinkRecord
    state: LinkState = LinkState()
    observation: Observation | None = None
    hold: Hold | None = None
    pause_line: PauseLine | None = None
    end_reason: LinkEnd | None = None
    # The address of the thread to which the task has moved.
    moved_to: str = ""
    # Why the task could not be created, as mrkdwn; empty if it could.
    failure: str = ""
    # The number of the failed build, a blank, and the build's error as the thread shows it.
    build_failure: str = ""
    is_muted: bool = False
    # The people who are called besides the owner.
    watchers: tuple[UserId, ...] = ()
    # The ids of the people and user groups with whom the owner shares the task.
    shares: tuple[str, ...] = ()
    # Whether only replies that mention the bot are input.
    is_mention_only: bool = False
    # Since when every reply is input, if only mentions were input before.
    every_reply_since: Ts | None = None
    # How many replies a pause holds until a person decides about them. Only lists of links read this.
    held_count: int = 0
    # Whether replies wait until somebody resumes the task, because the settings of the channel say so.
    waits_for_resume: bool = False
    # Whether the card was deleted and posted again.
    has_moved: bool = False
    # Since when the card may exist a second time. The channel was closed before that could be checked.
    maybe_moved_since: Ts | None = None
    # Slack's error code that says why the thread accepts no messages; empty if it accepts them.
    closed_error: str = ""
    # The cursor of the latest excerpt, and the digest of the card as it was last posted or edited.
    cursor: str = ""
    drawn_card: str = ""
    # The digest of the card when an update of the owner's Home tab was last queued.
    told_home: str = ""
    last_input_ts: Ts | None = None
    # Until when a message in the thread shows what the agent writes, in Unix milliseconds; 0 if no message
    # shows it.
    follow_until_ms: int = 0
    # What Slack's agent surface shows: the status, the thread's ts, and when it was set in Unix milliseconds.
    session: str = ""
    # When somebody last used the card's menu. The card is then drawn again, so that its menu shows no choice.
    menu_used: Ts | None = None
    # When the owner last opened the result that the agent reported, in Unix milliseconds; 0 if never.
    opened_ms: int = 0
    # The action that is being carried out, a blank, and the id of its job.
    pending: str = ""

    @property
    def turn_began_ms(self) -> int:
        """When the present turn began, in Unix milliseconds; 0 if unknown.

        A turn begins when the workspace starts, and when the agent gets an input. An input may wait before
        that, for example for the owner who passes it on.
        """
        told_ms = microseconds(self.last_input_ts) // 1000 if self.last_input_ts is not None else 0
        return max(self.state.started_ms, self.state.delivered_ms or told_ms)

    @property
    def is_agent_unreachable(self) -> bool:
        """Whether the agent cannot be reached although its workspace is not starting."""
        state = self.state
        is_down = state.error_since_ms is not None and state.phase not in (Phase.STARTING, Phase.BROKEN)
        return is_down or state.unreachable_since_ms is not None

    def get_shown_rights(self, person: UserId, rights: Rights) -> Rights:
        """Return the rights by which controls are shown to this person, who has `rights`."""
        is_owner = rights is Rights.MANAGE and self.record.is_owned_by(person)
        return Rights.OWN if is_owner else rights

    def reads_only_mentions_at(self, ts: Ts) -> bool:
        """Return whether only mentions of the bot are input, or were input when a message was written."""
        since = self.every_reply_since
        return self.is_mention_only or (since is not None and microseconds(ts) < microseconds(since))

    @property
    def pending_act(self) -> PendingAct | None:
        """The action that is being carried out; None if there is none."""
        return _PENDING_ACTS.get(self.pending.partition(" ")[0])

    @property
    def shown_pending(self) -> PendingAct | None:
        """The pending action that the card shows instead of the phase.

        None if no action is pending, or if the phase already shows the action's effect.
        """
        phase, act = self.state.phase, self.pending_act
        if act == "pause":
            return act if phase in _RUNNING_PHASES else None
        if act == "resume":
            return act if phase in (Phase.PAUSED, Phase.PAUSING, Phase.BROKEN) else None
        return act

    @property
    def id(self) -> LinkId:
        """The link's id."""
        return self.record.id

    @property
    def build_error(self) -> str:
        """The error of the workspace's latest build in Coder's words; empty if it is not known."""
        build, _, why = self.build_failure.partition(" ")
        return why if build == f"{self.state.build}" else ""

    @property
    def title(self) -> str:
        """The task's title, or its name if it has no title."""
        return self.record.title or self.record.name
