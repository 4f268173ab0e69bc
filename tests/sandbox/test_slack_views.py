"""Dialogs and the Home tab in the Slack stand-in: triggers, the stack of dialogs, hashes and submissions. The
stand-in makes the same checks as Slack's client."""

from collections.abc import AsyncIterator

import pytest

from taskwire_sandbox.slack import ImpossibleAction, View
from tests.sandbox.slack_app import Api, Json, SocketApp, connected
from tests.sandbox.slack_worlds import world


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


FORM: Json = {
    "type": "modal",
    "callback_id": "form",
    "title": plain("New task"),
    "submit": plain("Create"),
    "private_metadata": "m",
    "blocks": [
        {
            "type": "input",
            "block_id": "prompt",
            "label": plain("Prompt"),
            "element": {"type": "plain_text_input", "action_id": "text", "max_length": 10},
        },
        {
            "type": "input",
            "block_id": "template",
            "label": plain("Template"),
            "optional": True,
            "element": {
                "type": "static_select",
                "action_id": "name",
                "options": [{"text": plain("Docker"), "value": "docker"}],
                "initial_option": {"text": plain("Docker"), "value": "docker"},
            },
        },
        {
            "type": "actions",
            "block_id": "more",
            "elements": [
                {"type": "button", "action_id": "reload", "text": plain("Reload"), "value": "r"},
                {"type": "external_select", "action_id": "find"},
            ],
        },
    ],
}
LOADING: Json = {"type": "modal", "title": plain("Loading"), "blocks": []}
HOME: Json = {"type": "home", "blocks": [{"type": "divider"}]}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world(trigger_seconds=30.0) as opened:
        yield opened


@pytest.fixture
async def app(api: Api) -> AsyncIterator[SocketApp]:
    async with connected(api) as opened:
        yield opened


@pytest.fixture
async def form(app: SocketApp, api: Api) -> View:
    """Open a form for Alice, and return it."""
    assert app.hello
    trigger = (await api.slack.shortcut("alice", "new_task")).trigger_id
    answer = await api.call("views.open", trigger_id=trigger, view=FORM)
    assert answer["ok"], answer
    return api.slack.views("alice")[-1]


def submitted(app: SocketApp) -> Json:
    """Return the payload of the newest envelope that the app has got."""
    return dict(app.envelopes[-1]["payload"])


async def test_a_trigger_opens_one_dialog(form: View, api: Api) -> None:
    """A trigger (the id of a press or a command) opens one dialog. If a trigger was already used or was
    invented, the call is refused. The two errors are different."""
    used = next(iter(api.slack.backend.tickets.triggers))

    again = await api.call("views.open", trigger_id=used, view=FORM)
    invented = await api.call("views.open", trigger_id="1.2.3", view=FORM)

    assert (again["error"], invented["error"]) == ("exchanged_trigger_id", "invalid_trigger_id")
    assert api.slack.views("alice") == [form]


async def test_a_trigger_lives_three_seconds() -> None:
    """A trigger expires after three seconds of the stand-in's clock."""
    now = 1_800_000_000.0

    async with world(clock=lambda: now) as api, connected(api):
        trigger = (await api.slack.shortcut("alice", "new_task")).trigger_id
        now += 3.1
        late = await api.call("views.open", trigger_id=trigger, view=FORM)

    assert late["error"] == "expired_trigger_id"


async def test_a_dialog_is_shown_with_what_slack_adds(form: View, app: SocketApp, api: Api) -> None:
    """The stand-in adds a state, a hash and ids to an open dialog, as Slack does. If a person presses a
    button in the dialog, the app gets the dialog with these additions."""
    answer = await api.slack.press("alice", form, "reload")

    payload = submitted(app)
    assert payload["container"] == {"type": "view", "view_id": form.id}
    view = payload["view"]
    assert (view["hash"], view["root_view_id"], view["private_metadata"]) == (form.hash, form.id, "m")
    assert view["state"]["values"]["prompt"]["text"] == {"type": "plain_text_input", "value": None}
    assert view["state"]["values"]["template"]["name"]["selected_option"]["value"] == "docker"
    assert (answer.ok, payload["actions"][0]["value"]) == (True, "r")


