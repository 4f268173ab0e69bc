"""The people of a storm. They create tasks, write in the threads, and do what the bot asks them to do.

People know only what Slack shows them. They remember what they typed and what the bot told them. If the bot
says that a command may have failed, its author looks for the card. If there is no card, the author repeats
the command with another prompt.
"""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from taskwire.domain.text.message import Button
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.errors import ImpossibleAction, Json

from .acts import BotQuestion, Deck, ThreadKey, TypedCommand, WrittenReply
from .agents import KINDS, PROMPT
from .connecting import Connecting
from .creating import Creating
from .plan import Plan
from .promises import Press, Promises, find_button
from .surfaces import Surfaces

# How many seconds a person looks for the card of a command whose outcome is unknown.
CARD_SECONDS = 6.0
# How many seconds a person looks for the card after a mention or a reaction. Slack tries to deliver the event
# for a shorter time.
EVENT_SECONDS = 25.0
# Pauses before a reply, as parts of the longest pause: immediately, while the agent works, when it is done,
# later.
PAUSES = ((0.0, 0.01), (0.02, 0.1), (0.15, 0.4), (0.5, 1.0))
# One task of this many is paused between its replies.
TASKS_PER_PAUSE = 6
# A person tries at most this many times to create a task. A storm refuses few commands.
MOST_ATTEMPTS = 30
DECIDE_SECONDS = 1.0
# If a storm has at least this many tasks, each kind of act must have been done once. In a smaller storm, each
# must have been tried.
THOROUGH_TASKS = 100
# The ways to stop a task.
STOPS = ("!pause", "stop", "Halt!", "!stop", "command", "reaction", "button")


