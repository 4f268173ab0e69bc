"""Delivery of payloads to the app: attempts, retries and faults. A `Transport` sends the payloads."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from taskwire_sandbox.slack.background_tasks import BackgroundTasks
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.faults import DeliveryFault, Faults, Rule
from taskwire_sandbox.slack.ledger import Delivery, Ledger


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt. `reason` is "acked" or Slack's retry reason.

    `may_retry` is false if the app has answered with X-Slack-No-Retry.
    """

    is_acked: bool
    reason: str
    payload: Json | None = None
    may_retry: bool = True


class Transport(Protocol):
    """A connection to the app: sockets or request URLs."""

    async def send(self, delivery: Delivery, attempt: int, reason: str) -> Outcome:
        """Make one attempt, and wait until the deadline for the ack."""
        ...

    async def cut(self) -> None:
        """Break the connections without notice."""
        ...

    async def refresh(self) -> None:
        """Ask the app to connect again."""
        ...


class Dispatcher:
    """Delivers payloads to the app.

    An event is retried until the app acks it or Slack would give it up. An interaction gets one attempt.
    """

    def __init__(
        self,
        transport: Transport,
        faults: Faults,
        ledger: Ledger,
        tasks: BackgroundTasks,
        retry_seconds: Sequence[float],
    ) -> None:
        self.transport = transport
        self.retry_seconds = tuple(retry_seconds)
        self._faults = faults
        self._ledger = ledger
        self._tasks = tasks
        self._next_delivery = asyncio.Event()

    def deliver_event(self, name: str, payload: Json) -> Delivery:
        """Deliver an event of the type `name` in the background, with retries."""
        delivery = self._begin(Delivery("events_api", name, payload))
        self._tasks.spawn(self._until_acked(delivery))
        return delivery

    async def deliver_now(self, delivery: Delivery) -> Outcome:
        """Deliver a command or an interaction once, and wait for the app's ack."""
        self._begin(delivery)
        reply = await self._try(delivery, 0, "")
        failure = "dispatch_failed" if reply.reason == "connection_failed" else "operation_timeout"
        self._end(delivery, "acked" if reply.is_acked else failure, reply)
        return reply

    def _begin(self, delivery: Delivery) -> Delivery:
        self._ledger.deliveries.append(delivery)
        self._ledger.change("delivery", delivery_kind=delivery.kind, name=delivery.name)
        return delivery

    def _end(self, delivery: Delivery, outcome: str, reply: Outcome) -> None:
        delivery.outcome = outcome
        delivery.reply = reply.payload
        self._ledger.change("delivered", delivery_kind=delivery.kind, name=delivery.name, outcome=outcome)

    async def _until_acked(self, delivery: Delivery) -> None:
        reason = ""
        for attempt, seconds in enumerate((0.0, *self.retry_seconds)):
            if seconds:
                await asyncio.sleep(seconds)
            reply = await self._try(delivery, attempt, reason)
            if reply.is_acked:
                self._end(delivery, "acked", reply)
                return
            if not reply.may_retry:
                break
            reason = reply.reason
        self._end(delivery, "gave_up", reply)

    async def _try(self, delivery: Delivery, attempt: int, reason: str) -> Outcome:
        names = (delivery.name, delivery.kind)
        rule = self._faults.for_delivery(names, delivery.payload)
        reply = await self._apply_fault(rule, delivery, attempt, reason) if rule else None
        if reply is None:
            reply = await self._send(delivery, attempt, reason)
        return reply

    async def _send(self, delivery: Delivery, attempt: int, reason: str) -> Outcome:
        delivery.sent_at = delivery.sent_at or time.time()
        reply = await self.transport.send(delivery, attempt, reason)
        delivery.attempts.append(reply.reason)
        if reply.is_acked:
            delivery.acked_at = delivery.acked_at or time.time()
        if not reply.is_acked and reply.reason not in ("connection_failed", "connection_lost"):
            self._ledger.record_violation(f"unacked {delivery.kind} {delivery.name}: {reply.reason}")
        self._next_delivery.set()
        self._next_delivery = asyncio.Event()
        return reply

    async def _apply_fault(self, rule: Rule, delivery: Delivery, attempt: int, reason: str) -> Outcome | None:
        """Apply a fault to a delivery. Return the outcome if the fault replaces the attempt. Return None if
        the payload must still be sent in the normal way."""
        match rule.fault:
            case DeliveryFault.LOST:
                delivery.attempts.append("lost")
                return Outcome(is_acked=False, reason="timeout")
            case DeliveryFault.LATE:
                await asyncio.sleep(rule.seconds)
            case DeliveryFault.OUT_OF_ORDER:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._next_delivery.wait(), rule.seconds)
            case DeliveryFault.TWICE:
                self._tasks.spawn(self._send(delivery, attempt, reason))
            case DeliveryFault.CUT:
                self._tasks.spawn(self.transport.cut())
            case DeliveryFault.REFRESH:
                await self.transport.refresh()
        return None
