"""Whether Coder answers and takes our token: noted when it does not, shown on every open card until it does.

The note also says which cards were already asked to show it, so that a process that dies half-way leaves no
card behind.
"""

from typing import Literal

from pydantic import BaseModel

from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.messages import troubles
from taskwire.messages.cards import Silence
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.outbox.enqueue import draw
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read_if_possible
from taskwire.telemetry import logger

# Coder is called away when this many polls in a row have failed; a refused token needs no second opinion.
FAILURES = 2
AWAY_MS = 7 * 24 * 3_600_000
# Cards that one call to Redis asks to be drawn.
PIECE = 200

_log = logger("taskwire.outbox.coder_health")


class CoderOutage(BaseModel):
    """Since when Coder cannot be asked, and why; `stage` is what the cards have been asked to show."""

    since_ms: int
    why: Silence = "away"
    stage: Literal["noted", "shown", "over"] = "noted"


async def find_away(deps: Dependencies) -> CoderOutage | None:
    """Since when Coder cannot be asked, if it cannot."""
    away = await _note(deps)
    return None if away is None or away.stage == "over" else away


class CoderHealth:
    """Knows whether Coder answers."""

    def __init__(self, deps: Dependencies, alerts: AdminAlerts) -> None:
        self._deps = deps
        self._alerts = alerts
        self._failures = 0
        self._failing_since_ms = 0
        self.trouble = ""

    async def failed(self, error: OutsideError, now_ms: int) -> None:
        """A poll has failed; if that lasts, the cards say so."""
        self._failures += 1
        self._failing_since_ms = self._failing_since_ms or now_ms
        why = _why(error)
        self.trouble = _sentence(error, why)
        _log.warning("poll of Coder failed", error=str(error), in_a_row=self._failures)
        if why == "refused":
            await self._alerts.warn("refused", self.trouble)
        if self._failures < FAILURES and why != "refused":
            return
        if why == "no_tasks":
            await self._alerts.warn("no tasks", self.trouble)
        known = await _note(self._deps)
        if known is None or known.stage == "over" or known.why != why:
            known = CoderOutage(since_ms=self._failing_since_ms, why=why)
            await self._keep(known)
        if known.stage == "noted":
            await self._redraw()
            await self._keep(known.model_copy(update={"stage": "shown"}))

    async def answered(self) -> None:
        """A poll has succeeded: nothing is wrong any more."""
        self._failures, self._failing_since_ms, self.trouble = 0, 0, ""
        known = await _note(self._deps)
        if known is None:
            return
        await self._keep(known.model_copy(update={"stage": "over"}))
        await self._redraw()
        await self._deps.notes.forget("coder-away")

    async def _keep(self, away: CoderOutage) -> None:
        await self._deps.notes.keep(away.model_dump_json(), "coder-away", ttl_ms=AWAY_MS)

    async def _redraw(self) -> None:
        """Let every open card show how it is now."""
        links = list((await self._deps.links.list_open()).values())
        for start in range(0, len(links), PIECE):
            batch = Batch()
            for link in links[start : start + PIECE]:
                draw(link, batch)
            await self._deps.queue.write(batch)


async def _note(deps: Dependencies) -> CoderOutage | None:
    kept = await deps.notes.find("coder-away")
    return read_if_possible(CoderOutage, kept)


def _why(error: OutsideError) -> Silence:
    if isinstance(error, TokenRefused):
        return "refused"
    return "no_tasks" if isinstance(error, NoTasks) else "away"


def _sentence(error: OutsideError, why: Silence) -> str:
    match why:
        case "refused":
            return troubles.blind()
        case "no_tasks":
            return " ".join(troubles.NO_TASKS)
        case "away":
            return troubles.coder_is_away(str(error))
