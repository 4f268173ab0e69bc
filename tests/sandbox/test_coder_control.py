"""The Coder stand-in's control interface, clock, notifications and streams, and the agents of the demo."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import ClientConnectionError, web
from aiohttp.test_utils import TestServer

from taskwire_sandbox.coder import CoderSandbox, RealClock, SteppedClock, scripts
from taskwire_sandbox.coder.notifications import TEMPLATE_IDS
from taskwire_sandbox.coder.steps import Ask, BuildPlan, Complete, Script, Steps, Work
from tests.sandbox.coder_people import TASKS, Person, Scene, scene


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice."""
    async with scene() as found:
        yield found


async def test_another_process_pulls_the_same_strings(stage: Scene) -> None:
    """Another process controls the stand-in over HTTP: its users, tasks, states, texts, time and faults."""
    nobody = stage.with_key("")
    bob = (await nobody.asks("POST", "/_control/users", {"username": "bob", "email": "bob@acme.test"})).json
    await nobody.asks("POST", "/_control/tasks", {"user": "bob", "prompt": "Do it", "name": "it"})

    await nobody.asks("POST", "/_control/tasks/it/says", {"text": "I did."})
    await nobody.asks("POST", "/_control/tasks/it/becomes", {"state": "complete", "message": "Done"})
    complete = (await nobody.asks("GET", "/_control/tasks/it")).json
    await nobody.asks("POST", "/_control/advance", {"seconds": 2})
    idle = (await nobody.asks("GET", "/_control/state")).json["tasks"][0]
    await nobody.asks("POST", "/_control/faults", {"route": "tasks.list", "fault": "bad_gateway"})
    listed = [(await stage.with_key(bob["token"]).asks("GET", TASKS)).status for _ in range(2)]
    requests = (await nobody.asks("GET", "/_control/requests")).json

    assert (complete["state"], complete["log"][-1]["content"], idle["state"]) == (
        "complete",
        "I did.",
        "idle",
    )
    assert listed == [502, 200]
    assert [(seen["route"], seen["fault"], seen["status"]) for seen in requests] == [
        ("tasks.list", "bad_gateway", 502),
        ("tasks.list", "", 200),
    ]


async def test_another_process_sends_it_away(stage: Scene) -> None:
    """Another process can make the stand-in unreachable for a given time. During this time the stand-in
    refuses connections, and then it accepts them again."""
    nobody = stage.with_key("")

    reply = await nobody.asks("POST", "/_control/away", {"seconds": 0.1})
    async with asyncio.timeout(20):
        while await _is_there(nobody):
            pass
        while not await _is_there(nobody):
            pass

    assert reply.status == 200


async def _is_there(person: Person) -> bool:
    try:
        return (await person.asks("GET", "/api/v2/buildinfo")).status == 200
    except ClientConnectionError:
        return False


async def test_a_broken_script_is_recorded_as_a_violation(stage: Scene) -> None:
    """If an agent's script has an error, the stand-in records a violation. Other agents continue."""

    def then(answer: str) -> Steps:
        raise ZeroDivisionError(answer)

    script = Script((Work(1), Ask("Well?", then)))
    stage.sandbox.template.script = lambda _prompt: script
    task = stage.sandbox.add_task("alice", "Do it")
    await stage.sandbox.advance(5)

    reply = await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/send", {"input": "boom"})

    assert reply.status == 500
    assert "ZeroDivisionError: boom" in stage.sandbox.violations[0]
    stage.sandbox.world.violations.clear()


async def test_an_agent_may_never_report(stage: Scene) -> None:
    """If an agent never reports, its task is active and has no state. This is usual after a resume."""
    stage.sandbox.template.is_silent = True
    task = stage.sandbox.add_task("alice", "Do it")

    assert (task.status, task.state) == ("active", None)


@pytest.mark.parametrize(
    ("verb", "status"),
    [("pause", "paused"), ("pause_by_timeout", "paused"), ("build_fails", "error"), ("crash", "error")],
)
async def test_a_string_changes_the_status(stage: Scene, verb: str, status: str) -> None:
    """Through the control interface, a test can pause a task, let its build fail, or let its agent crash. The
    answer shows the task's new status."""
    stage.sandbox.add_task("alice", "Do it", name="it")

    reply = await stage.with_key("").asks("POST", f"/_control/tasks/it/{verb}", {})

    assert reply.json["status"] == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/_control/tasks/nothing", None, 404),
        ("POST", "/_control/nothing", {}, 404),
        ("POST", "/_control/users", {}, 400),
        ("POST", "/_control/faults", {"route": "tasks.list", "fault": "sulk"}, 404),
        ("POST", "/_control/advance", {"seconds": "2"}, 400),
    ],
)
async def test_a_wrong_control_request_says_so(
    stage: Scene, method: str, path: str, body: object, status: int
) -> None:
    """If a request to the control interface is wrong, the answer says in a sentence what is wrong."""
    reply = await stage.with_key("").asks(method, path, body)

    assert (reply.status, bool(reply.json["error"])) == (status, True)


