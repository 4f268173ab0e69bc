"""Behavior of a real Coder that its reference does not mention or describes differently. The stand-in behaves
in the same way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskwire_sandbox.coder import SandboxTask, Settings
from taskwire_sandbox.coder.access import Rules
from taskwire_sandbox.coder.reports import sanitized
from taskwire_sandbox.coder.rows import Parameter
from taskwire_sandbox.coder.server import RecordedRequest
from taskwire_sandbox.coder.steps import BuildPlan
from taskwire_sandbox.coder.terminal import as_terminal_text
from tests.sandbox.coder_people import TASKS, Person, Reply, Scene, scene


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice."""
    async with scene() as found:
        yield found


def workspace_path(task: SandboxTask) -> str:
    """Return the path of the task's workspace."""
    return f"/api/v2/workspaces/{task.row.workspace.id}"


async def agent_of(stage: Scene, task: SandboxTask) -> str:
    """Return the path of the task's present agent."""
    shown = await stage.alice.task(task.id)
    return f"/api/v2/workspaceagents/{shown['workspace_agent_id']}"


@pytest.mark.parametrize(
    ("reported", "kept"),
    [
        ('I can\'t find "x" & bold', "I can&#39;t find &#34;x&#34; &amp; bold"),
        ("Wrote <b>bold</b> text", "Wrote bold text"),
        ("List<int> is a < b", "List is a &lt; b"),
        ("a <script>alert(1)</script> b", "a b"),
        ("already &amp; escaped", "already &amp; escaped"),
        ("two\\nlines", "two lines"),
        ("\x1b[31mred\x1b[0m  and\twide ", "red and wide"),
    ],
)
def test_a_report_is_kept_for_a_web_page(reported: str, kept: str) -> None:
    """The stand-in removes tags from a report and escapes the report's text for HTML, as Coder does."""
    assert sanitized(reported) == kept


async def test_a_report_is_shown_escaped_wherever_it_stands(stage: Scene) -> None:
    """A report is shown escaped in the list, in the agent's history and in the workspace."""
    task = stage.sandbox.add_task("alice", "Do it")
    task.becomes("working", 'I can\'t find "x"')

    shown = await stage.alice.task(task.id)
    agent = (await stage.alice.asks("GET", await agent_of(stage, task))).json
    workspace = (await stage.alice.asks("GET", workspace_path(task))).json

    said = "I can&#39;t find &#34;x&#34;"
    assert shown["current_state"]["message"] == said
    assert agent["apps"][1]["statuses"][0]["message"] == said
    assert workspace["latest_app_status"]["message"] == said


async def test_a_failed_build_is_an_error_at_once_and_stays_one(stage: Scene) -> None:
    """If a start or a stop fails, the task is in error immediately, and stays in error."""
    stage.sandbox.template.plan = BuildPlan(stop_error="provider is away")
    stops = stage.sandbox.add_task("alice", "Stop it")
    stops.pause()
    stage.sandbox.template.plan = BuildPlan(error="no space left on device")
    starts = stage.sandbox.add_task("alice", "Start it")
    await stage.sandbox.advance(3600)

    found = [await stage.alice.task(task.id) for task in (stops, starts)]

    assert [(each["status"], each["workspace_status"]) for each in found] == [("error", "failed")] * 2


