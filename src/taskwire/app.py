"""Composes everything, in one place: doors, the story, the listeners.

Importing this does nothing. How it all starts and ends is in `running`.
"""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from taskwire import transport
from taskwire.bridge import closing, questions
from taskwire.bridge.account import AccountKeeper
from taskwire.bridge.alerts import Alerts
from taskwire.bridge.ask import Answerer
from taskwire.bridge.bind import Binder
from taskwire.bridge.create import Creator
from taskwire.bridge.decide import Decider
from taskwire.bridge.doors import Doors
from taskwire.bridge.files import share_file
from taskwire.bridge.find_thread import ThreadFinder
from taskwire.bridge.form import FormFiller
from taskwire.bridge.gaps import GapReader
from taskwire.bridge.input_text import InputText
from taskwire.bridge.intake import Intake
from taskwire.bridge.lookup import Lookup
from taskwire.bridge.open_thread import ThreadOpener
from taskwire.bridge.people import People
from taskwire.bridge.posting import tidy_message
from taskwire.bridge.receive import Receiver
from taskwire.bridge.replying import Replier
from taskwire.bridge.rewrite import Rewriter
from taskwire.bridge.send import Sender
from taskwire.bridge.show import Shower
from taskwire.bridge.steer import Steerer
from taskwire.bridge.tell import Teller
from taskwire.bridge.tidy_input import tidy_input
from taskwire.bridge.watch import Watcher
from taskwire.bridge.work import Carrier, Worker
from taskwire.coder.client import CoderClient
from taskwire.coder.client import Timeouts as CoderTimeouts
from taskwire.listeners import listen
from taskwire.listeners.behind import Behind
from taskwire.listeners.clicks import Clicks
from taskwire.listeners.commands import Commands
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.entry import Entry
from taskwire.listeners.messages import Messages
from taskwire.model.changes import Rules
from taskwire.model.secrets import Masker
from taskwire.settings import Settings
from taskwire.slack.answers import Identity
from taskwire.slack.calls import Method
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound
from taskwire.slack.outbound import Timeouts as SlackTimeouts
from taskwire.slack.room import Unlimited
from taskwire.store.claims import Claims
from taskwire.store.connection import Connections
from taskwire.store.depths import Depths
from taskwire.store.keys import Keys
from taskwire.store.letters import Letters
from taskwire.store.links import Links, LinkSteps
from taskwire.store.memory import Memory
from taskwire.store.pace import EVERYTHING, LIMITS, OTHERWISE, Limits, Pace
from taskwire.store.queue import Queue, TurnTimes
from taskwire.store.scripts import Clock
from taskwire.store.sweeps import Sweeps
from taskwire.telemetry import Metrics


@dataclass(frozen=True)
class Timings:
    """How long calls may take, and how long a list is held; tests of what a kill leaves behind wait less."""

    slack: SlackTimeouts = field(default_factory=SlackTimeouts)
    coder: CoderTimeouts = field(default_factory=CoderTimeouts)
    turns: TurnTimes = field(default_factory=TurnTimes)
    limits: Mapping[str, Limits] = field(default_factory=lambda: LIMITS)
    other_limits: Limits = OTHERWISE


@dataclass(frozen=True)
class Parts:
    """Everything that one process is made of."""

    settings: Settings
    bolt: AsyncApp
    doors: Doors
    claims: Claims
    worker: Worker
    watcher: Watcher
    gaps: GapReader
    account: AccountKeeper
    alerts: Alerts
    behind: Behind
    depths: Depths
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
        """Open the doors and put the parts together; raises the errors of Slack's door."""
        mask = Masker(settings.secrets()).mask
        session = transport.make_session(proxy=transport.proxy_for(settings.slack_api_url))
        token = settings.slack_bot_token.get_secret_value()
        coder_token = settings.coder_session_token.get_secret_value()
        coder_door = CoderClient.open(settings.coder_url, coder_token, timeouts=timings.coder)
        async with session, coder_door as coder:
            client = make_client(token, settings.slack_api_url, session=session)
            bot = await Outbound(client, Unlimited(), mask).identity()
            keys = Keys(bot.team_id)
            pace = Pace(
                connections, keys, clock, metrics, limits=timings.limits, otherwise=timings.other_limits
            )
            for method in (*Method, *timings.limits, EVERYTHING):
                # An alert looks at how it rises: what begins with 1 has not.
                metrics.rate_limited.labels(method)
            slack = Outbound(client, pace, mask, timeouts=timings.slack, ours=_seconds_of(clock))
            await slack.identity()
            doors = Doors(
                queue=Queue(connections, keys, clock, timings.turns),
                links=Links(connections, keys, clock),
                writes=LinkSteps(keys),
                sweeps=Sweeps(connections, keys, clock),
                memory=Memory(connections, keys),
                letters=Letters(connections, keys, clock),
                slack=slack,
                coder=coder,
                bot=bot,
                coder_url=settings.coder_url,
                mask=mask,
                rules=Rules(settle_ms=int(settings.settle * 1000)),
                template=settings.template,
                preset=settings.preset,
            )
            claims = Claims(connections, keys, clock)
            bolt = _bolt(settings, make_client(None, settings.slack_api_url, session=session), bot)
            depths = Depths(connections, keys, clock)
            yield cls._put_together(settings, doors, claims, bolt, depths, connections, metrics)

    @classmethod
    def _put_together(
        cls,
        settings: Settings,
        doors: Doors,
        claims: Claims,
        bolt: AsyncApp,
        depths: Depths,
        connections: Connections,
        metrics: Metrics,
    ) -> Self:
        people, alerts = People(doors, settings.admins), Alerts(doors, settings.admins)
        receiver = Receiver(claims, doors.writes, doors.bot.bot_user_id)
        gaps, behind = GapReader(doors, receiver, metrics), Behind()
        # One for all: whoever asks for the list at the same time shares it.
        lookup = Lookup(doors, people)
        worker = Worker(doors, _carriers(doors, people, lookup, alerts, gaps), metrics)
        entry = Entry(doors.slack, doors.bot, claims, metrics, worker.courtesy)
        _listen(bolt, doors, claims, receiver, people, lookup, behind, entry)
        return cls(
            settings=settings,
            bolt=bolt,
            doors=doors,
            claims=claims,
            worker=worker,
            watcher=Watcher(doors, metrics, alerts, settings.poll_interval),
            gaps=gaps,
            account=AccountKeeper(doors, alerts),
            alerts=alerts,
            behind=behind,
            depths=depths,
            metrics=metrics,
            connections=connections,
        )


