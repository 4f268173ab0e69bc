"""`taskwire doctor`: of each thing that Taskwire needs, whether it is right and, if not, what to do.

It only looks, beside a running bot as well as without one; it ends at findings, which `cli` prints. No
finding holds a secret.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from redis.exceptions import RedisError

from taskwire import transport
from taskwire.bridge.account import end_trouble, rights_trouble
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.coder.models import Template
from taskwire.model.errors import OutsideError, UserError
from taskwire.model.ids import UserId
from taskwire.settings import Settings
from taskwire.slack import manifest
from taskwire.slack.calls import Method
from taskwire.slack.client import make_client
from taskwire.slack.errors import SlackRefused, TokenProblem
from taskwire.slack.outbound import Outbound
from taskwire.slack.room import Unlimited
from taskwire.store import connection, embedded
from taskwire.store.connection import Connections, StoreHealth
from taskwire.store.keys import Keys
from taskwire.store.letters import Letter, Letters
from taskwire.store.reasons import reason
from taskwire.store.scripts import ServersClock
from taskwire.store.sentinels import Seen
from taskwire.words import troubles

# A Date header has whole seconds, and the answer travels; an attempt may land 5 s after its time-out.
MOST_SECONDS_APART = 5.0
FEWEST_SENTINELS = 3
ALMOST_FULL = 0.9
# For a store of our own that a bot is just ending or starting.
PATIENCE_SECONDS = 5.0

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """How one thing stands: right, right but worth knowing, or wrong; `hint` is what to do."""

    name: str
    state: State
    says: str
    hint: str = ""


def wrong(name: str, error: UserError) -> Finding:
    """What somebody has to mend."""
    return Finding(name, "wrong", error.sentence, error.hint)


class Examination:
    """Looks at everything that these settings name, one thing after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._team: str | None = None
        # How far this machine's clock is ahead of others, in seconds.
        self._ahead: dict[str, float] = {}

    async def findings(self) -> AsyncIterator[Finding]:
        """Yield what is found, as it is found."""
        yield self._way_of_running()
        for part in (self._slack, self._coder, self._store):
            async for finding in part():
                yield finding
        yield judge_clocks(self._ahead)

    def _way_of_running(self) -> Finding:
        way = "Socket Mode" if self._settings.is_socket_mode else f"HTTP mode at {manifest.REQUEST_PATH}"
        store = "a Redis that may be shared" if self._settings.redis_url else "a store of its own"
        return Finding("Settings", "ok", f"{way}, with {store}.")

    async def _slack(self) -> AsyncIterator[Finding]:
        settings = self._settings
        token, url = settings.slack_bot_token.get_secret_value(), settings.slack_api_url
        async with transport.make_session(proxy=transport.proxy_for(url)) as session:
            slack = Outbound(make_client(token, url, session=session), Unlimited(), str)
            found = await _checked("Slack bot token", self._bot_token(slack))
            yield found
            if found.state == "ok":
                yield judge_scopes(slack.granted_scopes)
            if found.state == "ok" and settings.admins:
                yield await _checked("Administrators", self._admins(slack))
            if settings.slack_app_token is not None:
                app_token = settings.slack_app_token.get_secret_value()
                yield await _checked("Slack app token", self._app_token(slack, app_token))

    async def _bot_token(self, slack: Outbound) -> Finding:
        own = await slack.identity()
        self._team = own.team_id
        self._note_clock("Slack's", slack.last_answer_at)
        return Finding("Slack bot token", "ok", f"Slack knows it, in the workspace {own.team_name}.")

    async def _admins(self, slack: Outbound) -> Finding:
        unknown = []
        for name in self._settings.admins:
            try:
                await (slack.list_group(name) if name.startswith("S") else slack.get_profile(UserId(name)))
            except TokenProblem:
                raise
            except SlackRefused:
                unknown.append(name)
        if unknown:
            raise UserError(
                f"TASKWIRE_ADMINS names {', '.join(unknown)}, whom Slack does not know here.",
                "Only administrators hear of what they alone can mend. A profile's menu has Copy member ID.",
            )
        return Finding("Administrators", "ok", "Slack knows all of them.")

    async def _app_token(self, slack: Outbound, app_token: str) -> Finding:
        await slack.open_socket(app_token)
        return Finding("Slack app token", "ok", "It may open sockets.")

    async def _coder(self) -> AsyncIterator[Finding]:
        token = self._settings.coder_session_token.get_secret_value()
        async with CoderClient.open(self._settings.coder_url, token) as coder:
            found = await _checked("Coder", self._version(coder))
            yield found
            if found.state == "wrong":
                return
            yield await _checked("Coder account", self._account(coder))
            yield await _checked("Coder token", self._token(coder))
            yield await _checked("Coder tasks", self._tasks(coder))
            yield await _checked("Templates", self._templates(coder))

    async def _version(self, coder: CoderClient) -> Finding:
        try:
            info = await coder.build_info()
        except OutsideError as error:
            raise UserError(
                f"{self._settings.coder_url} does not answer as Coder does: {error}.",
                "Check CODER_URL, and that this machine may reach it.",
            ) from error
        self._note_clock("Coder's", coder.last_answer_at)
        return Finding("Coder", "ok", f"It is version {info.version}.")

    async def _account(self, coder: CoderClient) -> Finding:
        me = await coder.me()
        if trouble := rights_trouble(me):
            raise trouble
        return Finding("Coder account", "ok", f"It is {me.username}, who has the role Owner.")

    async def _token(self, coder: CoderClient) -> Finding:
        await coder.me()
        ends = await coder.find_token_end()
        if trouble := end_trouble(ends, datetime.now(UTC)):
            raise trouble
        if ends is None:
            return Finding("Coder token", "note", "Coder does not tell when it ends.")
        return Finding("Coder token", "ok", f"It is good until {ends:%Y-%m-%d}.")

    async def _tasks(self, coder: CoderClient) -> Finding:
        await coder.list_tasks_raw("owner:me")
        return Finding("Coder tasks", "ok", "This Coder has them.")

    async def _templates(self, coder: CoderClient) -> Finding:
        templates = await coder.list_templates()
        if not templates:
            raise UserError(
                "No template makes tasks.",
                "In Coder, give a template a coder_ai_task, and let everybody use it.",
            )
        names = ", ".join(template.name for template in templates[:5])
        more = f" and {len(templates) - 5} more" if len(templates) > 5 else ""
        if self._settings.template is not None:
            templates = (_named(templates, self._settings.template, names),)
        await self._check_preset(coder, templates)
        return Finding("Templates", "ok", f"For tasks: {names}{more}.")

    async def _check_preset(self, coder: CoderClient, templates: Sequence[Template]) -> None:
        """A template without the preset is used with its own default; if none has it, nobody ever gets it."""
        wanted = self._settings.preset
        if wanted is None:
            return
        presets = [await coder.list_presets(template.active_version_id) for template in templates]
        names = [preset.name for each in presets for preset in each]
        if wanted.casefold() not in (name.casefold() for name in names):
            one = f"the template {templates[0].name} does not have"
            which = one if len(templates) == 1 else "no template for tasks has"
            there = ", ".join(dict.fromkeys(names)) or "none"
            raise UserError(f"TASKWIRE_PRESET names a preset that {which}.", f"There is: {there}.")

    async def _store(self) -> AsyncIterator[Finding]:
        settings = self._settings
        if settings.redis_url is None and not settings.data_dir.exists():
            yield await _checked("Store", _store_to_be(settings.data_dir))
            return
        try:
            async with contextlib.AsyncExitStack() as stack:
                connections = await stack.enter_async_context(opened_store(settings))
                for finding in judge_store(await connection.check(connections), connections.where):
                    yield finding
                if connections.masters is not None:
                    yield judge_sentinels(*await connections.masters.survey())
                seconds, microseconds = await connections.commands.time()
                there = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
                self._ahead["the store's"] = (datetime.now(UTC) - there).total_seconds()
                yield await self._dead_letters(connections)
        except UserError as error:
            yield wrong("Store", error)
        except RedisError as error:
            yield Finding(
                "Store", "wrong", f"It does not answer as it should: {error}.", "Look into its log."
            )

    async def _dead_letters(self, connections: Connections) -> Finding:
        if self._team is None:
            return Finding("Dead letters", "note", "They can be counted once Slack has said who we are.")
        letters = Letters(connections, Keys(self._team), ServersClock())
        return judge_letters(await letters.count(), await letters.find_newest())

    def _note_clock(self, whose: str, theirs: datetime | None) -> None:
        if theirs is not None:
            # A Date header is cut to whole seconds: half a second is its error.
            self._ahead[whose] = (datetime.now(UTC) - theirs).total_seconds() - 0.5


