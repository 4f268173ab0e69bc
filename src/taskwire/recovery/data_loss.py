"""Recovery after Redis has lost writes, in a failover, a restart or from a restored copy.

`queue/data_loss_detector.py` notices the loss. A lease that is acquired after the loss contains the loss.
Then its handler looks for an earlier effect before it repeats the effect. This module repeats lost claims,
and tells administrators from which time on writes may be missing. A backfill reads what people wrote in this
time (`recovery/downtime.py`). `redis/sentinels.py` finds the new master.
"""

import asyncio
from collections.abc import Callable

from redis.exceptions import RedisError, ResponseError

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import from_ms
from taskwire.messages import troubles
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.queue.data_loss_detector import SUSPECT_MS, DataLoss
from taskwire.queue.inbox import Inbox
from taskwire.recovery import downtime
from taskwire.telemetry import logger

# How long to wait before the next check while Redis is away, in seconds.
LOOK_AGAIN_SECONDS = 0.2

_log = logger("taskwire.recovery.data_loss")


async def recover(deps: Dependencies, inbox: Inbox, alerts: AdminAlerts, data_loss: DataLoss) -> bool | None:
    """Repeat the claims that this process made in the last ten minutes and that Redis has lost.

    Return whether this process is the first to recover from this data loss. The first process starts the
    backfill. Return None if Redis or Slack did not answer: call this again later.
    """
    try:
        lost = await inbox.repeat_lost_claims()
        if deps.queues.data_loss_detector.missing_ms > downtime.GAP_SECONDS * 1000:
            # Administrators are told of a restored old copy. They are not told of a short loss, such as a
            # failover.
            since = from_ms(data_loss.since_ms)
            await alerts.warn(f"rewound {since}", troubles.data_loss(since))
        is_first = await deps.notes.keep_if_new("data_loss", str(data_loss.at_ms), ttl_ms=SUSPECT_MS)
    except (OutsideError, RedisError) as error:
        _log.warning("claims that Redis has lost not written again yet, will retry", error=str(error))
        return None
    _log.info("claims that Redis had lost were written again", count=lost)
    return is_first


async def repeat_before_end(
    deps: Dependencies, inbox: Inbox, is_loss_known: Callable[[], bool], within_seconds: float
) -> None:
    """Repeat the claims that Redis has lost, before this process ends. Only this process knows these claims.

    After a failover, Redis may still be away: then try again, for at most `within_seconds`. Do nothing if
    Redis is embedded, because an embedded Redis loses nothing while it runs. `is_loss_known` returns whether
    the worker has found a data loss after which the claims were not repeated yet.
    """
    detector = deps.queues.data_loss_detector
    if detector.is_embedded or not inbox.has_recent_claims:
        return
    try:
        async with asyncio.timeout(within_seconds):
            while True:
                try:
                    if await detector.find_new() is not None or is_loss_known():
                        lost = await inbox.repeat_lost_claims()
                        _log.info("process ends, claims that Redis had lost were written again", count=lost)
                    return
                except ResponseError as error:
                    # For example, the store was moved.
                    _log.warning(
                        "process ends, unknown whether Redis has its latest deliveries, some may be lost",
                        error=str(error),
                    )
                    return
                except (OutsideError, RedisError):
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
    except TimeoutError:
        _log.warning(
            "process ends, unknown whether Redis has its latest deliveries, some may be lost",
            error=f"no answer within {within_seconds} s",
        )
