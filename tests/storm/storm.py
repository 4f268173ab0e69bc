"""Runs a whole storm: Slack, Coder, Redis, several bots, the people, the faults and the counts."""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from pathlib import Path

from taskwire.slack import manifest
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.coder.server import RecordedRequest
from taskwire_sandbox.slack import SlackSandbox
from tests.keys import KEY

from . import agents, event_log, ledger
from .actors import Actors
from .acts import ThreadKey, TypedCommand
from .fault_plan import FaultPlan
from .plan import POLL_SECONDS, REMINDER_SECONDS, RETRY_SECONDS, SETTLE_SECONDS, Plan
from .replicas import Replica
from .store import Store, store
from .tally import Tally, judge

CHECK_SECONDS = 1.0
# A call takes at most this long. After this time, no effect can come any more.
QUIET_SECONDS = 6.0


class Storm:
    """One storm."""

    def __init__(
        self,
        plan: Plan,
        slack: SlackSandbox,
        coder: CoderSandbox,
        store_server: Store,
        replicas: list[Replica],
        actors: Actors,
    ) -> None:
        self.plan = plan
        self.slack = slack
        self.coder = coder
        self.store = store_server
        self.actors = actors
        self.replicas = replicas
        self.fault_plan = FaultPlan(plan, slack, coder, store_server, replicas)
        # The ids of the reports that Coder has shown in an answer.
        self._shown: set[str] = set()
        coder.on_request = self._note_shown

    async def run(self) -> Tally:
        """Run until all people have finished and nothing more happens. Return the tally."""
        began = time.monotonic()
        await asyncio.gather(*(replica.start() for replica in self.replicas))
        await self.slack.wait_for_sockets(len(self.replicas), 30)
        watching = [asyncio.create_task(each) for each in (self.actors.watch(), self.actors.decide())]
        try:
            async with self.fault_plan:
                await self.actors.act()
            faulty = round(time.monotonic() - began)
            await self._wait_until_settled()
            await asyncio.sleep(QUIET_SECONDS)
            # Meanwhile, the bot may have reminded people of a question, and they may have pressed a button.
            tally = await self._settle(time.monotonic() + QUIET_SECONDS)
            if old := await self._count_old_values():
                tally.wrongs["stuck"].append(f"{old} values are encrypted with the old key")
            await self._read_audit(tally)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            await asyncio.gather(*(replica.end() for replica in self.replicas))
        tally.counts["seconds with faults"] = faulty
        tally.counts["seconds"] = round(time.monotonic() - began)
        tally.counts["requests in people's names"] = self.actors.connecting.count_requests()
        tally.wrongs["untried"] += self.actors.untried()
        tally.wrongs["untrue"] += event_log.read([replica.log for replica in self.replicas])[1]
        return tally

    def report(self) -> list[str]:
        """Return the broken promises, the acts of people, and the logged events as text."""
        ended = Counter({"ended by themselves": sum(replica.ends for replica in self.replicas)})
        said, _ = event_log.read([replica.log for replica in self.replicas])
        return [
            *_shown("faults", self.fault_plan.seen + ended),
            *_shown("people", self.actors.acts),
            *_shown("bots", said),
        ]

    def _note_shown(self, seen: RecordedRequest, moment: str) -> None:
        """Note the reports in an answer of Coder. If the answer was cut or late, note nothing, because
        perhaps nobody got it."""
        if moment == "after" and seen.route == "agents.get" and not seen.fault:
            agent = seen.path.rpartition("/")[2]
            for task in self.coder.tasks:
                statuses = task.row.workspace.app.statuses
                self._shown |= {status.id for status in statuses if status.agent_id == agent}

    async def _wait_until_settled(self) -> None:
        """Wait until no promise is broken, for at most `patience_seconds`."""
        ends = time.monotonic() + self.plan.patience_seconds
        await self._settle(ends)
        while time.monotonic() < ends and await self._count_old_values():  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(CHECK_SECONDS)

    async def _settle(self, ends: float) -> Tally:
        """Make tallies until one has no broken promise, or until the time `ends`. Return the latest tally.

        Do not cancel a tally: a connection to Redis with an unread answer would block the next call.
        """
        while not (tally := await self._tally()).is_good and time.monotonic() < ends:
            await self.actors.resume_all()
            await asyncio.sleep(CHECK_SECONDS)
        return tally

    def _list_deliveries(self, typed: TypedCommand) -> list[str]:
        """List the ids of the deliveries of this request. A reaction has an event of its own, and all other
        requests are messages."""
        if typed.event != "reaction_added":
            return [f"{typed.channel}:{typed.ts}"]
        sent = [each.payload for each in self.slack.deliveries if typed.ts in str(each.payload.get("event"))]
        return [str(each["event_id"]) for each in sent if each["event"]["type"] == typed.event]

    async def _tally(self) -> Tally:
        team = self.slack.workspace.team_id
        both = ledger.read(self.slack, self.coder, self._shown)
        queues, dead_letters = await self.store.queues(team), await self.store.dead_letters(team)
        created = {task.prompt for task in both.tasks}
        for each in self.actors.typed:
            missing = each.event and each.prompt not in created
            for delivery in self._list_deliveries(each) if missing else ():
                if await self.store.is_skipped(team, delivery):
                    both.skipped.add(ThreadKey(each.channel, each.ts))
        promises = self.actors.promises
        stored = {name: await self.store.read(team, name) for _, name, _, _ in promises.saved}
        promised = promises.judge(both, stored)
        tally = judge(both, self.actors.typed, self.actors.written, promised, queues, dead_letters)
        for name, sentences in self.actors.connecting.judge().items():
            tally.wrongs[name] += sentences
        tally.wrongs["untrue"] += [c for c in self.slack.violations if not c.startswith("unacked")]
        tally.wrongs["untrue"] += self.coder.violations
        return tally

    async def _count_old_values(self) -> int:
        """Count the stored values that only the replaced key can open."""
        if not self.plan.rotations:
            return 0
        return await self.store.count_old_values(self.slack.workspace.team_id)

    async def _read_audit(self, tally: Tally) -> None:
        count, wrongs = await self.store.read_audit(self.slack.workspace.team_id)
        tally.counts["audit entries"] = count
        tally.wrongs["untrue"] += wrongs if count else ["no act was recorded"]