@dataclass
class Actors:
    """All people of a storm, and what they remember."""

    plan: Plan
    slack: SlackSandbox
    coder: CoderSandbox
    people: list[str]
    channels: list[str]
    typed: list[TypedCommand] = field(default_factory=list)
    written: list[WrittenReply] = field(default_factory=list)
    asked: list[BotQuestion] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    # Reminders that nobody has snoozed yet, each with its thread.
    reminders: list[tuple[ThreadKey, Json]] = field(default_factory=list)
    _cards: dict[str, ThreadKey] = field(default_factory=dict)
    _resumed: set[ThreadKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.promises = Promises(self.slack)
        seed = self.plan.seed
        self._surfaces = Surfaces(
            self.slack, self.coder, self.people, self.acts, self.promises, seed, self.plan.offer_seconds
        )
        self._stops = Deck(STOPS, f"{seed} stops")
        self._creating = Creating(self._surfaces)
        self.connecting = Connecting(self._surfaces)

    async def act(self) -> None:
        """Let all people act at the same time: create the planned tasks, write the planned replies, do other
        acts, and connect accounts."""
        async with asyncio.TaskGroup() as lives:
            for number in range(self.plan.tasks):
                lives.create_task(self._run_person(number))
            for number, person in enumerate(self.people[::2]):
                lives.create_task(self._connect(person, self.channels[number % len(self.channels)]))

    def untried(self) -> list[str]:
        """Return the kinds of acts that no person has tried. In a large storm, also return those that people
        tried but never completed."""
        return self._surfaces.untried(must_be_done=self.plan.tasks >= THOROUGH_TASKS)

    async def watch(self) -> None:
        """Read the bot's messages until cancelled."""
        changes = self.slack.backend.ledger.subscribe()
        while True:
            change = await changes.get()
            if change["kind"] == "message":
                self._read(change["channel"], change["message"])

    async def decide(self) -> None:
        """Answer the bot's questions about replies until cancelled."""
        while True:
            await asyncio.sleep(DECIDE_SECONDS)
            for question in self.asked:
                if not question.is_answered and not _has(question.message, Button.RESUME_AND_SEND):
                    await self._answer(question)
            while self.reminders:
                place, message = self.reminders.pop()
                prompt = next((w.prompt for w in self.written if w.place == place), "")
                if prompt:
                    is_done = await self._surfaces.snooze(self.owner(prompt), place, message)
                    self._surfaces.note("snooze", is_done=is_done)

    async def resume_all(self) -> None:
        """Resume each paused task that holds replies: press the button of the bot's question, or write
        `!resume` if there is no question."""
        for question in self.asked:
            if not question.is_answered and _has(question.message, Button.RESUME_AND_SEND):
                self.acts["resumed at last"] += 1
                await self._press(question, Button.RESUME_AND_SEND)
        asked = {question.place for question in self.asked if not question.is_answered}
        paused = {task.prompt: task.inputs for task in self.coder.tasks if task.status == "paused"}
        for reply in self.written:
            is_held = reply.prompt in paused and reply.text not in paused[reply.prompt]
            if is_held and reply.place not in asked | self._resumed:
                self.acts["resumed by a verb at last"] += 1
                self._resumed.add(reply.place)
                await self.slack.post(
                    self.owner(reply.prompt), reply.place.channel, "!resume", reply.place.ts
                )

    def owner(self, prompt: str) -> str:
        """Return the person who typed the command with this prompt."""
        return next(typed.person for typed in self.typed if typed.prompt == prompt)

    async def _connect(self, person: str, channel: str) -> None:
        """Let a person connect their own account in the first half of the storm."""
        dice = random.Random(f"{self.plan.seed} {person} connects")  # noqa: S311 - repeatable on purpose
        await asyncio.sleep(dice.uniform(0, self.plan.seconds / 2))
        await self.connecting.connect(person, channel)

    async def _run_person(self, number: int) -> None:
        dice = random.Random(f"{self.plan.seed} person {number}")  # noqa: S311 - repeatable on purpose
        await asyncio.sleep(dice.uniform(0, self.plan.seconds))
        typed = await self._create(number, dice)
        place = await self._wait_for_card(typed.prompt, self.plan.patience_seconds) if typed else None
        if typed is None or place is None:
            self.acts["gave up"] += 1
            return
        if KINDS[number % len(KINDS)] == "pick":
            is_done = await self._surfaces.choose(typed, place, number)
            self._surfaces.note("choose", is_done=is_done)
        is_paused = number % TASKS_PER_PAUSE == 0
        pause_at = dice.randrange(self.plan.replies) if is_paused else None
        act_at = set() if is_paused else {dice.randrange(self.plan.replies) for _ in range(self.plan.acts)}
        for at in range(self.plan.replies):
            await asyncio.sleep(self.plan.longest_pause_seconds * dice.uniform(*dice.choice(PAUSES)))
            if at == pause_at:
                await self._pause(typed, place, dice)
            if at in act_at:
                await self._surfaces.do_one(typed, place, dice)
            text = f"word {at} for {typed.subject}"
            address = f"<@{self.slack.bot_user_id}> " if typed.is_mention_only else ""
            ts = await self.slack.post(typed.person, place.channel, f"{address}{text}", place.ts)
            self.written.append(WrittenReply(text, ts, place, typed.prompt))

    async def _pause(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> None:
        """Stop the task. Then, in half of the cases, write `!resume`. In the other half, the next reply
        resumes the task."""
        await self._stop(typed, place, self._stops.deal())
        await asyncio.sleep(dice.uniform(0, 3))
        if dice.random() < 0.5:
            self.acts["resumes"] += 1
            await self.slack.post(typed.person, place.channel, "!resume", place.ts)

    async def _stop(self, typed: TypedCommand, place: ThreadKey, way: str) -> None:
        """Stop the task in this way. Count the stop, because the task must not be stopped more often than
        people asked."""
        if typed.is_mention_only and way not in ("!pause", "!stop", "command"):
            # The root of this thread is a person's message and not the card. There, a bare stop is for
            # people, a stop sign on the root is not for the task, and the root has no buttons.
            way = "mention"
        self.acts[f"stop by {way}"] += 1
        task = next((each for each in self.coder.tasks if each.prompt == typed.prompt), None)
        self.promises.stops[typed.prompt] += 1
        match way:
            case "command" if task is not None:
                await self.slack.command(typed.person, place.channel, "/task", f"stop {task.name}")
            case "reaction":
                await self.slack.react(typed.person, place.channel, place.ts, "octagonal_sign")
            case "button":
                card = self.slack.message(place.channel, place.ts)
                if find_button(card, Button.PAUSE) is not None:
                    with contextlib.suppress(ImpossibleAction):
                        await self._surfaces.click(typed.person, place, card, Button.PAUSE)
            case _:
                words = {"command": "!stop", "mention": f"<@{self.slack.bot_user_id}> stop"}.get(way, way)
                await self.slack.post(typed.person, place.channel, words, place.ts)

    async def _create(self, number: int, dice: random.Random) -> TypedCommand | None:
        """Create a task, in several tries if necessary. Return None if none of the tries has created a
        task."""
        person, channel = dice.choice(self.people), self.channels[number % len(self.channels)]
        for attempt in range(1, MOST_ATTEMPTS + 1):
            prompt = f"{KINDS[number % len(KINDS)]} number {number} try {attempt}"
            typed = await self._creating.begin(person, channel, prompt, dice)
            self.acts[f"commands {typed.told}"] += 1
            self.typed.append(typed)
            # Slack may give up an event without telling anybody. Then nobody knows about the command.
            is_sure = typed.told == "taken" and not typed.event
            seconds = EVENT_SECONDS if typed.event else CARD_SECONDS
            if is_sure or (typed.told != "refused" and await self._wait_for_card(typed.prompt, seconds)):
                return typed
        return None

    async def _wait_for_card(self, prompt: str, seconds: float) -> ThreadKey | None:
        """Return the thread of the card with this prompt, or None if no card comes within `seconds`."""
        found = PROMPT.search(prompt)
        key = found[0].lower() if found else prompt
        return await self._surfaces.wait(lambda: self._cards.get(key), seconds)

    def _read(self, channel: str, message: Json) -> None:
        meta = cast("dict[str, str]", message.get("metadata", {}).get("event_payload", {}))
        if meta.get("kind") == "card" and (found := PROMPT.search(message["text"])):
            root = str(message.get("thread_ts", message["ts"]))
            self._cards.setdefault(found[0].lower(), ThreadKey(channel, root))
        elif meta.get("kind") == "reminder" and find_button(message, Button.SNOOZE_HOUR) is not None:
            self.reminders.append((ThreadKey(channel, str(message["thread_ts"])), message))
        elif meta.get("kind") == "answer" and any(_has(message, button) for button in QUESTIONS):
            place = ThreadKey(channel, str(message.get("thread_ts", message["ts"])))
            self.asked.append(BotQuestion(place, message["ts"], meta["id"], message))

    async def _answer(self, question: BotQuestion) -> None:
        """Look at the task in Coder, and press the button with the true answer to the bot's question."""
        if _has(question.message, Button.ARRIVED):
            self.acts["in doubt"] += 1
            words = self._about(question) or _quoted(question.message)
            has_it = any(words in task.inputs for task in self.coder.tasks)
            await self._press(question, Button.ARRIVED if has_it else Button.SEND_AGAIN)
        else:
            self.acts["not delivered"] += 1
            await self._press(question, Button.SEND_AGAIN)

    def _about(self, question: BotQuestion) -> str:
        return next(
            (w.text for w in self.written if w.place == question.place and f":{w.ts}" in question.id), ""
        )

    async def _press(self, question: BotQuestion, button: Button) -> None:
        person = next((w.prompt for w in self.written if w.place == question.place), "")
        if not person:
            # Nobody has written in this thread yet, so its owner is not known. The question is looked at
            # again later.
            return
        owner, at = self.owner(person), self._surfaces.now()
        try:
            answer = await self.slack.click(
                owner, question.place.channel, question.ts, button, _value(question, button)
            )
        except (ImpossibleAction, StopIteration, KeyError):
            question.is_answered = True
            return
        # If the bot says that the press may be lost, the person presses again later.
        question.is_answered = await self._surfaces.is_taken(Press(owner, at, answer.ok))


QUESTIONS = (Button.ARRIVED, Button.SEND_AGAIN, Button.RESUME_AND_SEND)


def _elements(message: Json) -> list[Json]:
    rows = [block for block in message.get("blocks", []) if block["type"] == "actions"]
    return [element for row in rows for element in row["elements"]]


def _quoted(message: Json) -> str:
    """Return the text that the bot quotes in its question, for example an agent's choice that a person
    pressed."""
    rows = [block for block in message.get("blocks", []) if block["type"] == "rich_text"]
    pieces = [piece for row in rows for part in row["elements"] for piece in part["elements"]]
    return "".join(str(piece.get("text", "")) for piece in pieces)


def _has(message: Json, button: Button) -> bool:
    return any(element.get("action_id") == button for element in _elements(message))


def _value(question: BotQuestion, button: Button) -> str:
    return next(str(e.get("value", "")) for e in _elements(question.message) if e["action_id"] == button)
