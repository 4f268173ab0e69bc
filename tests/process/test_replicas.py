"""Two processes on one Redis: each payload is taken once, and what one leaves the other carries on."""

import signal

from taskwire.sandbox.slack import CallFault, DeliveryFault

from .processes import Place, until


async def test_each_payload_is_taken_once(place: Place, redis_url: str) -> None:
    """Commands that Slack delivers twice, to whom it likes, make one card and one task each."""
    bots = [await place.one(REDIS_URL=redis_url) for _ in range(2)]
    await place.slack.connected(2)
    place.slack.faults.add("*", DeliveryFault.TWICE, times=None)

    for number in range(6):
        await place.slack.command("alice", "general", "/task", f"create mend page {number}")

    await until(lambda: len(place.coder.tasks) == 6, "six tasks")
    assert len(place.cards()) == 6
    taken = [await bot.ask("/metrics") for bot in bots]
    assert sum(_taken(text) for _, text in taken) == 6
    assert [await bot.stops() for bot in bots] == [0, 0]


def _taken(figures: str) -> int:
    """How many commands a process took, by its own count."""
    line = 'taskwire_deliveries_total{kind="command",outcome="taken"} '
    return sum(int(float(row.removeprefix(line))) for row in figures.splitlines() if row.startswith(line))


async def test_what_a_killed_one_had_to_do_goes_on_elsewhere(place: Place, redis_url: str) -> None:
    """The card that one was about to post when it died is posted by the other, once."""
    doomed = await place.one(REDIS_URL=redis_url)
    hanging = place.slack.faults.add("chat.postMessage", CallFault.HANG)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await place.slack.until(lambda: hanging.hits, "the post that hangs")
    await place.one(REDIS_URL=redis_url)

    doomed.tell(signal.SIGKILL)

    await until(lambda: place.coder.tasks, "the task")
    assert len(place.cards()) == 1


async def test_a_frozen_one_is_not_waited_for(place: Place, redis_url: str) -> None:
    """What comes in while one is stopped (SIGSTOP) is done by the other."""
    frozen = await place.one(REDIS_URL=redis_url)
    await place.one(REDIS_URL=redis_url)
    await place.slack.connected(2)
    frozen.tell(signal.SIGSTOP)

    answers = [
        await place.slack.command("alice", "general", "/task", f"create mend page {number}")
        for number in (1, 2)
    ]

    done = sum(answer.ok for answer in answers)
    await until(lambda: len(place.coder.tasks) == done, "the tasks whose commands were taken")
    assert done == 1
    frozen.tell(signal.SIGCONT)
