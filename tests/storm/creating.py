"""The ways in which people of a storm create a task. Each way also notes what the bot answered."""

import random
from collections.abc import Awaitable, Callable

from taskwire.domain.text.message import Button
from taskwire.messages import answers
from taskwire_sandbox.slack.errors import Json

from .acts import CommandOutcome, Deck, TypedCommand
from .promises import Press, find_button
from .surfaces import WAYS, Surfaces

# A person presses *Create* below a direct message at most this many times. Only the first press creates a
# task.
MOST_PRESSES = 5


class Creating:
    """Starts tasks in all ways that the bot offers."""

    def __init__(self, surfaces: Surfaces) -> None:
        self._surfaces = surfaces
        self._slack = surfaces.slack
        self._deck = Deck(WAYS, f"{surfaces.seed} ways")

    async def begin(self, person: str, channel: str, prompt: str, dice: random.Random) -> TypedCommand:
        """Create a task in a randomly chosen way. Return the command that the person typed, with the bot's
        answer."""
        ways: dict[str, Callable[[str, str, str], Awaitable[TypedCommand]]] = {
            "command": self._type,
            "slip": self._slip,
            "mention": self._mention,
            "direct message": self._write_directly,
            "reaction": self._react,
            "form": self._fill,
            "shortcut": self._use_shortcut,
        }
        way = "command" if dice.random() < 0.5 else self._deck.deal()
        typed = await ways[way](person, channel, prompt)
        self._surfaces.note(f"task by {way}", is_done=typed.told != "refused")
        return typed

    async def _type(self, person: str, channel: str, prompt: str) -> TypedCommand:
        answer = await self._slack.command(person, channel, "/task", f"create {prompt}")
        return TypedCommand(person, channel, prompt, _told(answer.ok, answer.reply))

    async def _slip(self, person: str, channel: str, prompt: str) -> TypedCommand:
        """Misspell the verb of a command, and press the button that the bot offers. Before the press, no task
        is created."""
        surfaces = self._surfaces
        async with surfaces.dialog(person):
            before = len(self._slack.ephemerals(person))
            await self._slack.command(person, channel, "/task", f"craete {prompt}")
            offered = await surfaces.wait(
                lambda: next(
                    (
                        told
                        for told in self._slack.ephemerals(person)[before:]
                        if find_button(told.body, Button.RUN_OFFERED, "Create")
                    ),
                    None,
                )
            )
            if offered is None:
                return TypedCommand(person, channel, prompt, "refused")
            press = await surfaces.click_private(person, offered, Button.RUN_OFFERED, "Create")
        told: CommandOutcome = "taken" if await surfaces.is_taken(press) else "unknown"
        return TypedCommand(person, channel, prompt, told)

    async def _mention(self, person: str, channel: str, prompt: str) -> TypedCommand:
        ts = await self._slack.mention(person, channel, prompt)
        return TypedCommand(
            person, channel, prompt, "taken", is_mention_only=True, event="app_mention", ts=ts
        )

    async def _write_directly(self, person: str, channel: str, prompt: str) -> TypedCommand:
        """Write the bot a direct message, and press *Create* until the bot accepts a press."""
        del channel
        surfaces, direct = self._surfaces, self._slack.open_direct(person).id
        await self._slack.post(person, direct, prompt)
        told: CommandOutcome = "unknown"
        for _ in range(MOST_PRESSES):
            offer = await surfaces.wait(lambda: self._find_offer(direct, prompt), 2 * surfaces.offer_seconds)
            found = find_button(offer, Button.CREATE) if offer is not None else None
            if offer is None or found is None:
                break
            at = surfaces.now()
            answer = await self._slack.click(
                person, direct, offer["ts"], found["action_id"], found.get("value", "")
            )
            if await surfaces.is_taken(Press(person, at, answer.ok)):
                told = "taken"
                break
        return TypedCommand(person, direct, prompt, told)

    def _find_offer(self, direct: str, prompt: str) -> Json | None:
        found = (each for each in self._slack.messages(direct) if find_button(each, Button.CREATE))
        return next((each for each in found if prompt in str(each)), None)

    async def _react(self, person: str, channel: str, prompt: str) -> TypedCommand:
        ts = await self._slack.post(person, channel, prompt)
        await self._slack.react(person, channel, ts, "robot_face")
        link = self._slack.backend.permalink(channel, ts)
        whole = f"{prompt}\n\nFrom Slack: {link}"
        event = "reaction_added"
        return TypedCommand(person, channel, whole, "taken", is_mention_only=True, event=event, ts=ts)

    async def _fill(self, person: str, channel: str, prompt: str) -> TypedCommand:
        """Use the shortcut *Make a task of this*, and submit the form. Before the submission, no task is
        created."""
        surfaces = self._surfaces
        ts = await self._slack.post(person, channel, prompt)
        whole = f"{prompt}\n\nFrom Slack: {self._slack.backend.permalink(channel, ts)}"
        async with surfaces.dialog(person) as opened:
            await self._slack.message_shortcut(person, channel, ts, "make_task")
            view = await opened()
            if view is None:
                return TypedCommand(person, channel, whole, "refused")
            press = await surfaces.submit(person, view, {})
        return TypedCommand(person, channel, whole, "taken" if press.is_acked else "unknown")

    async def _use_shortcut(self, person: str, channel: str, prompt: str) -> TypedCommand:
        """Use the shortcut *New task*, and submit the form. Before the submission, no task is created."""
        surfaces = self._surfaces
        async with surfaces.dialog(person) as opened:
            await self._slack.shortcut(person, "new_task")
            view = await opened()
            if view is None:
                return TypedCommand(person, channel, prompt, "refused")
            press = await surfaces.submit(person, view, {"form.prompt": prompt, "form.channel": channel})
        return TypedCommand(person, channel, prompt, "taken" if press.is_acked else "unknown")


def _told(is_acked: bool, reply: Json | None) -> CommandOutcome:
    if not is_acked:
        return "unknown"
    words = str((reply or {}).get("text", ""))
    if not words:
        return "taken"
    return "refused" if words == answers.store_unreachable() else "unknown"
