"""Plans the faults of a storm in processes, connections, Redis, Slack, Coder and agents, all from one
seed."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from taskwire_sandbox.coder import CoderSandbox, faults
from taskwire_sandbox.coder.faults import Fault, PlannedFault
from taskwire_sandbox.slack import CallFault, DeliveryFault, SlackSandbox
from taskwire_sandbox.slack.faults import Rule
from tests.keys import KEY

from .plan import LATE_SECONDS, NEW_KEY, STOP_SECONDS, Plan
from .replicas import Replica
from .store import Store

# Slack's faults. For each, the share of calls that it affects and its length in seconds. The first table is
# for posts, the second for all calls.
POST_FAULTS = (
    (CallFault.DONE_THEN_CUT, 0.02, 0.0),
    (CallFault.DONE_THEN_SERVER_ERROR, 0.02, 0.0),
    (CallFault.SERVER_ERROR, 0.01, 0.0),
    (CallFault.RATE_LIMITED, 0.01, 1.0),
    (CallFault.LATE, 0.01, LATE_SECONDS),
    (CallFault.DONE_THEN_LATE, 0.01, LATE_SECONDS),
    (CallFault.REFUSE, 0.01, 0.0),
    (CallFault.DONE_THEN_HANG, 0.005, 0.0),
)
CALL_FAULTS = (
    (CallFault.SERVER_ERROR, 0.01, 0.0),
    (CallFault.DONE_THEN_CUT, 0.01, 0.0),
    (CallFault.LATE, 0.01, 0.5),
    (CallFault.NONSENSE, 0.003, 0.0),
    (CallFault.RATE_LIMITED, 0.002, 1.0),
    (CallFault.DONE_THEN_HANG, 0.002, 0.0),
)
# Faults of payloads on their way to the app, with the same two numbers.
DELIVERY_FAULTS = (
    (DeliveryFault.TWICE, 0.08, 0.0),
    (DeliveryFault.LATE, 0.05, 0.7),
    (DeliveryFault.OUT_OF_ORDER, 0.05, 2.0),
    (DeliveryFault.LOST, 0.03, 0.0),
)
# Coder's faults, each with the share of requests that it affects. The first ones are for requests that change
# something; the others are for all requests.
CHANGES = ("tasks.create", "tasks.send", "tasks.pause", "tasks.resume")
CHANGE_FAULTS = (
    (faults.cut_after(), 0.03),
    (faults.error_after(), 0.03),
    (faults.late(LATE_SECONDS), 0.01),
    (faults.late_after(LATE_SECONDS), 0.01),
    (faults.server_error(), 0.01),
    (faults.refused(), 0.01),
    (faults.nonsense(), 0.01),
)
REQUEST_FAULTS = (
    (faults.server_error(), 0.01),
    (faults.refused(), 0.01),
    (faults.late(0.5), 0.01),
    (faults.too_many(retry_after=1), 0.003),
    (faults.nonsense(), 0.003),
)
SEND_FAULTS = (
    (faults.bad_gateway(), 0.02),
    (faults.bad_gateway("Failed to get status from task app."), 0.01),
)
# For how many seconds a network is silent. Below it, for how many seconds a whole server is away.
SILENT_SECONDS = (0.5, 3.0)
AWAY_SECONDS = (0.5, 2.0)
# Before the storm restarts a replica with other keys, it waits until the replica runs steadily. It checks at
# most this many times, five times a second.
LONGEST_UNSTEADY_LOOKS = 75


@dataclass
class FaultPlan:
    """Injects faults until the block ends, and counts them."""

    plan: Plan
    slack: SlackSandbox
    coder: CoderSandbox
    store: Store
    replicas: list[Replica]
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._dice = random.Random(f"{self.plan.seed} fault_plan")  # noqa: S311 - repeatable on purpose
        self._is_over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._freezing: set[asyncio.Task[None]] = set()
        self._rules: list[tuple[str, Rule | PlannedFault]] = []

    async def __aenter__(self) -> Self:
        """Start to inject faults."""
        self._plan_call_faults()
        plan = self.plan
        for seconds, first, happen in (
            (plan.seconds_between_kills, 0.0, self._kill),
            (plan.seconds_between_stops, 0.0, self._stop),
            (plan.seconds_between_cuts, 0.0, self._cut),
            (plan.seconds_between_restarts, plan.seconds / 2, self._restart),
        ):
            if seconds:
                self._tasks.append(asyncio.create_task(self._repeat(seconds, first, happen)))
        if plan.rotations:
            self._tasks.append(asyncio.create_task(self._rotate_keys()))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all faults."""
        self._is_over.set()
        for name, rule in self._rules:
            self.seen[name] += rule.hits
        self.slack.faults.clear()
        self.coder.clear_faults()
        await asyncio.gather(*self._tasks, *self._freezing)

    def _plan_call_faults(self) -> None:
        usual = self.plan.trouble
        for method, table in (("chat.postMessage", POST_FAULTS), ("*", CALL_FAULTS)):
            for fault, share, seconds in table:
                self._plan_slack_fault(f"slack {method} {fault}", method, fault, share * usual, seconds)
        for way, share, seconds in DELIVERY_FAULTS:
            self._plan_slack_fault(f"delivery {way}", "*", way, share * usual, seconds)
        for route in CHANGES:
            for trouble, share in CHANGE_FAULTS:
                self._plan_coder_fault(route, trouble, share * usual)
        for trouble, share in SEND_FAULTS:
            self._plan_coder_fault("tasks.send", trouble, share * usual)
        for trouble, share in REQUEST_FAULTS:
            self._plan_coder_fault("*", trouble, share * usual)

    def _plan_slack_fault(
        self, name: str, method: str, fault: CallFault | DeliveryFault, share: float, seconds: float
    ) -> None:
        rule = self.slack.faults.add(method, fault, times=None, probability=share, seconds=seconds)
        self._rules.append((name, rule))

    def _plan_coder_fault(self, route: str, fault: Fault, share: float) -> None:
        seed = self._dice.randrange(2**32)
        rule = self.coder.plan_fault(route, fault, times=None, probability=share, seed=seed)
        self._rules.append((f"coder {route} {fault.name}", rule))

    async def _repeat(self, seconds: float, first: float, happen: Callable[[], Awaitable[None]]) -> None:
        await self._wait(first)
        while True:
            await self._wait(seconds * self._dice.uniform(0.5, 1.5))
            if self._is_over.is_set():
                return
            await happen()

    async def _wait(self, seconds: float) -> None:
        """Wait for this number of seconds, or until all faults end if that is earlier. So every fault is
        undone at the end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_over.wait(), seconds)

    async def _kill(self) -> None:
        steady = [replica for replica in self.replicas if replica.is_steady]
        if steady:
            replica = self._dice.choice(steady)
            await replica.kill()
            self.seen["kills"] += 1
            await replica.start()

    async def _rotate_keys(self) -> None:
        """Add a second key, and restart all replicas one after the other. Later, make the second key the
        first one, and restart all replicas again."""
        for keys in (f"{KEY},{NEW_KEY}", f"{NEW_KEY},{KEY}"):
            await self._wait(self.plan.seconds / 3)
            for replica in self.replicas:
                replica.settings["TASKWIRE_SECRET_KEYS"] = keys
                for _ in range(LONGEST_UNSTEADY_LOOKS):
                    if replica.is_steady:
                        break
                    await asyncio.sleep(0.2)
                await replica.kill()
                await replica.start()
            self.seen["changes of the keys"] += 1

    async def _stop(self) -> None:
        going = [replica for replica in self.replicas if replica.is_steady]
        # One replica must stay up and take over the jobs of the others.
        if len(going) > 1:
            task = asyncio.create_task(self._freeze(self._dice.choice(going)))
            self._freezing.add(task)
            task.add_done_callback(self._freezing.discard)

    async def _freeze(self, replica: Replica) -> None:
        self.seen["stops"] += 1
        replica.stop()
        await self._wait(self._dice.uniform(*STOP_SECONDS))
        replica.continue_process()

    async def _cut(self) -> None:
        """Cause one randomly chosen fault. It is a fault of a connection to Redis, of Slack's sockets, of all
        connections to Slack or Coder, or of agents."""
        dice, between = self._dice, self._dice.choice(self.store.proxies)
        way = dice.choice(("redis cut", "redis answer lost", "redis silent", "redis slow", "sockets cut",
                           "sockets refreshed", "slack away", "coder away", "agent stumbles"))  # fmt: skip
        self.seen[way] += 1
        match way:
            case "redis cut":
                between.cut()
            case "redis answer lost":
                between.drop_next_reply()
            case "redis silent":
                between.freeze()
                await self._wait(dice.uniform(*SILENT_SECONDS))
                between.thaw()
            case "redis slow":
                between.delay(0.2)
                await self._wait(dice.uniform(*SILENT_SECONDS))
                between.delay(0)
            case "sockets cut":
                await self.slack.sockets.cut()
            case "sockets refreshed":
                await self.slack.sockets.refresh()
            case "slack away":
                await self.slack.go_down()
                await self._wait(dice.uniform(*AWAY_SECONDS))
                await self.slack.come_back()
            case "coder away":
                async with self.coder.outage():
                    await self._wait(dice.uniform(*AWAY_SECONDS))
            case _:
                self._fail_agents()

    def _fail_agents(self) -> None:
        """Let up to three agents fail at their next input, before or after they have typed the input."""
        tasks = [task for task in self.coder.tasks if task.program is not None]
        for task in self._dice.sample(tasks, min(3, len(tasks))):
            task.agentapi_fails(self._dice.choice(("message", "message_after_typing")))

    async def _restart(self) -> None:
        self.seen["redis restarts"] += 1
        await self.store.kill()
        await self._wait(self._dice.uniform(0.1, 1.0))
        await self.store.start()
