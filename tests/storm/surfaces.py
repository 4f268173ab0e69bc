"""What people of a storm do besides commands and replies: buttons, dialogs, shortcuts, the Home tab, verbs.

If the bot does not offer an act in time, the person gives up. `promises.py` judges every act that a person
has done.
"""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from taskwire.domain.text.message import Button
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.backend import Ephemeral
from taskwire_sandbox.slack.errors import ImpossibleAction, Json
from taskwire_sandbox.slack.view_stacks import View

from .acts import Deck, ThreadKey, TypedCommand
from .promises import AnsweredMessage, Press, Promises, SentInput, find_button

T = TypeVar("T")
Act = Callable[[TypedCommand, ThreadKey, random.Random], Awaitable[bool]]
LOOK_SECONDS = 0.1
DOUBT_SECONDS = 1.5
NOT_OFFERED = " (not offered)"
# The ways in which people begin a task. More than half of the tasks are begun by the command.
WAYS = ("command", "slip", "mention", "direct message", "reaction", "form", "shortcut")


@dataclass
class Surfaces:
    """Does acts of people, and notes what must be true after each act."""

    slack: SlackSandbox
    coder: CoderSandbox
    people: list[str]
    acts: Counter[str]
    promises: Promises
    seed: int
    # How many seconds a person waits for a private answer, a dialog or a button. It may never come.
    offer_seconds: float
    _hands: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _set_up: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._acts: dict[str, Act] = {
            "answer": self._answer,
            "answer at home": self._answer_at_home,
            "pass on": self._pass_on,
            "share": self._share,
            "send aside": self._send_aside,
            "mute": self._mute,
            "follow": self._follow,
            "watch": self._watch,
            "open home": self._open_home,
            "set preferences": self._set_preferences,
            "set channel": self._set_channel,
            "list": self._list_tasks,
        }
        self._deck = Deck(tuple(self._acts), f"{self.seed} acts")

    def note(self, what: str, *, is_done: bool) -> None:
        """Count an act that a person has done, or has tried in vain because the bot did not offer it."""
        self.acts[what if is_done else f"{what}{NOT_OFFERED}"] += 1

    def untried(self, *, must_be_done: bool) -> list[str]:
        """Return the kinds of acts that nobody has tried. With `must_be_done`, also return those that people
        tried in vain."""
        names = [*(f"task by {way}" for way in WAYS), *self._acts, "choose", "connect"]
        if must_be_done:
            return [name for name in (*names, "snooze") if not self.acts[name]]
        return [name for name in names if not self.acts[name] and not self.acts[f"{name}{NOT_OFFERED}"]]

    async def do_one(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> None:
        """Do one randomly chosen act on a task. Note whether it was done or was impossible."""
        name = self._deck.deal()
        try:
            is_done = await self._acts[name](typed, place, dice)
        except ImpossibleAction:
            is_done = False
        self.note(name, is_done=is_done)

    async def choose(self, typed: TypedCommand, place: ThreadKey, number: int) -> bool:
        """Press the second of the choices that an agent offers. Return false if the bot does not show them in
        time."""
        label = f"2. right {number}"
        message = await self.wait(
            lambda: self._find_message(place, Button.CHOOSE, label), 2 * self.offer_seconds
        )
        if message is None:
            return False
        with contextlib.suppress(ImpossibleAction):
            press = await self.click(typed.person, place, message, Button.CHOOSE, label)
            answered = AnsweredMessage(place, message["ts"], Button.CHOOSE, press, typed.prompt, label)
            self.promises.answered.append(answered)
            return True
        return False

    async def snooze(self, person: str, place: ThreadKey, message: Json) -> bool:
        """Snooze a reminder for an hour. Return false if its button is gone."""
        with contextlib.suppress(ImpossibleAction):
            press = await self.click(person, place, message, Button.SNOOZE_HOUR)
            self.promises.answered.append(AnsweredMessage(place, message["ts"], Button.SNOOZE_HOUR, press))
            return True
        return False

    async def _answer(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Press *Answer* on the card, and submit an answer in the dialog. Return false if the card has no
        such button or the dialog does not open."""
        card = await self.wait(lambda: self._find_message(place, Button.ANSWER))
        if card is None:
            return False
        words = f"answer {dice.randrange(10**6)} for {typed.subject}"
        async with self.dialog(typed.person) as opened:
            await self.click(typed.person, place, card, Button.ANSWER)
            view = await opened()
            if view is None:
                return False
            press = await self.submit(typed.person, view, {"form.prompt": words})
        self.promises.sent.append(SentInput(typed.prompt, (words,), press, place))
        return True

    async def _answer_at_home(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Answer an open question in the person's Home tab, of whichever of the person's tasks. Return false
        if the Home tab offers no question or the dialog does not open."""
        if not await self._open_home(typed, place, dice):
            return False
        home = await self.wait(lambda: self._find_home(typed.person, Button.ANSWER))
        found = find_button(home.content, Button.ANSWER) if home is not None else None
        if home is None or found is None:
            return False
        words = f"answer {dice.randrange(10**6)} at home of {typed.person}"
        async with self.dialog(typed.person) as opened:
            await self.slack.press(typed.person, home, found["action_id"], found.get("value", ""))
            view = await opened()
            if view is None:
                return False
            press = await self.submit(typed.person, view, {"form.prompt": words})
        # In the thread of a task that somebody shares with the person, the agent also gets the person's name.
        texts = words, f"{typed.person.capitalize()} wrote:\n> {words}"
        self.promises.sent.append(SentInput("", texts, press, place))
        return True

    def _find_home(self, person: str, button: Button) -> View | None:
        home = self.slack.home(person)
        return home if home is not None and find_button(home.content, button) else None

    async def _pass_on(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Let a teammate write a reply and ask the owner to send it. Let the owner press one of the buttons
        that send it. Return false if the bot does not offer one of these buttons in time."""
        mate, sent = await self._write_as_mate(typed, place, dice)
        offer = await self.wait(lambda: self.find_private(mate, Button.ASK_OWNER, sent.ts))
        if offer is None:
            return False
        await self.click_private(mate, offer, Button.ASK_OWNER)
        asked = await self.wait(lambda: self.find_private(typed.person, Button.SEND_THEIRS, sent.ts))
        if asked is None:
            return False
        button = dice.choice((Button.SEND_THEIRS, Button.ALWAYS_LET))
        sent.press = await self.click_private(typed.person, asked, button)
        return True

    async def _share(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Share the task with a teammate, and let the teammate write a reply. The reply may be handled before
        the share. Return true."""
        mate = dice.choice([each for each in self.people if each != typed.person])
        await self._post(typed, place, f"!share <@{self.slack.workspace.user(mate).id}>")
        await asyncio.sleep(dice.uniform(0, 3))
        await self._write_as_mate(typed, place, dice, mate)
        return True

    async def _write_as_mate(
        self, typed: TypedCommand, place: ThreadKey, dice: random.Random, mate: str = ""
    ) -> tuple[str, SentInput]:
        mate = mate or dice.choice([each for each in self.people if each != typed.person])
        words = f"mate {dice.randrange(10**6)} for {typed.subject}"
        ts = await self._post(typed, place, words, mate)
        name = mate.capitalize()
        sent = SentInput(typed.prompt, (f"{name} wrote:\n> {words}",), None, place, ts)
        self.promises.sent.append(sent)
        return mate, sent

    async def _send_aside(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Post a message that begins with `//`, which the bot sends to no agent. Then use the shortcut *Send
        to its task* on the message. Return true."""
        words = f"// aside {dice.randrange(10**6)} for {typed.subject}"
        ts = await self.slack.post(typed.person, place.channel, words, place.ts)
        at = self.now()
        used = await self.slack.message_shortcut(typed.person, place.channel, ts, "send_to_task")
        press = Press(typed.person, at, used.ok)
        self.promises.sent.append(SentInput(typed.prompt, (words,), press, place, ts))
        return True

    async def _mute(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        del dice
        await self._post(typed, place, "!mute")
        self.promises.muted.append((typed.prompt, place))
        return True

    async def _follow(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        del dice
        await self._post(typed, place, "!follow")
        return True

    async def _watch(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        await self._post(typed, place, "!watch", dice.choice(self.people))
        return True

    async def _open_home(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        del place, dice
        await self.slack.open_home(typed.person)
        return await self.wait(lambda: self.slack.home(typed.person)) is not None

    async def _set_preferences(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Let a person choose to be notified by direct messages too. Each person does this once. Return false
        if this person has tried before, or if the bot does not offer the dialog in time."""
        if typed.person in self._set_up or not await self._open_home(typed, place, dice):
            return False
        self._set_up.add(typed.person)
        home = self.slack.home(typed.person)
        async with self.dialog(typed.person) as opened:
            change = find_button(home.content, Button.PREFERENCES) if home is not None else None
            if home is None or change is None:
                return False
            await self.slack.press(typed.person, home, change["action_id"], change.get("value", ""))
            view = await opened()
            if view is None:
                return False
            values = {"person.calls": "By a mention and a direct message"}
            press = await self.submit(typed.person, view, values)
        person = self.slack.workspace.user(typed.person).id
        saved = (press, f"person_settings:{person}", '"calls":"both"', f"preferences of {typed.person}")
        self.promises.saved.append(saved)
        return True

    async def _set_channel(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Save a setting of the channel, once for each channel. Return false if it was tried before, in a
        direct message, or if the dialog does not open."""
        del dice
        if place.channel in self._set_up or place.channel.startswith("D"):
            return False
        self._set_up.add(place.channel)
        async with self.dialog(typed.person) as opened:
            await self.slack.command(typed.person, place.channel, "/task", "settings")
            view = await opened()
            if view is None:
                return False
            press = await self.submit(typed.person, view, {"settings.stuck": "4 h"})
        saved = (press, f"channel_settings:{place.channel}", '"stuck_seconds":14400', f"settings of {place}")
        self.promises.saved.append(saved)
        return True

    async def _list_tasks(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> bool:
        """Type `/task list all`. If the answer has a second page, turn to it. Return false if no answer comes
        in time."""
        del dice
        before = len(self.slack.ephemerals(typed.person))
        await self.slack.command(typed.person, place.channel, "/task", "list all")

        def find() -> Ephemeral | None:
            new = self.slack.ephemerals(typed.person)[before:]
            return next((each for each in new if str(each.body.get("text", "")).startswith("Tasks")), None)

        listed = await self.wait(find)
        if listed is not None and find_button(listed.body, Button.LIST_PAGE) is not None:
            await self.click_private(typed.person, listed, Button.LIST_PAGE)
        return listed is not None

    # Methods that acts use.

    async def wait(self, find: Callable[[], T | None], seconds: float | None = None) -> T | None:
        """Call `find` again and again, for `seconds` or else `offer_seconds`. Return its first result that is
        not None, or None."""
        seconds = self.offer_seconds if seconds is None else seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (found := find()) is None:  # noqa: ASYNC110 - it may depend on anything
                    await asyncio.sleep(LOOK_SECONDS)
                return found
        return None

    @contextlib.asynccontextmanager
    async def dialog(self, person: str) -> AsyncIterator[Callable[[], Awaitable[View | None]]]:
        """Make sure that the person has no other dialog open inside the block. Yield a function that waits
        for the filled dialog and returns it, or None if it does not come in time."""
        async with self._hands[person]:

            async def opened() -> View | None:
                return await self.wait(lambda: self._find_filled(person))

            try:
                yield opened
            finally:
                for view in self.slack.views(person):
                    with contextlib.suppress(ImpossibleAction):
                        await self.slack.close(person, view)

    def _find_filled(self, person: str) -> View | None:
        views = self.slack.views(person)
        return views[-1] if views and "submit" in views[-1].content else None

    async def submit(self, person: str, view: View, values: Json) -> Press:
        """Submit a dialog with these values."""
        at = self.now()
        submitted = await self.slack.submit(person, view, values)
        return Press(person, at, not submitted.failure and not submitted.errors and submitted.view is None)

    async def is_taken(self, press: Press) -> bool:
        """Return whether the bot has promised the effect of a press.

        Even after the ack, the bot may still say that the press may be lost. So wait a while before
        returning.
        """
        if press.is_acked:
            await self.wait(lambda: self.promises.has_doubt(press.person, press.at) or None, DOUBT_SECONDS)
        return self.promises.is_kept_to(press)

    def find_private(self, person: str, button: Button, part: str, label: str = "") -> Ephemeral | None:
        """Return the newest private answer that has this button, or None. `part` must occur in the button's
        value or in the answer. `label` is the button's text; an empty label fits every button."""
        for told in reversed(self.slack.ephemerals(person)):
            found = find_button(told.body, button, label)
            if found is not None and (part in str(found.get("value")) or part in str(told.body)):
                return told
        return None

    async def click_private(self, person: str, told: Ephemeral, button: Button, label: str = "") -> Press:
        """Press this button of a private answer. Raise ImpossibleAction if the button is gone."""
        found = find_button(told.body, button, label)
        if found is None:
            raise ImpossibleAction("the button is gone")
        at = self.now()
        answer = await self.slack.click(
            person, told.channel, told.ts, found["action_id"], found.get("value", "")
        )
        return Press(person, at, answer.ok)

    async def click(
        self, person: str, place: ThreadKey, message: Json, button: Button, label: str = ""
    ) -> Press:
        found = find_button(self.slack.message(place.channel, message["ts"]), button, label)
        if found is None:
            raise ImpossibleAction("the button is gone")
        at = self.now()
        answer = await self.slack.click(
            person, place.channel, message["ts"], found["action_id"], found.get("value", "")
        )
        return Press(person, at, answer.ok)

    def _find_message(self, place: ThreadKey, button: Button, label: str = "") -> Json | None:
        thread = self.slack.thread(place.channel, place.ts)
        return next((each for each in reversed(thread) if find_button(each, button, label)), None)

    async def _post(self, typed: TypedCommand, place: ThreadKey, words: str, person: str = "") -> str:
        address = f"<@{self.slack.bot_user_id}> " if typed.is_mention_only and words[0] != "!" else ""
        return await self.slack.post(person or typed.person, place.channel, f"{address}{words}", place.ts)

    def now(self) -> str:
        """Return Slack's present time as the ts of a message."""
        return self.slack.backend.ids.ts()
