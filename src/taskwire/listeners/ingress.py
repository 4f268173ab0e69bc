"""Decides which payloads are for this installation, and claims these payloads in the inbox.

A delivery is one event, command, press or dialog from Slack. Slack may send it several times. To claim it is
to record it in the inbox, together with its batch: the jobs that handle it. A delivery that is in the inbox
already is not handled again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Literal, NamedTuple

from redis.exceptions import RedisError

from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import Barred, PlaceNotAllowed
from taskwire.domain.audit import AuditEntry
from taskwire.domain.errors import OutcomeUnknown, TryLater, UserError
from taskwire.domain.ids import ThreadRef, Ts, UserId, moment_of
from taskwire.domain.parsing.naming import digest
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.ingress_priority import IngressPriority
from taskwire.messages import answers, refusals
from taskwire.outbox.allowed_places import is_told_already
from taskwire.outbox.audit import log_entry
from taskwire.people.allowed import require_not_barred
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import ClaimResult, Inbox
from taskwire.queue.user_limits import UserLimit, limit_of_verb
from taskwire.slack import inbound
from taskwire.slack.payload_sources import parse_source
from taskwire.telemetry import Metrics, ThrottledLog, logger

# Kinds of payloads whose deliveries can be rejected because too many jobs wait. Their counters exist from the
# start, because an alert watches their increase.
LIMITED_KINDS = ("click", "command", "dialog", "direct", "mention", "message", "reaction", "shortcut")
# How long a delivery may wait to learn who its person is. Slack waits three seconds for the claim.
KNOWN_BAR_SECONDS = 0.3
# How long a question may wait to be counted.
COUNT_QUESTION_SECONDS = 1.0
_FOREIGN_PAYLOAD = "payload dropped: it names no workspace, or one for which Taskwire is not installed"
_log = logger("taskwire.listeners.ingress")


class ClaimAnswer(NamedTuple):
    """The result of a claim.

    `reply` is what to tell the person at once; empty if there is nothing to tell. `is_new` is true if the
    delivery was claimed now and must be handled. `is_ignored` is true if the person has asked too often, and
    was told so before.
    """

    reply: str
    is_new: bool = False
    is_ignored: bool = False


class Ingress:
    """Decides which payloads are accepted, and claims the accepted payloads in the inbox."""

    def __init__(
        self,
        deps: Dependencies,
        inbox: Inbox,
        metrics: Metrics,
        ingress_priority: IngressPriority,
        find_bar: Callable[[UserId], Awaitable[Barred]],
    ) -> None:
        self._deps = deps
        self._find_bar = find_bar
        self._slack = deps.slack
        self._bot = deps.bot
        self._allowed = deps.allowed
        self._audit = deps.audit
        self._inbox = inbox
        self._metrics = metrics
        self._ingress_priority = ingress_priority
        # Kinds of payloads that have arrived since `take_arrived_kinds` was last called.
        self._arrived_kinds: set[str] = set()
        self._dropped_counters = {why: metrics.payloads_dropped.labels(why) for why in ("place", "stranger")}
        self._log_foreign = ThrottledLog(_log.warning, _FOREIGN_PAYLOAD)
        for kind in LIMITED_KINDS:
            metrics.deliveries.labels(kind, "rejected")

    def now(self) -> datetime:
        """Return the present time by Slack's clock, for payloads that carry no time."""
        return self._slack.now()

    def is_accepted(self, body: Mapping[str, object]) -> bool:
        """Return whether a payload comes from our workspace or organization.

        Return False for payloads of bots, and of people of another company.
        """
        source, bot = parse_source(body), self._bot
        is_of_org = bot.enterprise_id is not None and source.enterprise_id == bot.enterprise_id
        is_ours = is_of_org if bot.is_org_wide else source.team_id in ("", bot.team_id)
        is_foreign = source.actor_team_id not in (None, source.team_id or bot.team_id)
        # In an organization, a payload may name another of a person's workspaces. The worker asks Slack
        # whether the person is a member here.
        if not is_ours:
            # Only this count and this log line show the rejection, because the payload is acknowledged to
            # Slack.
            self._dropped_counters["place"].inc()
            self._log_foreign(
                is_org_wide=bot.is_org_wide, names_organization=source.enterprise_id is not None
            )
        elif is_foreign and not is_of_org:
            # Payloads of strangers come from people of another company in a shared channel.
            self._dropped_counters["stranger"].inc()
        else:
            return not source.is_bot
        return False

    def is_allowed_place(self, channel: str) -> bool:
        """Return whether the settings allow the bot in this channel."""
        return self._allowed.has_channel(channel)

    async def refuse(
        self, kind: Literal["command", "click", "shortcut", "dialog"], delivery: str, requester: Requester
    ) -> Message | None:
        """Return a refusal if the settings do not allow the bot in the requester's channel, or if it is known
        that they do not allow the requester. Otherwise, return None.

        The refusal has no text if the person has reached the limit of questions and was told so.
        The audit trail gets one entry for each refused delivery, up to the person's limit of questions a
        minute. Without this limit, a person could push other people's entries out of the audit trail.
        Messages in threads are not refused here. The worker refuses them, because only the worker knows which
        task a thread belongs to.
        """
        error = await self._find_refusal(requester)
        if error is None:
            return None
        entry, limit = _make_refusal_entry(kind, delivery, requester, error), _limit_questions(requester)
        claim = await self.claim(kind, delivery, self._enter(Batch(), entry), limit)
        if claim.is_new:
            log_entry(entry, delivery)
        return Message(text="") if claim.is_ignored else answers.refusal(error)

    async def refuse_event(
        self,
        kind: Literal["mention", "direct", "reaction", "session"],
        namespace: Literal["message", "event"],
        delivery: str,
        requester: Requester,
    ) -> tuple[ClaimResult, Message | None] | None:
        """Claim an event as refused if the settings do not allow the bot in the event's channel, or if it is
        known that they do not allow the event's person.

        Return None for any other event. Otherwise return the result of the claim and the message for the
        person. The message is None if the event was not claimed now, for example because it is a duplicate. A
        mention or a reaction may be meant for other people, so the person is told only once in 24 hours;
        otherwise the message is None too. `namespace` is where the inbox keeps deliveries of this kind. Raise
        the errors of the claim.
        """
        error = await self._find_refusal(requester)
        if error is None:
            return None
        entry, batch = _make_refusal_entry(kind, delivery, requester, error), Batch()
        is_told = await is_told_already(self._deps, error, requester, batch)
        batch, limit = self._enter(batch, entry), _limit_questions(requester)
        claiming = self._inbox.claim(namespace, delivery, batch, limit)
        claim = await self.count_claim(kind, claiming, requester.at)
        if claim != "claimed":
            return claim, None
        log_entry(entry, delivery)
        return claim, None if is_told else answers.refusal(error)

    async def _find_refusal(self, requester: Requester) -> UserError | None:
        """Return why the settings refuse this person in this channel; None if they do not, or if this is not
        known."""
        if not self._allowed.has_channel(requester.channel):
            return PlaceNotAllowed(*refusals.NOT_IN_THIS_CHANNEL, reason="place")
        try:
            require_not_barred(await self._find_bar(requester.person))
        except UserError as error:
            return error
        return None

    def _enter(self, batch: Batch, entry: AuditEntry) -> Batch:
        return self._audit.add_to(batch, entry) if self._audit.takes(entry) else batch

    def learn_time(self, body: Mapping[str, object]) -> None:
        """Learn Slack's time from a payload that carries it."""
        ts = inbound.find_event_ts(body)
        if ts is not None:
            self._slack.record_payload(ts)

    def record_arrival(self, kind: str) -> None:
        """Record that a payload of this kind has arrived, even if no listener handles it."""
        self._arrived_kinds.add(kind)

    async def count_claim(
        self, kind: str, claiming: Awaitable[ClaimResult], acted_at: Ts | None = None
    ) -> ClaimResult:
        """Await a claim and count its outcome. Raise the errors of the claim.

        `acted_at` is when the person acted. With this time, a metric records how late the payload came.
        """
        try:
            with self._ingress_priority:
                outcome = await claiming
        except (TryLater, OutcomeUnknown) as error:
            self._metrics.deliveries.labels(
                kind, "unknown" if isinstance(error, OutcomeUnknown) else "not_written"
            ).inc()
            raise
        self._metrics.deliveries.labels(kind, outcome).inc()
        self.record_arrival(kind)
        if acted_at is not None and outcome != "not_ours":
            age = (self.now() - moment_of(acted_at)).total_seconds()
            self._metrics.delivery_age_seconds.labels(kind).observe(max(age, 0.0))
        return outcome

    @contextmanager
    def take_arrived_kinds(self) -> Iterator[set[str]]:
        """Yield the kinds of the payloads that have arrived since the last call.

        If the caller's `with` block raises an error, the next call yields these kinds again.
        """
        kinds, self._arrived_kinds = self._arrived_kinds, set()
        try:
            yield kinds
        except BaseException:
            self._arrived_kinds |= kinds
            raise

    async def count_question(
        self, delivery: str, requester: Requester, limit: UserLimit | None = None
    ) -> ClaimAnswer:
        """Count a question that is answered at once, without a job.

        By default, `limit` is the limit of questions. If it is reached, the result is not new, and its reply
        says this once a minute. A question is not claimed: it is also answered if Slack delivers it
        again, or if Redis does not answer.
        """
        limit = limit or _limit_questions(requester)
        claiming = self._inbox.claim("question", delivery, Batch(), limit)
        with suppress(TryLater, OutcomeUnknown, TimeoutError):
            async with asyncio.timeout(COUNT_QUESTION_SECONDS):
                claim = await self.count_claim("question", claiming)
            if claim in ("limit_told", "limited"):
                reply = answers.too_many_requests(limit.most).text if claim == "limit_told" else ""
                return ClaimAnswer(reply, is_ignored=claim == "limited")
        return ClaimAnswer("", is_new=True)

    async def claim_in_thread(
        self, kind: str, delivery: str, thread: ThreadRef, batch: Batch, user_limit: UserLimit
    ) -> Message | None:
        """Claim a delivery for the task that is linked to this thread.

        Return None if the delivery was claimed now or earlier, or if the person has been told already that
        too many wait; otherwise, the message that tells the person why not.
        """
        claiming = self._inbox.claim_in_thread(delivery, thread, batch, is_ours=False, user_limit=user_limit)
        try:
            claim = await self.count_claim(kind, claiming)
        except TryLater:
            return Message(text=answers.store_unreachable())
        except OutcomeUnknown:
            return Message(text=answers.command_outcome_unknown())
        if claim == "not_ours":
            return answers.thread_without_task()
        is_too_much = claim in ("rejected", "limit_told")
        return Message(text=answers.too_many_jobs_waiting()) if is_too_much else None

    async def claim(
        self, kind: str, delivery: str, batch: Batch, user_limit: UserLimit | None = None
    ) -> ClaimAnswer:
        """Claim a delivery with its batch. Return what to tell the person at once.

        If the person has reached `user_limit`, or Redis does not answer, the reply in the result says this.
        If the delivery was claimed, the reply is empty.
        """
        try:
            claim = await self.count_claim(kind, self._inbox.claim(kind, delivery, batch, user_limit))
        except TryLater:
            return ClaimAnswer(answers.store_unreachable())
        except OutcomeUnknown:
            return ClaimAnswer(answers.command_outcome_unknown())
        if claim == "limit_told" and user_limit is not None:
            return ClaimAnswer(answers.too_many_requests(user_limit.most).text)
        reply = answers.too_many_jobs_waiting() if claim == "rejected" else ""
        return ClaimAnswer(reply, is_new=claim == "claimed", is_ignored=claim == "limited")


def _limit_questions(requester: Requester) -> UserLimit:
    return limit_of_verb("", requester.person, requester.at, Batch(), Batch())


def _make_refusal_entry(kind: str, delivery: str, requester: Requester, error: UserError) -> AuditEntry:
    """Return the audit entry for a delivery that the settings refuse."""
    return AuditEntry(
        person=requester.person,
        verb=kind,
        surface=requester.surface,
        channel=requester.channel,
        outcome="refused",
        reason=error.reason,
        reference=digest(kind, delivery)[:12],
    )


async def find_bar_on_arrival(people: People, person: UserId) -> Barred:
    """Return why a person may not use the bot; empty if Redis does not say so at once.

    Every delivery is checked by this function when it arrives, before the ack, so it asks neither Slack nor
    Coder. The worker checks the person again when it carries the delivery out.
    """
    with suppress(RedisError, TimeoutError):
        async with asyncio.timeout(KNOWN_BAR_SECONDS):
            return await people.find_known_bar(person)
    return ""
