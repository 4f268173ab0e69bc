"""Compares the bot's promises with the stand-ins' records after a storm.

Each function `_judge_…` checks one promise, and writes a sentence for each case in which the promise was
broken.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from taskwire_sandbox.slack.ledger import Delivery

from .acts import ThreadKey, TypedCommand, WrittenReply
from .agents import PROMPT
from .ledger import BotMessage, Ledger, TaskLedger

Wrong = Literal["lost", "twice", "overtaken", "disordered", "stuck", "untrue", "untried"]
WRONGS: tuple[Wrong, ...] = ("lost", "twice", "overtaken", "disordered", "stuck", "untrue", "untried")
MOST_SENTENCES = 12


@dataclass
class Tally:
    """The counts of one storm, and a sentence for each broken promise."""

    counts: Counter[str] = field(default_factory=Counter)
    wrongs: dict[Wrong, list[str]] = field(default_factory=lambda: {name: [] for name in WRONGS})

    @property
    def is_good(self) -> bool:
        """Return whether no promise was broken."""
        return not any(self.wrongs.values())

    def lines(self) -> list[str]:
        """Return the tally as printed lines."""
        shown = [f"{name:<28} {count}" for name, count in self.counts.items()]
        for name, sentences in self.wrongs.items():
            shown.append(f"{name:<28} {len(sentences)}")
            shown += [f"    {sentence}" for sentence in sentences[:MOST_SENTENCES]]
        return shown


def judge(
    ledger: Ledger,
    typed: Sequence[TypedCommand],
    written: Sequence[WrittenReply],
    promised: Mapping[Wrong, list[str]],
    queues: Sequence[str],
    dead_letters: Sequence[str],
) -> Tally:
    """Compare what people did and what the bot said with what is in both stand-ins. Return the tally with a
    sentence for each difference. `promised` are the broken promises that were found about other acts."""
    tally = Tally()
    wrongs = tally.wrongs
    _count(tally.counts, ledger, typed, written)
    wrongs["twice"] += [f"message {name}, {n} times" for name, n in _repeated(s.id for s in ledger.said)]
    _judge_commands(tally, ledger, typed)
    _judge_replies(tally, ledger, written)
    _judge_order(tally, ledger, written)
    _judge_notices(tally, ledger)
    _judge_cards(tally, ledger)
    for name, sentences in promised.items():
        wrongs[name] += sentences
    wrongs["stuck"] += [f"list {name}" for name in queues]
    wrongs["lost"] += [f"dead letter {letter[:300]}" for letter in dead_letters]
    return tally


def _count(
    counts: Counter[str], ledger: Ledger, typed: Sequence[TypedCommand], written: Sequence[WrittenReply]
) -> None:
    for told in ("taken", "unknown", "refused"):
        counts[f"commands {told}"] = sum(1 for each in typed if each.told == told)
    counts["cards"] = len(ledger.cards())
    counts["tasks"] = len(ledger.tasks)
    counts["replies"] = len(written)
    counts["inputs"] = sum(len(task.inputs) for task in ledger.tasks)
    counts["finished turns"] = sum(len(task.finishes) for task in ledger.tasks)
    for kind, count in sorted(Counter(said.kind for said in ledger.said if said.kind != "card").items()):
        counts[f"said: {kind}"] = count


def _repeated(values: Iterable[str]) -> Iterator[tuple[str, int]]:
    return ((value, count) for value, count in Counter(values).items() if count > 1)


def _judge_commands(tally: Tally, ledger: Ledger, typed: Sequence[TypedCommand]) -> None:
    """Check that an accepted command has one card and one task, and that a refused command has neither.

    If Slack has given up the event of a command, the bot has not accepted the command. Nor has it if the
    person has made too many requests in a minute.
    """
    tasks = Counter(task.prompt for task in ledger.tasks)
    prompts = {task.id: task.prompt for task in ledger.tasks}
    cards = Counter(_prompt_of(card, prompts) for card in ledger.cards())
    for command in typed:
        made = (cards[command.prompt], tasks[command.prompt])
        where = f"{command.prompt!r}, told {command.told}: {made[0]} cards and {made[1]} tasks"
        if max(made) > 1:
            tally.wrongs["twice"].append(where)
        elif command.told == "refused" and max(made):
            tally.wrongs["untrue"].append(where)
        elif command.event and not max(made) and not _was_heard(ledger, command):
            tally.counts["given up by Slack"] += 1
        elif ThreadKey(command.channel, command.ts) in ledger.skipped and not max(made):
            tally.counts["skipped above the limit"] += 1
        elif (command.told == "taken" or max(made)) and min(made) < 1:
            tally.wrongs["lost"].append(where)


def _was_heard(ledger: Ledger, command: TypedCommand) -> bool:
    return (command.event, ThreadKey(command.channel, command.ts)) in ledger.heard


def _prompt_of(card: BotMessage, prompts: dict[str, str]) -> str:
    found = PROMPT.search(card.text)
    return prompts.get(card.task_id) or (found[0].lower() if found else card.text)


def _judge_replies(tally: Tally, ledger: Ledger, written: Sequence[WrittenReply]) -> None:
    """Check that each reply is in its agent's inputs once, and has the right reaction. A reply may be there
    twice only if the bot has said so in the thread."""
    inputs: dict[str, Counter[str]] = defaultdict(Counter)
    for task in ledger.tasks:
        inputs[task.prompt].update(task.inputs)
    told = {said.id.partition(":")[2] for said in ledger.said if ":twice:" in said.id}
    for reply in written:
        count = inputs[reply.prompt][reply.text]
        is_told = f"twice:{reply.ts}" in told
        tally.counts["inputs twice, and told"] += is_told
        if not count:
            tally.wrongs["lost"].append(f"reply {reply.text!r} at {reply.place}, {reply.ts}")
        elif count > 1 and not is_told:
            tally.wrongs["twice"].append(f"reply {reply.text!r}, {count} times at {reply.place}, {reply.ts}")
        marks = ledger.receipts.get(ThreadKey(reply.place.channel, reply.ts), [])
        if count and marks != ["white_check_mark"]:
            tally.wrongs["untrue"].append(f"reply {reply.text!r} is marked {marks}")


def _judge_order(tally: Tally, ledger: Ledger, written: Sequence[WrittenReply]) -> None:
    """Check that no reply is in the agent's inputs before an earlier reply, if the earlier one had arrived
    when the later one was sent."""
    threads: dict[ThreadKey, list[WrittenReply]] = defaultdict(list)
    for reply in written:
        threads[reply.place].append(reply)
    inputs = {task.prompt: task.inputs for task in ledger.tasks}
    for replies in threads.values():
        for first, second in itertools.combinations(sorted(replies, key=lambda r: float(r.ts)), 2):
            got = inputs.get(first.prompt, [])
            if not {first.text, second.text} <= set(got) or got.index(first.text) < got.index(second.text):
                continue
            both = f"{second.text!r} before {first.text!r}"
            if _had_arrived(ledger, first, second):
                tally.wrongs["overtaken"].append(both)
            else:
                tally.counts["overtook what came later"] += 1


def _had_arrived(ledger: Ledger, first: WrittenReply, second: WrittenReply) -> bool:
    """Return whether Slack got the ack of the first reply before it sent the second reply to the bot."""
    one, other = (_arrival(ledger, reply) for reply in (first, second))
    if one is None or other is None or one.acked_at is None or other.sent_at is None:
        return False
    return one.acked_at < other.sent_at


def _arrival(ledger: Ledger, reply: WrittenReply) -> Delivery | None:
    return ledger.arrivals.get(ThreadKey(reply.place.channel, reply.ts))


def _judge_notices(tally: Tally, ledger: Ledger) -> None:
    """Check that each turn that is complete or has failed is announced once, and that notices are in the
    order of the events."""
    threads, places = ledger.threads(), {card.task_id: card.place for card in ledger.cards()}
    for task in ledger.tasks:
        place = places.get(task.id)
        told = [said.id.partition(":")[2] for said in threads.get(place, [])] if place else []
        copies = Counter(told)
        for finish in task.finishes:
            where = f"{finish.state} of {task.prompt!r} at {finish.at:%H:%M:%S.%f} ({finish.id})"
            if not copies[finish.notice] and finish.is_gone:
                tally.counts["finished unread before a stop"] += 1
            elif not copies[finish.notice]:
                tally.wrongs["lost"].append(f"nobody was told of: {where}")
            elif copies[finish.notice] > 1:
                tally.wrongs["twice"].append(f"told {copies[finish.notice]} times: {where}")
        place_of = {name: at for at, name in enumerate(task.story)}
        edited = (
            {said.id.partition(":")[2] for said in threads.get(place, []) if said.is_in_place}
            if place
            else set()
        )
        names = [name for name in told if name in place_of and name not in edited]
        order = [place_of[name] for name in names]
        if order != sorted(order):
            tally.wrongs["disordered"].append(f"notices of {task.prompt!r}: {names}, happened: {task.story}")


def _judge_cards(tally: Tally, ledger: Ledger) -> None:
    """Check that each card shows the state of its task."""
    tasks: dict[str, TaskLedger] = {task.id: task for task in ledger.tasks}
    for card in ledger.cards():
        task = tasks.get(card.task_id)
        label = card.text.partition(":")[0]
        if task is not None and label != task.label:
            tally.wrongs["untrue"].append(f"the card of {task.prompt!r} says {label!r}, it is {task.label!r}")
        tally.counts[f"cards: {label}"] += 1
