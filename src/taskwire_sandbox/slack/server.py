"""The stand-in as a whole: a server on loopback that answers as Slack, and its Python interface for tests."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from email.utils import formatdate
from typing import Literal, Self, TypeVar

from aiohttp import web

from taskwire_sandbox.ports import HOST, Port
from taskwire_sandbox.slack import manifest as manifests
from taskwire_sandbox.slack.app_actions import AppActions
from taskwire_sandbox.slack.backend import App, Backend
from taskwire_sandbox.slack.background_tasks import BackgroundTasks
from taskwire_sandbox.slack.control import Control, same_origin
from taskwire_sandbox.slack.dispatcher import Dispatcher
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.events import emit
from taskwire_sandbox.slack.extra_endpoints import ExtraEndpoints
from taskwire_sandbox.slack.faults import Faults
from taskwire_sandbox.slack.file_store import FileStore
from taskwire_sandbox.slack.ids import Ids
from taskwire_sandbox.slack.ledger import Call, Delivery, Ledger, OnCall
from taskwire_sandbox.slack.rate_limiter import MethodRateLimiter
from taskwire_sandbox.slack.request_url import RequestUrl
from taskwire_sandbox.slack.socket_mode import SocketMode
from taskwire_sandbox.slack.tickets import Tickets
from taskwire_sandbox.slack.view_stacks import ViewStacks
from taskwire_sandbox.slack.web_api import WebApi
from taskwire_sandbox.slack.workspace import PUBLIC, Channel, User, UserGroup, Workspace

T = TypeVar("T")
_LARGEST_BODY = 64 * 1024 * 1024
_GOODBYE_SECONDS = 0.5


class SlackSandbox(AppActions):
    """A workspace with one installed app. Use it as an async context manager."""

    def __init__(
        self,
        *,
        port: int = 0,
        manifest: Json | None = None,
        mode: Literal["socket", "http"] | None = None,
        request_url: str = "",
        limits: Literal["documented"] | None = None,
        seed: int = 0,
        balance: Literal["round_robin", "random"] = "round_robin",
        ack_seconds: float = 3.0,
        retry_seconds: Sequence[float] = (0.0, 60.0, 300.0),
        trigger_seconds: float = 3.0,
        share_seconds: float = 0.02,
        ping_seconds: float | None = 30.0,
        clock: Callable[[], float] = time.time,
        domain: str = "acme",
        routes: Iterable[web.AbstractRouteDef] = (),
    ) -> None:
        self.port = port
        self._clock = clock
        self._routes = list(routes)
        self._reserved_port: Port | None = None
        self._runner: web.AppRunner | None = None
        ids, ledger, tasks, rng = Ids(clock), Ledger(clock), BackgroundTasks(), random.Random(seed)  # noqa: S311 - repeatable on purpose
        app = _install(manifests.read(manifest), ids)
        self.sockets = SocketMode(
            ledger,
            app.app_id,
            rng=rng,
            balance=balance,
            ack_seconds=ack_seconds,
            ping_seconds=ping_seconds,
        )
        self.requests = RequestUrl(app.manifest, app.signing_secret, ack_seconds=ack_seconds)
        self.requests.override = request_url
        is_socket = app.manifest.socket_mode if mode is None else mode == "socket"
        self.faults = Faults(rng)
        transport = self.sockets if is_socket else self.requests
        self.backend = Backend(
            app=app,
            ids=ids,
            workspace=Workspace(ids, "T0TASKWIRE", domain),
            ledger=ledger,
            faults=self.faults,
            rate_limiter=MethodRateLimiter(is_on=limits == "documented", clock=clock),
            tickets=Tickets(clock, trigger_seconds),
            tasks=tasks,
            dispatcher=Dispatcher(transport, self.faults, ledger, tasks, retry_seconds),
            views=ViewStacks(),
            files=FileStore(),
            socket_url=self._socket_url,
            share_seconds=share_seconds,
        )
        self._add_bot()
        self._api = WebApi(self.backend)
        self._control = Control(self)

    def _add_bot(self) -> None:
        app, team_id = self.backend.app, self.backend.workspace.team_id
        name = app.manifest.name.lower().replace(" ", "")
        bot = User(app.bot_user_id, name, app.manifest.name, is_bot=True, team_id=team_id)
        bot.bot_id, bot.app_id = app.bot_id, app.app_id
        self.backend.workspace.users[bot.id] = bot

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=_LARGEST_BODY, middlewares=[same_origin])
        application.on_response_prepare.append(self._set_date)
        application.router.add_route("*", "/api/{method}", self._api.serve)
        application.add_routes([web.get("/link", self.sockets.serve)])
        application.add_routes(ExtraEndpoints(self.backend, self._api).routes())
        application.add_routes([*self._control.routes(), *self._routes])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE_SECONDS)
        await self._runner.setup()
        await self.come_back()
        return self

    async def _set_date(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Set the Date header from the clock that also makes message timestamps."""
        response.headers["Date"] = formatdate(self._clock(), usegmt=True)

    async def __aexit__(self, *_: object) -> None:
        self._api.close()
        await self._control.close()
        await self.sockets.close()
        await self.requests.close()
        try:
            await self.backend.tasks.stop()
        finally:
            if self._runner is not None:
                await self._runner.cleanup()
            if self._reserved_port is not None:
                self._reserved_port.close()

    async def come_back(self) -> None:
        """Start to listen. After an outage, listen again on the same port."""
        if self._runner is None:
            raise RuntimeError("the sandbox has not been entered")
        if self._reserved_port is None:
            self._reserved_port = Port(self.port)
        self.port = self._reserved_port.number
        self.backend.base_url = self.backend.tickets.base_url = f"http://{HOST}:{self.port}"
        await web.SockSite(self._runner, self._reserved_port.bind()).start()

    async def go_down(self) -> None:
        """Break every connection. Refuse new connections until `come_back`."""
        if self._runner is None or self._runner.server is None:
            raise RuntimeError("the sandbox has not been entered")
        for site in list(self._runner.sites):
            await site.stop()
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def _socket_url(self) -> str:
        return f"ws://{HOST}:{self.port}/link?ticket={self.sockets.ticket()}&app_id={self.backend.app.app_id}"

    @property
    def api_url(self) -> str:
        """The base URL of the Web API."""
        return f"{self.backend.base_url}/api/"

    @property
    def bot_token(self) -> str:
        """The app's bot token."""
        return self.backend.app.bot_token

    @property
    def app_token(self) -> str:
        """The app-level token for Socket Mode."""
        return self.backend.app.app_token

    @property
    def signing_secret(self) -> str:
        """The secret that signs requests over HTTP."""
        return self.backend.app.signing_secret

    def rotate(self, *, bot_token: str = "", app_token: str = "", signing_secret: str = "") -> None:
        """Replace secrets of the app. The old secrets stop working, but open sockets stay open."""
        app = self.backend.app
        self.backend.app = replace(
            app,
            bot_token=bot_token or app.bot_token,
            app_token=app_token or app.app_token,
            signing_secret=signing_secret or app.signing_secret,
        )
        self.requests.use_secret(self.backend.app.signing_secret)

    @property
    def bot_user_id(self) -> str:
        """The bot's user id."""
        return self.backend.app.bot_user_id

    @property
    def workspace(self) -> Workspace:
        """The people and the conversations. A test may change them at any time."""
        return self.backend.workspace

    @property
    def calls(self) -> deque[Call]:
        """The latest calls of the Web API, response URLs and uploads."""
        return self.backend.ledger.calls

    @property
    def deliveries(self) -> deque[Delivery]:
        """The latest payloads for the app, with their results."""
        return self.backend.ledger.deliveries

    @property
    def violations(self) -> list[str]:
        """The violations: sentences about what the app did and a correct app would not do."""
        return self.backend.ledger.violations

    @property
    def on_call(self) -> OnCall | None:
        """The hook that is called just before and just after each call is executed."""
        return self.backend.ledger.on_call

    @on_call.setter
    def on_call(self, callback: OnCall | None) -> None:
        self.backend.ledger.on_call = callback

    def ignore_violations(self, part: str) -> None:
        """Accept violations whose text contains `part`. They no longer appear in `violations`."""
        self.backend.ledger.ignore_violations(part)

    def add_user(
        self,
        name: str,
        *,
        real_name: str = "",
        email: str | None = None,
        is_email_confirmed: bool | None = True,
        tz: str = "Etc/UTC",
        is_bot: bool = False,
        is_restricted: bool = False,
        is_ultra_restricted: bool = False,
        is_stranger: bool = False,
        team_id: str = "",
        deleted: bool = False,
    ) -> User:
        """Add a person. The e-mail address is name@domain.test by default; "" means no address."""
        workspace = self.backend.workspace
        user = User(workspace.ids.stable("U"), name, real_name or name.title())
        user.email = f"{name}@{workspace.domain}.test" if email is None else email or None
        user.is_email_confirmed, user.tz, user.is_bot = is_email_confirmed, tz, is_bot
        user.is_restricted, user.is_ultra_restricted = is_restricted, is_ultra_restricted
        user.is_stranger, user.deleted = is_stranger, deleted
        user.team_id = team_id or workspace.team_id
        workspace.users[user.id] = user
        return user

    def add_channel(
        self,
        name: str,
        members: Iterable[str] = (),
        *,
        kind: Literal["public", "private", "mpim"] = PUBLIC,
        with_bot: bool = True,
        is_ext_shared: bool = False,
    ) -> Channel:
        """Add a conversation of these people. By default, the bot is in the conversation too."""
        ids = [self.backend.workspace.user(member).id for member in members]
        if with_bot:
            ids.append(self.bot_user_id)
        return self.backend.workspace.add_channel(name, kind, ids, is_ext_shared=is_ext_shared)

    def add_group(self, handle: str, members: Iterable[str]) -> UserGroup:
        """Add a user group."""
        workspace = self.backend.workspace
        ids = [workspace.user(member).id for member in members]
        group = UserGroup(workspace.ids.stable("S"), handle, ids)
        workspace.groups[group.id] = group
        return group

    async def change_user(self, user: str, **changes: object) -> None:
        """Change a person's profile or rights, and send Slack's event to the app."""
        person = self.backend.workspace.user(user)
        for name, value in changes.items():
            if not hasattr(person, name):
                raise KeyError(f"a person has no {name!r}")
            setattr(person, name, value)
        with_email = "users:read.email" in self.backend.app.manifest.scopes
        shown = person.payload(with_email=with_email)
        ts = self.backend.ids.ts()
        event: Json = {"type": "user_change", "user": shown, "cache_ts": int(float(ts)), "event_ts": ts}
        emit(self.backend, event, None)

    async def change_group(self, group: str, members: Iterable[str]) -> None:
        """Change the members (by id) of a user group, and send both of Slack's events to the app."""
        workspace, found = self.backend.workspace, self.backend.workspace.groups[group]
        before, now = list(found.members), [workspace.user(member).id for member in members]
        found.members[:] = now
        shown = found.payload(workspace.team_id, with_users=True)
        ts = self.backend.ids.ts()
        emit(self.backend, {"type": "subteam_updated", "subteam": shown, "event_ts": ts}, None)
        added = [member for member in now if member not in before]
        removed = [member for member in before if member not in now]
        event: Json = {"type": "subteam_members_changed", "subteam_id": group, "team_id": workspace.team_id}
        event |= {"added_users": added, "added_users_count": len(added), "event_ts": ts}
        event |= {"removed_users": removed, "removed_users_count": len(removed)}
        emit(self.backend, event, None)

    def open_direct(self, user: str) -> Channel:
        """Return this person's direct conversation with the bot. Create the conversation if necessary."""
        return self.backend.workspace.open_direct([self.bot_user_id, self.backend.workspace.user(user).id])

    async def wait_for_sockets(self, count: int = 1, seconds: float = 10.0) -> None:
        """Wait until the app has at least `count` open sockets."""
        await self.until(lambda: len(self.sockets.connections) >= count, f"{count} sockets", seconds)

    async def until(self, condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
        """Wait until `condition` returns a true value, and return this value. After `seconds`, raise a
        TimeoutError that names `what`."""
        return await self.backend.ledger.until(condition, what, seconds)

    async def wait_until_idle(self, seconds: float = 10.0) -> None:
        """Wait until no delivery and no file share is in progress."""
        await self.until(lambda: self.backend.tasks.is_idle, "deliveries to end", seconds)


def _install(manifest: manifests.Manifest, ids: Ids) -> App:
    return App(
        app_id=ids.stable("A"),
        bot_id=ids.stable("B"),
        bot_user_id="U0TWBOT001",
        bot_token="xoxb-sandbox-bot-token",  # noqa: S106 - opens nothing but this stand-in
        app_token="xapp-1-sandbox-app-token",  # noqa: S106 - as above
        signing_secret="sandbox-signing-secret",  # noqa: S106 - as above
        manifest=manifest,
    )
