"""The Coder stand-in's routes for tasks: list, create, get, edit, delete, pause and resume."""

import json
from collections.abc import AsyncIterator

import pytest

from taskwire_sandbox.coder import Settings
from taskwire_sandbox.coder.access import Rules
from taskwire_sandbox.coder.ids import Ids
from taskwire_sandbox.coder.names import generate, name_problem
from taskwire_sandbox.coder.rows import ExternalAuth, Parameter
from taskwire_sandbox.coder.steps import BuildPlan
from tests.sandbox.coder_people import TASKS, Scene, scene

NOT_FOUND = (404, "Resource not found or you do not have access to this resource", "")
ACTIVE = "A workspace build is already active."
KEYS = [
    "id", "organization_id", "owner_id", "owner_name", "name", "display_name", "template_id",
    "template_version_id", "template_name", "template_display_name", "template_icon", "workspace_id",
    "workspace_name", "workspace_status", "workspace_build_number", "workspace_agent_id",
    "workspace_agent_lifecycle", "workspace_agent_health", "workspace_app_id", "initial_prompt", "status",
    "current_state", "created_at", "updated_at",
]  # fmt: skip


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice."""
    async with scene() as found:
        yield found


async def test_a_new_task_has_no_agent_yet(stage: Scene) -> None:
    """The answer to the creation of a task shows the task before it has an agent. The keys are in Coder's
    order."""
    task = await stage.alice.creates(stage.sandbox, name="fix-login")

    assert list(task) == KEYS
    assert (task["status"], task["workspace_status"], task["workspace_build_number"]) == (
        "initializing",
        "pending",
        1,
    )
    assert task["workspace_agent_id"] is task["workspace_app_id"] is None
    assert task["workspace_agent_lifecycle"] is task["workspace_agent_health"] is None
    assert task["owner_name"] == "alice"
    assert task["name"] == task["workspace_name"] == "fix-login"


async def test_a_running_task_shows_its_agent(stage: Scene) -> None:
    """An active task shows its agent, the agent's health and an app. The avatar is optional."""
    stage.sandbox.user("alice").avatar_url = "https://example.com/a.png"
    made = await stage.alice.creates(stage.sandbox)

    task = await stage.alice.task(made["id"])

    assert list(task) == [*KEYS[:4], "owner_avatar_url", *KEYS[4:]]
    assert task["status"] == "active"
    assert task["workspace_agent_lifecycle"] == "ready"
    assert task["workspace_agent_health"] == {"healthy": True}
    assert list(task["current_state"]) == ["timestamp", "state", "message", "uri"]


async def test_answers_are_written_as_go_writes_them(stage: Scene) -> None:
    """An answer is written as Go writes it. It is compact JSON with escaped HTML characters, a line break at
    the end and a charset."""
    made = await stage.alice.creates(stage.sandbox, "Compare a < b && c > d \u2028")

    reply = await stage.alice.asks("GET", f"{TASKS}/me/{made['id']}")

    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert r'"initial_prompt":"Compare a \u003c b \u0026\u0026 c \u003e d \u2028"' in reply.text
    assert reply.text.endswith("}\n")
    assert reply.json["initial_prompt"] == "Compare a < b && c > d \u2028"


async def test_the_list_has_the_newest_task_first(stage: Scene) -> None:
    """The list of tasks is ordered by the time of creation, the newest first. The answer also has the number
    of tasks."""
    empty = await stage.alice.asks("GET", TASKS)
    for name in ("first", "second", "third"):
        await stage.alice.creates(stage.sandbox, name=name)

    reply = await stage.alice.asks("GET", TASKS)

    assert empty.text == '{"tasks":[],"count":0}\n'
    assert [task["name"] for task in reply.json["tasks"]] == ["third", "second", "first"]
    assert reply.json["count"] == 3


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("owner:me", ["mine"]),
        ("owner:bob", ["theirs"]),
        ("bob", ["theirs"]),
        ("OWNER:BOB", ["theirs"]),
        ('owner:"bob"', ["theirs"]),
        ("status:active", ["theirs", "mine"]),
        ("status:paused", []),
        ("organization:coder status:active", ["theirs", "mine"]),
        ("owner:bob status:paused", []),
    ],
)
async def test_a_query_narrows_the_list(stage: Scene, query: str, names: list[str]) -> None:
    """A query filters the list by owner, organization and status. A bare word in the query is an owner. Upper
    and lower case do not matter."""
    stage.person("bob")
    stage.sandbox.add_task("admin", "One", name="mine")
    stage.sandbox.add_task("bob", "Two", name="theirs")

    reply = await stage.admin.asks("GET", TASKS, query={"q": query})

    assert [task["name"] for task in reply.json["tasks"]] == names


