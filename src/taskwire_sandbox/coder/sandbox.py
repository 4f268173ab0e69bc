"""The stand-in as a whole: a server on loopback that answers as Coder, and the controls for tests.

`control` offers these controls over HTTP.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from taskwire_sandbox.coder.builds import Builds
from taskwire_sandbox.coder.calls import Deployment
from taskwire_sandbox.coder.clock import Clock, RealClock
from taskwire_sandbox.coder.faults import Fault, PlannedFault
from taskwire_sandbox.coder.fixtures import YEAR, Fixtures
from taskwire_sandbox.coder.notifications import Notifications
from taskwire_sandbox.coder.oauth_rows import OAuthApp
from taskwire_sandbox.coder.reports import Reports
from taskwire_sandbox.coder.rows import (
    Task,
    Template,
    User,
    Workspace,
)
from taskwire_sandbox.coder.sandbox_task import SandboxTask
from taskwire_sandbox.coder.server import ArrivalHook, RecordedRequest, RequestHook, Server
from taskwire_sandbox.coder.wire import encode
from taskwire_sandbox.coder.world import Settings, World
from taskwire_sandbox.ports import HOST, Port

WAIT_SECONDS = 20.0
ANSWER_SECONDS = 0.05  # until an outage begins, so that the request that asks for it is still answered


@runtime_checkable
class MovableClock(Protocol):
    """A clock that a test can move."""

    def advance(self, seconds: float) -> None:
        """Move the clock forward by this number of seconds."""
        ...


class ScriptedCoder:
    """The stand-in for Coder, controlled from this process. In its `async with` block it listens at `url`."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        seed: int = 1,
        port: int = 0,
        settings: Settings | None = None,
        webhook_url: str = "",
    ) -> None:
        self.clock = clock or RealClock()
        self.settings = settings or Settings()
        self.world = World(self.clock, seed, self.settings)
        reports = Reports(self.world)
        self.notifications = Notifications(self.world)
        builds = Builds(self.world, reports)
        self.deployment = Deployment(self.world, reports, builds, self.notifications)
        self.fixtures = fixtures = Fixtures(self.world, builds)
        self.add_organization, self.add_user = fixtures.add_organization, fixtures.add_user
        self.add_template, self.new_preset = fixtures.add_template, fixtures.new_preset
        self.webhook_url = webhook_url
        self._server = Server(self.deployment, self.answer_control)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._reserved_port: Port | None = None
        self._site: web.SockSite | None = None
        self._wake = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        reports.on_report = self.notifications.queue_for_report
        self.notifications.on_round = self._deliver_notifications
        self._progress = asyncio.Event()
        self.fixtures.add_organization("coder")
        self.admin = self.fixtures.add_user("admin", roles=("owner",), organizations={"coder": ()})
        self.admin_token = self.fixtures.add_token(self.admin, "admin").key
        self.template = self.fixtures.add_template("tasks-docker", display_name="Tasks on Docker")

    async def answer_control(self, request: web.Request) -> web.StreamResponse | None:  # noqa: ARG002
        """Answer a request to the control interface. Return None for any other request."""
        return None

    async def __aenter__(self) -> Self:
        """Start to listen. If the clock is a real clock, also start the schedule."""
        self._runner = web.AppRunner(self._server.application(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await self.come_back()
        self.settings.access_url = self.settings.access_url or self.url
        self._server.on_progress = self._notify_waiters
        self.world.on_change = self._changed
        if not isinstance(self.clock, MovableClock):
            self.world.schedule.on_new_action = self._wake.set
            self._start(self._run_schedule())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening. End all requests, streams and background tasks."""
        self._server.release()
        self._server.streams.close()
        for work in self._background:
            work.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._reserved_port is not None:
            self._reserved_port.close()

    @property
    def url(self) -> str:
        """Return the base URL without a slash at its end."""
        return f"http://{HOST}:{self._port}"

    @property
    def violations(self) -> list[str]:
        """Return the violations: requests that the real Coder does not know. A test expects none of them."""
        return list(self.world.violations)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Return the latest 10,000 requests, the oldest first."""
        return list(self._server.requests)

    @property
    def on_request(self) -> RequestHook | None:
        """Return the hook that is called "before" and "after" each request takes effect.

        The hook may be an async function.
        """
        return self._server.on_request

    @on_request.setter
    def on_request(self, hook: RequestHook | None) -> None:
        self._server.on_request = hook

    @property
    def on_arrival(self) -> ArrivalHook | None:
        """Return the hook that may choose a fault for a request that has arrived.

        If the hook chooses no fault, the planned faults apply.
        """
        return self._server.on_arrival

    @on_arrival.setter
    def on_arrival(self, hook: ArrivalHook | None) -> None:
        self._server.on_arrival = hook

    @property
    def tasks(self) -> list[SandboxTask]:
        """Return every existing task, the oldest first."""
        self.world.schedule.catch_up()
        return [SandboxTask(self.deployment, task) for task in reversed(list(self.world.newest_tasks()))]

    def add_token(
        self, username: str, *, name: str = "", lifetime: timedelta = YEAR, scopes: tuple[str, ...] = ("all",)
    ) -> str:
        """Add an API key for a user. Return the session token that a client sends."""
        return self.fixtures.add_token(self.user(username), name, lifetime, scopes).key

    def add_oauth_app(self, name: str, callback_url: str) -> OAuthApp:
        """Register an OAuth2 app. People may allow this app to act for them."""
        app = OAuthApp(self.world.ids.new_uuid(), self.world.ids.new_oauth_secret(), name, callback_url)
        self.world.oauth.apps[app.id] = app
        return app

    def add_task(
        self, username: str, prompt: str, *, name: str = "", template: Template | None = None
    ) -> SandboxTask:
        """Add a task as if a person had created it on Coder's own pages."""
        task = self.fixtures.add_task(self.user(username), prompt, template or self.template, name)
        self.world.schedule.catch_up()
        return SandboxTask(self.deployment, task)

    def add_tasks(self, count: int, username: str, *, prefix: str = "filler") -> None:
        """Add `count` tasks at once."""
        owner = self.user(username)
        for number in range(count):
            self.fixtures.add_task(owner, f"Filler {number}", self.template, f"{prefix}-{number:05d}")
        self.world.schedule.catch_up()

    def user(self, username: str) -> User:
        """Return the user with this name or id."""
        found = self.world.find_user(username)
        if found is None:
            raise LookupError(f"no user is called {username!r}")
        return found

    def task(self, name: str) -> SandboxTask:
        """Return the task with this id, name or `owner/name`.

        If there is no such task, return the task whose name begins with `name`. Raise LookupError if no task
        or more than one task fits.
        """
        self.world.schedule.catch_up()
        found = [task for task in self.world.tasks.values() if _is_named(task, name)]
        found = found or [task for task in self.world.tasks.values() if task.name.startswith(name)]
        if len(found) != 1:
            names = ", ".join(task.name for task in found or list(self.world.tasks.values())[:20]) or "none"
            raise LookupError(f"{len(found)} tasks are called {name!r}; there are: {names}")
        return SandboxTask(self.deployment, found[0])

    def share(self, task: str, username: str, role: str = "use") -> None:
        """Share a task's workspace with a user. `role` is `use`, `admin`, or empty to end the share."""
        workspace = self.task(task).row.workspace
        workspace.user_acl[self.user(username).id] = role
        self.world.touch(workspace)

    def suspend(self, username: str) -> None:
        """Suspend a user. All keys of the user stop working."""
        self.user(username).status = "suspended"

    def plan_fault(
        self,
        route: str,
        fault: Fault,
        *,
        times: int | None = 1,
        probability: float = 1.0,
        skips: int = 0,
        seed: int = 0,
    ) -> PlannedFault:
        """Plan a fault for calls to routes that match a pattern (`tasks.send`, `tasks.*`). Return the planned
        fault.

        The first `skips` calls do not count. Each further call meets the fault with this `probability`, until
        the fault has happened `times` times. If `times` is None, the fault happens until `clear_faults`.
        """
        planned = PlannedFault(route, fault, times, probability, skips)
        planned.rng.seed(seed)
        return self._server.planned_faults.plan(planned)

    def clear_faults(self) -> None:
        """Remove all planned faults. Reset the connections that a fault keeps hanging."""
        self._server.planned_faults.clear()
        self._server.release()

    async def go_down(self) -> None:
        """Close all connections. Refuse new connections until `come_back`."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def come_back(self) -> None:
        """Listen again at the same address."""
        if self._runner is None:
            raise RuntimeError("the stand-in has not been entered")
        if self._reserved_port is None:
            self._reserved_port = Port(self._port)
        self._port = self._reserved_port.number
        self._site = web.SockSite(self._runner, self._reserved_port.bind())
        await self._site.start()

    @contextlib.asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Make the stand-in unreachable inside the block."""
        await self.go_down()
        try:
            yield
        finally:
            await self.come_back()

    def go_down_for(self, seconds: float) -> None:
        """Make the stand-in unreachable for `seconds` of real time.

        The time starts just after the answer to the present request.
        """
        self._start(self._go_down_for(seconds))

    async def _go_down_for(self, seconds: float) -> None:
        await asyncio.sleep(ANSWER_SECONDS)
        async with self.outage():
            await asyncio.sleep(seconds)

    async def advance(self, seconds: float) -> None:
        """Move a stepped clock forward. Run each scheduled action at its own due time, in order."""
        if not isinstance(self.clock, MovableClock):
            raise TypeError("only a stepped clock can be advanced")
        end = self.clock.now() + timedelta(seconds=seconds)
        schedule = self.world.schedule
        schedule.catch_up()
        while (due := schedule.next_due()) is not None and due <= end:
            self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()))
            schedule.run_next(due)
        self.clock.advance(max(0.0, (end - self.clock.now()).total_seconds()))
        await asyncio.sleep(0)

    async def catch_up(self) -> None:
        """Run the scheduled actions that are due. Call this after a test has moved the clock itself."""
        self.world.schedule.catch_up()
        await asyncio.sleep(0)

    async def until(
        self, description: str, condition: Callable[[], bool], timeout_seconds: float = WAIT_SECONDS
    ) -> None:
        """Wait until the condition holds.

        Check the condition after every request and every change. Raise AssertionError with `description`
        after `timeout_seconds`.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not condition():
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            raise AssertionError(f"never happened: {description}") from None

    def _changed(self, workspace: Workspace) -> None:
        self._server.streams.changed(workspace.id)
        self._notify_waiters()

    def _notify_waiters(self) -> None:
        self._progress.set()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _run_schedule(self) -> None:
        schedule = self.world.schedule
        while True:
            schedule.catch_up()
            self._wake.clear()
            due = schedule.next_due()
            wait = None if due is None else max(0.0, (due - self.clock.now()).total_seconds())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _deliver_notifications(self) -> None:
        waiting, self.notifications.waiting = self.notifications.waiting, []
        if self.webhook_url and self._runner is not None:
            self._start(self._post_notifications([(str(each["msg_id"]), encode(each)) for each in waiting]))

    async def _post_notifications(self, notifications: list[tuple[str, bytes]]) -> None:
        async with ClientSession(timeout=ClientTimeout(total=60)) as session:
            for message_id, body in notifications:
                headers = {"Content-Type": "application/json", "X-Message-Id": message_id}
                # Coder repeats a failed delivery after five minutes. No test waits that long.
                with contextlib.suppress(ClientError, TimeoutError):
                    async with session.post(self.webhook_url, data=body, headers=headers) as response:
                        await response.read()


def _is_named(task: Task, name: str) -> bool:
    return name in (task.id, task.name, f"{task.owner.username}/{task.name}")