async def test_an_agent_can_be_read_until_its_stop_has_ended(stage: Scene) -> None:
    """Until a stop has ended, the agent can be read.

    Then the agent is not found, its token no longer works, and no build lists it. The agent's last report is
    still shown.
    """
    stage.sandbox.template.plan = BuildPlan(stop=3)
    task = stage.sandbox.add_task("alice", "Do it")
    path, key = await agent_of(stage, task), stage.with_key(task.agent_token)
    task.becomes("complete", "Opened PR #12")
    task.pause()
    report = {"app_slug": "ccw", "state": "working", "message": "Still here", "uri": ""}

    stopping = await stage.alice.asks("GET", path)
    await stage.sandbox.advance(3)
    stopped = await stage.alice.asks("GET", path)
    log = await stage.alice.asks("GET", f"{path}/logs")
    refused = await key.asks("PATCH", "/api/v2/workspaceagents/me/app-status", report)
    builds = (await stage.alice.asks("GET", f"{workspace_path(task)}/builds")).json
    workspace = (await stage.alice.asks("GET", workspace_path(task))).json
    shown = await stage.alice.task(task.id)

    assert stopping.status == 200
    assert (stopped.status, log.status, refused.status) == (404, 404, 401)
    assert stopped.json["message"] == "Agent doesn't exist with that id, or you do not have access to it."
    assert [
        agent for build in builds for resource in build["resources"] for agent in resource["agents"]
    ] == []
    assert workspace["latest_app_status"]["message"] == "Opened PR #12"
    assert (shown["status"], shown["current_state"]["state"]) == ("paused", "complete")


async def test_an_app_is_the_same_over_pause_and_resume(stage: Scene) -> None:
    """If a task is paused and resumed, its app keeps its history, although each start has a new agent."""
    task = stage.sandbox.add_task("alice", "Do it")
    task.becomes("complete", "Done")
    before = await stage.alice.task(task.id)
    task.pause()
    task.resume()

    after = await stage.alice.task(task.id)
    agent = (await stage.alice.asks("GET", await agent_of(stage, task))).json

    assert after["workspace_app_id"] == before["workspace_app_id"]
    assert after["workspace_agent_id"] != before["workspace_agent_id"]
    assert "Done" in [status["message"] for status in agent["apps"][1]["statuses"]]


async def test_a_pause_is_announced_before_it_shows(stage: Scene) -> None:
    """A pause is announced 0.1 seconds after its request, while the workspace is still stopping."""
    stage.sandbox.template.plan = BuildPlan(stop=8)
    task = stage.sandbox.add_task("alice", "Do it")
    rounds: list[str] = []
    stage.sandbox.notifications.on_round = lambda: rounds.append(task.status)
    await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/pause")

    await stage.sandbox.advance(0.2)

    assert rounds == ["unknown"]


async def ask_in_time(stage: Scene, seconds: float, *asked: Any) -> Reply:
    """Send a request as Alice and return its answer. Move the clock forward, and check that the answer comes
    only after `seconds`."""
    before = len(stage.sandbox.requests)
    asking = asyncio.create_task(stage.alice.asks(*asked))
    await stage.sandbox.until("the request is there", lambda: stage.sandbox.requests[before:] != [])
    await stage.sandbox.until("it was understood", lambda: stage.sandbox.requests[-1].has_executed)
    await stage.sandbox.advance(seconds - 1)
    assert not asking.done()
    await stage.sandbox.advance(1)
    return await asking


@pytest.mark.parametrize(
    ("method", "part", "body"), [("GET", "logs", None), ("POST", "send", {"input": "x"})]
)
async def test_an_agent_that_is_cut_off_is_waited_for(
    stage: Scene, method: str, part: str, body: object
) -> None:
    """If an agent has lost its connection, a call to the agent waits for thirty seconds and fails. Within a
    minute the task shows the lost agent.

    The task's status stays active.
    """
    task = stage.sandbox.add_task("alice", "Do it")
    task.agent_is_unreachable()
    at_first = await stage.alice.task(task.id)

    reply = await ask_in_time(stage, 30, method, f"{TASKS}/me/{task.id}/{part}", body)
    await stage.sandbox.advance(30)
    shown = await stage.alice.task(task.id)

    assert reply.said == (502, "Failed to reach task app endpoint.", "agent is unreachable")
    assert at_first["workspace_agent_health"] == {"healthy": True}
    assert shown["status"] == "active"
    assert shown["workspace_agent_health"] == {"healthy": False, "reason": "agent has lost connection"}


