"""What happens when a person submits a dialog: first Slack's own checks, then what the app's ack requests."""

from dataclasses import dataclass, field

from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, ImpossibleAction, Json
from taskwire_sandbox.slack.interaction_payloads import state
from taskwire_sandbox.slack.methods import views
from taskwire_sandbox.slack.view_stacks import MAX_STACK, View

_EMPTY: tuple[object, ...] = (None, "", [])


@dataclass(frozen=True)
class SubmitResult:
    """The result of submitting a dialog.

    `errors` has the app's error texts by block id. `view` is the dialog that is now on top; None if none is
    open.
    """

    failure: str = ""
    error: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    view: View | None = None

    @property
    def ok(self) -> bool:
        """Return whether the app accepted the dialog."""
        return not self.failure and not self.errors


def check_entered(view: View) -> None:
    """Check required fields and lengths, as Slack's client does before a person can submit a dialog.

    Raise ImpossibleAction if a field breaks one of these rules.
    """
    values = state(view)["values"]
    for block in view.content["blocks"]:
        if block["type"] != "input":
            continue
        element = block["element"]
        own = values[block["block_id"]][element["action_id"]]
        chosen = next((value for key, value in own.items() if key != "type"), None)
        label = block["label"]["text"]
        if chosen in _EMPTY and not block.get("optional"):
            raise ImpossibleAction(f"{label}: this is a required field")
        _check_length(label, element, chosen)


def _check_length(label: str, element: Json, chosen: object) -> None:
    if not isinstance(chosen, str) or element["type"] != "plain_text_input":
        return
    if len(chosen) > element.get("max_length", 3000):
        raise ImpossibleAction(f"{label}: at most {element.get('max_length', 3000)} characters")
    if len(chosen) < element.get("min_length", 0):
        raise ImpossibleAction(f"{label}: at least {element['min_length']} characters")


def apply_response_action(slack: Backend, view: View, reply: Json) -> SubmitResult:
    """Do what the app's ack of a submission requests."""
    kind = reply.get("response_action")
    if kind == "errors":
        return _show_errors(slack, view, reply)
    stack = slack.views.stack(view.user)
    try:
        if kind in ("update", "push"):
            return _show_view(slack, view, reply, kind)
    except ApiError as refused:
        slack.ledger.record_violation(f"the view of response_action {kind} was refused: {refused.error}")
        return SubmitResult(failure="We had some trouble connecting. Try again?", error=refused.error)
    if kind == "clear":
        stack.clear()
    elif reply and kind is None:
        slack.ledger.record_violation("the ack of a submission has a body without response_action")
    slack.views.drop(view)
    slack.ledger.change("view_closed", user=view.user, view_id=view.id)
    return SubmitResult(view=stack[-1] if stack else None)


def _show_errors(slack: Backend, view: View, reply: Json) -> SubmitResult:
    inputs = {block["block_id"] for block in view.content["blocks"] if block["type"] == "input"}
    errors = reply.get("errors") or {}
    wrong = sorted(set(errors) - inputs)
    if wrong or not errors:
        slack.ledger.record_violation(
            f"errors for blocks that are no inputs: {', '.join(wrong) or 'none given'}"
        )
    slack.ledger.change("view_errors", user=view.user, view_id=view.id, errors=errors)
    return SubmitResult(errors=errors, view=view)


def _show_view(slack: Backend, view: View, reply: Json, kind: str) -> SubmitResult:
    given = views.check_view(slack, reply.get("view"), "modal")
    stack = slack.views.stack(view.user)
    if kind == "update":
        views.replace(slack, view, given)
        return SubmitResult(view=view)
    if len(stack) >= MAX_STACK:
        raise ApiError("push_limit_reached")
    pushed = views.make(slack, view.user, given, view)
    views.show(slack, pushed)
    return SubmitResult(view=pushed)