@pytest.mark.parametrize(
    ("query", "field", "detail", "is_unknown"),
    [
        ("template:x", "template", '"template" is not a valid query param', True),
        (
            "owner:nobody",
            "owner",
            (
                'Query param "owner" has invalid value: user "nobody" either does not exist, or you are '
                "unauthorized to view them"
            ),
            False,
        ),
        (
            "status:active status:paused",
            "status",
            (
                'Query param "status" provided more than once, found 2 times. '
                "Only provide 1 instance of this query param."
            ),
            False,
        ),
        ("owner:", "q", "Query element \"owner:\" cannot start or end with ':'", False),
        ("a:b:c", "q", "Query element \"a:b:c\" can only contain 1 ':'", False),
    ],
)
async def test_a_wrong_query_is_refused_by_field(
    stage: Scene, query: str, field: str, detail: str, is_unknown: bool
) -> None:
    """If a query is wrong, the answer is Coder's message for the rule that the query breaks. If the query has
    an unknown key, the stand-in also records a violation."""
    reply = await stage.alice.asks("GET", TASKS, query={"q": query})

    assert reply.status == 400
    assert reply.json == {
        "message": "Invalid task search query.",
        "validations": [{"field": field, "detail": detail}],
    }
    assert bool(stage.sandbox.violations) == is_unknown
    stage.sandbox.world.violations.clear()


async def test_a_status_that_does_not_exist_is_a_server_error(stage: Scene) -> None:
    """If a query has an unknown status, the answer is a 500. Coder does not check the status, so its database
    refuses the query."""
    stage.sandbox.add_task("alice", "Do it")
    reply = await stage.alice.asks("GET", TASKS, query={"q": "status:done"})

    assert reply.status == 500
    assert reply.json["message"] == "Internal error fetching tasks."
    assert "invalid input value for enum task_status" in reply.json["detail"]
    assert stage.sandbox.violations
    stage.sandbox.world.violations.clear()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"template_version_id": ""}, (400, "Request body must be valid JSON.", "invalid UUID length: 0")),
        (
            {"template_version_id": "00000000-0000-4000-8000-000000000000"},
            (400, "Template version not found or you do not have access to this resource", ""),
        ),
        (
            {"name": "x" * 33},
            (400, "Unable to create a Task with the provided name.", "must be <= 32 characters"),
        ),
        (
            {"name": "no spaces"},
            (400, "Unable to create a Task with the provided name.", "must be alphanumeric with hyphens"),
        ),
        (
            {"name": "new"},
            (400, "Unable to create a Task with the provided name.", 'cannot use "new" as a name'),
        ),
        ({"display_name": "é" * 33}, (400, "Display name must be 64 characters or less.", "")),
        (
            {"input": 7},
            (
                400,
                "Request body must be valid JSON.",
                "json: cannot unmarshal number into Go struct field CreateTaskRequest.input of type string",
            ),
        ),
    ],
)
async def test_a_create_that_is_wrong_says_why(
    stage: Scene, fields: dict[str, object], said: tuple[int, str, str]
) -> None:
    """If a request to create a task is wrong, the stand-in refuses it and says why."""
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "Do it", **fields}

    reply = await stage.alice.asks("POST", f"{TASKS}/me", body)

    assert reply.said == said
    stage.sandbox.world.violations.clear()


async def test_a_create_depends_on_the_template(stage: Scene) -> None:
    """If a template has no tasks, or is deprecated, archived, forbidden or incomplete, no task can be created
    from it."""
    sandbox = stage.sandbox
    plain = sandbox.add_template("plain", has_ai_task=False)
    old = sandbox.add_template("old")
    old.deprecation = "Use tasks-docker"
    archived = sandbox.add_template("archived")
    archived.active.is_archived = True
    closed = sandbox.add_template("closed")
    closed.usable_by = set()
    picky = sandbox.add_template("picky", parameters=[Parameter("region", is_required=True)])

    said = {}
    for template in (plain, old, archived, closed, picky):
        body = {"template_version_id": template.active.id, "input": "Do it"}
        reply = await stage.alice.asks("POST", f"{TASKS}/me", body)
        said[template.name] = (reply.status, reply.json["message"])

    assert said == {
        "plain": (400, 'Template does not have a valid "coder_ai_task" resource.'),
        "old": (400, 'Template "old" has been deprecated, and cannot be used to create a new workspace.'),
        "archived": (500, "Archived template versions cannot be used to make a workspace."),
        "closed": (403, 'Unauthorized access to use the template "closed".'),
        "picky": (400, "Unable to validate parameters"),
    }


async def test_a_preset_fills_what_is_required(stage: Scene) -> None:
    """If a parameter is required and has no default, a preset can provide it."""
    preset = stage.sandbox.new_preset("Europe", {"region": "eu"}, is_default=True)
    picky = stage.sandbox.add_template(
        "picky", presets=[preset], parameters=[Parameter("region", is_required=True)]
    )
    body = {
        "template_version_id": picky.active.id,
        "template_version_preset_id": preset.id,
        "input": "Do it",
    }

    reply = await stage.alice.asks("POST", f"{TASKS}/me", body)

    assert reply.status == 201


