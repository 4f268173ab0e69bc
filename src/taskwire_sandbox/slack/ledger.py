"""A record of events in the stand-in, for tests: calls, deliveries, violations, and a stream of changes."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from taskwire_sandbox.slack.errors import Json

Phase = Literal["before", "after"]
T = TypeVar("T")
# How many calls, and how many deliveries, are stored.
_MOST_RECORDS = 10_000
# Seconds after which a condition is checked again even without a change. The condition may depend on state
# outside the ledger, such as the bot's own state.
_LOOK_AGAIN_SECONDS = 0.05
# Seconds between two checks of a condition. If many changes come at once, one check is made for several
# changes.
_GATHER_SECONDS = 0.002


@dataclass
class Call:
    """One call of the Web API. `outcome` is "ok", Slack's error, or the fault that replaced the answer.

    For a call of a response URL, `person` is the person to whom the URL belongs.
    """

    number: int
    method: str
    arguments: Json
    at: float
    executed: bool = False
    outcome: str = "pending"
    answer: Json | None = None
    person: str = ""


@dataclass
class Delivery:
    """One payload for the app. `attempts` holds the result of each attempt.

    `sent_at` is the time of the first attempt, and `acked_at` the time of the first ack.
    """

    kind: Literal["events_api", "slash_commands", "interactive"]
    name: str
    payload: Json
    attempts: list[str] = field(default_factory=list)
    outcome: str = "pending"
    reply: Json | None = None
    sent_at: float | None = None
    acked_at: float | None = None


OnCall = Callable[[Phase, Call], Awaitable[None] | None]


class Ledger:
    """Keeps the latest calls and deliveries, and all violations.

    Each change wakes every waiting test and stream.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.calls: deque[Call] = deque(maxlen=_MOST_RECORDS)
        self.deliveries: deque[Delivery] = deque(maxlen=_MOST_RECORDS)
        self.violations: list[str] = []
        self.ignored_violations: list[str] = []
        self.on_call: OnCall | None = None
        self.sequence = 0
        self._ignored_parts: list[str] = []
        self._changed = asyncio.Event()
        self._streams: set[asyncio.Queue[Json]] = set()

    def begin(self, method: str, arguments: Json) -> Call:
        """Record a call that has arrived."""
        number = self.calls[-1].number + 1 if self.calls else 1
        call = Call(number, method, arguments, self._clock())
        self.calls.append(call)
        return call

    async def call_hook(self, phase: Phase, call: Call) -> None:
        """Call the test's hook, just before or just after a call is executed."""
        if self.on_call is None:
            return
        answer = self.on_call(phase, call)
        if answer is not None:
            await answer

    def record_violation(self, sentence: str) -> None:
        """Record a violation: something that a correct app would not do."""
        is_ignored = any(part in sentence for part in self._ignored_parts)
        (self.ignored_violations if is_ignored else self.violations).append(sentence)
        self.change("violation", sentence=sentence, is_ignored=is_ignored)

    def ignore_violations(self, part: str) -> None:
        """Move every violation whose text contains `part` to `ignored_violations`, now and in future."""
        self._ignored_parts.append(part)
        self.ignored_violations += [sentence for sentence in self.violations if part in sentence]
        self.violations[:] = [sentence for sentence in self.violations if part not in sentence]

    def change(self, kind: str, **what: object) -> None:
        """Announce a change to every stream and to every test that waits in `until`.

        `kind` names the change. `what` are the fields that the streams send with it.
        """
        self.sequence += 1
        for stream in self._streams:
            stream.put_nowait({"sequence": self.sequence, "kind": kind} | what)
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
        """Wait until `condition` returns a true value, and return this value. After `seconds`, raise a
        TimeoutError that names `what`."""
        ends = time.monotonic() + seconds
        changed = self._changed
        while not (value := condition()):
            if time.monotonic() > ends:
                raise TimeoutError(f"waited {seconds:g} s for {what}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _LOOK_AGAIN_SECONDS)
                await asyncio.sleep(_GATHER_SECONDS)
            changed = self._changed
        return value

    def subscribe(self) -> asyncio.Queue[Json]:
        """Open a stream of changes."""
        stream: asyncio.Queue[Json] = asyncio.Queue()
        self._streams.add(stream)
        return stream

    def unsubscribe(self, stream: asyncio.Queue[Json]) -> None:
        """Close a stream of changes."""
        self._streams.discard(stream)