def _named(templates: Sequence[Template], wanted: str, names: str) -> Template:
    for template in templates:
        if wanted.casefold() in (template.name.casefold(), template.title.casefold(), template.id):
            return template
    raise UserError("No template for tasks has the name in TASKWIRE_TEMPLATE.", f"There is: {names}.")


async def _checked(name: str, check: Awaitable[Finding]) -> Finding:
    """What a check finds; a failure of what it asks is a finding too."""
    try:
        return await check
    except UserError as error:
        return wrong(name, error)
    except TokenRefused:
        return wrong(name, UserError(*troubles.TOKEN_REFUSED))
    except NoTasks:
        return wrong(name, UserError(*troubles.NO_TASKS))
    except TokenProblem as problem:
        return wrong(name, refused(problem))
    except OutsideError as error:
        return Finding(
            name,
            "wrong",
            f"It could not be asked: {error}.",
            "Check that this machine may reach it.",
        )


@contextlib.asynccontextmanager
async def opened_letters(settings: Settings) -> AsyncIterator[Letters]:
    """The dead letters of this workspace; UserError if nobody tells whose they are, or the store is away."""
    url = settings.slack_api_url
    async with transport.make_session(proxy=transport.proxy_for(url)) as session:
        client = make_client(settings.slack_bot_token.get_secret_value(), url, session=session)
        try:
            own = await Outbound(client, Unlimited(), str).identity()
        except TokenProblem as problem:
            raise refused(problem) from problem
        except OutsideError as error:
            raise UserError(f"Slack could not be asked whose they are: {error}.", "Try again.") from error
    try:
        async with opened_store(settings) as connections:
            await connection.check(connections)
            yield Letters(connections, Keys(own.team_id), ServersClock())
    except RedisError as error:
        said = f"The store does not answer as it should: {reason(error)}."
        raise UserError(said, "Look into its log, and at what `taskwire doctor` says of it.") from error