def _seconds_of(clock: Clock) -> Callable[[], float]:
    def seconds() -> float:
        stamp = clock.stamp()
        return int(stamp) / 1000 if stamp else time.time()

    return seconds


def _bolt(settings: Settings, client: AsyncWebClient, bot: Identity) -> AsyncApp:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=bot.enterprise_id,
            team_id=bot.team_id,
            bot_user_id=bot.bot_user_id,
            bot_id=bot.bot_id,
        )

    secret = settings.slack_signing_secret
    # At the root's "debug" Bolt would write out every payload, and with it what people say.
    log = logging.getLogger("taskwire.slack.bolt")
    log.setLevel(max(logging.INFO, logging.getLogger().level))
    return AsyncApp(
        # Without a name Bolt reads the source of everything that is being called. The log of that name gets
        # the level of this one, and so does all beneath it.
        name=log.name,
        # With a token in its client Bolt asks auth.test at the first payload, and drops that if it fails.
        client=client,
        authorize=authorize,
        logger=log,
        signing_secret=secret.get_secret_value() if secret is not None else None,
        # Socket Mode is authenticated by the app token; only HTTP mode has signatures to verify.
        request_verification_enabled=not settings.is_socket_mode,
        # Or Bolt looks every 10 ms whether a listener has acked. Ours end with the ack: see `Behind`.
        process_before_response=True,
    )


def _carriers(
    doors: Doors, people: People, lookup: Lookup, alerts: Alerts, gaps: GapReader
) -> Mapping[str, Carrier]:
    """Which part carries out which kind of job."""
    creator = Creator(doors, people)
    intake = Intake(doors, people, lookup, creator)
    texts = InputText(doors, people)
    sender, rewriter = Sender(doors, people, texts), Rewriter(doors, people, texts)
    steerer = Steerer(doors, people, texts)
    decider, teller = Decider(doors, people, texts), Teller(doors, people, texts)
    replier, shower = Replier(doors, people), Shower(doors)
    return {
        "create_asked": creator.asked,
        "act_asked": intake.asked,
        "post_card": ThreadOpener(doors).open,
        "read_thread": gaps.thread,
        "find_thread": ThreadFinder(doors, people).find,
        "create_task": Binder(doors).bind,
        "reply": sender.reply,
        "rewritten": rewriter.rewritten,
        "act": steerer.act,
        "held_input": decider.held,
        "decided": decider.decided,
        "happened": teller.happened,
        "tell": teller.tell,
        "say": teller.say,
        "settled": partial(questions.settled, doors),
        "answer_in_thread": replier.answer,
        "share_file": partial(share_file, doors),
        "draw_card": shower.card,
        "receipt": shower.receipt,
        "alert": alerts.post,
        "tell_person": partial(closing.tell_person, doors),
        "channel_opened": partial(closing.channel_opened, doors),
        "reopened": partial(closing.reopened, doors),
        "tidy_message": partial(tidy_message, doors),
        "tidy_input": partial(tidy_input, doors),
    }


def _listen(
    bolt: AsyncApp,
    doors: Doors,
    claims: Claims,
    receiver: Receiver,
    people: People,
    lookup: Lookup,
    behind: Behind,
    entry: Entry,
) -> None:
    answerer = Answerer(doors, people, lookup)
    filler = FormFiller(doors, people)
    dialogs = Dialogs(entry, doors.slack, doors.links, lookup, filler, behind)
    listen(
        bolt,
        Commands(entry, doors.slack, answerer, dialogs, behind),
        Messages(doors.bot.bot_user_id, entry, claims, receiver, doors.slack, behind),
        Clicks(entry, doors.slack, doors.links, answerer, dialogs, behind),
        dialogs,
    )
