"""What the bot has promised to people besides commands and replies, and whether the bot did it.

A press, a dialog or a shortcut counts as promised if Slack got an ack for it and the bot has not said that it
may be lost. If an act was not promised, its effect may be missing, but the effect must not come twice.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskwire.domain.text.message import Button
from taskwire.messages import answers
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.errors import Json

from .acts import ThreadKey
from .ledger import Ledger
from .tally import Wrong

DONE_MARK = ["white_check_mark"]
# In the thread of a new card, a shortcut is refused until the link of its task is stored.
NO_TASK_YET = "This thread has no task."
DOUBTS = (answers.store_unreachable(), answers.command_outcome_unknown(), NO_TASK_YET)
# A person who asks too often is told so once. For the rest of that minute, requests are skipped silently.
SKIPPED = answers.too_many_requests().text
SKIPPED_SECONDS = 60


@dataclass
class Press:
    """A press, a submission or a choice of a person, with its time. `is_acked` says whether Slack got an ack
    for it."""

    person: str
    at: str
    is_acked: bool


@dataclass
class SentInput:
    """Text that must reach an agent once. If the text is a person's message, `ts` names the message.

    `prompt` is empty if the task is not known.
    """

    prompt: str
    texts: tuple[str, ...]
    press: Press | None
    place: ThreadKey
    ts: str = ""


@dataclass
class AnsweredMessage:
    """A message of the bot with buttons. After the press, the buttons must be gone. `choice` is the text of
    the pressed button."""

    place: ThreadKey
    ts: str
    button: Button
    press: Press
    prompt: str = ""
    choice: str = ""


@dataclass
class Promises:
    """Everything that people did in a storm besides commands and replies."""

    slack: SlackSandbox
    sent: list[SentInput] = field(default_factory=list)
    answered: list[AnsweredMessage] = field(default_factory=list)
    # The tasks whose cards must offer *Unmute*.
    muted: list[tuple[str, ThreadKey]] = field(default_factory=list)
    # What must be stored after a dialog, with its key in Redis: one setting for each channel and each person.
    saved: list[tuple[Press, str, str, str]] = field(default_factory=list)
    # How often people asked to stop each task.
    stops: Counter[str] = field(default_factory=Counter)

    def is_kept_to(self, press: Press | None) -> bool:
        """Return whether the bot has promised the effect of this press. Return false for None, which means no
        press."""
        return press is not None and press.is_acked and not self.has_doubt(press.person, press.at)

    def has_doubt(self, person: str, at: str) -> bool:
        """Return whether the bot has told this person, at or after the time `at`, that an act may be lost, or
        within the minute before, that requests are skipped."""
        told = [(float(each.ts), str(each.body.get("text", ""))) for each in self.slack.ephemerals(person)]
        return any(
            (text.startswith(DOUBTS) and ts >= float(at))
            or (text == SKIPPED and ts >= float(at) - SKIPPED_SECONDS)
            for ts, text in told
        )

    def judge(self, ledger: Ledger, stored: Mapping[str, str]) -> dict[Wrong, list[str]]:
        """Return a sentence for each broken promise, by its kind: `lost`, `twice` or `untrue`. `stored` has
        the settings that the bot has stored, by the names of their keys."""
        wrongs: dict[Wrong, list[str]] = {"lost": [], "twice": [], "untrue": []}
        inputs = {task.prompt: Counter(task.inputs) for task in ledger.tasks}
        told = {said.id.partition(":")[2] for said in ledger.said if ":twice:" in said.id}
        everywhere = sum(inputs.values(), Counter[str]())
        for sent in self.sent:
            got = inputs.get(sent.prompt, Counter()) if sent.prompt else everywhere
            self._judge_input(sent, got, ledger, told, wrongs)
        for answered in self.answered:
            self._judge_answer(answered, inputs.get(answered.prompt, Counter()), ledger, wrongs)
        for prompt, place in self.muted:
            cards = [said for said in ledger.cards() if said.place == place]
            shown = [str(self.slack.message(place.channel, card.ts).get("blocks")) for card in cards]
            wrongs["lost"] += [f"the mute of {prompt!r}" for blocks in shown if "'muted'" not in blocks]
        for press, name, wanted, what in self.saved:
            if self.is_kept_to(press) and wanted not in stored.get(name, ""):
                wrongs["lost"].append(f"{what}: {wanted} is not in {stored.get(name)}")
        for task in ledger.tasks:
            count = sum(name.startswith("paused:") for name in task.story)
            if count > self.stops[task.prompt] + self._count_restarts(task.prompt):
                wrongs["twice"].append(f"{task.prompt!r} was stopped {count} times")
        live = [said for said in ledger.said if said.kind == "live" and ", live for everybody" in said.text]
        wrongs["untrue"] += [f"still live: {said.text[:80]!r} at {said.place}" for said in live]
        return wrongs

    def _count_restarts(self, prompt: str) -> int:
        """Return how often the bot has said that it restarts a broken workspace. A restart begins with a
        stop, for which nobody has asked."""
        said = (str(each.body.get("text", "")) for each in self.slack.backend.ephemerals)
        name = prompt.partition("\n")[0]
        return sum(text.lower().startswith(f"retrying *{name}*") for text in said)

    def _judge_input(
        self,
        sent: SentInput,
        inputs: Counter[str],
        ledger: Ledger,
        told: set[str],
        wrongs: dict[Wrong, list[str]],
    ) -> None:
        count = sum(inputs[text] for text in sent.texts)
        if count > 1 and f"twice:{sent.ts}" not in told:
            wrongs["twice"].append(f"{sent.texts[0]!r}, {count} times")
        if not count and self.is_kept_to(sent.press):
            wrongs["lost"].append(f"{sent.texts[0]!r} at {sent.place}, {sent.ts}")
        marks = ledger.receipts.get(ThreadKey(sent.place.channel, sent.ts), []) if sent.ts else None
        if marks is not None and marks != (DONE_MARK if count else []):
            wrongs["untrue"].append(f"{sent.texts[0]!r} is marked {marks}, and there {count} times")

    def _judge_answer(
        self,
        answered: AnsweredMessage,
        inputs: Counter[str],
        ledger: Ledger,
        wrongs: dict[Wrong, list[str]],
    ) -> None:
        message = self.slack.message(answered.place.channel, answered.ts)
        if self.is_kept_to(answered.press) and find_button(message, answered.button) is not None:
            wrongs["untrue"].append(f"still asked: {str(message['text'])[:80]!r} at {answered.place}")
        if answered.choice:
            words, count = f"chose: {answered.choice}", inputs[answered.choice]
            is_told = any(said.place == answered.place and words in said.text for said in ledger.said)
            if count != is_told:
                what = f"{answered.choice!r} of {answered.prompt!r}: there {count} times, told: {is_told}"
                wrongs["twice" if count > 1 else "lost" if is_told else "untrue"].append(what)


def elements(content: Json) -> list[Json]:
    """Return the buttons of a message or view."""
    blocks = content.get("blocks") or []
    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    rows += [[block["accessory"]] for block in blocks if "accessory" in block]
    return [element for row in rows for element in row]


def find_button(content: Json, button: Button, label: str = "") -> Json | None:
    """Return the first button with this action and this label, or None. An empty label fits every button. A
    number at the end of the action's id is ignored."""
    for element in elements(content):
        action = str(element.get("action_id", ""))
        is_it = action == button or action.rpartition(".")[0] == button
        if is_it and (not label or element.get("text", {}).get("text") == label):
            return element
    return None
