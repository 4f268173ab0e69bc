"""Signed payloads with strange values in fields that the bot reads. Such payloads have no effect.

Anybody who has the signing secret can send such payloads. Slack could also change its payloads.
"""

import copy
import json
import logging
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from taskwire.domain.ids import find_ts, microseconds, moment_of
from taskwire.domain.text.message import Dialog
from taskwire.listeners.submissions import DialogContext
from taskwire.slack.bolt import dispatch
from taskwire.slack.signatures import RequestRefused, parse_request
from taskwire.telemetry import logger
from taskwire_sandbox.slack.interaction_payloads import common_fields, place

from .world import World

MARKED = "FORGED_4711!"
STRANGE: tuple[object, ...] = (
    *(None, True, 0, -1, 10**400, -(10**30), 1.5e300, "", " ", "\0", "\n", "-1.5", "1e999", "nan", "x"),
    *("999999999999.999999", "2251799813.685248", "1.1.1", "\u0661.\u0662", "\ud83d", MARKED, MARKED * 500),
    *(f"{MARKED} {MARKED}", f"../{MARKED}?a=b", f"<!channel> {MARKED}", f"{MARKED}\n@"),
    *([], [MARKED], [[MARKED]], {}, {MARKED: MARKED}, {"id": [MARKED]}, [{"id": {MARKED: 1}}]),
)
Path = tuple[str | int, ...]
# The parts of a press that the bot reads.
PRESSED: tuple[Path, ...] = (
    *(("actions", 0, "action_ts"), ("actions", 0, "type"), ("actions", 0, "value")),
    *(("container",), ("container", "thread_ts"), ("container", "message_ts"), ("container", "channel_id")),
    *(("channel",), ("channel", "id"), ("message",), ("message", "thread_ts"), ("state",)),
    *(("user", "id"), ("team", "id"), ("trigger_id",), ("response_url",)),
)
Json = dict[str, object]


async def _sent(world: World, payload: Json) -> int:
    """Send a payload to the bot. Return the HTTP status of its answer."""
    words = json.dumps(payload)
    headers = CIMultiDict({"Content-Type": "application/x-www-form-urlencoded"})
    try:
        asked = parse_request(headers, urlencode({"payload": words}).encode())
    except RequestRefused as refused:
        return refused.status
    return (await dispatch(world.bot.parts.bolt, asked)).status


def _with(payload: Json, path: Path, value: object) -> Json:
    """Return a copy of the payload in which the value at this path is replaced."""
    made = copy.deepcopy(payload)
    inner: object = made
    for key in path[:-1]:
        inner = inner[key]  # type: ignore[index] # each test knows its payload
    inner[path[-1]] = value  # type: ignore[index]
    return made


def _pressed(world: World, action_id: str, **view: object) -> Json:
    """Return the payload of Alice's press of a button in a message. If `view` is given, the button is in a
    dialog."""
    backend, user = world.slack.backend, world.slack.workspace.user("alice")
    here, ts = world.slack.workspace.channel("general"), backend.ids.ts()
    action = {"action_id": action_id, "block_id": "b", "type": "button", "value": "v", "action_ts": ts}
    body = common_fields(backend, "block_actions", user) | {"channel": place(here), "actions": [action]}
    body |= {"container": {"type": "message", "message_ts": ts, "thread_ts": ts, "channel_id": here.id}}
    body |= {"trigger_id": backend.tickets.trigger(user.id), "response_url": "", "message": {"thread_ts": ts}}
    return body | ({"view": view} if view else {})


def _submitted(world: World, dialog: Dialog, prompt: str, **about: object) -> Json:
    """Return the payload of Alice's submission of a dialog. `about` are values of the dialog's metadata."""
    user, channel = world.slack.workspace.user("alice"), world.slack.workspace.channel("general").id
    at = world.slack.backend.ids.ts()
    metadata = {"channel": channel, "at": at, "task": "", "template": ""} | about
    entered = {"form.prompt": {"form.prompt": {"type": "plain_text_input", "value": prompt}}}
    view = {
        "id": f"V{at}",
        "hash": at,
        "type": "modal",
        "callback_id": dialog.value,
        "state": {"values": entered},
    }
    return common_fields(world.slack.backend, "view_submission", user) | {
        "view": view | {"private_metadata": json.dumps(metadata)}
    }


