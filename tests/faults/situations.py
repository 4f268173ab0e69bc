"""Situations: what a call is at the moment of a fault, described without the name of the flow.

Jobs of the same kind run in many flows: each flow draws cards and looks people up. Two calls are in the same
situation if jobs of the same kind make the same call after the same writes. A fault then leaves both jobs in
the same state, so only one flow of a test run tries the fault. Claims, intent records and writes to Slack or
Coder are exceptions: every flow tries their faults, because each flow has its own effects.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .points import Aim, Kind, Point, is_read

_ALWAYS = frozenset({Kind.CLAIM, Kind.BEGIN, Kind.OUTSIDE_WRITE})


def situations_of(points: Iterable[Point]) -> dict[Point, str]:
    """Return the situation of each point of a run.

    A call that names no lease counts for the latest acquired lease that is still open. If no lease is open,
    the call counts for the time after the lease that ended latest.
    """
    found: dict[Point, str] = {}
    open_leases: list[str] = []
    after = ""
    # For each lease, how often each of its calls was made. Below it, the writes of each lease.
    counts: dict[str, Counter[str]] = {}
    writes: dict[str, list[str]] = {}
    for point in points:
        call = point.call
        if call.kind is Kind.TAKE:
            open_leases.append(call.lease)
            counts[call.lease], writes[call.lease] = Counter(), []
        lease = call.lease or (open_leases[-1] if open_leases else after)
        of_lease = counts.setdefault(lease, Counter())
        of_lease[call.name] += 1
        done = writes.setdefault(lease, [])
        is_pace = call.kind is Kind.PACE
        found[point] = (
            call.name if is_pace else "\n".join([lease, *done, f"{call.name} #{of_lease[call.name]}"])
        )
        if not is_read(point):
            done.append(call.name)
        if call.kind is Kind.END and call.lease in open_leases:
            open_leases.remove(call.lease)
            after = f"after {call.lease}"
            counts[after], writes[after] = Counter(), []
    return found


class Tried:
    """The faults that the flows of one test run have tried so far. All processes of the run share the
    directory, which has one file for each fault."""

    def __init__(self, directory: Path, *, is_shared: bool = True) -> None:
        self._directory = directory
        # If false, every flow tries all its faults.
        self._is_shared = is_shared
        directory.mkdir(exist_ok=True)

    def is_left(self, flow: str, aim: Aim, situation: str) -> bool:
        """Return whether this flow has to try a fault. If several flows have the fault in the same situation,
        only the first flow that asks has to try it."""
        if not self._is_shared or not aim.is_sure or aim.again or aim.point.call.kind in _ALWAYS:
            return True
        name = hashlib.sha256(f"{aim.fault.name}\n{situation}".encode()).hexdigest()
        path = self._directory / name
        try:
            with path.open("x") as claimed:
                claimed.write(flow)
        except FileExistsError:
            return False
        return True
