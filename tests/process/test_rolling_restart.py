"""Replicas are replaced one after the other while people go on: nobody notices."""

import asyncio

import pytest

from .processes import Place, Taskwire, until

CHANNELS = 12
# Between two commands, and between two looks for a card.
PACE_SECONDS = 0.15


class Load:
    """People who ask for tasks and answer in their threads, until they are told to stop."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.failures: list[str] = []
        self.commands = 0
        self._channels = [place.slack.add_channel(f"c{n}", ["alice", "bob"]).id for n in range(CHANNELS)]
        self._is_over = asyncio.Event()
        # Who is fast has no more cards to wait for than there are channels.
        self._free = asyncio.Semaphore(CHANNELS)
        self._replies: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Let them have done enough."""
        self._is_over.set()

    async def go_on(self) -> None:
        """Ask for one task after the other, and answer each of its cards."""
        while not self._is_over.is_set():
            await self._free.acquire()
            number = self.commands
            self.commands += 1
            channel, person = self._channels[number % CHANNELS], ("alice", "bob")[number % 2]
            words = f"create mend page {number}."
            answer = await self.place.slack.command(person, channel, "/task", words)
            if not answer.ok or answer.reply:
                self.failures.append(f"{words}: {answer}")
            self._replies.add(asyncio.create_task(self._reply(person, channel, number)))
            await asyncio.sleep(PACE_SECONDS)
        await asyncio.gather(*self._replies)

    async def _reply(self, person: str, channel: str, number: int) -> None:
        def card() -> str:
            roots = self.place.slack.messages(channel)
            return next((str(m["ts"]) for m in roots if f"page {number}." in str(m["text"])), "")

        await until(card, f"the card of page {number}")
        self._free.release()
        await self.place.slack.post(person, channel, f"word {number}", card())

    def inputs(self) -> dict[str, list[str]]:
        """What each task's agent has had."""
        return {task.prompt: task.inputs for task in self.place.coder.tasks}


async def _replace(place: Place, old: Taskwire, redis_url: str) -> tuple[Taskwire, int]:
    """Start one, and let the old one end when it is ready; returns its exit code."""
    new = await place.one(REDIS_URL=redis_url)
    return new, await old.stops()


@pytest.mark.timeout(180)
async def test_a_rolling_restart_loses_and_refuses_nothing(place: Place, redis_url: str) -> None:
    """Every command is taken, every reply arrives, and each old process ends within its time, with code 0."""
    # Two people ask for more than they would in an hour.
    place.settings["TASKWIRE_CREATE_LIMIT"] = "0"
    bots = [await place.one(REDIS_URL=redis_url) for _ in range(2)]
    await place.slack.connected(2)
    load = Load(place)
    going_on = asyncio.create_task(load.go_on())

    codes = []
    for old in bots:
        new, code = await _replace(place, old, redis_url)
        codes.append(code)
    load.stop()
    await going_on
    expected = {f"mend page {number}.": [f"word {number}"] for number in range(load.commands)}
    await until(lambda: load.inputs() == expected, lambda: f"all words to arrive: {load.inputs()}")

    assert (codes, load.failures) == ([0, 0], [])
    assert new.process.returncode is None