async def test_an_agent_whose_startup_script_failed_takes_input(stage: Scene) -> None:
    """If an agent's startup script has failed, the agent accepts input. Its health names the script."""
    stage.sandbox.template.plan = BuildPlan(start_script_fails=True)
    task = stage.sandbox.add_task("alice", "Do it")

    sent = await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/send", {"input": "hello"})
    shown = await stage.alice.task(task.id)

    assert sent.status == 204
    assert (shown["status"], shown["workspace_agent_lifecycle"]) == ("active", "start_error")
    assert shown["workspace_agent_health"] == {
        "healthy": False,
        "reason": "agent startup script exited with an error",
    }


async def test_owners_may_be_kept_out_of_workspaces() -> None:
    """If a deployment denies owners access to workspaces, owners can still list and read tasks. They cannot
    talk to agents. The route authcheck says so."""
    async with scene(Settings(rules=Rules(owner_may_access_workspaces=False))) as stage:
        task = stage.sandbox.add_task("alice", "Do it")
        path = f"{TASKS}/me/{task.id}"
        check = {
            "checks": {"talks": {"object": {"resource_type": "workspace"}, "action": "application_connect"}}
        }

        listed = await stage.admin.asks("GET", TASKS)
        read = await stage.admin.asks("GET", path)
        log = await stage.admin.asks("GET", f"{path}/logs")
        sent = await stage.admin.asks("POST", f"{path}/send", {"input": "hello"})
        may = await stage.admin.asks("POST", "/api/v2/authcheck", check)

    hidden = (404, "Resource not found or you do not have access to this resource", "")
    assert (listed.json["count"], read.status) == (1, 200)
    assert log.said == sent.said == hidden
    assert may.json == {"talks": False}


@pytest.mark.parametrize("roles", [(), ("user-admin",)])
async def test_an_account_with_fewer_rights_lists_its_own(stage: Scene, roles: tuple[str, ...]) -> None:
    """If an account with few rights lists tasks, it gets only its own tasks. The answer does not show that
    there are others."""
    stage.sandbox.add_task("alice", "Do it")
    clara = stage.person("clara", roles=roles)

    assert (await clara.asks("GET", TASKS)).json == {"tasks": [], "count": 0}


async def test_a_terminal_is_as_wide_as_the_registrys_modules_make_it(stage: Scene) -> None:
    """The terminal has 67 columns, as in Coder's modules. agentapi without these modules has 80 columns."""
    text = "I looked at the auth handler and at everything that it calls before I changed a line of it."
    task = stage.sandbox.add_task("alice", "Do it")
    task.says(text, has_terminal_format=True)

    assert {len(line) for line in task.log[-1].content.split("\n") if line} == {67}
    assert {len(line) for line in as_terminal_text(text).split("\n")} == {80}


async def test_a_new_task_is_answered_as_initializing(stage: Scene) -> None:
    """The answer to the creation of a task already shows the first build. The list of tasks may show this
    build only later."""
    made = await stage.alice.creates(stage.sandbox)

    assert (made["status"], made["workspace_status"]) == ("initializing", "pending")
    assert made["current_state"]["message"] == "Workspace is pending"


async def test_presets_are_not_compared_with_the_version(stage: Scene) -> None:
    """If a request to create a task names an unknown preset, the answer is a server error. A preset of
    another template version is accepted."""
    other = stage.sandbox.add_template("other", presets=[stage.sandbox.new_preset("EU", {"region": "eu"})])
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "x"}

    unknown = await stage.alice.asks(
        "POST", f"{TASKS}/me", body | {"template_version_preset_id": other.active.id}
    )
    taken = await stage.alice.asks(
        "POST", f"{TASKS}/me", body | {"template_version_preset_id": other.active.presets[0].id}
    )

    assert unknown.said[:2] == (500, "failed to fetch preset parameter values")
    assert taken.status == 201


async def test_a_missing_parameter_is_named_in_the_validations_alone(stage: Scene) -> None:
    """If a request to create a task lacks a parameter, only the validations in the answer name this
    parameter. The message is the same for every parameter."""
    strict = stage.sandbox.add_template("strict", parameters=[Parameter("region", is_required=True)])

    reply = await stage.alice.asks(
        "POST", f"{TASKS}/me", {"template_version_id": strict.active.id, "input": "x"}
    )

    assert reply.said == (400, "Unable to validate parameters", "")
    assert [fault["field"] for fault in reply.json["validations"]] == ["region"]


