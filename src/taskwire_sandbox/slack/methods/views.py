"""views.*: methods for dialogs and the Home tab."""

import json

from taskwire_sandbox.slack import view_stacks
from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.block_rules import VIEW_BYTES, view_problems
from taskwire_sandbox.slack.errors import ApiError, Json, invalid_arguments
from taskwire_sandbox.slack.interaction_payloads import view_payload
from taskwire_sandbox.slack.methods.spec import method
from taskwire_sandbox.slack.tickets import Trigger
from taskwire_sandbox.slack.view_stacks import MAX_STACK, View


def check_view(slack: Backend, given: object, kind: str) -> Json:
    """Check a view from the app. Return the view as Slack stores it. `kind` is `modal` or `home`.

    Raise ApiError if Slack would refuse the view.
    """
    if not isinstance(given, dict):
        raise invalid_arguments("view must be an object [json-pointer:/view]")
    if len(json.dumps(given)) > VIEW_BYTES:
        raise ApiError("view_too_large")
    found = view_problems(given, kind)
    if found:
        slack.ledger.record_violation(f"invalid view: {'; '.join(found)}")
        raise ApiError("invalid_arguments", response_metadata={"messages": found})
    return view_stacks.complete_view(given)


def make(slack: Backend, user: str, given: Json, previous: View | None) -> View:
    """Create a view of the app. `previous` is the dialog below the new dialog; None if there is none.

    Raise ApiError if the view has an `external_id` that is in use.
    """
    external_id = given.get("external_id")
    if external_id and slack.views.find_external(external_id):
        raise ApiError("duplicate_external_id")
    view_id = slack.ids.unique("V")
    root = previous.root_id if previous else view_id
    version = slack.views.new_hash(slack.ids.clock())
    return View(view_id, user, given, version, root, previous.id if previous else None)


def replace(slack: Backend, view: View, given: Json) -> None:
    """Replace the content of a view.

    An input keeps its value if its block id and its action id do not change.
    """
    other = slack.views.find_external(given.get("external_id") or "-")
    if other is not None and other is not view:
        raise ApiError("duplicate_external_id")
    view.content = given
    view.hash = slack.views.new_hash(slack.ids.clock())
    slack.ledger.change("view", user=view.user, view=view_payload(slack, view))


def _trigger(slack: Backend, arguments: Json) -> Trigger:
    given = arguments.get("trigger_id") or arguments.get("interactivity_pointer")
    if not given:
        raise ApiError("invalid_trigger_id")
    return slack.tickets.redeem(given)


def show(slack: Backend, view: View) -> None:
    """Put a dialog on top of the open dialogs of its person."""
    slack.views.stack(view.user).append(view)
    slack.ledger.change("view", user=view.user, view=view_payload(slack, view))


def _open(slack: Backend, arguments: Json) -> Json:
    given = check_view(slack, arguments["view"], "modal")
    trigger = _trigger(slack, arguments)
    view = make(slack, trigger.user, given, None)
    slack.views.stack(trigger.user).clear()
    show(slack, view)
    return {"view": view_payload(slack, view)}


def _push(slack: Backend, arguments: Json) -> Json:
    given = check_view(slack, arguments["view"], "modal")
    trigger = _trigger(slack, arguments)
    stack = slack.views.stack(trigger.user)
    if trigger.view_id is None or not stack:
        raise ApiError("not_found")
    if len(stack) >= MAX_STACK:
        raise ApiError("push_limit_reached")
    view = make(slack, trigger.user, given, stack[-1])
    show(slack, view)
    return {"view": view_payload(slack, view)}


def _update(slack: Backend, arguments: Json) -> Json:
    view = None
    if arguments.get("view_id"):
        view = slack.views.find(arguments["view_id"])
    elif arguments.get("external_id"):
        view = slack.views.find_external(arguments["external_id"])
    if view is None:
        raise ApiError("not_found")
    given = check_view(slack, arguments["view"], view.type)
    if arguments.get("hash") and arguments["hash"] != view.hash:
        raise ApiError("hash_conflict")
    replace(slack, view, given)
    return {"view": view_payload(slack, view)}


def _publish(slack: Backend, arguments: Json) -> Json:
    if not slack.app.manifest.home_enabled:
        raise ApiError("not_enabled")
    given = check_view(slack, arguments["view"], "home")
    user = arguments["user_id"]
    if user not in slack.workspace.users:
        raise invalid_arguments("user_id is no user")
    view = slack.views.home.get(user)
    if arguments.get("hash") and (view is None or arguments["hash"] != view.hash):
        raise ApiError("hash_conflict")
    if view is None:
        view = make(slack, user, given, None)
        slack.views.home[user] = view
    replace(slack, view, given)
    return {"view": view_payload(slack, view)}


_TRIGGERED = "duplicate_external_id exchanged_trigger_id expired_trigger_id invalid_trigger_id view_too_large"

METHODS = (
    method("views.open", _open, "view!:json trigger_id interactivity_pointer", tier=4, errors=_TRIGGERED),
    method(
        "views.push",
        _push,
        "view!:json trigger_id interactivity_pointer",
        tier=4,
        errors=f"{_TRIGGERED} not_found push_limit_reached",
    ),
    method(
        "views.update",
        _update,
        "view!:json view_id external_id hash",
        tier=4,
        errors="duplicate_external_id hash_conflict not_found view_too_large",
    ),
    method(
        "views.publish",
        _publish,
        "user_id! view!:json hash",
        tier=4,
        errors="duplicate_external_id hash_conflict not_enabled view_too_large",
    ),
)