def judge_scopes(granted: frozenset[str] | None) -> Finding:
    """Compare what the bot token may do with the manifest."""
    if granted is None:
        return Finding("Slack scopes", "note", "Slack does not tell which scopes the bot token has.")
    wanted = frozenset(manifest.SCOPES)
    if lacking := sorted(wanted - granted):
        return Finding(
            "Slack scopes",
            "wrong",
            f"The Slack app lacks {', '.join(lacking)}.",
            "Put what `taskwire manifest` prints into the app's page App Manifest, then install it again.",
        )
    if more := sorted(granted - wanted):
        return Finding("Slack scopes", "note", f"All are there. Taskwire has no use for {', '.join(more)}.")
    return Finding("Slack scopes", "ok", "All are there, and no others.")


def judge_store(health: StoreHealth, where: str) -> list[Finding]:
    """Say whether the Redis at this place keeps what it is given."""
    engine = {"valkey": "Valkey", "redis": "Redis"}.get(health.engine, health.engine)
    what = f"{engine} {health.version}" if health.version else engine
    found = [Finding("Store", "ok", f"It is {what} at {where}.")]
    if health.role not in (None, "master"):
        there = UserError("It is a replica, which cannot be written to.", "Set REDIS_URL to its primary.")
        found = [wrong("Store", there)]
    found += [_judge_persistence(health), _judge_eviction(health)]
    return [*found, *_judge_memory(health), *_judge_copies(health)]


def _judge_persistence(health: StoreHealth) -> Finding:
    name = "Persistence"
    if health.appends is None:
        return Finding(name, "note", "The store does not tell; it should have appendonly yes.")
    if not health.appends:
        return Finding(
            name,
            "wrong",
            "The store does not write down what it is given: its restart would lose threads and work.",
            "Set appendonly yes in its configuration.",
        )
    if health.fsync == "no":
        hint = "Set appendfsync everysec, or always."
        return Finding(name, "note", "A crash of the store's machine may lose half a minute.", hint)
    said = "A crash of the store's machine may lose a second." if health.fsync == "everysec" else ""
    return Finding(name, "ok", f"Everything is written down. {said}".strip())


def _judge_eviction(health: StoreHealth) -> Finding:
    name = "Eviction"
    if health.eviction is None:
        return Finding(name, "note", "The store does not tell; it should have maxmemory-policy noeviction.")
    if health.eviction != "noeviction":
        return Finding(
            name,
            "wrong",
            f"When its memory is full the store throws data away (maxmemory-policy {health.eviction}).",
            "Set maxmemory-policy noeviction in its configuration.",
        )
    return Finding(name, "ok", "Nothing is thrown away.")


def _judge_memory(health: StoreHealth) -> list[Finding]:
    """Say that it is almost full, while there is time."""
    used, most = health.used_bytes or 0, health.most_bytes
    if not most or used < ALMOST_FULL * most:
        return []
    said = f"It uses {used / most:.0%} of the memory that it may have. One that is full takes nothing."
    return [wrong("Memory", UserError(said, "Raise maxmemory in its configuration."))]


