"""The bot dies while it delivers a reply, at each of its calls, on either side."""

from pathlib import Path

import pytest

from taskwire.sandbox.coder import PuppetTask

from .killing import CHANNEL, PHASES, Death, Victim, kill, kill_everywhere

PROMPT = "fix the login redirect"


class Delivery:
    """Somebody answers in the thread of a task."""

    def __init__(self) -> None:
        self._replies: dict[tuple[Path, int], str] = {}

    async def prepare(self, victim: Victim) -> None:
        """A task with its thread."""
        answer = await victim.slack.command(victim.people[0], CHANNEL, "/task", f"create {PROMPT}")
        assert answer.ok, answer
        await victim.until(lambda: victim.tasks(PROMPT), "the task")
        await victim.until(victim.is_idle, "no job is left")

    async def go(self, victim: Victim, number: int) -> None:
        """Write a reply, to an agent that listens."""
        self._task(victim).becomes("idle", f"waiting for word {number}")
        ts = await victim.slack.post(victim.people[0], CHANNEL, f"word {number}", thread(victim))
        self._replies[victim.directory, number] = ts

    def is_over(self, victim: Victim, number: int) -> bool:
        """The reply is marked as delivered."""
        return "white_check_mark" in self._receipts(victim, number)

    def check(self, victim: Victim, number: int) -> None:
        """The agent has each reply once, in order; one receipt is on each; nothing was said."""
        assert self._task(victim).inputs == [f"word {at}" for at in range(number + 1)]
        for at in range(number + 1):
            assert self._receipts(victim, at) == ["white_check_mark"]
        assert victim.own_messages(thread(victim)) == []

    def _receipts(self, victim: Victim, number: int) -> list[str]:
        return list(victim.slack.reactions(CHANNEL, self._replies[victim.directory, number]))

    def _task(self, victim: Victim) -> PuppetTask:
        (task,) = victim.tasks(PROMPT)
        return task


def thread(victim: Victim) -> str:
    """The root of the task's thread."""
    (card,) = victim.own_messages()
    return str(card["ts"])


@pytest.mark.timeout(300)
async def test_a_kill_at_any_call_of_a_delivery_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """One input, one receipt, whatever the bot died of."""
    died = await kill_everywhere(Delivery(), tmp_path)

    assert {(phase, call) for phase, call, _ in died} >= {
        (phase, call)
        for phase in PHASES
        for call in ("coder tasks.get", "coder tasks.logs", "coder tasks.send", "slack reactions.add")
    }


@pytest.mark.timeout(300)
async def test_a_second_kill_while_the_log_is_read_back_changes_nothing(tmp_path: Path) -> None:
    """The first look at the log is made before an input is sent, the second to find it."""
    rows = [
        (Death(first, "coder tasks.send", 1), Death(second, "coder tasks.logs", 2))
        for first in PHASES
        for second in PHASES
    ]

    died = await kill(Delivery(), tmp_path, rows)

    assert died == sorted(rows)