async def test_submitting_gives_the_values_and_closes(form: View, app: SocketApp, api: Api) -> None:
    """If a person submits a dialog, the app gets the values by block id and action id, and the dialog closes.
    A menu that the person did not change has its initial choice."""
    result = await api.slack.submit("alice", form, {"prompt": "fix it"})

    payload = submitted(app)
    assert (payload["type"], payload["view"]["callback_id"]) == ("view_submission", "form")
    assert payload["view"]["state"]["values"]["prompt"]["text"]["value"] == "fix it"
    assert payload["view"]["state"]["values"]["template"]["name"]["selected_option"]["value"] == "docker"
    assert (result.ok, result.view, api.slack.views("alice")) == (True, None, [])


async def test_slack_checks_before_the_app_hears_of_it(form: View, app: SocketApp, api: Api) -> None:
    """If a required field is empty or a text is too long, the dialog shows an error. The app gets no
    submission."""
    with pytest.raises(ImpossibleAction, match="Prompt: this is a required field"):
        await api.slack.submit("alice", form)
    with pytest.raises(ImpossibleAction, match="Prompt: at most 10 characters"):
        await api.slack.submit("alice", form, {"text": "x" * 11})

    assert [e["payload"]["type"] for e in app.envelopes] == ["shortcut"]


async def test_errors_are_shown_in_the_dialog(form: View, app: SocketApp, api: Api) -> None:
    """If the ack of a submission has errors, the dialog stays open and shows them. An error for a block that
    is no input is a violation."""
    app.reply = lambda _: {"response_action": "errors", "errors": {"prompt": "Too short", "more": "?"}}

    result = await api.slack.submit("alice", form, {"text": "x"})

    assert (result.ok, result.errors["prompt"], api.slack.views("alice")) == (False, "Too short", [form])
    assert api.slack.violations == ["errors for blocks that are no inputs: more"]


async def test_an_ack_may_update_push_and_clear(form: View, app: SocketApp, api: Api) -> None:
    """The ack of a submission may have an action. "update" replaces the dialog under the same id. "push"
    opens another dialog on top. "clear" closes all dialogs."""
    app.reply = lambda _: {"response_action": "push", "view": FORM}
    pushed = (await api.slack.submit("alice", form, {"text": "x"})).view
    assert pushed is not None
    app.reply = lambda _: {"response_action": "update", "view": LOADING}
    updated = (await api.slack.submit("alice", pushed, {"text": "x"})).view
    depth = len(api.slack.views("alice"))
    app.reply = lambda _: {"response_action": "clear"}
    await api.slack.submit("alice", form, {"text": "x"})

    assert (pushed.previous_id, pushed.root_id, updated) == (form.id, form.id, pushed)
    assert (depth, api.slack.views("alice")) == (2, [])


async def test_a_submission_that_is_not_acked_leaves_the_dialog_open(
    form: View, app: SocketApp, api: Api
) -> None:
    """If a submission gets no ack, the dialog stays open and says that there was trouble with Slack."""
    app.is_silent = True
    api.slack.sockets.ack_seconds = 0.05

    result = await api.slack.submit("alice", form, {"text": "x"})

    assert result.failure == "We had some trouble connecting. Try again?"
    assert api.slack.views("alice") == [form]


async def test_three_dialogs_are_the_most(form: View, api: Api) -> None:
    """If three dialogs are open on top of each other, a fourth is refused. A push is accepted only with a
    trigger from an open dialog."""
    errors = []
    assert api.slack.views("alice") == [form]
    for _ in range(3):
        top = api.slack.views("alice")[-1]
        trigger = (await api.slack.press("alice", top, "reload")).trigger_id
        errors.append((await api.call("views.push", trigger_id=trigger, view=FORM)).get("error"))
    outside = (await api.slack.shortcut("alice", "new_task")).trigger_id
    errors.append((await api.call("views.push", trigger_id=outside, view=FORM)).get("error"))

    assert errors == [None, None, "push_limit_reached", "not_found"]


