"""Composition root: makes every part of a process and connects them.

Importing this does nothing. `app/bot.py` starts and ends the parts.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Self

from redis.exceptions import RedisError
from slack_bolt.async_app import AsyncApp

from taskwire import sealing, transport
from taskwire.actions.forgetting import PersonForgetter
from taskwire.actions.snooze import ReminderSnoozer
from taskwire.actions.stop import StopReactions
from taskwire.actions.task_actions import TaskActions
from taskwire.agent.input import AgentInput
from taskwire.agent.thread_context import ThreadContext
from taskwire.app.audit_listing import open_trail
from taskwire.coder.client import CoderClient, CoderTimeouts
from taskwire.coder.oauth import OAuthClient
from taskwire.dependencies import Dependencies
from taskwire.doctor.in_slack import DoctorInSlack
from taskwire.domain.allowed import Allowed, QuotaSettings
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.lifecycle.link_state import ReducerSettings
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.person_settings import PersonSettings
from taskwire.home.preferences import Preferences
from taskwire.home.publish import HomePublisher
from taskwire.job_context import Handler
from taskwire.listeners import listen
from taskwire.listeners.background import Background
from taskwire.listeners.clicks import Clicks
from taskwire.listeners.commands import Commands
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.events import Events
from taskwire.listeners.ingress import Ingress, find_bar_on_arrival
from taskwire.listeners.shortcuts import Shortcuts
from taskwire.notices import closed_threads
from taskwire.notices.agent_sessions import SessionStatuses
from taskwire.notices.card import CardAndReceipts
from taskwire.notices.follow import Follower
from taskwire.notices.notify import Notifier
from taskwire.notices.outsiders import Outsiders
from taskwire.outbox import direct_delivery, posting, private_answers, questions, share_messages
from taskwire.outbox.coder_health import ServiceAccount
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.outbox.private_answers import PrivateAnswers
from taskwire.people.permissions import People
from taskwire.polling.personal_poller import AnyPoller, make_poller
from taskwire.queue import fence, self_test
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.inbox import Inbox
from taskwire.queue.leases import LeaseTimes, Queues
from taskwire.queue.rate_limiter import DEFAULT_LIMITS, LIMITS, MethodLimits, RateLimiter
from taskwire.queue.scripts import Clock, read_seconds
from taskwire.queue.stats import QueueStats
from taskwire.recovery import newer_versions
from taskwire.recovery.backfill import Backfill
from taskwire.recovery.lost_threads import LostThreads
from taskwire.recovery.newer_versions import NewerVersions
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.replies import reconcile
from taskwire.replies.admit import ReplyReceiver
from taskwire.replies.button_decisions import ReplyDecisions
from taskwire.replies.deliver import ReplySender
from taskwire.replies.edits import ReplyEdits
from taskwire.replies.pass_on import ReplyPasser
from taskwire.replies.sent_messages import MessageSender
from taskwire.settings import Settings
from taskwire.slack.bolt import make_app
from taskwire.slack.call_priorities import ALL_METHODS, NoLimiter
from taskwire.slack.calls import Method, SlackTimeouts
from taskwire.slack.client import make_client
from taskwire.slack.models import Identity
from taskwire.slack.outbound import Outbound
from taskwire.state.accounts import AccountStore
from taskwire.state.heartbeat import Heartbeat, ReceivedKinds
from taskwire.state.key_rotation import StoredKeys
from taskwire.state.link_writes import LinkWrites
from taskwire.state.links import Links
from taskwire.state.notes import Notes
from taskwire.state.observations import Observations
from taskwire.state.retention import KeptTimes, Retention
from taskwire.state.settings import SettingsStore
from taskwire.tasks.by_name import NamedActions
from taskwire.tasks.card_questions import CardQuestions
from taskwire.tasks.channel_settings import ChannelSettingsSaver, SettingsForm
from taskwire.tasks.connect import AccountConnector, is_token_refused
from taskwire.tasks.connect_by_oauth import AccountAuthorizer
from taskwire.tasks.create import TaskCreator
from taskwire.tasks.form import CreateForm
from taskwire.tasks.link_previews import LinkPreviews
from taskwire.tasks.lookup import Lookup
from taskwire.tasks.marked_messages import MarkedMessages
from taskwire.tasks.messages_to_bot import MessagesToBot
from taskwire.tasks.queries import Queries
from taskwire.tasks.start import TaskBinder, ThreadOpener
from taskwire.tasks.thread_queries import ThreadQueries
from taskwire.tasks.waiting_requests import WaitingRequests
from taskwire.telemetry import Metrics
from taskwire.worker import Worker, handlers_by_kind


@dataclass(frozen=True)
class Timings:
    """Timeouts of calls, lease times and rate limits. Tests that kill a process use shorter times."""

    slack: SlackTimeouts = field(default_factory=SlackTimeouts)
    coder: CoderTimeouts = field(default_factory=CoderTimeouts)
    lease_times: LeaseTimes = field(default_factory=LeaseTimes)
    limits: Mapping[str, MethodLimits] = field(default_factory=lambda: LIMITS)
    other_limits: MethodLimits = DEFAULT_LIMITS


@dataclass(frozen=True)
class Sweeps:
    """The work that goes through the whole store in the background: re-encryption and retention."""

    stored_keys: StoredKeys
    retention: Retention


@dataclass(frozen=True)
class Parts:
    """All parts of one process."""

    settings: Settings
    bolt: AsyncApp
    deps: Dependencies
    inbox: Inbox
    worker: Worker
    poller: AnyPoller
    backfill: Backfill
    account: ServiceAccount
    alerts: AdminAlerts
    heartbeat: Heartbeat
    newer: NewerVersions
    sweeps: Sweeps
    background: Background
    private_answers: PrivateAnswers
    queue_stats: QueueStats
    ingress: Ingress
    heard: ReceivedKinds
    metrics: Metrics
    connections: Connections

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        connections: Connections,
        clock: Clock,
        metrics: Metrics,
        timings: Timings,
    ) -> AsyncIterator[Self]:
        """Make the clients and all parts. Raises the errors of Slack's client.

        Raises `UserError` if this version of Taskwire, or the Redis user, may not use the store.
        """
        masker = settings.masker
        mask, mask_own, mask_stored = masker.mask, masker.mask_own, masker.mask_own_in_json
        sealing.install_mask(mask_stored)
        session = transport.make_session(proxy=transport.proxy_for(settings.slack_api_url))
        token = settings.slack_bot_token.get_secret_value()
        coder_token = settings.service_token
        coder_session = CoderClient.open(settings.coder_url, coder_token, timeouts=timings.coder, mask=mask)
        oauth_session = OAuthClient.open(settings.coder_url, settings.oauth_app, mask)
        async with session, coder_session as coder, oauth_session as oauth:
            client = make_client(token, settings.slack_api_url, session=session)
            bot = await Outbound(client, NoLimiter(), mask).get_identity()
            keys = Keys(bot.team_id, settings.key_prefix)
            queues = Queues(connections, keys, clock, timings.lease_times, mask_stored)
            await _check_store(queues, connections, keys)
            limiter = RateLimiter(
                connections, keys, clock, metrics, limits=timings.limits, default=timings.other_limits
            )
            for method in (*Method, *timings.limits, ALL_METHODS):
                # An alert watches how these counters grow, so they must exist from the start, as 0.
                metrics.rate_limited.labels(method)
            slack = Outbound(
                client, limiter, mask, mask_own=mask_own, timeouts=timings.slack, clock=read_seconds(clock)
            )
            await slack.get_identity()
            deps = _make_dependencies(settings, connections, clock, queues, slack, coder, oauth, bot, masker)
            inbox = Inbox(connections, keys, clock, mask_stored)
            bolt = make_app(make_client(None, settings.slack_api_url, session=session), bot, metrics)
            store = (connections, keys, clock)
            stats = QueueStats(*store), ReceivedKinds(*store), Heartbeat(*store)
            sweeps = Sweeps(StoredKeys(*store), Retention(*store, deps.writes.kept))
            yield cls._assemble(settings, deps, inbox, bolt, *stats, sweeps, connections, metrics)

    @property
    def slow_calls(self) -> Mapping[str, Callable[[], Awaitable[object]]]:
        """The functions that are called every few minutes or hours, by name."""
        return {
            "newer": self.newer.tell_waiting,
            "keys": self.sweeps.stored_keys.look,
            "retention": self.sweeps.retention.look,
            "audit": self.deps.audit.seal,
        }

    @classmethod
    def _assemble(
        cls,
        settings: Settings,
        deps: Dependencies,
        inbox: Inbox,
        bolt: AsyncApp,
        queue_stats: QueueStats,
        heard: ReceivedKinds,
        heartbeat: Heartbeat,
        sweeps: Sweeps,
        connections: Connections,
        metrics: Metrics,
    ) -> Self:
        people = People(deps, settings.admins, settings.shared_channels)
        alerts = AdminAlerts(deps, settings.admins)
        find_bar = partial(find_bar_on_arrival, people)
        receiver = ReplyReceiver(deps, inbox, find_bar)
        backfill, background = Backfill(deps, receiver, heartbeat, metrics), Background()
        # One object for all handlers, so that simultaneous requests for the list of tasks share one call.
        lookup = Lookup(deps, people)
        newer, private_answers = NewerVersions(deps, alerts, metrics), PrivateAnswers(deps.slack, deps.queues)
        handlers = _handlers(deps, people, lookup, backfill, receiver)
        find_account = people.accounts.find_known_name
        worker = Worker(deps, people.accounts, handlers, metrics, newer, private_answers, find_account)
        ingress = Ingress(deps, inbox, metrics, worker.ingress_priority, find_bar)
        messages = Events(
            deps.bot.bot_user_id,
            ingress,
            inbox,
            receiver,
            people.directory,
            Outsiders(deps, alerts, settings.shared_channels),
            deps.slack,
            background,
            settings.emoji,
            LinkPreviews(deps, people, lookup),
        )
        _listen(bolt, messages, deps, people, lookup, background, private_answers, ingress)
        return cls(
            settings=settings,
            bolt=bolt,
            deps=deps,
            inbox=inbox,
            worker=worker,
            poller=make_poller(deps, people.accounts, metrics, alerts, settings.poll_interval),
            backfill=backfill,
            account=ServiceAccount(deps, alerts, settings.masker.learn),
            alerts=alerts,
            heartbeat=heartbeat,
            newer=newer,
            sweeps=sweeps,
            background=background,
            private_answers=private_answers,
            queue_stats=queue_stats,
            ingress=ingress,
            heard=heard,
            metrics=metrics,
            connections=connections,
        )


def _make_dependencies(
    settings: Settings,
    connections: Connections,
    clock: Clock,
    queues: Queues,
    slack: Outbound,
    coder: CoderClient,
    oauth: OAuthClient | None,
    bot: Identity,
    masker: Masker,
) -> Dependencies:
    """Make the clients, stores and settings that every handler gets."""
    keys = Keys(bot.team_id, settings.key_prefix)
    return Dependencies(
        queues=queues,
        links=Links(connections, keys, clock),
        writes=LinkWrites(keys, KeptTimes.of(settings)),
        observations=Observations(connections, keys, clock),
        channel_settings=SettingsStore(connections, keys, "channel_settings", ChannelSettings()),
        person_settings=SettingsStore(connections, keys, "person_settings", PersonSettings()),
        notes=Notes(connections, keys),
        dead_letters=DeadLetters(connections, keys, clock),
        audit=open_trail(settings, connections, keys, clock, queues.data_loss_detector),
        slack=slack,
        service_coder=coder,
        accounts=AccountStore(connections, keys),
        oauth=oauth,
        examine=DoctorInSlack(settings, slack, coder, connections, oauth).examine,
        bot=bot,
        coder_url=settings.coder_url,
        mask=masker.mask,
        mask_own=masker.mask_own,
        rules=ReducerSettings(
            settle_ms=int(settings.settle * 1000),
            stuck_ms=int(settings.stuck * 1000),
            reminder_ms=int(settings.reminder * 1000),
        ),
        template=settings.template,
        preset=settings.preset,
        forges=frozenset(settings.forges),
        emoji=settings.emoji,
        quotas=QuotaSettings(
            settings.create_limit,
            settings.running_limit,
            settings.channel_create_limit,
            settings.channel_running_limit,
        ),
        allowed=Allowed(
            frozenset(settings.allowed_workspaces),
            frozenset(settings.allowed_channels),
            settings.allowed_groups,
        ),
        has_personal_accounts=settings.accounts != "service",
        has_service_account=settings.accounts != "personal",
    )


async def _check_store(queues: Queues, connections: Connections, keys: Keys) -> None:
    """Check that the Redis user's rights, the fence and the formats allow this store. Raises `UserError`."""
    store = (connections, keys)
    rights, is_open = partial(self_test.check_rights, *store), partial(fence.require_open, *store)
    for check in (rights, is_open, queues.formats.require_compatible):
        # Temporary failures, such as a failover or missing replicas, do not stop the start.
        with contextlib.suppress(RedisError):
            await check()


