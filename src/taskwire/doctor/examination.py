"""`taskwire doctor`: checks everything that Taskwire needs, and says what to do about problems.

An examination changes nothing, and works with or without a running bot. It returns findings: `cli` prints
them, and `in_slack` shows them to administrators. No finding contains a secret.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from redis.exceptions import RedisError

from taskwire import environment, transport
from taskwire import settings as settings_module
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import TasksNotSupported, TokenRefused
from taskwire.coder.models import Template
from taskwire.coder.oauth import OAuthClient
from taskwire.coder.rights import find_rights
from taskwire.doctor.allowed_lists import check_allowed, is_known
from taskwire.doctor.data_dir import check_directory, check_disk
from taskwire.doctor.findings import (
    Finding,
    get_template,
    judge_account,
    judge_accounts,
    judge_arrivals,
    judge_audit,
    judge_clocks,
    judge_dead_letters,
    judge_emails,
    judge_file,
    judge_keys,
    judge_owner,
    judge_scopes,
    judge_sentinels,
    judge_store,
    judge_versions,
    os_reason,
    token_refused,
    wrong_finding,
)
from taskwire.doctor.oauth_app import NAME, check_oauth_app
from taskwire.doctor.opening import open_slack, open_store, open_workspace
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import to_ms
from taskwire.messages import refusals, troubles
from taskwire.outbox.coder_health import find_expiry_trouble, find_scope_trouble
from taskwire.outbox.service_token import can_renew
from taskwire.queue import fence, self_test
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.formats import Formats
from taskwire.queue.scripts import Clock, ServerClock
from taskwire.redis import connection
from taskwire.redis.connection import Connections
from taskwire.redis.error_reasons import reason
from taskwire.redis.keys import Keys
from taskwire.sealing import key_ring
from taskwire.settings import Settings, host_and_port
from taskwire.slack import manifest
from taskwire.slack.errors import TokenProblem
from taskwire.slack.outbound import Outbound
from taskwire.state.accounts import AccountStore
from taskwire.state.audit import AuditLimits, AuditTrail
from taskwire.state.heartbeat import ReceivedKinds
from taskwire.state.key_rotation import StoredKeys
from taskwire.state.owner import Owner, Ownership

HEALTH_REQUEST_SECONDS = 3.0
COPY_ID_HINT = "A profile's menu in Slack has Copy member ID."


@dataclass(frozen=True)
class RunningClients:
    """The clients of a running bot, with the bot's present secrets and the rate limits of all replicas."""

    slack: Outbound
    coder: CoderClient
    connections: Connections
    oauth: OAuthClient | None


