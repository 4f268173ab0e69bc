"""Two versions run on one Redis while people work, in an update and back. No work is lost, doubled or given
up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from taskwire.queue.fence import FORMAT
from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox

from .doctor_runs import doctor, select_findings
from .newer import newer_version
from .processes import Place, new_place, until

# The pause between two commands of one person.
PACE_SECONDS = 1.0
LONGEST_SECONDS = 150.0


@pytest.fixture
async def patient_place(tmp_path: Path) -> AsyncIterator[Place]:
    """Make a place whose Slack waits longer for acks. On a slow machine, no command is then refused."""
    slack = SlackSandbox(manifest=manifest.make_manifest(), ack_seconds=LONGEST_SECONDS)
    async with new_place(tmp_path, slack) as made:
        yield made


class People:
    """People in their own channels. Each creates one task after the other and replies in its thread."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.prompts: list[str] = []
        self.refused: list[str] = []
        self._count = 0
        self._is_over = asyncio.Event()
        self._lives: list[asyncio.Task[None]] = []

    def come(self, count: int) -> None:
        """Add this number of people and let them begin."""
        for _ in range(count):
            self._count += 1
            name = f"person{self._count}"
            self.place.slack.add_user(name, email=f"{name}@example.com")
            self.place.coder.add_user(name)
            channel = self.place.slack.add_channel(f"room{self._count}", [name]).id
            self._lives.append(asyncio.create_task(self._live(name, channel)))

    async def end(self) -> None:
        """Let all people finish what they have begun."""
        self._is_over.set()
        _, left = await asyncio.wait(self._lives, timeout=LONGEST_SECONDS)
        assert not left, f"never had a card: {set(self.prompts) - {t.prompt for t in self.place.coder.tasks}}"

    def served(self, number: int = 0) -> int:
        """Return how many tasks of these people have got their reply. Count only the people who came after
        person `number`."""
        later = {f"page of person{each} " for each in range(number + 1, self._count + 1)}
        return sum(
            task.inputs == [f"word on {task.prompt}"] and any(each in task.prompt for each in later)
            for task in self.place.coder.tasks
        )

    async def _live(self, name: str, channel: str) -> None:
        number = 0
        while not self._is_over.is_set():
            number += 1
            prompt = f"mend the page of {name} time {number}."
            answer = await self.place.slack.command(name, channel, "/task", f"create {prompt}")
            if not answer.ok or answer.reply:
                self.refused.append(f"{prompt}: {answer}")
                # A refused command may or may not have created a task. Its author does not wait for the card,
                # which may never come.
                return
            self.prompts.append(prompt)
            while not (ts := self._card(channel, f"{name} time {number}.")):  # noqa: ASYNC110 - Slack tells nobody
                await asyncio.sleep(0.05)
            await self.place.slack.post(name, channel, f"word on {prompt}", ts)
            await asyncio.sleep(PACE_SECONDS)

    def _card(self, channel: str, words: str) -> str:
        roots = self.place.slack.messages(channel)
        return next((str(m["ts"]) for m in roots if words in str(m["text"])), "")


@pytest.mark.timeout(300)
async def test_forward_and_back_and_forward_again(
    patient_place: Place, redis_url: str, tmp_path: Path
) -> None:
    """During an update, a rollback and a second update, no job is lost. Jobs that only the newer version can
    read wait in order while the older version runs alone."""
    place = patient_place
    newer = newer_version(tmp_path)
    # People create more tasks than one person may create in an hour.
    place.settings |= {"REDIS_URL": redis_url, "TASKWIRE_CREATE_LIMIT": "0"}
    people = People(place)
    old = [await place.run_ready() for _ in range(2)]
    people.come(4)
    await until(lambda: people.served() >= 4, "the older version to serve them")

    # Update: first both versions run.
    new = [await place.run_ready(**newer)]
    codes = [await old[0].stop()]
    await until(lambda: people.served() >= 10, "both to serve them")
    codes.append(await old[1].stop())
    await place.slack.command("alice", "general", "/task", "create sort the shelf")
    await until(lambda: "sort the shelf" in [each.prompt for each in place.coder.tasks], "a task of Alice's")
    task, ts = place.coder.task("sort-the-shelf"), str(place.slack.messages("general")[0]["ts"])
    await until(lambda: task.status == "active", "its agent to run")
    task.becomes("working")
    words = [f"word {number}" for number in range(15)]
    for word in words[:12]:
        await place.slack.post("alice", "general", word, ts)
    # The newer version has written all jobs that wait now, so the older version can read none of them.
    await place.slack.wait_until_idle()

    # Roll back: only the older version runs.
    old = [await place.run_ready()]
    codes.append(await new[0].stop())
    for word in words[12:]:
        await place.slack.post("alice", "general", word, ts)
    assert task.program is not None
    task.program.on_input = lambda _: task.becomes("idle")
    task.becomes("idle")
    people.come(4)
    await until(lambda: people.served(4) >= 6, "the older one to serve who comes")
    meanwhile = list(task.inputs)

    # Update again.
    new = [await place.run_ready(**newer)]
    codes.append(await old[0].stop())
    await people.end()
    await until(lambda: task.inputs == words, lambda: f"all words in their order: {task.inputs}")
    await until(lambda: people.served() == len(people.prompts), lambda: f"all answers: {people.served()}")

    assert meanwhile == []
    assert (codes, people.refused) == ([0, 0, 0, 0], [])
    made = Counter(each.prompt for each in place.coder.tasks)
    assert made == Counter(["sort the shelf", *people.prompts])
    assert await left_over(place, redis_url) == []
    assert "job not readable by this version" in old[0].output


async def test_one_that_is_not_borne_any_more_ends_as_it_would_not_start(
    place: Place, redis_url: str
) -> None:
    """A newer version may forbid older versions on its Redis. A running older version then says so and ends.
    So does an older version that is started again."""
    bot = await place.run_ready(REDIS_URL=redis_url)
    keys, newer = Keys(place.slack.workspace.team_id), FORMAT + 7
    async with Redis.from_url(redis_url) as redis:
        seconds, _ = await redis.time()
        await redis.hset(keys.named("formats"), str(newer), f"{seconds * 1000} {newer}")

    code = await bot.wait_for_exit()
    again = await place.run(REDIS_URL=redis_url)
    _, found = await doctor(place, REDIS_URL=redis_url)

    said = f"This Redis is used by a newer Taskwire (its data has format {newer}, this one's {FORMAT})."
    assert (code, await again.wait_for_exit()) == (2, 2)
    assert said in bot.output
    assert said in again.output
    assert select_findings(found, "Versions").replace("\n", " ").startswith(f"WRONG Versions {said}")


async def left_over(place: Place, redis_url: str) -> list[str]:
    """Wait until no commands, input, notices and dead letters are left, and return an empty list. If this
    takes too long, return the dead letters and the names of the queues that still have jobs."""
    keys = Keys(place.slack.workspace.team_id)
    async with Redis.from_url(redis_url, decode_responses=True) as redis:

        async def found() -> list[str]:
            letters = await redis.zrange(keys.named("dead_letters", "order"), 0, -1)
            lists = [*await redis.zrange(keys.named("ready"), 0, -1)]
            lists += await redis.zrange(keys.named("newer", str(FORMAT + 1)), 0, -1)
            return [
                *letters,
                *(name for name in lists if name.startswith(("intake:", "to_coder:", "to_thread:"))),
            ]

        async def nothing() -> bool:
            return not await found()

        try:
            await until(nothing, "nothing left")
        except AssertionError:
            return await found()
    return []