def _handlers(
    deps: Dependencies, people: People, lookup: Lookup, backfill: Backfill, receiver: ReplyReceiver
) -> Mapping[str, Handler]:
    """Return the handlers of all features, by kind of job."""
    texts = AgentInput(deps, people)
    thread_context = ThreadContext(deps, people, texts)
    creator = TaskCreator(deps, people, thread_context)
    connector = AccountConnector(deps, people)
    features = (
        creator,
        connector,
        AccountAuthorizer(deps, people, connector),
        ChannelSettingsSaver(deps, people),
        MessagesToBot(deps, people, lookup, Queries(deps, people, lookup), texts, creator),
        NamedActions(deps, people, lookup, creator),
        WaitingRequests(deps, people, Queries(deps, people, lookup)),
        ThreadOpener(deps, people),
        TaskBinder(deps, people),
        ThreadQueries(deps, people),
        ReplySender(deps, people, texts),
        MessageSender(deps, people, texts, receiver),
        ReplyEdits(deps, people, texts),
        ReplyDecisions(deps, people, texts),
        ReplyPasser(deps, people, texts, receiver),
        TaskActions(deps, people, texts, thread_context),
        PersonForgetter(deps, texts),
        StopReactions(deps),
        ReminderSnoozer(deps, people),
        MarkedMessages(deps, people, texts, creator),
        Notifier(deps, people, texts),
        CardAndReceipts(deps, people),
        Follower(deps, people),
        SessionStatuses(deps),
        HomePublisher(deps, people),
        Preferences(deps, people),
        backfill,
        LostThreads(deps, people),
    )
    module_handlers = (
        private_answers.handlers(deps, people),
        questions.handlers(deps),
        direct_delivery.handlers(deps, people),
        share_messages.handlers(deps, people),
        posting.handlers(deps, people),
        closed_threads.handlers(deps),
        reconcile.handlers(deps),
        newer_versions.handlers(deps),
    )
    return handlers_by_kind(chain(*(feature.handlers() for feature in features), *module_handlers))


def _listen(
    bolt: AsyncApp,
    messages: Events,
    deps: Dependencies,
    people: People,
    lookup: Lookup,
    background: Background,
    private_answers: PrivateAnswers,
    ingress: Ingress,
) -> None:
    answerer = Queries(deps, people, lookup)
    filler = CreateForm(deps, people, AgentInput(deps, people))
    card_questions = CardQuestions(deps, people, lookup)
    dialogs = Dialogs(
        ingress,
        deps.slack,
        deps.links,
        deps.person_settings,
        lookup,
        filler,
        SettingsForm(deps, people),
        card_questions,
        background,
        private_answers,
        deps.coder_url,
        partial(is_token_refused, deps, people),
    )
    commands = Commands(deps, people, ingress, answerer, dialogs, background, private_answers)
    listen(
        bolt,
        commands,
        messages,
        Clicks(ingress, commands, lookup, answerer, dialogs, background, private_answers),
        dialogs,
        Shortcuts(ingress, dialogs, private_answers),
    )