class Examination:
    """Checks the systems and values that the settings name, one after the other.

    In a running bot, the examination uses the clients of the bot. Otherwise it opens its own clients.
    """

    def __init__(self, settings: Settings, running: RunningClients | None = None) -> None:
        self._settings = settings
        self._running = running
        self._team: str | None = None
        self._app = ""
        # Coder's deployment id, once Coder has answered.
        self._deployment = ""
        # By how many seconds this machine's clock is ahead of other clocks.
        self._clock_offsets: dict[str, float] = {}

    async def findings(self) -> AsyncIterator[Finding]:
        """Yield each finding as soon as it is made."""
        yield self._mode()
        for sentence in (*environment.list_unknown(), *settings_module.list_short_tokens(self._settings)):
            yield Finding("Settings", "note", sentence)
        for finding in judge_file(Path(settings_module.ENV_FILE)):
            yield finding
        if self._running is None:
            yield await _run_check("Addresses", self._addresses())
        for part in (self._slack, self._coder, self._store):
            async for finding in part():
                yield finding
        yield judge_clocks(self._clock_offsets)

    def _mode(self) -> Finding:
        mode = "Socket Mode" if self._settings.is_socket_mode else f"HTTP mode at {manifest.REQUEST_PATH}"
        store = "a Redis that may be shared" if self._settings.redis_url else "a store of its own"
        return Finding("Settings", "ok", f"{mode}, with {store}.")

    async def _slack(self) -> AsyncIterator[Finding]:
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            running = self._running
            slack = running.slack if running else await stack.enter_async_context(open_slack(settings))
            found = await _run_check("Slack bot token", self._bot_token(slack))
            yield found
            if found.state == "ok":
                yield judge_scopes(slack.granted_scopes)
                if settings.accounts != "personal":
                    yield await _run_check("E-mails", self._emails(slack))
                yield await _run_check("Administrators", self._admins(slack))
                if self._settings.has_lists:
                    yield await _run_check("Allowed lists", check_allowed(self._settings, slack, self._team))
            # If the bot runs, do not check this token: the bot has opened its socket, perhaps with a newer
            # token.
            if settings.slack_app_token is not None and running is None:
                app_token = settings.slack_app_token.get_secret_value()
                yield await _run_check("Slack app token", self._app_token(slack, app_token))

    async def _bot_token(self, slack: Outbound) -> Finding:
        identity = await slack.get_identity()
        self._team, self._app = identity.team_id, identity.bot_user_id
        self._note_clock("Slack's", slack.last_answer_at)
        return Finding("Slack bot token", "ok", f"Slack knows it, in the workspace {identity.team_name}.")

    async def _emails(self, slack: Outbound) -> Finding:
        profiles, _ = await slack.list_profiles(team=(await slack.list_teams_to_ask())[0])
        return judge_emails(profiles)

    async def _admins(self, slack: Outbound) -> Finding:
        if not self._settings.admins:
            said = (
                "No administrators (TASKWIRE_ADMINS): nobody is told when Coder refuses the token, the store "
                "goes back in time, or work waits for another version."
            )
            return Finding("Administrators", "note", said, f"Set it to their Slack ids. {COPY_ID_HINT}")
        unknown = [name for name in self._settings.admins if not await is_known(slack, name)]
        if unknown:
            raise UserError(
                f"TASKWIRE_ADMINS names {', '.join(unknown)}, whom Slack does not know here.",
                f"Only administrators hear of what they alone can mend. {COPY_ID_HINT}",
            )
        return Finding("Administrators", "ok", "Slack knows all of them.")

    async def _app_token(self, slack: Outbound, app_token: str) -> Finding:
        await slack.open_socket(app_token)
        return Finding("Slack app token", "ok", "It may open sockets.")

    async def _coder(self) -> AsyncIterator[Finding]:
        token = self._settings.service_token
        async with contextlib.AsyncExitStack() as stack:
            opened = CoderClient.open(self._settings.coder_url, token)
            coder = self._running.coder if self._running else await stack.enter_async_context(opened)
            found = await _run_check("Coder", self._version(coder))
            yield found
            if found.state == "wrong":
                return
            if self._settings.oauth_app is not None:
                oauth = self._running.oauth if self._running else None
                yield await _run_check(NAME, check_oauth_app(self._settings, oauth))
            if not token:
                return
            await self._use_own_token(coder)
            first = await _run_check("Coder token", self._scopes(coder))
            if first.state == "wrong":
                # This finding is about rights without which nothing else can be checked.
                yield first
                return
            checks = {
                "Coder account": self._account,
                "Coder token": self._token,
                "Coder tasks": self._tasks,
                "Templates": self._templates,
            }
            for name, check in checks.items():
                yield await _run_check(name, check(coder))

    async def _version(self, coder: CoderClient) -> Finding:
        try:
            info = await coder.get_build_info()
        except OutsideError as error:
            url, why = self._settings.coder_url, str(error).removeprefix("build info: ")
            if isinstance(error, transport.Unreachable | transport.NoAnswer):
                why = why[:1].lower() + why[1:] if why[1:2].islower() else why
                said = f"Coder cannot be reached at {url}: {why}."
            else:
                said = f"{url} does not answer as Coder does: {why}."
            raise UserError(said, "Check CODER_URL, and that this machine may reach it.") from error
        self._deployment = info.deployment_id
        self._note_clock("Coder's", coder.last_answer_at)
        return Finding("Coder", "ok", f"It is version {info.version}.")

    async def _scopes(self, coder: CoderClient) -> Finding:
        if trouble := await find_scope_trouble(coder):
            raise trouble
        return Finding("Coder token", "ok", "It may do everything that its account may.")

    async def _account(self, coder: CoderClient) -> Finding:
        me = await coder.get_own_user()
        return judge_account(me, await find_rights(coder, me))

    async def _token(self, coder: CoderClient) -> Finding:
        await coder.get_own_user()
        ends = await coder.find_token_expiry()
        if trouble := find_expiry_trouble(ends, datetime.now(UTC)):
            raise trouble
        if ends is None:
            return Finding("Coder token", "note", "Coder does not tell when it ends.")
        then = (
            "Taskwire makes the next one itself, three days before."
            if await can_renew(coder)
            else "Coder lets it make no other, so replace it before that."
        )
        whose = "Taskwire has made it itself. " if coder.key_id not in self._settings.service_token else ""
        return Finding("Coder token", "ok", f"{whose}It is good until {ends:%Y-%m-%d}. {then}")

    async def _use_own_token(self, coder: CoderClient) -> None:
        """If Coder refuses the operator's token, let `coder` use the token that Taskwire made for itself."""
        settings = self._settings
        try:
            await coder.get_own_user()
        except TokenRefused:
            if settings.redis_url is None and not settings.data_dir.exists():
                return
            with contextlib.suppress(UserError):
                async with open_workspace(settings) as store:
                    own = await AccountStore(*store).find_service_token()
                if own is not None and own.replaces == coder.key_id:
                    coder.use_token(own.token)
        except OutsideError:
            # The later checks report this error.
            return

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
            templates = (get_template(templates, self._settings.template, names),)
        await self._check_preset(coder, templates)
        return Finding("Templates", "ok", f"For tasks: {names}{more}.")

    async def _check_preset(self, coder: CoderClient, templates: Sequence[Template]) -> None:
        """Raise UserError unless at least one template for tasks has the configured preset."""
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
        running = self._running
        if settings.redis_url is None and running is None and not settings.data_dir.exists():
            yield await _run_check("Store", asyncio.to_thread(check_directory, settings.data_dir))
            return
        try:
            async with contextlib.AsyncExitStack() as stack:
                opened = open_store(settings)
                connections = running.connections if running else await stack.enter_async_context(opened)
                for finding in judge_store(await connection.check(connections), connections.where):
                    yield finding
                if connections.masters is not None:
                    yield judge_sentinels(*await connections.masters.ask_all())
                async for finding in self._check_contents(connections):
                    yield finding
                seconds, microseconds = await connections.commands.time()
                there = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
                self._clock_offsets["the store's"] = (datetime.now(UTC) - there).total_seconds()
        except UserError as error:
            yield wrong_finding("Store", error)
        except RedisError as error:
            yield Finding(
                "Store", "wrong", f"It does not answer as it should: {error}.", "Look into its log."
            )

    async def _check_access(
        self, connections: Connections, keys: Keys, clock: Clock
    ) -> AsyncIterator[Finding]:
        """Check that the store was not moved, that our rights suffice, and that the store belongs to us."""
        fenced = refusal = None
        with contextlib.suppress(RedisError):
            fenced = await fence.find(connections, keys)
            refusal = await Formats(connections, keys, clock).find_refusal()
        if fenced is not None:
            yield wrong_finding("Installation", fence.refusal(fenced, connections.where))
            return
        if refusal is not None:
            # Only newer versions of Taskwire may use such a store. Every script of this version fails there,
            # and the script's error does not say why.
            yield wrong_finding("Versions", refusal)
            return
        if self._settings.redis_url is not None:
            yield await _run_check("Store access", _try_scripts(connections, keys))
        yield await self._installation(connections, keys, clock)

    async def _installation(self, connections: Connections, keys: Keys, clock: Clock) -> Finding:
        installation = Owner(self._app, self._deployment, self._settings.coder_url)
        return judge_owner(await Ownership(connections, keys, clock).find(), installation, connections.where)

    async def _check_contents(self, connections: Connections) -> AsyncIterator[Finding]:
        """Try the operations of `taskwire run` in the store, and check the data that earlier runs left."""
        if self._team is None:
            yield Finding(
                "Work", "note", "Not checked, since Slack refuses the bot token or cannot be reached."
            )
            return
        store = (connections, Keys(self._team, self._settings.key_prefix), ServerClock())
        if self._settings.redis_url is None:
            yield await _run_check("Disk", asyncio.to_thread(check_disk, self._settings.data_dir))
        async for finding in self._check_access(*store):
            yield finding
            if finding.state == "wrong":
                # `taskwire run` would do nothing in this store, so there is nothing else to check.
                return
        formats, dead_letters = Formats(*store), DeadLetters(*store)
        yield judge_versions(await formats.list_stranded(is_read_only=True))
        yield judge_dead_letters(await dead_letters.count(), await dead_letters.find_newest())
        yield judge_audit(await AuditTrail(*store, AuditLimits()).find_trouble())
        yield judge_keys(await StoredKeys(*store).count(), key_ring().ids)
        if self._settings.accounts != "service":
            accounts = await AccountStore(connections, store[1]).list_all()
            now_ms, are_needed = to_ms(datetime.now(UTC)), self._settings.accounts == "personal"
            yield judge_accounts(accounts, now_ms, are_needed=are_needed)
        yield judge_arrivals(await ReceivedKinds(*store).list_latest())

    async def _addresses(self) -> Finding:
        """Check whether `taskwire run` can listen on its addresses, or already does."""
        settings, wanted = self._settings, {}
        if settings.admin_addr is None or settings.has_public_site:
            wanted["TASKWIRE_HTTP_ADDR"] = settings.http_addr
        if settings.admin_addr is not None:
            wanted["TASKWIRE_ADMIN_ADDR"] = settings.admin_addr
        # If there is a separate address for health, only that address shows whether Taskwire runs here.
        is_here = bool(settings.admin_addr) and await _is_taskwire(str(settings.admin_addr))
        taken = []
        for setting, address in wanted.items():
            if error := await _find_listen_error(address):
                if not is_here and (settings.admin_addr == address or not await _is_taskwire(address)):
                    raise UserError(*refusals.cannot_listen(setting, address, error))
                taken.append(address)
        free = [address for address in wanted.values() if address not in taken]
        said = [f"listens on {' and '.join(taken)} already"] if taken else []
        said += [f"can listen on {' and '.join(free)}"] if free else []
        return Finding("Addresses", "ok", f"Taskwire {', and '.join(said)}.")

    def _note_clock(self, whose: str, theirs: datetime | None) -> None:
        if theirs is not None:
            # A Date header is cut to whole seconds, so on average it is half a second early.
            self._clock_offsets[whose] = (datetime.now(UTC) - theirs).total_seconds() - 0.5


