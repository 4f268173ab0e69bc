"""A flow in which a person saves the settings of a channel and their own settings."""

from collections.abc import Sequence

from tests.faults.actors import Actor
from tests.faults.points import Kind

from .calling import Direct
from .flow import LEASE_KINDS, title_of
from .overdue import timeless


class SettingUp(Direct):
    """A person submits the dialog of `/task settings`: everybody in the channel may steer, a task counts as
    stuck after ten minutes, and the person is called by direct message.

    The bot tells the channel who may steer from now on. When the person's task counts as stuck, the bot posts
    a notice and calls the person by direct message. `CallingDirectly` proves this call.
    """

    is_watched = True
    is_timed = True
    settle_seconds = 20.0
    floor = 75
    last = "end to_thread:post_notice:stuck done"
    meets = LEASE_KINDS | {Kind.CLAIM, Kind.OUTSIDE_WRITE}

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let each agent work, and open the dialog of `/task settings`."""
        await super().reach_start(actors)
        await self.begin_turn(actors)
        await self.open_dialogs(dict.fromkeys(actors, "settings"))

    async def go(self, actor: Actor) -> None:
        """Submit the dialog of `/task settings`."""
        values = {"settings.stuck": "10 min", "settings.steerers": "Everybody in this channel"}
        await self.submit(actor, values | {"person.calls": "By a direct message"})

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has posted its two messages in the channel and has called the owner."""
        return len(self.said(actor)) >= 2 and (self._is_mentioned(actor) or super().is_over(actor))

    def check(self, actor: Actor) -> None:
        """Check that the bot posted the new settings and the notice about the stuck task once each, and
        called the owner once. It did so by direct message, unless the notice came before the bot had saved
        the owner's own settings: after a kill, both can be due at once."""
        name, title = actor.name.capitalize(), title_of(actor)
        mention = f"<@{actor.person}> "
        assert sorted(text.removeprefix(mention) for text in timeless(self, actor)) == [
            f"{name} has changed the settings of this channel: from now on, everybody here can steer new "
            "tasks. Older tasks stay as they are.\n[Settings]",
            f"Stuck: {title}. Nothing has changed for N min. Look at *Logs*, or *Stop* the task.\n[Stop] "
            "[Logs]",
        ]
        calls = [] if self._is_mentioned(actor) else ["call"]
        assert [kind for kind, _ in self.new_directs(actor)] == calls
        self.told_at_most(
            actor,
            f"Saved the settings of <#{actor.channel}>, and your own. When a task needs you, I send you a "
            "direct message.",
            wishes=[f"saving the settings of <#{actor.channel}>", "what you asked for"],
        )

    def _is_mentioned(self, actor: Actor) -> bool:
        return any(text.startswith(f"<@{actor.person}> ") for text in timeless(self, actor))