async def test_the_same_seed_makes_the_same_world() -> None:
    """Two stand-ins with the same seed have the same ids, names and answers, byte for byte."""
    texts = []
    for seed in (7, 7, 8):
        async with scene(seed=seed) as stage:
            await stage.alice.creates(stage.sandbox)
            texts.append((await stage.alice.asks("GET", TASKS)).text)

    assert texts[0] == texts[1] != texts[2]


async def test_a_clock_that_somebody_else_moves_is_followed() -> None:
    """A test moves the clock of the stand-in beyond the time of a scheduled action. The action runs later,
    but it is recorded with the time for which it was scheduled."""
    clock = SteppedClock()
    async with CoderSandbox(clock=clock) as sandbox:
        sandbox.add_user("alice")
        task = sandbox.add_task("alice", "Do it")
        task.becomes("complete", "Done")
        before = clock.now()

        clock.advance(100)

        assert task.state == "idle"
        latest = task.row.workspace.latest_status
        assert latest is not None
        assert (latest.created_at - before).total_seconds() == 2


async def test_real_time_runs_by_itself() -> None:
    """With the real clock, builds and scripts go on without any request."""
    script = Script((Work(0.05, "Quick"), Complete("Done")))
    async with CoderSandbox(clock=RealClock()) as sandbox:
        sandbox.add_user("alice")
        sandbox.template.script = lambda _prompt: script
        sandbox.template.plan = BuildPlan(provision=0.05, start=0.05)
        task = sandbox.add_task("alice", "Do it")

        await sandbox.until("the agent is done", lambda: task.row.workspace.latest_status is not None and
                            task.row.workspace.latest_status.state == "complete")  # fmt: skip

        with pytest.raises(TypeError):
            await sandbox.advance(1)


