"""Time for the stand-in: a real clock, a stepped clock, and the schedule of future actions.

No other module of the stand-in for Coder reads the system clock. A scheduled action always sees its own due
time as the present time, even if the action runs later. So timestamps do not depend on the kind of clock.
"""

import heapq
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

MICROSECOND = timedelta(microseconds=1)
DEFAULT_START = datetime(2026, 6, 18, 10, 40, 2, 511000, tzinfo=UTC)


class Clock(Protocol):
    """Tells the time as an aware datetime in UTC."""

    def now(self) -> datetime:
        """Return the present time."""
        ...


class RealClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """Return the present time."""
        return datetime.now(UTC)


class SteppedClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the present time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward by this number of seconds. The clock never goes back."""
        self.move_to(self._now + timedelta(seconds=seconds))

    def move_to(self, moment: datetime) -> None:
        """Move the clock forward to this moment. If the moment is past, change nothing."""
        self._now = max(self._now, moment)


@dataclass(order=True, slots=True)
class ScheduledAction:
    """One scheduled action. The action can be cancelled until it runs."""

    due: datetime
    number: int
    action: Callable[[], None] = field(compare=False)
    is_cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Cancel the action."""
        self.is_cancelled = True


class Schedule:
    """All future actions, ordered by due time.

    Actions with equal due times run in the order in which they were added.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[ScheduledAction] = []
        self._count = 0
        self._moment: datetime | None = None
        self._last_stamp = datetime.min.replace(tzinfo=UTC)
        self.on_new_action: Callable[[], None] = lambda: None
        self.on_error: Callable[[str], None] = lambda _text: None

    def now(self) -> datetime:
        """Return the due time of the running action. If no action runs, return the clock's time."""
        return self._moment or self._clock.now()

    def next_timestamp(self) -> datetime:
        """Return the present time, or a microsecond after the latest timestamp if that is later.

        So two rows never have equal times.
        """
        self._last_stamp = max(self.now(), self._last_stamp + MICROSECOND)
        return self._last_stamp

    def add(self, seconds: float, action: Callable[[], None]) -> ScheduledAction:
        """Schedule the action for `seconds` from now."""
        self._count += 1
        scheduled = ScheduledAction(self.now() + timedelta(seconds=seconds), self._count, action)
        heapq.heappush(self._heap, scheduled)
        self.on_new_action()
        return scheduled

    def next_due(self) -> datetime | None:
        """Return the due time of the next action; None if there is no action."""
        while self._heap and self._heap[0].is_cancelled:
            heapq.heappop(self._heap)
        return self._heap[0].due if self._heap else None

    def run_next(self, until: datetime) -> bool:
        """Run the next action if it is due by `until`. Return whether an action was run."""
        due = self.next_due()
        if due is None or due > until:
            return False
        scheduled = heapq.heappop(self._heap)
        before, self._moment = self._moment, scheduled.due
        try:
            scheduled.action()
        except Exception:  # noqa: BLE001 - one agent's broken script must not stop the time of all others
            self.on_error(f"what was due at {scheduled.due} failed: {traceback.format_exc()}")
        finally:
            self._moment = before
        return True

    def catch_up(self) -> int:
        """Run all due actions, in the order of their due times. Return how many actions ran."""
        if self._moment is not None:
            return 0
        done = 0
        while self.run_next(self._clock.now()):
            done += 1
        return done
