"""The rules for dialogs and the Home tab, except those for their blocks."""

from taskwire_sandbox.slack.block_rules import HOME, MODAL, problems
from taskwire_sandbox.slack.element_rules import plain
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.shape_checks import Check, Report, anything, boolean, one_of, shape, string

# Slack answers a larger view with view_too_large. The number is in bytes of JSON.
VIEW_BYTES = 250_000
_SHARED: dict[str, Check] = {
    "private_metadata": string(3000, least=0),
    "callback_id": string(255, least=0),
    "external_id": string(255, least=0),
}
_MODAL = shape(
    {"type": one_of("modal"), "title": plain(24), "blocks": anything},
    _SHARED
    | {"submit": plain(24), "close": plain(24), "clear_on_close": boolean}
    | {"notify_on_close": boolean, "submit_disabled": boolean},
)
_HOME = shape({"type": one_of("home"), "blocks": anything}, _SHARED)


def view_problems(view: Json, kind: str) -> list[str]:
    """List the reasons for which Slack would refuse this view."""
    report = Report()
    (_MODAL if kind == "modal" else _HOME)(view, "/view", report)
    blocks = view.get("blocks", [])
    found = report.messages + problems(blocks, MODAL if kind == "modal" else HOME, "/view/blocks")
    if not found and kind == "modal" and "submit" not in view and any(b["type"] == "input" for b in blocks):
        found.append("[ERROR] missing required field: submit [json-pointer:/view]")
    return found