@pytest.fixture
def logged(world: World, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check after the test that no task was created. Check too that no log line of any level contains a part
    of the payloads."""
    caplog.set_level(logging.DEBUG)
    logger("taskwire.probe").debug("listening")
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    said = [each.getMessage() for each in records if not each.name.startswith("taskwire_sandbox")]
    assert [line for line in said if "listening" in line]
    assert not [line for line in said if "FORGED" in line]
    assert not world.errors
    assert not world.coder.tasks


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("field", ["at", "channel", "thread_ts", "response_url", "task", "template"])
async def test_a_dialog_that_is_about_something_strange_does_nothing(world: World, field: str) -> None:
    """A submitted dialog has a strange value in one field of its metadata. The bot could not have written it,
    so it answers 200 and does nothing."""
    as_it_may_be: list[object] = ["", "x", "nan", "1e999"] if field in ("task", "template") else []
    as_it_may_be += [None] if field in ("thread_ts", "response_url") else []
    answers = [
        await _sent(world, _submitted(world, dialog, "fix it", **{field: strange}))
        for dialog in Dialog
        for strange in STRANGE
        if strange not in as_it_may_be
    ]

    assert set(answers) == {200}
    await world.settles()
    assert world.alice.reads() == []


@pytest.mark.usefixtures("logged")
async def test_a_dialog_whose_metadata_is_nothing_of_ours_does_nothing(world: World) -> None:
    """A dialog is submitted without metadata, or with metadata that is no JSON or JSON of another form. The
    bot does nothing."""
    answers: list[int] = []
    for dialog in Dialog:
        whole = _submitted(world, dialog, "fix it")
        answers += [
            await _sent(world, _with(whole, ("view", "private_metadata"), strange))
            for strange in (*STRANGE, "[]", "{}", "null", '{"at": NaN}', '{"at": 1e999}', "[" * 10_000)
        ]

    assert set(answers) == {200}
    await world.settles()
    assert world.alice.reads() == []


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("number", ["9" * 10, "9" * 5_000, "-1", "\u0661" * 5_000])
async def test_a_choice_with_a_strange_number_does_nothing(world: World, number: str) -> None:
    """The dialog of an answer is submitted with a choice that the bot could not have offered. The bot answers
    200 and says that there is no task."""
    chosen = {"form.choice": {"type": "radio_buttons", "selected_option": {"value": number}}}
    whole = _submitted(world, Dialog.ANSWER, "", task="x", link="x", key="x")

    status = await _sent(world, _with(whole, ("view", "state", "values", "form.choice"), chosen))
    await world.settles()

    assert status == 200
    assert world.alice.reads() == [
        "That thread has no task any more. `/task list` shows the tasks you can see."
    ]


@pytest.mark.usefixtures("logged")
async def test_another_template_chosen_in_a_strange_form_changes_nothing(world: World) -> None:
    """A payload says that a person chose another template in the form, and has strange values. The bot
    creates nothing and shows nothing."""
    for strange in (*STRANGE, '{"at": "x"}', json.dumps({"at": "1.000001", "channel": MARKED})):
        whole = _pressed(world, "form.template", id="V1", private_metadata=strange, state={"values": strange})
        assert await _sent(world, whole) == 200
    at = json.dumps({"at": world.slack.backend.ids.ts()})
    for strange in STRANGE:
        whole = _pressed(world, "form.template", id="", private_metadata=at)
        chosen = {"type": "static_select", "selected_option": {"value": strange}}
        assert await _sent(world, _with(whole, ("actions", 0, "selected_option"), chosen)) == 200

    await world.settles()
    assert world.alice.reads() == []


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("action_id", ["task.mute", "create.another"])
async def test_a_press_with_a_strange_value_does_nothing(world: World, action_id: str) -> None:
    """A press has a strange value in a field that the bot reads. The bot may answer the person privately, and
    does nothing else."""
    found = {}
    for path in PRESSED:
        for strange in STRANGE:
            payload = _with(_pressed(world, action_id), path, strange)
            found[path, repr(strange)[:40]] = await _sent(world, payload)

    await world.settles()
    world.alice.reads()
    # The status is 400 if Bolt does not accept the payload as a press.
    assert {answer: status for answer, status in found.items() if status not in (200, 400)} == {}
    assert list(found.values()).count(200) > len(found) / 2


@given(st.text(alphabet="0123456789.-+eEnaif \u0663\uff11", max_size=24))
@settings(max_examples=500, deadline=None)
def test_a_time_is_one_that_slack_could_have_written(text: str) -> None:
    """The bot accepts a text as a Slack time only if it can compare, sort and show this time."""
    ts = find_ts(text)

    if ts is not None:
        assert 0 <= microseconds(ts) < 2**51
        assert moment_of(ts).year < 2042


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(["at", "channel", "thread_ts", "task", "template", "response_url"]), v
            )
        ),
    )
)
def test_metadata_is_ours_or_nothing(made_up: object) -> None:
    """The bot reads a dialog's metadata as nothing, unless it has the form that the bot writes."""
    about = DialogContext.find(json.dumps(made_up))

    assert about is None or find_ts(about.at)