async def test_a_name_can_be_taken_once(stage: Scene) -> None:
    """If two users give their tasks the same name, both are accepted. If one user does so twice, the second
    is refused."""
    await stage.alice.creates(stage.sandbox, name="fix-login")
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "x", "name": "Fix-Login"}

    again = await stage.alice.asks("POST", f"{TASKS}/me", body)
    other = await stage.admin.asks("POST", f"{TASKS}/me", body)

    assert again.status == 409
    assert again.json == {
        "message": 'Workspace "Fix-Login" already exists.',
        "validations": [{"field": "name", "detail": "This value is already in use and should be unique."}],
    }
    assert other.status == 201


@pytest.mark.parametrize(
    ("prompt", "slug", "display"),
    [
        ("Fix the login redirect bug", "fix-the-login-redirect-bug", "Fix the login redirect bug"),
        ("fix: the (very)  odd\nlogin redirect of the shop", "fix-the-very-odd-login", None),
        ("Supercalifragilisticexpialidocious", "supercalifragilisticexpiali", None),
        (
            "word " * 20,
            "word-word-word-word-word",
            "Word word word word word word word word word word word word…",
        ),
    ],
)
def test_a_name_is_made_from_the_prompt(prompt: str, slug: str, display: str | None) -> None:
    """If a request to create a task has no name, the stand-in makes one. It consists of the first words of
    the prompt as a slug, and four hexadecimal digits."""
    name, shown = generate(prompt, Ids(1))

    assert name.rpartition("-")[0] == slug
    assert not name_problem(name)
    assert display is None or shown == display


async def test_a_task_is_found_by_id_under_every_user(stage: Scene) -> None:
    """A task is found by its id under every user. A name is found only under its owner; case does not
    matter."""
    await stage.alice.creates(stage.sandbox, name="fix-login")
    task_id = stage.sandbox.task("fix-login").id

    found = [
        (await stage.admin.asks("GET", f"{TASKS}/{path}")).status
        for path in (f"me/{task_id}", f"alice/{task_id}", "alice/FIX-login", "Alice/fix-login")
    ]
    missing = [
        (await stage.admin.asks("GET", f"{TASKS}/{path}")).said
        for path in (
            "me/fix-login",
            "nobody/fix-login",
            "alice@acme.test/fix-login",
            f"me/{stage.sandbox.admin.id}",
        )
    ]

    assert found == [200] * 4
    assert missing == [NOT_FOUND] * 4


async def test_a_deleted_task_is_gone_at_once(stage: Scene) -> None:
    """If a task is deleted, the answer is 202 without a body. The task is gone immediately, although its
    build still runs."""
    stage.sandbox.template.plan = BuildPlan(delete=60)
    task = await stage.alice.creates(stage.sandbox, name="fix-login")
    await stage.sandbox.catch_up()

    reply = await stage.alice.asks("DELETE", f"{TASKS}/me/{task['id']}")

    assert (reply.status, reply.text) == (202, "")
    assert (await stage.alice.asks("GET", f"{TASKS}/me/{task['id']}")).said == NOT_FOUND
    assert (await stage.alice.asks("GET", TASKS)).json["count"] == 0
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "x", "name": "fix-login"}
    assert (await stage.alice.asks("POST", f"{TASKS}/me", body)).status == 409
    await stage.sandbox.advance(61)
    assert (await stage.alice.asks("POST", f"{TASKS}/me", body)).status == 201


async def test_nothing_starts_while_a_build_runs(stage: Scene) -> None:
    """While a build runs, pause, resume and delete are refused with a conflict."""
    stage.sandbox.template.plan = BuildPlan(provision=30)
    task = await stage.alice.creates(stage.sandbox)
    path = f"{TASKS}/me/{task['id']}"

    said = [
        (await stage.alice.asks(method, path + tail)).said
        for method, tail in (("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"))
    ]

    assert said == [(409, ACTIVE, ACTIVE)] * 3


async def test_pause_and_resume_answer_with_their_build(stage: Scene) -> None:
    """A pause is a stop build, and a resume is a start build. Both builds are pending at first and have a
    reason."""
    task = await stage.alice.creates(stage.sandbox)
    path = f"{TASKS}/me/{task['id']}"

    paused = await stage.alice.asks("POST", f"{path}/pause")
    again = await stage.alice.asks("POST", f"{path}/pause")
    resumed = await stage.alice.asks("POST", f"{path}/resume")
    running = await stage.alice.asks("POST", f"{path}/resume")

    assert [reply.status for reply in (paused, again, resumed, running)] == [202, 202, 202, 409]
    builds = [reply.json["workspace_build"] for reply in (paused, again, resumed)]
    assert [(b["build_number"], b["transition"], b["reason"], b["status"]) for b in builds] == [
        (2, "stop", "task_manual_pause", "pending"),
        (3, "stop", "task_manual_pause", "pending"),
        (4, "start", "task_resume", "pending"),
    ]
    assert builds[0]["resources"] == []
    assert running.said == (409, "Task workspace is already running.", 'Workspace status is "running".')


