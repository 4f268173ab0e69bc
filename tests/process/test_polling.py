"""Only one of several processes polls Coder. If it fails, another process polls."""

import asyncio
import signal

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.server import RecordedRequest
from taskwire_sandbox.coder.steps import Busy, Report, Script

from .processes import Place, Taskwire, until


class Look:
    """Holds Coder's answer to the next poll until the test releases it."""

    def __init__(self, place: Place) -> None:
        self.later: set[str] = set()
        self._goes = asyncio.Event()
        self._asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        place.coder.on_request = self._keep

    async def by(self) -> str:
        """Wait for the next poll. Return the name of the Coder account that polls."""
        async with asyncio.timeout(10):
            return await self._asked

    def goes_on(self) -> None:
        """Release the held answer."""
        self._goes.set()

    async def _keep(self, seen: RecordedRequest, moment: str) -> None:
        if (seen.route, moment) != ("tasks.list", "after"):
            return
        if self._asked.done():
            self.later.add(seen.user)
            return
        self._asked.set_result(seen.user)
        await self._goes.wait()


async def _pair(place: Place, redis_url: str) -> dict[str, Taskwire]:
    """Start two processes that poll with different accounts. Return each process by the name of its
    account."""
    place.coder.add_user("another", roles=("owner",))
    tokens = {
        "taskwire": place.settings["CODER_SESSION_TOKEN"],
        "another": place.coder.add_token("another"),
    }
    return {
        account: await place.run_ready(REDIS_URL=redis_url, CODER_SESSION_TOKEN=token)
        for account, token in tokens.items()
    }


async def _task(place: Place) -> SandboxTask:
    """Create a task whose agent is working, and wait until its card shows that.

    The agent never waits, because a poll that sees a waiting agent would cause a notice.
    """
    working = Script(steps=(Busy(), Report("working", "Reading the code")))
    place.coder.template.script = lambda _prompt: working
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks, "the task")
    (task,) = place.coder.tasks
    await until(lambda: "Reading the code" in _card(place), lambda: f"work on {place.cards()}")
    return task


def _card(place: Place) -> str:
    return next(iter(place.cards()), "")


def _told(place: Place) -> list[str]:
    """Return the kinds of the bot's messages in the thread."""
    root = str(place.slack.messages("general")[0]["ts"])
    messages = place.slack.thread("general", root)[1:]
    return [str(message["metadata"]["event_payload"]["kind"]) for message in messages]


async def test_when_the_one_who_looks_dies_another_looks(place: Place, redis_url: str) -> None:
    """If a process is killed while it polls, another process polls. The thread gets the notice once."""
    bots = await _pair(place, redis_url)
    task, look = await _task(place), Look(place)
    doomed = await look.by()

    bots[doomed].send_signal(signal.SIGKILL)
    look.goes_on()
    task.becomes("complete", "Opened PR #12")

    await until(lambda: _told(place), "the end to be told")
    await until(lambda: _card(place).startswith("Done"), lambda: f"the end on {place.cards()}")
    assert _told(place) == ["completed"]


async def test_one_who_slept_through_its_lease_brings_no_old_news(place: Place, redis_url: str) -> None:
    """If a process is frozen while it polls, another process polls. When the first process continues, its old
    result is dropped."""
    bots = await _pair(place, redis_url)
    task = await _task(place)
    task.becomes("working", "Writing the test")
    look = Look(place)
    sleeper = await look.by()
    bots[sleeper].send_signal(signal.SIGSTOP)
    task.becomes("complete", "Opened PR #12")
    await until(lambda: look.later, "the other to look")

    look.goes_on()
    bots[sleeper].send_signal(signal.SIGCONT)

    overtaken = 'taskwire_polls_total{outcome="overtaken"} 1.0'
    await until(lambda: _shows(bots[sleeper], overtaken), "the old look to end")
    await until(lambda: _told(place), "the end to be told")
    await until(lambda: _card(place).startswith("Done"), lambda: f"the end on {place.cards()}")
    assert _told(place) == ["completed"]
    assert [await bot.stop() for bot in bots.values()] == [0, 0]


async def _shows(bot: Taskwire, figure: str) -> bool:
    return figure in (await bot.ask("/metrics"))[1]
