"""A person without rights who sends changed payloads to a running bot, with Slack's signature."""

import copy
import json
from urllib.parse import urlencode

from multidict import CIMultiDict

from taskwire.slack.bolt import dispatch
from taskwire.slack.signatures import RequestRefused, parse_request
from taskwire_sandbox.coder import SandboxTask
from tests.scenarios.waiting import a_waiting_agent
from tests.scenarios.world import World

from .edges import Samples
from .mutations import Json, Mutator, to_bytes

# The bot limits how many requests of each kind a person may make in a minute. The forger stays below the
# limits.
PAYLOADS_A_MINUTE = 8
MINUTE_SECONDS = 61.0
# The statuses that the bot may answer. After 503, Slack sends an event again.
STATUSES = {200, 400, 404, 503}


class Forger:
    """Bob, who sends changed copies of Alice's payloads in his own name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.samples = Samples()
        self._task: SandboxTask | None = None
        self._pool: list[object] = []

    async def record(self) -> None:
        """Let Alice cause every kind of payload once, and record the payloads."""
        world, slack = self.world, self.world.slack
        thread, self._task = await a_waiting_agent(world)
        await world.alice.types("/task status fix-the-login")
        await world.alice.types("/task edit")
        await world.alice.types("/task delete fix-the-login")
        await world.alice.types("/task create")
        await world.alice.submits(prompt="fix the logout")
        await world.alice.types("/task settings")
        await world.alice.saves(replies="all")
        reply = await world.alice.replies(thread, "add a test")
        await world.alice.edits(thread, reply, "add two tests")
        await world.alice.replies(thread, "!status")
        await world.alice.clicks(thread, "Stop")
        await world.alice.opens_home()
        await world.alice.writes_directly("fix the menu")
        await slack.shortcut(world.alice.id, "new_task")
        await slack.message_shortcut(world.alice.id, thread.channel, reply, "send_to_task")
        await slack.react(world.alice.id, thread.channel, thread.ts, "octagonal_sign")
        await world.polls()
        await world.settles()
        bodies = [each.payload for each in slack.deliveries]
        self.samples.payloads = [copy.deepcopy(each) for each in bodies]
        views = [each["view"]["private_metadata"] for each in bodies if each.get("view")]
        self.samples.metadata = [json.loads(each) for each in views if each]
        answer = json.loads(await world.bot.parts.deps.service_coder.list_tasks_raw())
        self.samples.coder_tasks = answer["tasks"]
        link = thread.button("Resume")[2] if "Resume" in thread.card() else ""
        self._pool = [thread.ts, thread.channel, self._task.id, link, reply, "task.pause", "task.delete"]
        self._pool += ["delete", "edit", "share", "1 all", f"{link} key", {"id": thread.channel}]

    async def sends(self, mutator: Mutator, count: int) -> dict[int, int]:
        """Send changed payloads. Return how often the bot answered each status."""
        statuses: dict[int, int] = {}
        for number in range(count):
            status = await self._send(self._as_bob(mutator))
            statuses[status] = statuses.get(status, 0) + 1
            if number % PAYLOADS_A_MINUTE == 0:
                self.world.clock.passes(MINUTE_SECONDS)
                await self.world.settles()
        await self.world.settles()
        assert statuses.keys() <= STATUSES, statuses
        return statuses

    def _as_bob(self, mutator: Mutator) -> Json:
        """Return a changed copy of one of Alice's payloads, with Bob's id in place of hers and new ids for
        the delivery."""
        world = self.world
        made = mutator.change(mutator.choose(self.samples.payloads), self._pool)
        text = json.dumps(made).replace(world.alice.id, world.bob.id)
        backend = world.slack.backend
        payload: Json = json.loads(text)
        if mutator.random.randrange(3):
            payload |= (
                {"trigger_id": backend.tickets.trigger(world.bob.id)} if "trigger_id" in payload else {}
            )
            payload |= {"event_id": backend.ids.unique("Ev")} if "event_id" in payload else {}
        return payload

    async def _send(self, payload: Json) -> int:
        if "command" in payload:
            kind, body = (
                "x-www-form-urlencoded",
                urlencode({key: str(value) for key, value in payload.items()}, errors="replace").encode(),
            )
        elif payload.get("type") == "event_callback":
            kind, body = "json", to_bytes(payload)
        else:
            kind, body = "x-www-form-urlencoded", urlencode({"payload": json.dumps(payload)}).encode()
        headers = CIMultiDict({"Content-Type": f"application/{kind}"})
        try:
            request = parse_request(headers, body)
        except RequestRefused as refused:
            return refused.status
        return (await dispatch(self.world.bot.parts.bolt, request)).status

    def check_task(self) -> None:
        """Check that nobody except Alice has changed her task."""
        assert self._task is not None
        told = (self._task.status, self._task.prompt, self._task.is_deleted)
        assert told == ("paused", "fix the login", False)
        assert self._task.inputs == ["add two tests"] or self._task.inputs == ["add a test"]