async def test_a_prompt_can_be_edited_only_while_paused(stage: Scene) -> None:
    """If a task is paused, its prompt can be edited, but not to an empty text. At the next start the new
    prompt is typed. In other states, an edit is refused."""
    task = await stage.alice.creates(stage.sandbox)
    path = f"{TASKS}/me/{task['id']}"

    too_early = await stage.alice.asks("PATCH", f"{path}/input", {"input": "New words"})
    await stage.alice.asks("POST", f"{path}/pause")
    empty = await stage.alice.asks("PATCH", f"{path}/input", {"input": " \n "})
    done = await stage.alice.asks("PATCH", f"{path}/input", {"input": "New words"})
    await stage.alice.asks("POST", f"{path}/resume")
    log = (await stage.alice.asks("GET", f"{path}/logs")).json["logs"]

    assert too_early.said == (
        409,
        "Unable to update task input, task must be paused.",
        "Please stop the task's workspace before updating the input.",
    )
    assert empty.said == (400, "Task input is required.", "")
    assert (done.status, done.text) == (204, "")
    assert (await stage.alice.task(task["id"]))["initial_prompt"] == "New words"
    assert (log[1]["type"], log[1]["content"]) == ("input", "New words")


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "EOF"),
        (b'{"input"', "unexpected EOF"),
        (b"hello", "invalid character 'h' looking for beginning of value"),
        (b"[]", "json: cannot unmarshal array into Go value of type codersdk.TaskSendRequest"),
    ],
)
async def test_a_body_that_is_no_json_is_refused(stage: Scene, raw: bytes, detail: str) -> None:
    """If a body is not JSON, it is refused. The detail is the message of Go's decoder."""
    task = await stage.alice.creates(stage.sandbox)

    reply = await stage.alice.asks("POST", f"{TASKS}/me/{task['id']}/send", raw=raw)

    assert reply.said == (400, "Request body must be valid JSON.", detail)
    stage.sandbox.world.violations.clear()


async def test_unknown_fields_are_ignored_and_recorded_as_a_violation(stage: Scene) -> None:
    """If a body has an unknown field, the stand-in ignores it, as Coder does, and records a violation."""
    task = await stage.alice.creates(stage.sandbox, rich_parameter="x")

    assert task["status"] == "initializing"
    assert stage.sandbox.violations == ["CreateTaskRequest has no field 'rich_parameter'; Coder ignores it"]
    stage.sandbox.world.violations.clear()


async def test_a_server_without_tasks_does_not_know_the_routes() -> None:
    """If a server's routes for tasks are turned off, a request gets the message "Route not found". A missing
    task has another message. Since Coder 2.36 these routes are off by default."""
    async with scene(Settings(tasks_enabled=False, version="v2.36.0+1")) as stage:
        listing = await stage.alice.asks("GET", TASKS)
        version = await stage.with_key("").asks("GET", "/api/v2/buildinfo")

        assert listing.said == (404, "Route not found.", "")
        assert version.json["version"] == "v2.36.0+1"


async def test_the_experimental_routes_are_the_same(stage: Scene) -> None:
    """The routes with the older prefix `/api/experimental` give the same answers."""
    await stage.alice.creates(stage.sandbox)

    reply = await stage.alice.asks("GET", "/api/experimental/tasks")

    assert reply.json["count"] == 1


async def test_settings_of_the_deployment_refuse_a_create() -> None:
    """If the license is missing, no task can be created. On newer servers, no task can be created either if
    an external account is not linked."""
    settings = Settings(requires_external_auth=True, rules=Rules(shares_workspaces=False))
    async with scene(settings) as stage:
        linked = stage.sandbox.add_template("linked", external_auth=[ExternalAuth("gh", "GitHub")])
        body = {"template_version_id": linked.active.id, "input": "x"}

        unlinked = await stage.alice.asks("POST", f"{TASKS}/me", body)
        settings.lacks_agent_license = True
        stage.sandbox.user("alice").linked.add("gh")
        unlicensed = await stage.alice.asks("POST", f"{TASKS}/me", body)

        assert unlinked.status == unlicensed.status == 403
        assert unlicensed.json["message"].startswith("Build is not permitted: Your license")
        assert json.loads((await stage.alice.asks("GET", TASKS)).text)["count"] == 0
