"""Faults that a test or the demo plans: which calls fail, how, how often, and whether they take effect."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from taskwire_sandbox.coder.wire import Response, json_response


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. `executes` says whether the call still takes effect."""

    name: str
    executes: bool = True
    delay_before: float = 0.0
    delay_after: float = 0.0
    answer: Response | None = None  # sent instead of the real answer
    cuts: bool = False  # the connection is reset instead of an answer
    hangs: bool = False  # no answer until the planned faults are cleared


def late(seconds: float) -> Fault:
    """Make a fault: the server waits, then executes the call and answers."""
    return Fault("late", delay_before=seconds)


def late_after(seconds: float) -> Fault:
    """Make a fault: the server executes the call, waits, then answers."""
    return Fault("late_after", delay_after=seconds)


def too_many(retry_after: int = 60, limit: int = 512) -> Fault:
    """Make a fault: the server answers 429 and does not execute the call.

    `retry_after` is in seconds. The message names `limit`.
    """
    body = {"message": f"You've been rate limited for sending more than {limit} requests in 1m0s."}
    plain = json_response(429, body)
    return Fault(
        "too_many",
        executes=False,
        answer=Response(429, plain.body, {"Retry-After": str(retry_after)}, plain.content_type),
    )


def server_error(message: str = "An internal server error occurred.", status: int = 500) -> Fault:
    """Make a fault: the server answers 500 and does not execute the call."""
    return Fault("server_error", executes=False, answer=json_response(status, {"message": message}))


def bad_gateway(
    message: str = "Failed to reach task app endpoint.", detail: str = "context deadline exceeded"
) -> Fault:
    """Make a fault: the server answers 502 with one of Coder's messages, and does not execute the call."""
    return Fault(
        "bad_gateway", executes=False, answer=json_response(502, {"message": message, "detail": detail})
    )


def nonsense(body: bytes = b"<html>Bad gateway</html>", status: int = 200) -> Fault:
    """Make a fault: the server executes the call and answers with a body that is not JSON."""
    return Fault("nonsense", answer=Response(status, body, content_type="text/html"))


def refused() -> Fault:
    """Make a fault: the server closes the connection without reading the request or executing the call."""
    return Fault("refused", executes=False, cuts=True)


def cut_after() -> Fault:
    """Make a fault: the server executes the call, then resets the connection."""
    return Fault("cut_after", cuts=True)


def error_after(message: str = "An internal server error occurred.", status: int = 500) -> Fault:
    """Make a fault: the server executes the call, then answers 500."""
    return Fault("error_after", answer=json_response(status, {"message": message}))


def hang() -> Fault:
    """Make a fault: the server accepts the request, and neither executes the call nor answers it."""
    return Fault("hang", executes=False, hangs=True)


MAKERS = {
    "late": late,
    "late_after": late_after,
    "too_many": too_many,
    "server_error": server_error,
    "bad_gateway": bad_gateway,
    "nonsense": nonsense,
    "refused": refused,
    "cut_after": cut_after,
    "error_after": error_after,
    "hang": hang,
}


def named(name: str, options: Mapping[str, str | int | float]) -> Fault:
    """Make a fault from its name, for the control interface. Raise LookupError for an unknown name."""
    if name not in MAKERS:
        raise LookupError(f"no fault is called {name!r}; there are {', '.join(MAKERS)}")
    if name == "nonsense" and "body" in options:
        return nonsense(str(options["body"]).encode())
    maker = MAKERS[name]
    return maker(**options)  # type: ignore[operator, no-any-return]  # from JSON; a wrong option raises


@dataclass(slots=True)
class PlannedFault:
    """A fault planned for calls to routes that match a pattern. A count or a probability limits the fault."""

    pattern: str
    fault: Fault
    times: int | None = 1
    probability: float = 1.0
    skips: int = 0
    hits: int = 0
    rng: random.Random = field(default_factory=random.Random)

    @property
    def is_used_up(self) -> bool:
        """Return whether the fault has happened `times` times."""
        return self.times is not None and self.hits >= self.times

    def applies_to(self, route: str) -> bool:
        """Return whether the fault happens to this call. If it does, the call counts as one of `times`."""
        if self.is_used_up or not fnmatchcase(route, self.pattern):
            return False
        if self.skips:
            self.skips -= 1
            return False
        if self.probability < 1 and self.rng.random() >= self.probability:
            return False
        self.hits += 1
        return True


class PlannedFaults:
    """All planned faults. If several faults match a call, the oldest fault happens."""

    def __init__(self) -> None:
        self._faults: list[PlannedFault] = []

    def plan(self, planned: PlannedFault) -> PlannedFault:
        """Add a planned fault."""
        self._faults.append(planned)
        return planned

    def clear(self) -> None:
        """Remove all planned faults."""
        self._faults.clear()

    def find_for(self, route: str) -> Fault | None:
        """Return the planned fault for a call of this route, and count the fault.

        Return None if no fault is planned for the call.
        """
        for planned in self._faults:
            if planned.applies_to(route):
                self._faults = [each for each in self._faults if not each.is_used_up]
                return planned.fault
        return None
