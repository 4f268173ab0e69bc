"""The page's panel about Coder: gives the page access to a part of the Coder stand-in's control interface.

The routes are below /_control, where the Slack stand-in admits only pages of its own origin.
"""

from collections.abc import Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout, web

# For each allowed action on a task: the page's word for the action, and the stand-in's control that does it.
_CONTROLS = {"time_out": "pause_by_timeout", "resume": "resume", "crash": "crash", "delete": "delete"}
_TASK_FIELDS = ("id", "name", "owner", "prompt", "status", "state", "build", "inputs")
# How many of the newest tasks the panel shows, and how many characters of an agent's last message.
_MOST_TASKS = 8
_MOST_CHARACTERS = 1_500
_TIMEOUT = ClientTimeout(total=5)

Fields = Mapping[str, object]


class CoderPanel:
    """Serves /_control/coder for one Coder stand-in. Remembers whether a person has made it unreachable."""

    def __init__(self, coder_url: str) -> None:
        self._control = f"{coder_url.rstrip('/')}/_control"
        self._is_away = False

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/_control/coder", self._state),
            web.post("/_control/coder/away", self._make_unreachable),
            web.delete("/_control/coder/away", self._make_reachable),
            web.post("/_control/coder/tasks/{task}/{control}", self._use_control),
        ]

    async def _state(self, _: web.Request) -> web.Response:
        status, state = await self._ask("GET", "state")
        listed = _rows(state.get("tasks"))
        newest = [await self._with_last_message(task) for task in listed[-_MOST_TASKS:]]
        shown = {"tasks": newest, "more": len(listed) - len(newest), "is_away": self._is_away}
        return web.json_response(shown | {"error": state.get("error", "")}, status=status)

    async def _with_last_message(self, task: Fields) -> dict[str, object]:
        """Return the fields of a task that the panel shows, and the end of the agent's last message."""
        _, whole = await self._ask("GET", f"tasks/{task['id']}")
        words = [str(message.get("content", "")) for message in _rows(whole.get("log"))]
        kept = {key: task.get(key) for key in _TASK_FIELDS}
        return kept | {
            "last_message": next((said for said in reversed(words) if said.strip()), "")[-_MOST_CHARACTERS:]
        }

    async def _make_unreachable(self, _: web.Request) -> web.Response:
        rule = {"route": "*", "fault": "refused", "times": None}
        status, answer = await self._ask("POST", "faults", rule)
        self._is_away = status == 200
        return web.json_response(answer, status=status)

    async def _make_reachable(self, _: web.Request) -> web.Response:
        status, answer = await self._ask("DELETE", "faults")
        self._is_away = self._is_away and status != 200
        return web.json_response(answer, status=status)

    async def _use_control(self, request: web.Request) -> web.Response:
        control = _CONTROLS.get(request.match_info["control"])
        if control is None:
            return web.json_response({"error": "there is no such control"}, status=404)
        status, answer = await self._ask("POST", f"tasks/{request.match_info['task']}/{control}", {})
        return web.json_response(answer if status != 200 else {}, status=status)

    async def _ask(self, method: str, path: str, fields: Fields | None = None) -> tuple[int, Fields]:
        """Send a request to the Coder stand-in. Return the status and the JSON object of the answer.

        If the stand-in cannot be reached, return 502 and an error.
        """
        try:
            async with (
                ClientSession(timeout=_TIMEOUT) as session,
                session.request(method, f"{self._control}/{path}", json=fields) as response,
            ):
                answer = await response.json()
                return response.status, answer if isinstance(answer, dict) else {}
        except (ClientError, TimeoutError, ValueError):
            return 502, {"error": "the stand-in of Coder does not answer"}


def _rows(found: object) -> list[Fields]:
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
