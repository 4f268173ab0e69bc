"""People and threads of a world, and what a person does in Slack."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from taskwire_sandbox.slack import ActionResult, Attachment
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.interaction_payloads import common_fields, place, view_payload
from taskwire_sandbox.slack.ledger import Delivery

from .reading import shown, shown_dialog, shown_home

if TYPE_CHECKING:
    from .world import World

CHANNEL = "general"


class Person:
    """A person who types, replies and clicks."""

    def __init__(self, world: "World", user: str, name: str) -> None:
        self._world = world
        self.id = user
        self.name = name

    async def types(self, command: str, channel: str = CHANNEL, *, settles: bool = True) -> ActionResult:
        """Type a slash command, and return its immediate answer. With `settles`, wait until the bot has run
        the command."""
        word, _, text = command.partition(" ")
        answer = await self._world.slack.command(self.id, channel, word, text)
        if settles:
            await self._world.settles()
        return answer

    async def runs(self, command: str, channel: str = CHANNEL) -> "Thread":
        """Type a command that posts a card, and return the thread with that card."""
        place = self._world.slack.workspace.channel(channel).id
        before = {str(message["ts"]) for message in self._world.slack.messages(place)}
        answer = await self.types(command, channel)
        assert answer.ok, answer
        new = [m for m in self._world.slack.messages(place) if str(m["ts"]) not in before]
        assert len(new) == 1, f"one card was expected: {[shown(m) for m in new]}, {self.reads()}"
        self._world.reader.read_root(place, str(new[0]["ts"]))
        return Thread(self._world, place, str(new[0]["ts"]))

    def reads(self) -> list[str]:
        """Return the messages that only this person was shown since the last call."""
        return self._world.reader.new_privately(self.id)

    def hears(self) -> list[str]:
        """Return the direct messages that this person has not read yet."""
        return self._world.reader.new_directly(self.direct())

    def has_news(self) -> bool:
        """Return whether this person has an unread message that only they see."""
        return self._world.reader.has_news(self.id)

    def sees(self) -> str:
        """Return the newest message that only this person sees, whether it was read or not."""
        return shown(self._world.slack.ephemerals(self.id)[-1].body)

    async def mentions(self, text: str, root: str | None = None, channel: str = CHANNEL) -> "Thread":
        """Mention the bot with a text that starts a task, and return the thread with the task's card."""
        slack, place = self._world.slack, self._world.slack.workspace.channel(channel).id
        ts = await slack.mention(self.id, channel, text, root)
        await self._world.settles()
        return self.finds_card(place, root or ts)

    def finds_card(self, channel: str, root: str) -> "Thread":
        """Return the thread that begins at `root`. Check that the thread has exactly one unread message, and
        take this message for the card."""
        cards = [
            str(message["ts"])
            for message in self._world.slack.thread(channel, root)
            if self._world.reader.is_unread(channel, message)
        ]
        assert len(cards) == 1, f"one card was expected: {cards}, {self.reads()}"
        self._world.reader.read_root(channel, cards[0])
        return Thread(self._world, channel, root, cards[0])

    async def writes_directly(self, text: str) -> str:
        """Send the bot a direct message, and return its ts."""
        ts = await self._world.slack.post(self.id, self.direct(), text)
        await self._world.settles()
        return ts

    def direct(self) -> str:
        """Return the id of the direct conversation between this person and the bot."""
        return str(self._world.slack.open_direct(self.id).id)

    async def replies(self, thread: "Thread", text: str, files: tuple[Attachment, ...] = ()) -> str:
        """Write in a thread, and return the message's ts."""
        ts = await self._world.slack.post(self.id, thread.channel, text, thread.ts, files=files)
        await self._world.settles()
        return ts

    async def edits(self, thread: "Thread", ts: str, text: str) -> None:
        """Edit the person's own message."""
        await self._world.slack.edit(self.id, thread.channel, ts, text)
        await self._world.settles()

    async def deletes(self, thread: "Thread", ts: str) -> None:
        """Delete the person's own message."""
        await self._world.slack.delete(self.id, thread.channel, ts)
        await self._world.settles()

    async def presses(self, label: str, number: int = 0) -> None:
        """Press a button with this label in the newest of the person's private messages that has one.
        `number` selects one of several such buttons, counted from the top."""
        for told in reversed(self._world.slack.ephemerals(self.id)):
            for button in buttons(told.body, label)[number:]:
                where = (told.channel, told.ts, button["action_id"], button.get("value", ""))
                answer = await self._world.slack.click(self.id, *where)
                assert answer.ok, answer
                await self._world.settles()
                return
        raise AssertionError(f"no button {label!r} among what {self.name} sees")

    async def presses_made_up(
        self,
        action_id: str,
        value: str,
        *,
        channel: str = CHANNEL,
        told: Mapping[str, object] | None = None,
    ) -> None:
        """Send a press of a button that no message has. The payload also gets the fields in `told`."""
        backend = self._world.slack.backend
        here, user = self._world.slack.workspace.channel(channel), self._world.slack.workspace.user(self.name)
        ts = backend.ids.ts()
        pressed = {"action_id": action_id, "block_id": "b", "type": "button", "value": value, "action_ts": ts}
        trigger = backend.tickets.trigger(user.id)
        url = backend.tickets.response_url("actions", user.id, here.id, message_ts=ts)
        payload = common_fields(backend, "block_actions", user) | {
            "channel": place(here),
            "actions": [pressed],
        }
        payload |= {"container": {"type": "message", "message_ts": ts, "channel_id": here.id}}
        payload |= {"trigger_id": trigger, "response_url": url, **(told or {})}
        await backend.dispatcher.deliver_now(Delivery("interactive", "block_actions", payload))
        await self._world.settles()
        # No message has this invented button, so the bot's answer cannot replace a message. Do not count this
        # as a violation.
        violations = self._world.slack.violations
        violations[:] = [said for said in violations if said != "response_url: message_not_found"]

    async def opens_home(self) -> str:
        """Open the bot's Home tab. Return what the tab shows when the bot has answered."""
        await self._world.slack.open_home(self.id)
        await self._world.settles()
        return self.home()

    def home(self) -> str:
        """Return what the Home tab shows; empty if the bot has never published it."""
        view = self._world.slack.home(self.id)
        return shown_home(view.content) if view is not None else ""

    async def presses_in_home(self, label: str, number: int = 0) -> None:
        """Press a button of the Home tab. `number` selects one of several buttons with this label, counted
        from the top."""
        view = self._world.slack.home(self.id)
        assert view is not None, "the Home tab is empty"
        found = buttons(view.content, label)
        assert len(found) > number, f"no button {label!r} in {self.home()}"
        pressed = found[number]
        value = pressed.get("value", "")
        answer = await self._world.slack.press(self.id, view, pressed["action_id"], value)
        assert answer.ok, answer
        await self._world.settles()

    def dialog(self) -> str:
        """Return what the top dialog shows, with the values of its fields; empty if no dialog is open."""
        views = self._world.slack.views(self.id)
        return shown_dialog(view_payload(self._world.slack.backend, views[-1])) if views else ""

    async def chooses(self, field: str, value: str) -> None:
        """Choose a value in a menu of the top dialog. Slack reports the choice to the bot at once."""
        view = self._world.slack.views(self.id)[-1]
        answer = await self._world.slack.press(self.id, view, field, value)
        assert answer.ok, answer
        await self._world.settles()

    async def clears(self, field: str) -> None:
        """Empty a field of the top dialog."""
        await self._world.slack.enter(self.id, self._world.slack.views(self.id)[-1], {field: None})

    async def submits(self, *, settles: bool = True, **values: str) -> dict[str, str]:
        """Fill the top dialog (`prompt="…"`) and submit it. Return the errors that the dialog shows. With
        `settles`, wait until the bot has no more to do."""
        return await self._submits("form", values, settles=settles)

    async def saves(self, **values: str | list[str]) -> dict[str, str]:
        """Fill the dialog of `/task settings` (`replies="…"`) and save it. Return the errors that it
        shows."""
        return await self._submits("settings", values)

    async def saves_own(self, **values: str) -> None:
        """Fill the personal part of the dialog of `/task settings` (`calls="…"`) and save the dialog."""
        assert await self._submits("person", values) == {}

    async def shares(self, **values: list[str] | None) -> None:
        """Choose people in the dialog of *Share* (`people=[…]`), and save the dialog."""
        view = self._world.slack.views(self.id)[-1]
        entered = {f"share.{name}": chosen for name, chosen in values.items()}
        submitted = await self._world.slack.submit(self.id, view, dict(entered))
        assert submitted.ok, submitted
        await self._world.settles()

    async def _submits(
        self, dialog: str, values: Mapping[str, str | list[str]], *, settles: bool = True
    ) -> dict[str, str]:
        view = self._world.slack.views(self.id)[-1]
        entered = {f"{dialog}.{name}": value for name, value in values.items()}
        submitted = await self._world.slack.submit(self.id, view, dict(entered))
        assert not submitted.failure, submitted
        if settles:
            await self._world.settles()
        return submitted.errors

    async def clicks(self, thread: "Thread", label: str) -> None:
        """Press the newest button with this label in a thread."""
        await self.clicks_at_once(thread, label)

    async def clicks_at_once(self, thread: "Thread", *labels: str) -> None:
        """Press the buttons with these labels at the same time, before the bot can remove one of them."""
        slack, buttons = self._world.slack, [thread.button(label) for label in labels]
        clicks = [slack.click(self.id, thread.channel, ts, name, value) for ts, name, value in buttons]
        await asyncio.gather(*clicks)
        await self._world.settles()