@contextlib.asynccontextmanager
async def storm(plan: Plan, directory: Path) -> AsyncIterator[Storm]:
    """Start everything that a storm needs."""
    async with (
        SlackSandbox(
            seed=plan.seed, balance="random", retry_seconds=RETRY_SECONDS, manifest=manifest.make_manifest()
        ) as slack,
        CoderSandbox(seed=plan.seed) as coder,
        store(directory, plan.replicas) as store_server,
    ):
        # The stand-in usually keeps only the latest deliveries and calls. A storm needs all of them.
        slack.backend.ledger.deliveries = deque()
        slack.backend.ledger.calls = deque()
        coder.add_template("storm-agents", display_name="Storm", script=agents.script)
        people = [f"person{number}" for number in range(plan.people)]
        for name in people:
            slack.add_user(name, email=f"{name}@example.com")
            coder.add_user(name, email=f"{name}@example.com")
        channels = [slack.add_channel(f"channel-{number}", people).id for number in range(plan.channels)]
        coder.add_user("taskwire", roles=("owner",))
        around = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "CODER_URL": coder.url,
            "CODER_SESSION_TOKEN": coder.add_token("taskwire"),
            "TASKWIRE_SECRET_KEYS": KEY,
            "TASKWIRE_ACCOUNTS": "both",
            "TASKWIRE_TEMPLATE": "storm-agents",
            "TASKWIRE_HTTP_ADDR": "127.0.0.1:0",
            "TASKWIRE_POLL_INTERVAL": str(POLL_SECONDS),
            "TASKWIRE_SETTLE": str(SETTLE_SECONDS),
            "TASKWIRE_REMINDER": str(REMINDER_SECONDS),
            # Otherwise the few people of a storm would soon reach the limit: they create all tasks within
            # minutes.
            "TASKWIRE_CREATE_LIMIT": "0",
        }
        replicas = [
            Replica(
                number,
                around | {"REDIS_URL": f"redis://127.0.0.1:{between.port}/0"},
                directory / f"replica-{number}.log",
                plan.window_ms,
                plan.clock_off_seconds * (0, 1, -1)[number % 3],
            )
            for number, between in enumerate(store_server.proxies)
        ]
        yield Storm(plan, slack, coder, store_server, replicas, Actors(plan, slack, coder, people, channels))


def _shown(what: str, counts: Counter[str]) -> list[str]:
    return [f"{what}: {name:<40} {count}" for name, count in sorted(counts.items())]