async def _find_listen_error(address: str) -> str:
    """Return why a server cannot listen on an address; empty if it can."""
    try:
        async with await asyncio.start_server(lambda *_: None, *host_and_port(address)):
            return ""
    except OSError as error:
        return os_reason(error)


async def _is_taskwire(address: str) -> bool:
    """Return whether the server at an address answers a health check as Taskwire does."""
    host, port = host_and_port(address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
    timeout = aiohttp.ClientTimeout(total=HEALTH_REQUEST_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz") as answer,
        ):
            return answer.status == 200 and await answer.text() == "ok\n"
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError):
        return False


async def _try_scripts(connections: Connections, keys: Keys) -> Finding:
    try:
        await self_test.check_rights(connections, keys)
    except RedisError as error:
        raise UserError(f"The store takes nothing now: {reason(error)}.", "Look into its log.") from error
    return Finding("Store access", "ok", "Taskwire may do there what it needs.")


async def _run_check(name: str, check: Awaitable[Finding]) -> Finding:
    """Return a check's finding. If the check raises an exception, return a finding about the exception."""
    try:
        return await check
    except UserError as error:
        return wrong_finding(name, error)
    except TokenRefused:
        return wrong_finding(name, UserError(*troubles.TOKEN_REFUSED))
    except TasksNotSupported:
        return wrong_finding(name, UserError(*troubles.NO_TASKS))
    except TokenProblem as problem:
        return wrong_finding(name, token_refused(problem))
    except OutsideError as error:
        return Finding(
            name,
            "wrong",
            f"It could not be asked: {error}.",
            "Check that this machine may reach it.",
        )
