"""`taskwire doctor`: of each thing that Taskwire needs, whether it is right and, if not, what to do.

It only looks, beside a running bot as well as without one; it ends at findings, which `cli` prints. No
finding holds a secret.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis.exceptions import RedisError

from taskwire import transport
from taskwire.bridge.account import end_trouble, rights_trouble
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.coder.models import Template
from taskwire.findings import (
    Finding,
    judge_clocks,
    judge_letters,
    judge_scopes,
    judge_sentinels,
    judge_store,
    refused,
    wrong,
)
from taskwire.model.errors import OutsideError, UserError
from taskwire.model.ids import UserId
from taskwire.settings import Settings
from taskwire.slack import manifest
from taskwire.slack.client import make_client
from taskwire.slack.errors import SlackRefused, TokenProblem
from taskwire.slack.outbound import Outbound
from taskwire.slack.room import Unlimited
from taskwire.store import connection, embedded
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.letters import Letters
from taskwire.store.reasons import reason
from taskwire.store.scripts import ServersClock
from taskwire.words import troubles

# For a store of our own that a bot is just ending or starting.
PATIENCE_SECONDS = 5.0


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
            account = await _checked("Coder account", self._account(coder))
            yield account
            looks = {"Coder token": self._token, "Coder tasks": self._tasks, "Templates": self._templates}
            for name, look in looks.items():
                found = await _checked(name, look(coder))
                if found.says != account.says:  # A refused token is told once.
                    yield found

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
