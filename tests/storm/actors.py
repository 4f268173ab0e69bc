"""The people of a storm. They create tasks, write in their threads, and do what the bot asks of them.

They know only what Slack shows them, and remember what they typed and what they were told. If a command may
have failed, its author looks for the card, as the bot has asked. Without a card, the author repeats the
command with other words.
"""

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, cast

from taskwire.domain.message import Button
from taskwire.messages import answers
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.errors import ImpossibleAction, Json

from .agents import KINDS
from .plan import Plan

PROMPT = re.compile(rf"(?:{'|'.join(KINDS)}) number \d+ try \d+", re.IGNORECASE)
# How many seconds a person looks for the card of a command whose outcome is unknown.
CARD_SECONDS = 6.0
# Pauses before a reply, as shares of the longest pause: at once, while the agent works, when it is done,
# later.
PAUSES = ((0.0, 0.01), (0.02, 0.1), (0.15, 0.4), (0.5, 1.0))
# Of this number of tasks, one is paused between its replies.
TASKS_PER_PAUSE = 5
DECIDE_SECONDS = 1.0

CommandOutcome = Literal["taken", "refused", "unknown"]


class ThreadKey(NamedTuple):
    """A thread: its channel and the ts of its root."""

    channel: str
    ts: str


@dataclass
class TypedCommand:
    """A command, and what its author was told about it."""

    person: str
    channel: str
    prompt: str
    told: CommandOutcome


@dataclass
class WrittenReply:
    """A reply, and where it was written."""

    text: str
    ts: str
    place: ThreadKey
    prompt: str


@dataclass
class BotQuestion:
    """A question of the bot in a thread, with its buttons."""

    place: ThreadKey
    ts: str
    id: str
    message: Json
    is_answered: bool = False


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
    _cards: dict[str, ThreadKey] = field(default_factory=dict)
    _resumed: set[ThreadKey] = field(default_factory=set)

    async def act(self) -> None:
        """Create all planned tasks and write all planned replies."""
        async with asyncio.TaskGroup() as lives:
            for number in range(self.plan.tasks):
                lives.create_task(self._run_person(number))

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

    async def resume_all(self) -> None:
        """Resume each paused task that holds replies: by the question's button, or by `!resume` if nothing
        was asked."""
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
        """Return the person whose command it was."""
        return next(typed.person for typed in self.typed if typed.prompt == prompt)

    async def _run_person(self, number: int) -> None:
        dice = random.Random(f"{self.plan.seed} person {number}")  # noqa: S311 - repeatable on purpose
        await asyncio.sleep(dice.uniform(0, self.plan.seconds))
        typed = await self._create(number, dice)
        place = await self._card(typed.prompt)
        pause_at = dice.randrange(self.plan.replies) if number % TASKS_PER_PAUSE == 0 else None
        for at in range(self.plan.replies):
            await asyncio.sleep(self.plan.longest_pause_seconds * dice.uniform(*dice.choice(PAUSES)))
            if at == pause_at:
                await self._pause(typed, place, dice)
            text = f"word {at} for {typed.prompt}"
            ts = await self.slack.post(typed.person, place.channel, text, place.ts)
            self.written.append(WrittenReply(text, ts, place, typed.prompt))

    async def _pause(self, typed: TypedCommand, place: ThreadKey, dice: random.Random) -> None:
        """Pause the task. Half the time `!resume` follows; otherwise the next reply resumes the task."""
        self.acts["pauses"] += 1
        await self.slack.post(typed.person, place.channel, dice.choice(("!pause", "stop")), place.ts)
        await asyncio.sleep(dice.uniform(0, 3))
        if dice.random() < 0.5:
            self.acts["resumes"] += 1
            await self.slack.post(typed.person, place.channel, "!resume", place.ts)

    async def _create(self, number: int, dice: random.Random) -> TypedCommand:
        person, channel = dice.choice(self.people), self.channels[number % len(self.channels)]
        attempt = 0
        while True:
            attempt += 1
            prompt = f"{KINDS[number % len(KINDS)]} number {number} try {attempt}"
            answer = await self.slack.command(person, channel, "/task", f"create {prompt}")
            told = _told(answer.ok, answer.reply)
            self.acts[f"commands {told}"] += 1
            typed = TypedCommand(person, channel, prompt, told)
            self.typed.append(typed)
            if told == "taken" or (told == "unknown" and await self._wait_for_card(prompt)):
                return typed

    async def _wait_for_card(self, prompt: str) -> bool:
        """Wait some seconds for the card of a command."""
        try:
            async with asyncio.timeout(CARD_SECONDS):
                await self._card(prompt)
        except TimeoutError:
            return False
        return True

    async def _card(self, prompt: str) -> ThreadKey:
        while prompt not in self._cards:  # noqa: ASYNC110 - hundreds would wake at each change
            await asyncio.sleep(0.2)
        return self._cards[prompt]

    def _read(self, channel: str, message: Json) -> None:
        meta = cast("dict[str, str]", message.get("metadata", {}).get("event_payload", {}))
        if meta.get("kind") == "card" and (found := PROMPT.search(message["text"])):
            self._cards.setdefault(found[0].lower(), ThreadKey(channel, message["ts"]))
        elif meta.get("kind") == "answer" and any(_has(message, button) for button in QUESTIONS):
            place = ThreadKey(channel, str(message.get("thread_ts", message["ts"])))
            self.asked.append(BotQuestion(place, message["ts"], meta["id"], message))

    async def _answer(self, question: BotQuestion) -> None:
        """Look at the task in Coder and press the button that fits."""
        if _has(question.message, Button.ARRIVED):
            self.acts["in doubt"] += 1
            words = self._about(question)
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
        try:
            answer = await self.slack.click(
                self.owner(person), question.place.channel, question.ts, button, _value(question, button)
            )
        except (ImpossibleAction, StopIteration, KeyError):
            question.is_answered = True
            return
        question.is_answered = answer.ok


QUESTIONS = (Button.ARRIVED, Button.SEND_AGAIN, Button.RESUME_AND_SEND)


def _told(is_acked: bool, reply: Json | None) -> CommandOutcome:
    if not is_acked:
        return "unknown"
    words = str((reply or {}).get("text", ""))
    if not words:
        return "taken"
    return "refused" if words == answers.store_unreachable() else "unknown"


def _elements(message: Json) -> list[Json]:
    rows = [block for block in message.get("blocks", []) if block["type"] == "actions"]
    return [element for row in rows for element in row["elements"]]


def _has(message: Json, button: Button) -> bool:
    return any(element.get("action_id") == button for element in _elements(message))


def _value(question: BotQuestion, button: Button) -> str:
    return next(str(e.get("value", "")) for e in _elements(question.message) if e["action_id"] == button)