async def test_of_six_tasks_of_one_name_at_once_one_is_made(stage: Scene) -> None:
    """If a user asks six times at once for a task of the same name, one task is made. The other five requests
    get a server error. A later request gets a conflict."""
    sandbox, waiting, all_there = stage.sandbox, 0, asyncio.Event()

    async def gather(seen: RecordedRequest, moment: str) -> None:
        nonlocal waiting
        if seen.route == "tasks.create" and moment == "before":
            waiting += 1
            if waiting >= 6:
                all_there.set()
            await all_there.wait()

    sandbox.on_request = gather
    body = {"template_version_id": sandbox.template.active.id, "input": "x", "name": "it"}
    replies = await asyncio.gather(*[stage.alice.asks("POST", f"{TASKS}/me", body) for _ in range(6)])
    later = await stage.alice.asks("POST", f"{TASKS}/me", body)

    assert sorted(reply.status for reply in replies) == [201, *[500] * 5]
    assert {r.json["message"] for r in replies if r.status == 500} == {"Internal error creating task."}
    assert later.status == 409


async def test_a_bad_status_is_a_failure_of_the_database_where_there_are_tasks() -> None:
    """If a client filters the list of tasks by an unknown status, the answer is a server error. If no task
    exists at all, the answer is an empty list."""
    async with scene() as stage:
        empty = await stage.alice.asks("GET", TASKS, query={"q": "status:nonsense"})
        stage.sandbox.add_task("alice", "Do it")
        reply = await stage.alice.asks("GET", TASKS, query={"q": "status:nonsense"})
        stage.sandbox.world.violations.clear()

    assert empty.json == {"tasks": [], "count": 0}
    assert reply.said == (
        500,
        "Internal error fetching tasks.",
        'fetch object: pq: invalid input value for enum task_status: "nonsense"',
    )


async def test_a_suspended_user_is_told_so(stage: Scene) -> None:
    """If a suspended user sends a request, the answer has a special message without a detail."""
    stage.sandbox.suspend("alice")

    assert (await stage.alice.asks("GET", TASKS)).said == (
        401,
        'User is not active (status = "suspended"). Contact an admin to reactivate your account.',
        "",
    )


async def test_an_owners_key_lives_a_week_at_most(stage: Scene) -> None:
    """If an owner asks for a key that lives longer than a week, the key is refused."""
    body = {"lifetime": 8 * 24 * 3600 * 1_000_000_000, "token_name": "bot"}

    reply = await stage.admin.asks("POST", "/api/v2/users/me/keys/tokens", body)

    assert reply.status == 400
    assert reply.json["detail"] == "lifetime must be less than 168h0m0s"


async def test_a_deleted_workspace_says_how_to_see_it(stage: Scene) -> None:
    """If somebody asks for a deleted workspace, the answer is a 410. It names the query parameter that shows
    such a workspace."""
    task = stage.sandbox.add_task("alice", "Do it")
    path = workspace_path(task)
    task.delete()

    reply = await stage.alice.asks("GET", path)

    assert (reply.status, "?include_deleted=true" in reply.text) == (410, True)


async def test_what_the_program_inside_refuses_is_quoted(stage: Scene) -> None:
    """If the program in the workspace refuses an input, the detail of the stand-in's answer quotes the
    program's answer."""
    task = stage.sandbox.add_task("alice", "Do it")
    task.agentapi_fails("message")

    reply = await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/send", {"input": "hello"})

    assert reply.said == (
        502,
        "Task app rejected the message.",
        'failed to post message: {"title":"Internal Server Error","status":500,'
        '"detail":"agentapi: message: context deadline exceeded"}',
    )