async def received(
    act: Callable[[CoderSandbox], Any], wanted: int, *, turned_on: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Do an act, and return the first `wanted` bodies that the webhook gets after it. `turned_on` names the
    notifications that Alice turns on."""
    bodies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        bodies.put_nowait({**await request.json(), "header": request.headers["X-Message-Id"]})
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/hook", take)
    async with TestServer(application) as server, scene(webhook_url=str(server.make_url("/hook"))) as stage:
        off = {TEMPLATE_IDS[name]: False for name in turned_on}
        path = "/api/v2/users/me/notifications/preferences"
        reply = await stage.alice.asks("PUT", path, {"template_disabled_map": off})
        assert len(reply.json) == len(off)
        act(stage.sandbox)
        await stage.sandbox.advance(16)
        async with asyncio.timeout(20):
            return [await bodies.get() for _ in range(wanted)]


async def test_a_pause_is_notified_within_a_round() -> None:
    """By default, the stand-in sends a notification of a pause and of a resume within a second, with the
    task's id.

    A second pause on the same day sends no notification.
    """

    def act(sandbox: CoderSandbox) -> None:
        task = sandbox.add_task("alice", "Do it", name="it")
        task.pause_by_timeout()
        task.resume()
        task.becomes("complete", "Not told: that one is off")
        task.pause()

    bodies = await received(act, 2)

    assert [body["payload"]["notification_name"] for body in bodies] == ["Task Paused", "Task Resumed"]
    labels = bodies[0]["payload"]["labels"]
    assert (labels["task"], labels["pause_reason"]) == ("it", "idle timeout")
    assert "task_id" in labels
    assert bodies[0]["msg_id"] == bodies[0]["header"]
    assert bodies[0]["title"] == "Task 'it' is paused"


async def test_a_state_is_notified_once_it_was_turned_on() -> None:
    """The stand-in sends the four notifications about states only to a recipient who has turned them on."""

    def act(sandbox: CoderSandbox) -> None:
        task = sandbox.add_task("alice", "Do it", name="it")
        task.becomes("working", "At it")
        task.becomes("complete", "Done")
        act.workspace = task.row.workspace.id  # type: ignore[attr-defined]  # carried out of the scene

    bodies = await received(act, 1, turned_on=("Task Completed",))

    assert [body["payload"]["notification_name"] for body in bodies] == ["Task Completed"]
    assert bodies[0]["payload"]["targets"][0] == act.workspace  # type: ignore[attr-defined]  # as above
    assert bodies[0]["payload"]["data"] == {"dedupe_bypass_ts": "2026-06-18T10:40:00Z"}


async def test_a_workspace_can_be_watched(stage: Scene) -> None:
    """A watch stream starts with the present workspace and sends the workspace again after every change."""
    task = stage.sandbox.add_task("alice", "Do it")
    url = f"{stage.sandbox.url}/api/v2/workspaces/{task.row.workspace.id}/watch"

    headers = {"Coder-Session-Token": stage.alice.token}
    async with stage.session.get(url, headers=headers) as stream:
        first = await _event(stream.content)
        task.becomes("working", "Seen at once")
        second = await _event(stream.content)

    assert first["id"] == second["id"] == task.row.workspace.id
    assert second["latest_app_status"]["message"] == "Seen at once"


async def _event(stream: Any) -> Any:
    while not (line := await stream.readline()).startswith(b"data: "):
        pass
    return json.loads(line[6:])


@pytest.mark.parametrize(
    ("prompt", "answer", "end"),
    [
        ("Fix the login redirect", "", ("complete", "Opened a pull request with the fix and a test")),
        ("Add a health check", "", ("complete", "Opened a pull request with the change")),
        ("Add a health check", "Log it too", ("complete", "Pushed the change")),
        ("Split the name column", "yes, drop it", ("complete", "Split the name and dropped the old column")),
        (
            "Split the name column",
            "No, not now",
            ("complete", "Split the name; the old column stays for now"),
        ),
        (
            "Find out why checkout is flaky",
            "",
            ("failure", "No access to the payment provider&#39;s test account"),
        ),
        ("Find out why checkout is flaky", "Try again", ("complete", "The test is steady: 200 runs passed")),
        ("Upgrade to Python 3.14", "", ("complete", "All 131 tests pass on the new version")),
        ("Explain the cart", "", ("complete", "Explained how a cart expires; found one defect")),
        ("Audit every module", "", ("complete", "Read 120 modules: 24 findings, one of them slow")),
        ("Tidy the config", "", ("complete", "Removed seven settings that nobody reads")),
    ],
)
async def test_the_demo_has_agents_of_several_kinds(
    stage: Scene, prompt: str, answer: str, end: tuple[str, str]
) -> None:
    """Some of the demo's agents finish with a link, some ask first, some fail, and some write a lot. Each of
    them ends idle."""
    stage.sandbox.template.script = scripts.pick
    task = stage.sandbox.add_task("alice", prompt)
    await stage.sandbox.advance(180)
    if answer:
        reply = await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/send", {"input": answer})
        assert reply.status == 204
        await stage.sandbox.advance(60)

    reports = [(status.state, status.message) for status in task.row.workspace.app.statuses]

    assert reports[-2:] == [end, ("idle", end[1])]


@pytest.mark.parametrize(
    ("answer", "report"),
    [
        ("what do you recommend?", "Asking again"),
        ("How risky is that, please?", "Asking again"),
        ("Hm.", "Asking again"),
        ("yes, please", "Split the name and dropped the old column"),
        ("do it", "Split the name and dropped the old column"),
        ("please don\u2019t", "Split the name; the old column stays for now"),
    ],
)
async def test_a_demo_agent_takes_no_question_for_a_yes(stage: Scene, answer: str, report: str) -> None:
    """If a person answers a demo's agent with a question, the agent explains and asks its own question
    again."""
    stage.sandbox.template.script = scripts.pick
    task = stage.sandbox.add_task("alice", "Split the name column")
    await stage.sandbox.advance(60)

    await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/send", {"input": answer})
    await stage.sandbox.advance(60)

    assert task.row.workspace.app.statuses[-1].message == report


async def test_each_task_of_the_demo_has_its_own_pull_request(stage: Scene) -> None:
    """Two of the demo's agents open two pull requests. After an input, an agent continues in its own."""
    stage.sandbox.template.script = scripts.pick
    tasks = [stage.sandbox.add_task("alice", "Round the prices") for _ in range(2)]
    await stage.sandbox.advance(60)
    sent = await stage.alice.asks("POST", f"{TASKS}/me/{tasks[0].id}/send", {"input": "Also the tests"})
    await stage.sandbox.advance(60)

    links = [[status.uri for status in task.row.workspace.app.statuses if status.uri] for task in tasks]
    said = ["\n".join(line.content for line in task.log) for task in tasks]

    assert sent.status == 204
    first, second = (f"https://github.com/acme/shop/pull/{number}" for number in (412, 413))
    assert [set(each) for each in links] == [{first}, {second}]
    assert (first in said[0], second in said[1]) == (True, True)


async def test_the_demo_has_a_build_that_breaks_once(stage: Scene) -> None:
    """One build of the demo fails, and its log has the reason. The next build succeeds."""
    stage.sandbox.template.script = scripts.pick
    task = stage.sandbox.add_task("alice", "Update the base image")
    await stage.sandbox.advance(30)
    broken = task.status
    task.resume()
    await stage.sandbox.advance(60)

    assert (broken, task.status, task.state) == ("error", "active", "idle")


async def test_a_demo_agent_takes_more_than_it_asked_for(stage: Scene) -> None:
    """If a person writes to a demo's agent that has finished, the agent accepts the input. After a resume,
    the agent looks at its files and says nothing."""
    stage.sandbox.template.script = scripts.pick
    task = stage.sandbox.add_task("alice", "Fix the login redirect")
    await stage.sandbox.advance(60)
    alice: Person = stage.alice
    sent = await alice.asks("POST", f"{TASKS}/me/{task.id}/send", {"input": "Also the tests, please"})
    await stage.sandbox.advance(30)
    task.pause()
    await stage.sandbox.advance(10)
    task.resume()
    await stage.sandbox.advance(30)

    assert sent.status == 204
    assert "git status" in task.log[-1].content
    assert (task.status, task.state) == ("active", "idle")
