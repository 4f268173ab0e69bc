"""The client for Coder: the calls that one account makes, each with a timeout.

A call returns only after its documented success. After any other outcome, it raises an error of the tree in
`errors`. The client repeats nothing and follows no redirect. Results are typed values: no payload, header or
httpx object leaves this module. The token is sent only in its own header.
"""

import asyncio
import contextlib
import io
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote

import httpx

from taskwire import transport
from taskwire.coder import agent_places, errors, last_change, long_answers, models, scopes
from taskwire.domain.errors import name_failing_system
from taskwire.domain.text.agent_text import AgentText

USERS_PAGE_SIZE = 100
# The longest accepted answers, in bytes. A longer answer would fill this process's memory. A task takes about
# 1 kB in a list, and more when parsed. Up to three lists may be in memory at once.
LARGEST_LIST_BYTES, LARGEST_ANSWER_BYTES = 64 * 1024 * 1024, 16 * 1024 * 1024
# Only one answer longer than this many bytes is read at a time: several together would fill the memory.
LONG_ANSWER_BYTES = 256 * 1024
# A search for one e-mail address never has this many pages.
MOST_USERS_PAGES = 20


@dataclass(frozen=True)
class CoderTimeouts:
    """The longest duration of each kind of call, in seconds."""

    connect: float = 10.0
    read: float = 15.0
    # To read a live log or to send input, Coder dials the agent for up to 30 s. To send input, Coder then
    # waits until the agent has taken it: up to 2 s until the terminal shows the input, and up to 15 s until
    # the agent shows that it works.
    logs: float = 45.0
    send: float = 60.0
    # Coder may ask a language model for the task's name before it answers.
    create: float = 60.0
    change: float = 30.0


