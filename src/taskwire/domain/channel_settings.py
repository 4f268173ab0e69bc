"""What people have set for one channel, and what that means together with the deployment's settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from taskwire.domain.transitions import ReducerSettings


class ChannelSettings(BaseModel):
    """The settings of one channel. A value that is None or empty is that of the deployment.

    A new field needs a default that changes nothing for channels that were set before.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    # The id of the template for new tasks, and the name of its preset. The ids of presets change with each
    # version of the template.
    template_id: str = ""
    preset: str = ""
    # Which replies are input in the threads of new tasks.
    replies: Literal["all", "mentions"] = "all"
    # Whether a reply resumes a paused task.
    is_resumed_by_reply: bool = True
    settle_seconds: int | None = None

    def with_rules(self, rules: ReducerSettings) -> ReducerSettings:
        """Return the deployment's rules of the reducer with the values of this channel."""
        settle_ms = rules.settle_ms if self.settle_seconds is None else self.settle_seconds * 1000
        return rules._replace(settle_ms=settle_ms)
