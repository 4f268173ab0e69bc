"""Coder's JSON is parsed into the client's models, and deviations from the reference are tolerated."""

import json
from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from taskwire.coder import lists, models
from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.coder.models import (
    AgentReport,
    CurrentState,
    Preset,
    Task,
    TaskState,
    TaskStatus,
    WorkspaceStatus,
)
from taskwire.domain.errors import OutcomeUnknown

TASK: dict[str, JsonValue] = {
    "id": "5f6c1f0e-6d0f-4b8e-9a53-0c8c3d0a1e11",
    "name": "fix-login-1a2b",
    "display_name": "Fix login",
    "owner_name": "alice",
    "workspace_id": "0967198e-ec7b-4c6b-b4d3-f71244cadbe9",
    "workspace_status": "running",
    "workspace_build_number": 3,
    "workspace_agent_id": None,
    "workspace_agent_lifecycle": None,
    "workspace_agent_health": None,
    "status": "active",
    "current_state": {"timestamp": "2026-06-18T10:46:50Z", "state": "idle", "message": "Done", "uri": ""},
    "created_at": "2026-06-18T10:40:02.511Z",
    "updated_at": "2026-06-18T10:40:02.511Z",
}


def task(**changes: JsonValue) -> Task:
    """Return the JSON of `TASK`, with some fields changed."""
    return models.parse_task(json.dumps({**TASK, **changes}).encode())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-06-18T10:46:50Z", datetime(2026, 6, 18, 10, 46, 50, tzinfo=UTC)),
        ("2026-06-18T10:46:50.5Z", datetime(2026, 6, 18, 10, 46, 50, 500000, tzinfo=UTC)),
        ("2026-06-18T10:46:50.123456789Z", datetime(2026, 6, 18, 10, 46, 50, 123456, tzinfo=UTC)),
        ("2026-06-18T12:46:50.1234567+02:00", datetime(2026, 6, 18, 10, 46, 50, 123456, tzinfo=UTC)),
        ("2026-06-18T10:46:50", datetime(2026, 6, 18, 10, 46, 50, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_leniently_and_are_utc(written: str, expected: datetime) -> None:
    """A time of Coder is parsed as UTC. Go writes 0 to 9 fractional digits, and Z or an offset."""
    assert task(created_at=written).created_at == expected
    assert task(created_at=written).created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, None),
        ("", None),
        ("0967198e", "0967198e"),
        ({"uuid": "0967198e", "valid": True}, "0967198e"),
        ({"uuid": "00000000-0000-0000-0000-000000000000", "valid": False}, None),
    ],
)
def test_an_id_may_be_absent_in_every_way(written: JsonValue, expected: str | None) -> None:
    """An absent id may be a missing key, null or Coder's zero id. Coder and its reference differ in this."""
    assert task(workspace_agent_id=written).workspace_agent_id == expected


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("I can&#39;t find &#34;x&#34; &amp; a &lt; b", 'I can\'t find "x" & a < b'),
        ("as &amp;lt; it was", "as &lt; it was"),
        ("R&D &copy; &nbsp", "R&D &copy; &nbsp"),
    ],
)
def test_what_an_agent_wrote_is_read_as_it_wrote_it(stored: str, written: str) -> None:
    """The client removes the escapes from a report once, in the list and in the history. Coder escapes five
    characters of a report for its web pages."""
    state: JsonValue = {"timestamp": "2026-06-18T10:46:50Z", "state": "idle", "message": stored}
    report = {"id": "r", "created_at": "2026-06-18T10:46:50Z", "state": "idle", "message": stored}
    shown = task(current_state=state).current_state

    assert shown is not None
    assert (shown.message, AgentReport.model_validate(report).message) == (written, written)


@pytest.mark.parametrize(
    ("lifecycle", "health", "is_lost", "is_script_failed"),
    [
        ("ready", {"healthy": True}, False, False),
        ("ready", None, False, False),
        ("ready", {"healthy": False, "reason": "agent has lost connection"}, True, False),
        ("ready", {"healthy": False}, True, False),
        (
            "start_error",
            {"healthy": False, "reason": "agent startup script exited with an error"},
            False,
            True,
        ),
        ("start_error", {"healthy": False}, False, True),
        ("start_error", {"healthy": False, "reason": "agent has lost connection"}, True, False),
    ],
)
def test_an_unwell_agent_is_lost_or_had_a_script_that_failed(
    lifecycle: str, health: JsonValue, is_lost: bool, is_script_failed: bool
) -> None:
    """An unhealthy agent counts either as disconnected or as an agent with a failed start-up script. If Coder
    gives a reason, the reason decides."""
    read = task(workspace_agent_lifecycle=lifecycle, workspace_agent_health=health)

    assert (read.is_lost, read.is_script_failed) == (is_lost, is_script_failed)