async def test_an_update_needs_the_view_and_its_hash(form: View, api: Api) -> None:
    """If the app updates a dialog with an old hash, the answer is a conflict. If the person has closed the
    dialog, the answer says that the dialog is not found."""
    stale = form.hash
    fresh = await api.call("views.update", view_id=form.id, hash=stale, view=LOADING)
    conflict = await api.call("views.update", view_id=form.id, hash=stale, view=FORM)
    await api.slack.close("alice", form)
    closed = await api.call("views.update", view_id=form.id, view=FORM)

    assert fresh["view"]["hash"] != stale
    assert (conflict["error"], closed["error"]) == ("hash_conflict", "not_found")


async def test_an_external_id_is_unique(form: View, api: Api) -> None:
    """No two views can have the same external id. An update can name a view by its external id."""
    await api.call("views.update", view_id=form.id, view=FORM | {"external_id": "mine"})
    trigger = (await api.slack.shortcut("bob", "new_task")).trigger_id

    taken = await api.call("views.open", trigger_id=trigger, view=FORM | {"external_id": "mine"})
    updated = await api.call("views.update", external_id="mine", view=LOADING)

    assert (taken["error"], updated["view"]["id"]) == ("duplicate_external_id", form.id)


async def test_closing_is_told_if_asked_for(form: View, app: SocketApp, api: Api) -> None:
    """If a person closes a view, the app gets a view_closed payload only if the view has notify_on_close."""
    await api.call("views.update", view_id=form.id, view=FORM | {"notify_on_close": True})

    await api.slack.close("alice", form)

    assert (submitted(app)["type"], submitted(app)["is_cleared"]) == ("view_closed", False)
    assert api.slack.views("alice") == []


async def test_options_come_from_the_app(form: View, app: SocketApp, api: Api) -> None:
    """If a person types into an external menu, the stand-in asks the app for options."""
    app.reply = lambda payload: {"options": [{"text": plain(payload["value"]), "value": "1"}]}

    offered = await api.slack.suggest("alice", form, "find", "dock")

    assert offered == [{"text": plain("dock"), "value": "1"}]


async def test_home_is_published_and_shown(app: SocketApp, api: Api) -> None:
    """If a person opens the Home tab, the app gets an event with the tab's present view. If the app publishes
    a new view with an old hash, the call is refused."""
    alice = api.slack.workspace.user("alice").id

    await api.slack.open_home("alice")
    first = await api.call("views.publish", user_id=alice, view=HOME)
    await api.call("views.publish", user_id=alice, view=HOME, hash=first["view"]["hash"])
    conflict = await api.call("views.publish", user_id=alice, view=HOME, hash=first["view"]["hash"])
    await api.slack.open_home("alice")
    await api.slack.wait_until_idle()

    assert conflict["error"] == "hash_conflict"
    assert [(e["type"], e["tab"], "view" in e) for e in app.events] == [
        ("app_home_opened", "home", False),
        ("app_home_opened", "home", True),
    ]


async def test_a_view_that_slack_refuses_is_named(app: SocketApp, api: Api) -> None:
    """If the app sends a view that Slack would refuse, the answer names where the problem is. If the view is
    very large, the error is a different one."""
    assert app.hello
    trigger = (await api.slack.shortcut("alice", "new_task")).trigger_id

    refused = await api.call("views.open", trigger_id=trigger, view=FORM | {"title": plain("x" * 25)})
    huge = await api.call("views.open", trigger_id=trigger, view=FORM | {"private_metadata": "x" * 250_000})

    trouble = "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    assert (refused["error"], refused["response_metadata"]["messages"]) == ("invalid_arguments", [trouble])
    assert huge["error"] == "view_too_large"
