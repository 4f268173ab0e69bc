"""The bot uses a Redis with three sentinels. While people work, the master dies, or loses its replicas."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from taskwire.messages import answers
from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import SlackSandbox
from tests.faults import sentinels
from tests.faults.sentinels import SentinelCluster

from .processes import Place, new_place, until

RETRY_SECONDS = (0.5,) * 20
# In these tests, no agent waits so long that it needs a person.
SETTLE = "3600"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SentinelCluster]:
    async with sentinels.cluster(tmp_path) as made:
        yield made


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Make a place with a fast Slack: if the bot does not accept a delivery, Slack soon sends it again."""
    slack = SlackSandbox(manifest=manifest.make_manifest(), retry_seconds=RETRY_SECONDS)
    async with new_place(tmp_path, slack) as made:
        # Alice types as fast as she gets answers. She soon starts more tasks than one person may start.
        made.settings["TASKWIRE_CREATE_LIMIT"] = "0"
        yield made


@dataclass
class Alice:
    """A person who keeps typing commands and replies, whatever happens, and remembers the bot's answers."""

    place: Place
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.accepted) + len(self.refused) + len(self.unknown)

    async def types(self) -> None:
        """Type a command that creates a task."""
        prompt = f"mend page {self.count:03}"
        answer = await self.place.slack.command("alice", "general", "/task", f"create {prompt}")
        assert answer.ok, answer
        said = str((answer.reply or {}).get("text") or "")
        known = {
            "": self.accepted,
            answers.store_unreachable(): self.refused,
            answers.too_many_jobs_waiting(): self.refused,
            answers.command_outcome_unknown(): self.unknown,
        }
        known[said].append(prompt)

    async def answers(self, thread_ts: str) -> None:
        """Write a reply in a thread."""
        self.replies.append(f"word {len(self.replies)}")
        await self.place.slack.post("alice", "general", self.replies[-1], thread_ts)

    async def goes_on(self, thread_ts: str) -> None:
        """Create a task and write a reply by turns, until stopped."""
        while True:
            await self.types()
            await self.answers(thread_ts)

    def tasks(self, prompt: str) -> list[SandboxTask]:
        """Return the tasks in Coder with this prompt."""
        return [task for task in self.place.coder.tasks if task.prompt == prompt]

    def cards(self, prompt: str) -> list[str]:
        """Return the cards of the command with this prompt."""
        return [card for card in self.place.cards() if prompt in card.lower()]


async def test_a_failover_loses_nothing_and_doubles_nothing(place: Place, cluster: SentinelCluster) -> None:
    """After a failover of Redis, accepted commands take effect once, and refused commands have no effect. The
    bot continues without help."""
    alice = Alice(place)
    bot = await place.run_ready(REDIS_URL=cluster.url, TASKWIRE_SETTLE=SETTLE)
    await alice.types()
    await until(lambda: place.coder.tasks and place.cards(), "the first task and its card")
    (task,) = place.coder.tasks
    thread_ts = place.slack.messages("general")[0]["ts"]
    task.becomes("idle", "ready")

    old = await _fails_over(alice, cluster, thread_ts)
    await bot.wait_until_ready()
    await _all_delivered(task, alice.replies)
    await old.start()
    before = len(alice.accepted)
    await alice.types()
    await alice.answers(thread_ts)
    await _all_delivered(task, alice.replies)

    assert len(alice.accepted) == before + 1
    await until(lambda: _is_done(alice, cluster), lambda: f"the effects of {alice.accepted}")
    assert await bot.stop() == 0
    _check(alice)
    # Slack may send a reply again that the bot did not accept. This reply then arrives after a later one.
    assert sorted(task.inputs) == sorted(alice.replies)


async def _fails_over(alice: Alice, cluster: SentinelCluster, thread_ts: str) -> sentinels.Server:
    """Kill the master while Alice types, and wait until the bot accepts a later command. Return the killed
    master."""
    going_on = asyncio.create_task(alice.goes_on(thread_ts))
    await until(lambda: going_on.done() or alice.count > 2, "some commands before")
    old = await cluster.kill_master()
    before = len(alice.accepted)
    await until(lambda: going_on.done() or len(alice.accepted) > before, "a command after")
    going_on.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await going_on
    return old


async def _all_delivered(task: SandboxTask, replies: list[str]) -> None:
    """Let the agent become ready again and again until it has got all replies."""

    def has_them() -> bool:
        if not task.is_stable:
            task.becomes("idle", f"ready for {len(task.inputs)}")
        return len(task.inputs) >= len(replies)

    await until(has_them, lambda: f"the agent has {task.inputs} of {replies}")


async def _is_done(alice: Alice, cluster: SentinelCluster) -> bool:
    """Return whether all accepted commands have taken effect, and no command or reply is waiting.

    If the new master has lost an accepted command, no queue has it until the bot writes it again. The tasks
    and cards therefore count too.
    """
    if not all(alice.tasks(prompt) and alice.cards(prompt) for prompt in alice.accepted):
        return False
    async with (await cluster.master()).client() as client:
        lists = await client.zrange(Keys(alice.place.slack.workspace.team_id).named("ready"), 0, -1)
    return not any(name.startswith(("intake:", "to_coder:")) for name in cast("list[str]", lists))


def _check(alice: Alice) -> None:
    for prompt in alice.accepted:
        assert [len(alice.tasks(prompt)), len(alice.cards(prompt))] == [1, 1], prompt
    for prompt in alice.refused:
        assert [len(alice.tasks(prompt)), len(alice.cards(prompt))] == [0, 0], prompt
    for prompt in alice.unknown:
        assert [len(alice.tasks(prompt)), len(alice.cards(prompt))] in ([0, 0], [1, 1]), prompt


async def test_a_master_cut_from_its_replicas_promises_nothing(
    place: Place, cluster: SentinelCluster
) -> None:
    """If a master is cut off from its replicas, its writes will be lost. Meanwhile the bot accepts no
    command, and no command has an effect."""
    alice = Alice(place)
    bot = await place.run_ready(REDIS_URL=cluster.url, TASKWIRE_SETTLE=SETTLE)
    replicas = await cluster.replicas()
    for replica in replicas:
        replica.tell(signal.SIGSTOP)
    await asyncio.gather(alice.types(), alice.types())

    promised, cards = list(alice.accepted), place.cards()
    master = await cluster.master()
    await master.end()
    for replica in replicas:
        replica.tell(signal.SIGCONT)
    await until(lambda: cluster.has_other_master(master), "another master")
    await until(lambda: _takes(alice), "a command that is accepted")

    assert (promised, cards) == ([], [])
    await until(lambda: _is_done(alice, cluster), lambda: f"the effects of {alice.accepted}")
    assert await bot.stop() == 0
    _check(alice)


async def _takes(alice: Alice) -> bool:
    await alice.types()
    return bool(alice.accepted)
