"""The client against Coder's own contract: its reference as data, and bodies written from its source."""

import json
import re

import pytest
from pydantic import BaseModel, JsonValue

from taskwire.coder import lists, models
from taskwire.coder.errors import UnexpectedCoderAnswer
from tests.coder.calls import CALLS, Call

from . import references


class Operation(BaseModel):
    """What the reference says of one method of one path."""

    responses: dict[str, JsonValue]


class Reference(BaseModel):
    """The part of the reference that this asks."""

    paths: dict[str, dict[str, Operation]]
    definitions: dict[str, dict[str, JsonValue]]


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Coder's reference."""
    return Reference.model_validate_json(references.read("coder-tasks.swagger.json"))


@pytest.fixture(scope="module")
def bodies() -> dict[str, list[str]]:
    """The samples of the facts, by their number."""
    chapter = references.read("../facts/coder-api.md").partition("\n## 10. ")[2]
    found: dict[str, list[str]] = {}
    for section in chapter.split("\n### ")[1:]:
        blocks = re.findall(r"```json\n(.*?)\n```", section, re.DOTALL)
        found[section.split()[0]] = blocks
    return found


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_is_one_of_coders(reference: Reference, call: Call) -> None:
    """Its path, its method, and the status that the client takes for success."""
    method, _, target = call.line.partition(" ")
    path = target.partition("?")[0]
    fitting = [known for known in reference.paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", known), path)]
    operations = [reference.paths[known].get(method.lower()) for known in fitting]

    answers = [status for operation in operations if operation for status in operation.responses]

    assert str(call.status) in answers


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("create_task", "codersdk.CreateTaskRequest"),
        ("send", "codersdk.TaskSendRequest"),
        ("edit_input", "codersdk.UpdateTaskInputRequest"),
    ],
)
def test_every_field_that_is_sent_is_one_of_coders(reference: Reference, name: str, definition: str) -> None:
    """Coder passes over what it does not know, so that a misspelt field would go unseen."""
    sent, known = CALLS[name].sends, reference.definitions[definition]["properties"]

    assert isinstance(sent, dict)
    assert isinstance(known, dict)
    assert sent.keys() <= known.keys()


READ: list[tuple[type[BaseModel], str]] = [
    (models.BuildInfo, "codersdk.BuildInfoResponse"),
    (models.User, "codersdk.User"),
    (models.Task, "codersdk.Task"),
    (models.CurrentState, "codersdk.TaskStateEntry"),
    (models.AgentHealth, "codersdk.WorkspaceAgentHealth"),
    (models.LogEntry, "codersdk.TaskLogEntry"),
    (models.TaskLogs, "codersdk.TaskLogsResponse"),
    (models.Template, "codersdk.Template"),
    (models.Build, "codersdk.WorkspaceBuild"),
    (models.ProvisionerJob, "codersdk.ProvisionerJob"),
    (models.Workspace, "codersdk.Workspace"),
    (models.BuildLog, "codersdk.ProvisionerJobLog"),
    (models.Agent, "codersdk.WorkspaceAgent"),
    (models.AgentApp, "codersdk.WorkspaceApp"),
    (models.AgentReport, "codersdk.WorkspaceAppStatus"),
    (models.ApiKey, "codersdk.APIKey"),
]


@pytest.mark.parametrize(("model", "definition"), READ)
def test_every_field_that_is_read_is_one_of_coders(
    reference: Reference, model: type[BaseModel], definition: str
) -> None:
    """A misspelt one would be absent for ever and nobody would notice."""
    known = reference.definitions[definition]["properties"]
    wanted = {field.alias or name for name, field in model.model_fields.items()}

    assert isinstance(known, dict)
    assert wanted <= known.keys()


def test_the_samples_of_tasks_are_read(bodies: dict[str, list[str]]) -> None:
    """Working, idle, paused; and just created."""
    tasks = [models.parse_task(item) for item in lists.cut(bodies["10.1"][0].encode())]
    created = models.parse_task(bodies["10.2"][0].encode())

    assert [(task.status, task.current_state and task.current_state.state) for task in tasks] == [
        ("active", "working"),
        ("active", "idle"),
        ("paused", "idle"),
    ]
    assert [task.workspace_agent_health and task.workspace_agent_health.healthy for task in tasks] == [
        True,
        True,
        None,
    ]
    assert (created.status, created.workspace_status, created.current_state) == ("pending", "pending", None)


def test_the_samples_of_logs_are_read(bodies: dict[str, list[str]]) -> None:
    """Live, snapshot, none; the fourth is a refusal."""
    live = models.read(models.TaskLogs, bodies["10.4"][0].encode(), "live")
    snapshot, none, refusal = bodies["10.5"][0].splitlines()

    assert ([entry.is_input for entry in live.logs], live.snapshot) == ([False, True, False], False)
    assert models.read(models.TaskLogs, snapshot.encode(), "snapshot").snapshot
    assert models.read(models.TaskLogs, none.encode(), "none").snapshot
    assert "message" in json.loads(refusal)


def test_the_samples_of_builds_templates_and_presets_are_read(bodies: dict[str, list[str]]) -> None:
    """The sample of a build leaves its times out."""
    build = bodies["10.7"][0].replace('"created_at":"..."', '"created_at":"2026-06-18T10:00:00Z"')

    started = models.read(models.Started, build.encode(), "pause").workspace_build
    templates = models.read_list(models.Template, bodies["10.8"][0].encode(), "templates")
    presets = models.read_list(models.Preset, bodies["10.9"][0].encode(), "presets")

    assert (started.build_number, started.transition, started.reason) == (2, "stop", "task_manual_pause")
    assert [template.name for template in templates] == ["tasks-docker"]
    assert [preset.is_default for preset in presets] == [True]


def test_a_refusal_is_never_taken_for_a_list(bodies: dict[str, list[str]]) -> None:
    """The samples of errors, as they would come with a status that lies."""
    for line in bodies["10.6"][0].splitlines():
        with pytest.raises(UnexpectedCoderAnswer):
            lists.cut(line.encode())