class CoderClient:
    """The calls that one Coder account can make. Each call raises the errors that `errors` lists.

    `most_bytes` limits the length of every answer. `mask` masks secrets in Coder's error messages.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        token: str,
        *,
        timeouts: CoderTimeouts | None = None,
        most_bytes: int = LARGEST_LIST_BYTES,
        mask: Callable[[str], str] = str,
        turns: tuple[asyncio.Semaphore, asyncio.Semaphore] | None = None,
        person: str = "",
        is_refused: bool = False,
    ) -> None:
        self.timeouts = timeouts or CoderTimeouts()
        self._most_bytes = most_bytes
        self._mask = mask
        self._http = http
        # A semaphore for lists and a semaphore for other answers. Each lets only one long answer be read at a
        # time. Clients that share connections also share the semaphores.
        self._turns = turns or (asyncio.Semaphore(), asyncio.Semaphore())
        self._base_url = base_url.rstrip("/")
        self._token = token
        # The person in Slack whose own account this is; empty for the service account.
        self.person, self._is_refused = person, is_refused
        # When Coder last answered, by Coder's clock or by the clock of a proxy before Coder.
        self.last_answer_at: datetime | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        base_url: str,
        token: str,
        *,
        timeouts: CoderTimeouts | None = None,
        most_bytes: int = LARGEST_LIST_BYTES,
        mask: Callable[[str], str] = str,
    ) -> AsyncIterator["CoderClient"]:
        """Open a client with its own connections, and close them at the end of the block."""
        session = transport.make_session(proxy=transport.proxy_for(base_url))
        async with transport.make_http_client(session) as http:
            yield cls(http, base_url, token, timeouts=timeouts, most_bytes=most_bytes, mask=mask)

    def for_person(self, token: str, person: str, *, is_refused: bool = False) -> "CoderClient":
        """Return a client for a person's own account, which shares the connections of this client.

        If Coder refuses the token, calls raise `PersonTokenRefused`. If `is_refused` is true, calls raise
        this error at once.
        """
        return CoderClient(
            self._http,
            self._base_url,
            token,
            timeouts=self.timeouts,
            most_bytes=self._most_bytes,
            mask=self._mask,
            turns=self._turns,
            person=person,
            is_refused=is_refused,
        )

    def use_token(self, token: str) -> None:
        """Use another token from the next request on. Requests under way keep the previous token."""
        self._token = token

    @property
    def key_id(self) -> str:
        """The public part of the token, which is the id of its key in Coder; empty if there is none."""
        key_id, dash, _ = self._token.partition("-")
        return key_id if dash else ""

    def __repr__(self) -> str:
        """Return a text for logs: it names the server and never the token."""
        return f"CoderClient({self._base_url!r})"

    async def get_build_info(self) -> models.BuildInfo:
        """Return the server's version. This needs no valid token."""
        body = await self._get("build info", "/buildinfo")
        return models.parse(models.BuildInfo, body, "build info")

    async def get_own_user(self) -> models.User:
        """Return the account that the token belongs to."""
        return await self.get_user("me")

    async def get_user(self, user: str) -> models.User:
        """Return a user by name or id. To find a user by e-mail address, call `list_users_by_email`."""
        body = await self._get("get user", f"/users/{_quote_segment(user)}")
        return models.parse(models.User, body, "get user")

    async def list_users(self, query: str = "") -> list[models.User]:
        """Return the users that match a search. An account that may not list users sees only itself."""
        found: list[models.User] = []
        for page in range(MOST_USERS_PAGES):
            params = {"q": query, "limit": str(USERS_PAGE_SIZE), "offset": str(page * USERS_PAGE_SIZE)}
            body = await self._get("list users", "/users", params)
            users = models.parse(models.UserPage, body, "list users").users
            found += users
            if len(users) < USERS_PAGE_SIZE:
                return found
        raise errors.UnexpectedCoderAnswer("list users", f"still going on after {MOST_USERS_PAGES} pages")

    async def list_users_by_email(self, email: str) -> list[models.User]:
        """Return the users with exactly this e-mail address. Upper and lower case letters count as equal.

        Coder's search also finds addresses that only contain this address.
        """
        wanted = _lower_ascii(email)
        return [user for user in await self.list_users(wanted) if _lower_ascii(user.email) == wanted]

    async def list_templates(self) -> tuple[models.Template, ...]:
        """Return the templates for tasks that this account may see and that are not deprecated."""
        body = await self._get("list templates", "/templates", {"q": "has-ai-task:true deprecated:false"})
        return models.parse_list(models.Template, body, "list templates")

    async def list_presets(self, template_version_id: str) -> tuple[models.Preset, ...]:
        """Return the presets of a template version; none if the server does not know presets."""
        path = f"/templateversions/{_quote_segment(template_version_id)}/presets"
        try:
            body = await self._get("list presets", path)
        except errors.NotFound:
            return ()
        except errors.UnexpectedCoderAnswer as nonsense:
            if nonsense.status == 404:
                return ()
            raise
        return models.parse_list(models.Preset, body, "list presets")

    async def list_tasks_raw(self, query: str = "") -> bytes:
        """Return the list of tasks as bytes. The functions of `lists` split the list into tasks.

        Without a query, the list has all tasks that the account sees.
        """
        params = {"q": query} if query else None
        return await self._get("list tasks", "/tasks", params, is_list=True)

    async def get_task(self, task: str) -> models.Task:
        """Return a task by its id, by `owner/name`, or by the name of a task of this account."""
        body = await self._get("get task", _task_path(task))
        return models.parse(models.Task, body, "get task")

    async def create_task(
        self,
        owner: str,
        template_version_id: str,
        prompt: AgentText,
        name: str,
        *,
        preset_id: str | None = None,
    ) -> models.Task:
        """Create a task for an owner. If the call is repeated, the second call raises `NameTaken`."""
        wanted = {
            "template_version_id": template_version_id,
            "template_version_preset_id": preset_id,
            "input": prompt,
            "name": name,
        }
        content = {key: value for key, value in wanted.items() if value is not None}
        path = f"/tasks/{_quote_segment(owner)}"
        body = await self.request("create task", "POST", path, 201, content, self.timeouts.create)
        return models.parse(models.Task, body, "create task")

    async def delete_task(self, task: str) -> None:
        """Delete a task and its workspace. Raises `BuildActive` while the workspace starts or stops."""
        await self.request("delete task", "DELETE", _task_path(task), 202)

    async def edit_input(self, task: str, text: AgentText) -> None:
        """Replace the prompt of a paused task. Raises `MustBePaused` if the task is not paused."""
        await self.request("edit input", "PATCH", f"{_task_path(task)}/input", 204, {"input": text})

    async def send(self, task: str, text: AgentText) -> None:
        """Send input to the agent. Coder's agentapi removes blanks at both ends."""
        agent_places.take_agent_place()
        path = f"{_task_path(task)}/send"
        await self.request("send input", "POST", path, 204, {"input": text}, self.timeouts.send)

    async def get_logs(self, task: str) -> long_answers.NewestLogs:
        """Return the log, at most `MOST_LOG_ENTRIES` entries at its end. If the task does not run, return the
        last messages before its pause."""
        agent_places.take_agent_place()
        body = await self._get("get logs", f"{_task_path(task)}/logs", seconds=self.timeouts.logs)
        return await long_answers.parse_logs(body)

    async def pause(self, task: str) -> models.Build:
        """Start and return a build that stops the workspace, even if it is stopped already."""
        body = await self.request("pause task", "POST", f"{_task_path(task)}/pause", 202)
        return models.parse(models.StartedBuild, body, "pause task").workspace_build

    async def resume(self, task: str) -> models.Build:
        """Start and return a build that starts the workspace. Raises `AlreadyRunning` if it runs."""
        body = await self.request("resume task", "POST", f"{_task_path(task)}/resume", 202)
        return models.parse(models.StartedBuild, body, "resume task").workspace_build

    async def get_workspace(self, workspace_id: str) -> models.Workspace:
        """Return a workspace with its latest build."""
        body = await self._get("get workspace", f"/workspaces/{_quote_segment(workspace_id)}")
        return models.parse(models.Workspace, body, "get workspace")

    async def list_build_logs(self, build_id: str) -> tuple[models.BuildLog, ...]:
        """Return the end of a build's log, oldest line first."""
        body = await self._get("list build logs", f"/workspacebuilds/{_quote_segment(build_id)}/logs")
        return await long_answers.parse_build_log(body)

    async def list_reports(self, agent_id: str, app_id: str) -> list[models.AgentReport]:
        """Return the newest reports of an agent through an app, oldest first; none without such an app."""
        body = await self._get("list reports", f"/workspaceagents/{_quote_segment(agent_id)}")
        return await long_answers.parse_reports(body, app_id)

    async def find_token_expiry(self) -> datetime | None:
        """Return when the session token expires; None if this account may not read that."""
        if not self.key_id:
            return None
        try:
            body = await self._get("get key", f"/users/me/keys/{_quote_segment(self.key_id)}")
        except (errors.NotFound, errors.Forbidden):
            return None
        return models.parse(models.ApiKey, body, "get key").expires_at

    async def list_missing_scopes(self) -> list[str]:
        """Return the scopes that Taskwire needs and the session token lacks."""
        if not self.key_id:
            return []
        try:
            body = await self._get("get key", f"/users/me/keys/{_quote_segment(self.key_id)}")
        except (errors.NotFound, errors.Forbidden):
            # An account may always read its own keys. So if Coder refuses, the token lacks the right.
            return [scopes.READ_OWN_KEY]
        return scopes.list_missing(models.parse(models.ApiKey, body, "get key").scopes)

    async def _get(
        self,
        operation: str,
        path: str,
        params: dict[str, str] | None = None,
        seconds: float | None = None,
        *,
        is_list: bool = False,
    ) -> bytes:
        seconds = seconds or self.timeouts.read
        return await self.request(
            operation, "GET", path, 200, seconds=seconds, params=params, is_list=is_list
        )

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        success: int,
        content: Mapping[str, object] | None = None,
        seconds: float | None = None,
        *,
        params: dict[str, str] | None = None,
        is_list: bool = False,
    ) -> bytes:
        """Send one request. Return the body if the status is `success`, else raise an error of `errors`.

        Only the package `coder` calls this, because paths and bodies are Coder's.
        """
        if self._is_refused:
            raise self._make_refusal(errors.REFUSED_BEFORE)
        seconds = seconds or self.timeouts.change
        limit = self._get_limit(is_list=is_list)
        call = self._fetch(method, path, content, params, seconds, limit)
        with name_failing_system("Coder"):
            status, body, retry_after = await transport.exchange(operation, seconds, call)
        if method != "GET":
            last_change.record(status)
        if body is None:
            error_type = errors.TooLong if method == "GET" else errors.UnexpectedCoderAnswer
            raise error_type(operation, f"the answer is longer than {limit.most_bytes:,} bytes")
        if status == success:
            return body
        # An error page may repeat headers. The token must not get into an exception's text.
        body = body.replace(self._token.encode(), b"***") if self._token else body
        is_tasks_route, at = path.startswith("/tasks"), self.last_answer_at
        error = errors.classify(
            operation,
            status,
            body,
            retry_after,
            is_tasks_route=is_tasks_route,
            answered_at=at,
            mask=self._mask,
        )
        raise self._make_refusal(error.answer) if isinstance(error, errors.TokenRefused) else error

    def _make_refusal(self, answer: errors.CoderAnswer) -> errors.CoderError:
        """Return the error of the account of a person, also a forgotten one, or of the service account."""
        if self.person or self._is_refused:
            return errors.PersonTokenRefused(answer, self.person, self.key_id)
        return errors.TokenRefused(answer)

    def _get_checked_token(self) -> str:
        """Return the token. If it cannot be sent in a header, raise the error for a refused token.

        The HTTP library would raise an exception that quotes the token.
        """
        if is_sendable(self._token):
            return self._token
        words = "the token is empty or has characters that no token has"
        raise self._make_refusal(errors.CoderAnswer(401, words))

    async def _fetch(
        self,
        method: str,
        path: str,
        content: Mapping[str, object] | None,
        params: dict[str, str] | None,
        seconds: float,
        limit: "_AnswerLimit",
    ) -> tuple[int, bytes | None, str | None]:
        """Return the status, the body (None if it is too long), and Retry-After.

        `request` raises its errors after this function has returned. So no traceback has a frame with httpx
        objects.
        """
        request = self._http.build_request(
            method,
            f"{self._base_url}/api/v2{path}",
            json=content,
            params=params,
            headers={
                "Coder-Session-Token": self._get_checked_token() if path != "/buildinfo" else self._token,
                "Accept": "application/json",
                # 16 kB of compressed data can become 16 MB at once.
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(seconds, connect=self.timeouts.connect),
        )
        answer = await self._http.send(request, stream=True)
        try:
            body = await _read(answer, limit)
        finally:
            await answer.aclose()
        self._note_time(answer.headers.get("Date", ""))
        return answer.status_code, body, answer.headers.get("Retry-After")

    def _get_limit(self, *, is_list: bool) -> "_AnswerLimit":
        most = LARGEST_LIST_BYTES if is_list else LARGEST_ANSWER_BYTES
        return _AnswerLimit(min(most, self._most_bytes), self._turns[0] if is_list else self._turns[1])

    def _note_time(self, date: str) -> None:
        with contextlib.suppress(ValueError):
            at = parsedate_to_datetime(date)
            self.last_answer_at = at if at.tzinfo else at.replace(tzinfo=UTC)


class _AnswerLimit(NamedTuple):
    """The longest accepted answer in bytes, and a semaphore: only one long answer is read at a time."""

    most_bytes: int
    semaphore: asyncio.Semaphore


async def _read(answer: httpx.Response, limit: _AnswerLimit) -> bytes | None:
    """Read a body piece by piece. Return None if it is longer than the limit allows."""
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.UnexpectedCoderAnswer(
            "an answer", "compressed, which nobody asked for", answer.status_code
        )
    # `getvalue` returns the buffer without a second copy.
    body = io.BytesIO()
    async with contextlib.AsyncExitStack() as turn:
        is_long = False
        async for piece in answer.aiter_raw():
            if body.tell() + len(piece) > limit.most_bytes:
                return None
            if not is_long and body.tell() + len(piece) > LONG_ANSWER_BYTES:
                # While this code waits for its turn, the rest of the body stays with the sender.
                is_long = True
                await turn.enter_async_context(limit.semaphore)
            body.write(piece)
        return body.getvalue()


def _lower_ascii(email: str) -> str:
    """Change A to Z to lower case, and no other letter.

    Python's `lower` would also turn the Kelvin sign into a k.
    """
    return re.sub("[A-Z]+", lambda found: found.group().lower(), email)


def is_sendable(token: str) -> bool:
    """Return whether a token can be sent in a header. Coder's tokens are plain ASCII without blanks."""
    return re.fullmatch(r"[\x21-\x7e]+", token) is not None


def _quote_segment(value: str) -> str:
    """Quote one part of a path. Raises `NotFound` for a part that leads to another path, such as `..`."""
    if value in ("", ".", ".."):
        raise errors.NotFound(errors.CoderAnswer(404, f"nothing in Coder is called {value!r}"))
    return quote(value, safe="")


def _task_path(task: str) -> str:
    """Return the path of a task. `task` is `owner/name`, an id, or the name of a task of this account."""
    owner, slash, name = task.partition("/")
    return (
        f"/tasks/{_quote_segment(owner)}/{_quote_segment(name)}"
        if slash
        else f"/tasks/me/{_quote_segment(task)}"
    )
