"""The settings that people have made for one channel, and how they change the deployment's settings."""

from typing import Literal

from pydantic import ConfigDict

from taskwire.domain.ids import Ts, UserId, microseconds
from taskwire.domain.lifecycle.link_state import ReducerSettings
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.sealed_model import Readable, SealedModel


class ChannelSettings(SealedModel):
    """The settings of one channel. If a value is None or empty, the deployment's value counts.

    Settings that are stored already have no value for a new field. So the field's default must change
    nothing.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    # The id of the template for new tasks, and the name of its preset. A preset is stored by name, because
    # the ids of presets change with each version of the template.
    template_id: Readable = ""
    preset: str = ""
    # Which replies are input in the threads of new tasks.
    replies: Literal["all", "mentions"] = "all"
    # Who may steer a task whose thread is in the channel: its owner and the people with whom the owner shares
    # it, or everybody in the channel. Nobody but the owner may delete, detach or share the task. Everybody in
    # the channel may steer only in a thread for which its present owner has asked.
    steerers: Literal["owner", "channel"] = "owner"
    # The time since when everybody in the channel may steer. This is true only of links that were made after
    # that time: the owner of an older link has not agreed to it.
    steerers_since: Ts | None = None
    # Whether a reply resumes a paused task.
    is_resumed_by_reply: bool = True
    settle_seconds: int | None = None
    # After how many seconds without a change a task counts as stuck, and after how many seconds people are
    # reminded of a question. 0 means never.
    stuck_seconds: int | None = None
    reminder_seconds: int | None = None
    # The id of the person or user group that is reminded after the owner of a task.
    fallback: Readable = ""

    def lets_everybody_steer(self, record: LinkRecord) -> bool:
        """Return whether everybody in the channel may steer the task of this link."""
        since = self.steerers_since
        is_newer = since is None or microseconds(record.made_at) >= microseconds(since)
        return self.steerers == "channel" and is_newer and record.is_requested_by_owner

    def replacing(self, before: "ChannelSettings", at: Ts) -> "ChannelSettings":
        """Return these settings as they are to be saved at the time `at`. `before` are the present settings.

        If these settings let everybody in the channel steer, `steerers_since` becomes `at`. But if everybody
        may steer already, `steerers_since` stays as in `before`.
        """
        since: Ts | None = None
        if self.steerers == "channel":
            since = before.steerers_since if before.steerers == "channel" else at
        return self.model_copy(update={"steerers_since": since})

    def with_rules(self, rules: ReducerSettings, owner: UserId | None) -> ReducerSettings:
        """Return the deployment's rules of the reducer, changed by the settings of this channel.

        `owner` is the task's owner. If the channel's fallback is the owner, there is no fallback.
        """
        return ReducerSettings(
            settle_ms=_in_ms(self.settle_seconds, rules.settle_ms),
            stuck_ms=_in_ms(self.stuck_seconds, rules.stuck_ms),
            reminder_ms=_in_ms(self.reminder_seconds, rules.reminder_ms),
            fallback="" if self.fallback == owner else self.fallback,
        )


def _in_ms(seconds: int | None, default_ms: int) -> int:
    return default_ms if seconds is None else seconds * 1000
