"""Two processes share one Redis. Only one of them accepts each payload, and each can continue the other one's
jobs."""

import signal
from functools import partial
from urllib.parse import urlsplit

import pytest

from taskwire.messages import answers
from taskwire_sandbox.slack import CallFault, DeliveryFault
from tests.faults.proxy import FaultProxy, proxy

from .processes import Place, until


async def test_each_payload_is_taken_once(place: Place, redis_url: str) -> None:
    """If Slack delivers each command twice, to either of two processes, each command makes one card and one
    task."""
    bots = [await place.run_ready(REDIS_URL=redis_url) for _ in range(2)]
    await place.slack.wait_for_sockets(2)
    place.slack.faults.add("*", DeliveryFault.TWICE, times=None)

    for number in range(6):
        await place.slack.command("alice", "general", "/task", f"create mend page {number}")

    await until(lambda: len(place.coder.tasks) == 6, "six tasks")
    assert len(place.cards()) == 6
    taken = [await bot.ask("/metrics") for bot in bots]
    assert sum(_taken(text) for _, text in taken) == 6
    assert [await bot.stop() for bot in bots] == [0, 0]


@pytest.mark.parametrize("silence", ["refused", "silent"])
async def test_one_that_is_cut_from_redis_promises_nothing(
    place: Place, redis_url: str, silence: str
) -> None:
    """If a process is cut off from Redis, it says so to people who type commands. Slack sends their messages
    again to the other process, and each message takes effect once."""
    async with proxy(redis_url) as between:
        cut_off = redis_url.replace(f":{urlsplit(redis_url).port}/", f":{between.port}/")
        for url in (cut_off, redis_url):
            await place.run_ready(REDIS_URL=url)
        await place.slack.wait_for_sockets(2)
        await place.slack.command("alice", "general", "/task", "create fix the login redirect")
        await until(lambda: place.coder.tasks and place.cards(), "the task")
        await (between.stop() if silence == "refused" else _freezes(between))

        told = await _ask(place, 4)
        # Enough retries that one of them reaches the other process.
        place.slack.backend.dispatcher.retry_seconds = (0.0,) * 8
        root = str(place.slack.messages("general")[0]["ts"])
        words = [f"word {number}" for number in range(2)]
        for count, word in enumerate(words, 1):
            await place.slack.post("alice", "general", word, root)
            await until(partial(_has_inputs, place, count), f"{word} to arrive")
            place.coder.tasks[0].becomes("idle")
        await (between.start() if silence == "refused" else _thaws(between))

        expected = {asked for asked, answer in told.items() if answer == ""}
        maybe = {asked for asked, answer in told.items() if answer == answers.command_outcome_unknown()}
        await until(lambda: set(_prompts(place)) >= expected, lambda: f"what was taken: {_prompts(place)}")
        made = _prompts(place)
        assert set(told.values()) <= {"", answers.store_unreachable(), answers.command_outcome_unknown()}
        assert expected, "the other one takes what it is brought"
        assert expected != set(told), "the cut one is brought something"
        assert set(made) <= expected | maybe
        assert len(made) == len(set(made))
        assert _inputs(place) == words


async def _freezes(between: FaultProxy) -> None:
    between.freeze()


async def _thaws(between: FaultProxy) -> None:
    between.thaw()


async def _ask(place: Place, count: int) -> dict[str, str]:
    """Type `count` commands that create tasks. Return the answer to each command. An empty answer means that
    the command was accepted."""
    told = {}
    for number in range(count):
        words = f"mend page {number}"
        answer = await place.slack.command("bob", "general", "/task", f"create {words}")
        assert answer.ok, answer
        told[words] = str((answer.reply or {}).get("text", ""))
    return told


def _prompts(place: Place) -> list[str]:
    return [task.prompt for task in place.coder.tasks if task.prompt.startswith("mend")]


def _inputs(place: Place) -> list[str]:
    """Return the inputs that the agent of the first task has got."""
    return place.coder.tasks[0].inputs


def _has_inputs(place: Place, count: int) -> bool:
    return len(_inputs(place)) >= count


def _taken(figures: str) -> int:
    """Return how many commands a process accepted, from its metrics."""
    line = 'taskwire_deliveries_total{kind="command",outcome="claimed"} '
    return sum(int(float(row.removeprefix(line))) for row in figures.splitlines() if row.startswith(line))


async def test_what_a_killed_one_had_to_do_goes_on_elsewhere(place: Place, redis_url: str) -> None:
    """If a process is killed while it posts a card, the other process posts the card, once."""
    doomed = await place.run_ready(REDIS_URL=redis_url)
    hanging = place.slack.faults.add("chat.postMessage", CallFault.HANG)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await place.slack.until(lambda: hanging.hits, "the post that hangs")
    await place.run_ready(REDIS_URL=redis_url)

    doomed.send_signal(signal.SIGKILL)

    await until(lambda: place.coder.tasks, "the task")
    assert len(place.cards()) == 1


async def test_a_frozen_one_is_not_waited_for(place: Place, redis_url: str) -> None:
    """While one process is frozen (SIGSTOP), the other process does all work."""
    frozen = await place.run_ready(REDIS_URL=redis_url)
    await place.run_ready(REDIS_URL=redis_url)
    await place.slack.wait_for_sockets(2)
    frozen.send_signal(signal.SIGSTOP)

    answers = [
        await place.slack.command("alice", "general", "/task", f"create mend page {number}")
        for number in (1, 2)
    ]

    done = sum(answer.ok for answer in answers)
    await until(lambda: len(place.coder.tasks) == done, "the tasks whose commands were taken")
    assert done == 1
    frozen.send_signal(signal.SIGCONT)
