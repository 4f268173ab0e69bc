"""Time for the stand-in: a clock that runs, a clock that is stepped, and the agenda of what happens when.

Nothing else here asks the operating system for the time. What is booked in the agenda sees the moment for
which it was booked as "now", however late it is run, so that stepped and real time leave the same traces.
"""

import heapq
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

MICROSECOND = timedelta(microseconds=1)
A_MORNING_IN_JUNE = datetime(2026, 6, 18, 10, 40, 2, 511000, tzinfo=UTC)


class Clock(Protocol):
    """Says what time it is, aware and in UTC."""

    def now(self) -> datetime:
        """Return the present."""
        ...


class RealClock:
    """The operating system's time."""

    def now(self) -> datetime:
        """Return the present."""
        return datetime.now(UTC)


class SteppedClock:
    """Time that stands still until it is moved."""

    def __init__(self, start: datetime = A_MORNING_IN_JUNE) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the present."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds; time never goes back."""
        self.move_to(self._now + timedelta(seconds=seconds))

    def move_to(self, moment: datetime) -> None:
        """Move on to the moment; one that has passed changes nothing."""
        self._now = max(self._now, moment)


@dataclass(order=True, slots=True)
class Booking:
    """One thing that happens at a time; it may be called off until then."""

    due: datetime
    number: int
    action: Callable[[], None] = field(compare=False)
    is_off: bool = field(default=False, compare=False)

    def call_off(self) -> None:
        """Make sure that it does not happen."""
        self.is_off = True


class Agenda:
    """What will happen, in order of time and then of booking."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[Booking] = []
        self._booked = 0
        self._moment: datetime | None = None
        self._last_stamp = datetime.min.replace(tzinfo=UTC)
        self.on_booking: Callable[[], None] = lambda: None
        self.on_trouble: Callable[[str], None] = lambda _text: None

    def now(self) -> datetime:
        """Return the moment of what is being run, or the clock's."""
        return self._moment or self._clock.now()

    def stamp(self) -> datetime:
        """Return now, but never the same time twice and never an earlier one, like rows of a database."""
        self._last_stamp = max(self.now(), self._last_stamp + MICROSECOND)
        return self._last_stamp

    def book(self, seconds: float, action: Callable[[], None]) -> Booking:
        """Let the action happen so many seconds from now."""
        self._booked += 1
        booking = Booking(self.now() + timedelta(seconds=seconds), self._booked, action)
        heapq.heappush(self._heap, booking)
        self.on_booking()
        return booking

    def next_due(self) -> datetime | None:
        """Return when the next thing happens."""
        while self._heap and self._heap[0].is_off:
            heapq.heappop(self._heap)
        return self._heap[0].due if self._heap else None

    def run_next(self, until: datetime) -> bool:
        """Run the next thing if it is due by then; say whether there was one."""
        due = self.next_due()
        if due is None or due > until:
            return False
        booking = heapq.heappop(self._heap)
        before, self._moment = self._moment, booking.due
        try:
            booking.action()
        except Exception:  # noqa: BLE001 - one agent's broken script must not stop the time of all others
            self.on_trouble(f"what was due at {booking.due} failed: {traceback.format_exc()}")
        finally:
            self._moment = before
        return True

    def catch_up(self) -> int:
        """Run all that is due by the clock, in order; return how much that was."""
        if self._moment is not None:
            return 0
        done = 0
        while self.run_next(self._clock.now()):
            done += 1
        return done