async def test_blanks_around_an_input_are_taken_away(stage: Scene) -> None:
    """The program in the workspace removes blanks around an input."""
    task = stage.sandbox.add_task("alice", "Do it")

    reply = await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/send", {"input": "  hello\n"})

    assert (reply.status, task.inputs, task.log[-2].content) == (204, ["hello"], "hello")


async def test_no_two_users_have_one_address(stage: Scene) -> None:
    """If a second user gets the email address of another user, the answer is a 409."""
    with pytest.raises(ValueError, match="409"):
        stage.sandbox.add_user("twin", email="Alice@acme.test")


async def test_the_513th_request_of_a_minute_is_refused(stage: Scene) -> None:
    """A user may make 512 requests a minute to each path. The next request to this path is refused."""
    found = [(await stage.alice.asks("GET", TASKS)).status for _ in range(513)]

    assert found == [200] * 512 + [429]


async def shape(stage: Scene, path: str, person: Person | None = None) -> Any:
    """Send a GET request as this person, or else as Alice. Return the JSON of the answer."""
    return (await (person or stage.alice).asks("GET", path)).json


async def test_small_shapes_are_as_they_were_seen(stage: Scene) -> None:
    """The stand-in's answers look like Coder's real answers. Optional keys are absent, some values are null,
    and some keys are not in the reference."""
    sandbox = stage.sandbox
    task = sandbox.add_task("alice", "Do it")
    user = await shape(stage, "/api/v2/users/me")
    template = (await shape(stage, "/api/v2/templates"))[0]
    key = (await shape(stage, "/api/v2/users/me/keys/tokens"))[0]
    workspace = await shape(stage, workspace_path(task))
    presets = await shape(stage, f"/api/v2/templateversions/{sandbox.template.active.id}/presets")
    build = workspace["latest_build"]

    assert "avatar_url" not in user
    assert {value for stats in template["build_time_stats"].values() for value in stats.values()} == {None}
    assert (key["allow_list"], key["scope"], key["scopes"]) == (["*:*"], "coder:all", ["coder:all"])
    assert {"matched_provisioners", "has_ai_task"} <= build.keys()
    assert "worker_id" in build["job"]
    assert "ttl_ms" not in workspace
    assert presets is None


async def test_a_route_that_is_not_there_below_tasks_looks_like_a_task_that_is_not(stage: Scene) -> None:
    """If a route below /tasks does not exist, the answer is the same as for a missing task. Elsewhere the
    answer names the route."""
    below = await stage.alice.asks("GET", f"{TASKS}/me/it/nothing")
    elsewhere = await stage.alice.asks("GET", "/api/v2/nothing")
    stage.sandbox.world.violations.clear()

    assert below.said == (404, "Resource not found or you do not have access to this resource", "")
    assert elsewhere.said == (404, "Route not found.", "")


async def test_a_build_log_has_empty_lines_long_entries_and_high_numbers(stage: Scene) -> None:
    """In a build log, each stage starts with an empty line, and an error is one entry of several lines."""
    stage.sandbox.template.plan = BuildPlan(error="no space left on device")
    task = stage.sandbox.add_task("alice", "Do it")

    lines = await shape(stage, f"/api/v2/workspacebuilds/{task.builds[0].id}/logs")

    assert lines[0]["id"] > 1
    assert (lines[0]["stage"], lines[0]["output"]) == ("Setting up", "")
    assert lines[-1]["output"].count("\n") > 1


async def test_the_watcher_may_take_the_end_for_work(stage: Scene) -> None:
    """If an agent reports complete, the watcher of its screen may report working with the same message, and
    then idle."""
    stage.sandbox.template.reports_work_after_the_end = True
    task = stage.sandbox.add_task("alice", "Do it")
    task.becomes("complete", "Opened PR #12")

    await stage.sandbox.advance(5)

    statuses = task.row.workspace.app.statuses[-3:]
    assert [(status.state, status.message) for status in statuses] == [
        ("complete", "Opened PR #12"),
        ("working", "Opened PR #12"),
        ("idle", "Opened PR #12"),
    ]