@pytest.mark.parametrize("word", [*TaskStatus][:-1])
def test_a_known_status_is_its_member(word: TaskStatus) -> None:
    """Each status that Coder documents, including `unknown`, has its own enum member."""
    assert task(status=str(word)).status is word


def test_an_unknown_word_is_kept_and_breaks_nothing() -> None:
    """If Coder sends a status that Taskwire does not know, the client keeps it and raises no error. A newer
    Coder may have such a status."""
    read = task(status="hibernating", workspace_status="melting")

    assert (read.status, read.raw_status) == (TaskStatus.OTHER, "hibernating")
    assert (read.workspace_status, read.raw_workspace_status) == (WorkspaceStatus.OTHER, "melting")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("working", TaskState.WORKING),
        ("idle", TaskState.IDLE),
        ("complete", TaskState.COMPLETE),
        ("completed", TaskState.COMPLETE),
        ("failed", TaskState.FAILED),
        ("failure", TaskState.FAILED),
        ("dreaming", TaskState.OTHER),
    ],
)
def test_a_state_is_read_in_all_its_spellings(word: str, expected: TaskState) -> None:
    """Coder writes the state of a failed agent as `failed` in the list and as `failure` in the agent's
    history. The client reads both as the same state."""
    now = datetime(2026, 6, 18, tzinfo=UTC)

    state = CurrentState(timestamp=now, state=word)
    report = AgentReport(id="1", created_at=now, state=word)

    assert (state.state, report.state) == (expected, expected)
    assert state.raw_state == word


def test_a_task_needs_little_and_ignores_the_rest() -> None:
    """If fields of a task are missing or new, the client reads the task. Missing fields get defaults, and new
    fields are ignored."""
    bare = {key: TASK[key] for key in ("id", "name", "status", "created_at", "updated_at")}

    read = models.parse_task(json.dumps({**bare, "mood": {"deep": [1]}}).encode())

    assert (read.title, read.workspace_id, read.current_state) == ("fix-login-1a2b", None, None)
    assert read.workspace_status is WorkspaceStatus.OTHER


def test_presets_come_with_gos_names_or_with_jsons() -> None:
    """Presets are read with Go's field names or with those of the reference. Coder's code lacks the
    documented JSON tags."""
    go = b'[{"ID":"1","Name":"Big","Parameters":[{"Name":"cpu","Value":"8"}],"Default":true,"Icon":""}]'
    plain = b'[{"id":"1","name":"Big","parameters":[{"name":"cpu","value":"8"}],"default":true}]'

    assert models.parse_list(Preset, go, "x") == models.parse_list(Preset, plain, "x")
    assert models.parse_list(Preset, go, "x")[0].is_default


def test_null_is_an_empty_list() -> None:
    """If Coder writes null instead of a list, the list counts as empty, at the top level and inside objects.
    Go writes a nil slice as null."""
    assert models.parse_list(Preset, b"null", "x") == ()
    assert models.parse(models.TaskLogs, b'{"logs":null,"snapshot":true}', "x").logs == ()


@pytest.mark.parametrize(
    "item", [b"", b"{}", b'{"id":""}', b'{"id":null}', b"[1]", b"\xff", b'{"id":"\xff"}']
)
def test_an_item_that_is_nonsense_is_unknown(item: bytes) -> None:
    """If an item of a list is no object, or has no usable id, the outcome of the call is unknown."""
    with pytest.raises(OutcomeUnknown):
        lists.read_item_id(item)
    with pytest.raises(OutcomeUnknown):
        models.parse_task(item)


def test_what_was_wrong_is_said_without_what_was_sent() -> None:
    """If an answer cannot be read, the error does not quote it. A prompt in the answer may hold a secret, and
    errors are logged."""
    with pytest.raises(UnexpectedCoderAnswer) as caught:
        models.parse_task(json.dumps({**TASK, "initial_prompt": ["hunter2"]}).encode())

    assert str(caught.value) == "one task of the list: 1 faults, first at initial_prompt: string_type"


def test_models_are_frozen() -> None:
    """A parsed task cannot be changed, so an observation stays as it was read."""
    seen = task()

    with pytest.raises(ValueError, match="frozen"):
        seen.name = "other"
