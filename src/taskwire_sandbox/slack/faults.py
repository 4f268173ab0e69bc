"""Faults that a test plans.

A rule makes calls or deliveries fail. A count or a probability limits each rule.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from taskwire_sandbox.slack.errors import Json


class CallFault(StrEnum):
    """The faults of a call. With `DONE_THEN_...`, the call takes effect before the fault."""

    LATE = "late"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    ERROR = "error"
    NONSENSE = "nonsense"
    REFUSE = "refuse"
    HANG = "hang"
    DONE_THEN_LATE = "done_then_late"
    DONE_THEN_SERVER_ERROR = "done_then_server_error"
    DONE_THEN_ERROR = "done_then_error"
    DONE_THEN_NONSENSE = "done_then_nonsense"
    DONE_THEN_CUT = "done_then_cut"
    DONE_THEN_HANG = "done_then_hang"

    @property
    def executes(self) -> bool:
        """Return whether the call still takes effect."""
        return self is CallFault.LATE or self.value.startswith("done_then_")


class DeliveryFault(StrEnum):
    """The faults that a payload can meet on its way to the app."""

    TWICE = "twice"
    LATE = "late"
    OUT_OF_ORDER = "out_of_order"
    LOST = "lost"
    CUT = "cut"
    REFRESH = "refresh"


@dataclass
class Rule:
    """One planned fault.

    `name` is a method, event type, command or interaction type; "*" matches every name.
    """

    name: str
    fault: CallFault | DeliveryFault
    times: int | None = 1
    probability: float = 1.0
    seconds: float = 1.0
    error: str = "internal_error"
    where: Callable[[Json], bool] | None = None
    hits: int = 0

    def fits(self, names: tuple[str, ...], body: Json) -> bool:
        """Return whether this rule still applies to this call or payload."""
        if self.name != "*" and self.name not in names:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        return self.where is None or self.where(body)


class Faults:
    """The active rules.

    The first matching rule applies. The stand-in's seed makes random rules repeatable.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rules: list[Rule] = []
        self._rng = rng

    def add(
        self,
        name: str,
        fault: CallFault | DeliveryFault,
        *,
        times: int | None = 1,
        probability: float = 1.0,
        seconds: float = 1.0,
        error: str = "internal_error",
        where: Callable[[Json], bool] | None = None,
    ) -> Rule:
        """Make the next `times` matching calls or deliveries fail; None means all of them. Return the rule.

        A call or a delivery matches only if `where` is true for its arguments or payload. With a
        `probability` below 1, a matching call fails only by chance. `seconds` is for faults that wait, and
        `error` is for faults that answer with an error.
        """
        rule = Rule(name, fault, times, probability, seconds, error, where)
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Remove all rules."""
        self.rules.clear()

    def for_call(self, method: str, arguments: Json) -> Rule | None:
        """Return the rule that applies to a call, or None if none applies. The call counts as one hit of the
        rule."""
        return self._take(CallFault, (method,), arguments)

    def for_delivery(self, names: tuple[str, ...], payload: Json) -> Rule | None:
        """Return the rule that applies to a delivery, or None if none applies. The delivery counts as one hit
        of the rule."""
        return self._take(DeliveryFault, names, payload)

    def _take(
        self, family: type[CallFault] | type[DeliveryFault], names: tuple[str, ...], body: Json
    ) -> Rule | None:
        for rule in self.rules:
            if not isinstance(rule.fault, family) or not rule.fits(names, body):
                continue
            if rule.probability < 1.0 and self._rng.random() >= rule.probability:
                continue
            rule.hits += 1
            return rule
        return None