async def a_crowd(world: "World", count: int) -> list[Person]:
    """Add this many people, who are in the usual channel."""
    people = [world.person(f"number-{number}") for number in range(count)]
    for person in people:
        await world.slack.join(person.id, CHANNEL)
    return people


class Thread:
    """The thread of a task."""

    def __init__(self, world: "World", channel: str, ts: str, card_ts: str = "") -> None:
        self._world = world
        self.channel = channel
        self.ts = ts
        self.card_ts = card_ts or ts

    def new_messages(self) -> list[str]:
        """Return the bot's unread messages in this thread."""
        return self._world.reader.new_in(self.channel, self.ts)

    def all_messages(self) -> list[str]:
        """Return all messages of the thread except its card."""
        return [shown(message) for message in self._world.slack.thread(self.channel, self.ts)[1:]]

    def last_message(self) -> str:
        """Return the ts of the newest message of the thread."""
        return str(self._world.slack.thread(self.channel, self.ts)[-1]["ts"])

    def card(self) -> str:
        """Return what the task's card shows now."""
        return shown(self._world.slack.message(self.channel, self.card_ts))

    def receipt(self, ts: str) -> list[str]:
        """Return the reactions on a reply."""
        return list(self._world.slack.reactions(self.channel, ts))

    def button(self, label: str) -> tuple[str, str, str]:
        """Return the newest button with this label: its message's ts, its action and its value."""
        messages = self._world.slack.thread(self.channel, self.ts)
        for message in reversed(messages):
            for element in buttons(message, label):
                return str(message["ts"]), element["action_id"], element.get("value", "")
        raise AssertionError(f"no button {label!r} in {[shown(m) for m in messages]}")


def buttons(message: Json, label: str) -> list[Json]:
    """Return the buttons, and the options of menus, that have this label in a message.

    If `label` ends with a blank, return each button or option whose label begins with `label`.
    """
    blocks = message.get("blocks") or []
    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    rows += [[block["accessory"]] for block in blocks if "accessory" in block]
    found = [element for row in rows for element in row]
    options = [
        {"action_id": element["action_id"], **option}
        for element in found
        for option in element.get("options", ())
    ]
    labelled = [(each, str(each.get("text", {}).get("text", ""))) for each in (*found, *options)]
    if label.endswith(" "):
        return [each for each, text in labelled if text.startswith(label)]
    return [each for each, text in labelled if text == label]
