"""The bot dies while it creates a task, at each of its calls, on either side."""

from pathlib import Path
from typing import cast

import pytest

from .killing import CHANNEL, PHASES, Death, Victim, kill, kill_everywhere


class Creation:
    """Somebody types `/task create`."""

    async def prepare(self, victim: Victim) -> None:
        """Nothing has to be there."""

    async def go(self, victim: Victim, number: int) -> None:
        """Type it. What Slack shows is not asserted: the bot may die between what it wrote and its ack."""
        await victim.slack.command(victim.people[number], CHANNEL, "/task", f"create {prompt(number)}")

    def is_over(self, victim: Victim, number: int) -> bool:
        """The card says which task it is."""
        return any(task_id for task_id in cards(victim, number))

    def check(self, victim: Victim, number: int) -> None:
        """One task, one card, bound to each other; and nothing else was said."""
        tasks = victim.tasks(prompt(number))

        assert [task.id for task in tasks] == cards(victim, number)
        assert len(tasks) == 1
        assert tasks[0].inputs == []
        assert len(victim.own_messages()) == number + 1
        for message in victim.own_messages():
            assert victim.own_messages(str(message["ts"])) == []


def prompt(number: int) -> str:
    """What is asked for."""
    return f"fix the bug that has number {number}"


def cards(victim: Victim, number: int) -> list[str]:
    """The ids of the tasks that the cards with this prompt are bound to; "" for one that is not bound."""
    found = [m for m in victim.own_messages() if prompt(number) in str(m["text"]).lower()]
    payloads = [cast("dict[str, dict[str, str]]", message["metadata"])["event_payload"] for message in found]
    return [payload.get("task_id", "") for payload in payloads]


@pytest.mark.timeout(300)
async def test_a_kill_at_any_call_of_a_creation_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """One card, one task, whatever the bot died of."""
    died = await kill_everywhere(Creation(), tmp_path)

    assert {(phase, call) for phase, call, _ in died} >= {
        (phase, call)
        for phase in PHASES
        for call in (
            "slack users.info",
            "coder users.list",
            "coder templates.list",
            "coder versions.presets",
            "slack chat.postMessage",
            "coder tasks.create",
            "slack chat.update",
        )
    }


@pytest.mark.timeout(300)
async def test_a_second_kill_while_reading_back_changes_nothing(tmp_path: Path) -> None:
    """Looking for what a dead process has done may itself be interrupted."""
    rows = [
        (Death(first, made, 1), Death(second, looked, 1))
        for made, looked in (
            ("slack chat.postMessage", "slack conversations.history"),
            ("coder tasks.create", "coder tasks.get"),
        )
        for first in PHASES
        for second in PHASES
    ]

    died = await kill(Creation(), tmp_path, rows)

    assert died == sorted(rows)