def _judge_copies(health: StoreHealth) -> list[Finding]:
    """Say what a failover may lose, where there is a replica to fail over to."""
    name = "Replicas"
    hint = "Set min-replicas-to-write 1 and min-replicas-max-lag 10 on the store's servers, each of them."
    if health.copies:
        said = f"What is accepted is in {health.copies} of them first; there are {health.replicas or 0}."
        is_enough = health.replicas is None or health.replicas >= health.copies
        there = "Nothing can be accepted now: start the replicas, and look into their logs."
        return [Finding(name, "ok", said) if is_enough else Finding(name, "wrong", said, there)]
    if not health.replicas:
        return []
    return [Finding(name, "note", "A failover may lose what was accepted in the moment before it.", hint)]


def judge_sentinels(seen: Sequence[Seen], errors: Sequence[RedisError]) -> Finding:
    """Say whether there are enough sentinels to replace a master, and whether they agree on one."""
    name, count = "Sentinels", len(seen) + len(errors)
    masters = {f"{host}:{port}" for host, port in (one.master for one in seen)}
    said = f"{len(seen)} of {count} answer, and know the master at {' or '.join(sorted(masters))}."
    if len(masters) > 1:
        return Finding(name, "wrong", said, "They do not agree: look into their logs.")
    if len(seen) <= count // 2:
        return Finding(name, "wrong", said, "Too few to choose another master: start the others.")
    if errors:
        return Finding(name, "note", said, "Start the others, or take them out of REDIS_URL.")
    if count < FEWEST_SENTINELS:
        return Finding(name, "note", said, "Name at least three, so that one of them may be away.")
    return Finding(name, "ok", said)


def judge_clocks(ahead: Mapping[str, float]) -> Finding:
    """Compare this machine's clock with others'; `ahead` is by how many seconds it is ahead of each."""
    if not ahead:
        return Finding("Clocks", "note", "There is none to compare this machine's with.")
    apart = {whose: seconds for whose, seconds in ahead.items() if abs(seconds) > MOST_SECONDS_APART}
    if apart:
        said = ", ".join(
            f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} {whose}"
            for whose, seconds in apart.items()
        )
        hint = "Let this machine's clock be set by the network (NTP), and look at the others too."
        return Finding("Clocks", "wrong", f"This machine's clock is {said}.", hint)
    return Finding("Clocks", "ok", f"This machine's agrees with {', '.join(ahead)}.")


def judge_letters(count: int, newest: Letter | None) -> Finding:
    """Say what was given up."""
    if not count or newest is None:
        return Finding("Dead letters", "ok", "Nothing was given up.")
    jobs = "1 job was" if count == 1 else f"{count} jobs were"
    when = f"{newest.at:%Y-%m-%d at %H:%M} UTC"
    return Finding(
        "Dead letters",
        "wrong",
        f"{jobs} given up, the newest on {when}: {newest.kind}, because {newest.why.rstrip('.')}.",
        "Who waited for one has been told. `taskwire doctor --letters` lists them; with `--resend` they are "
        "sent again, with `--forget` forgotten.",
    )


def refused(problem: TokenProblem) -> UserError:
    """Say which of Slack's tokens is refused, and where a good one is."""
    if problem.method == Method.OPEN_SOCKET:
        return UserError(
            f"Slack refuses SLACK_APP_TOKEN ({problem.code}).",
            "Make one in your Slack app, Basic Information, App-Level Tokens, with connections:write.",
        )
    return UserError(
        f"Slack refuses SLACK_BOT_TOKEN ({problem.code}).",
        "Copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.",
    )


@contextlib.asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Connections]:
    """The store that is named, that of the bot which runs here, or our own for as long as the block lasts."""
    async with contextlib.AsyncExitStack() as stack:
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
        elif (found := await embedded.find(settings.data_dir)) is not None:
            url = found
        else:
            store = await stack.enter_async_context(embedded.store(settings.data_dir, PATIENCE_SECONDS))
            url = store.url
        yield await stack.enter_async_context(connection.open(url))


async def _store_to_be(data_dir: Path) -> Finding:
    return await asyncio.to_thread(_look_at_place, data_dir)


def _look_at_place(data_dir: Path) -> Finding:
    """Look, and leave nothing behind: only the bot's own user should make what stays."""
    program = embedded.find_program()
    parent = next(parent for parent in data_dir.absolute().parents if parent.exists())
    try:
        # Rights alone do not tell: nobody makes a directory in /proc or on a disk that is read-only.
        with tempfile.TemporaryDirectory(prefix=".taskwire-", dir=parent):
            pass
    except OSError as error:
        raise UserError(
            f"The data directory {data_dir} cannot be made: {error.strerror or error}.",
            "Set TASKWIRE_DATA_DIR to a directory that can be written.",
        ) from error
    return Finding(
        "Store", "ok", f"Its own ({program.name}), to be kept in {data_dir} from the first run on."
    )
