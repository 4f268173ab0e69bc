"""Replicas are replaced one after the other while people work. Nobody notices."""

import asyncio

import pytest

from .processes import Place, Taskwire, until

CHANNELS = 12
# The pause between two commands.
PACE_SECONDS = 0.15


class Load:
    """People who create tasks and reply in the tasks' threads, until the test stops them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.failures: list[str] = []
        self.commands = 0
        self._channels = [place.slack.add_channel(f"c{n}", ["alice", "bob"]).id for n in range(CHANNELS)]
        self._is_over = asyncio.Event()
        # At most this many tasks may be without a card at the same time: one for each channel.
        self._free = asyncio.Semaphore(CHANNELS)
        self._replies: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Let the people finish what they have begun."""
        self._is_over.set()

    async def go_on(self) -> None:
        """Create one task after the other until stopped. Reply in the thread of each task."""
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
        """Return the inputs of each task's agent."""
        return {task.prompt: task.inputs for task in self.place.coder.tasks}


async def _replace(place: Place, old: Taskwire, redis_url: str) -> tuple[Taskwire, int]:
    """Start a new process. When it is ready, stop the old process and return its exit code."""
    new = await place.run_ready(REDIS_URL=redis_url)
    return new, await old.stop()


@pytest.mark.timeout(180)
async def test_a_rolling_restart_loses_and_refuses_nothing(place: Place, redis_url: str) -> None:
    """If all replicas are replaced one after the other, every command is accepted and every reply arrives.
    Each old process ends in time with code 0."""
    # Two people create more tasks than one person may create in an hour.
    place.settings["TASKWIRE_CREATE_LIMIT"] = "0"
    bots = [await place.run_ready(REDIS_URL=redis_url) for _ in range(2)]
    await place.slack.wait_for_sockets(2)
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
