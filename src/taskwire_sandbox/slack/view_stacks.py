"""The open dialogs and the Home tab of each person. The rules for their content are in `block_rules`."""

import hashlib
import json
from dataclasses import dataclass, field

from taskwire_sandbox.slack.errors import Json

# How many dialogs may be open on top of each other.
MAX_STACK = 3
# The keys of an app's view that Slack stores.
_KEYS = ("type", "blocks", "private_metadata", "callback_id", "title", "submit", "close", "clear_on_close")
_OPTIONAL_KEYS = ("notify_on_close", "external_id", "submit_disabled")
_EMPTY: Json = {"private_metadata": "", "callback_id": "", "external_id": "", "clear_on_close": False}


@dataclass(eq=False)
class View:
    """One dialog or Home tab. `values` is what the person has entered, by block id and action id."""

    id: str
    user: str
    content: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    values: dict[str, Json] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type of the view: modal or home."""
        return str(self.content["type"])


class ViewStacks:
    """Each person's Home tab and open dialogs. The last dialog is on top."""

    def __init__(self) -> None:
        self.open: dict[str, list[View]] = {}
        self.home: dict[str, View] = {}
        self._revision = 0

    def stack(self, user: str) -> list[View]:
        """Return this person's open dialogs."""
        return self.open.setdefault(user, [])

    def find(self, view_id: str) -> View | None:
        """Find an open view by id; None if there is none."""
        return next((view for view in self._all() if view.id == view_id), None)

    def find_external(self, external_id: str) -> View | None:
        """Find an open view by the external id that the app has given it; None if there is none."""
        return next((view for view in self._all() if view.content.get("external_id") == external_id), None)

    def _all(self) -> list[View]:
        return [view for stack in self.open.values() for view in stack] + list(self.home.values())

    def new_hash(self, now: float) -> str:
        """Return a new hash for a version of a view."""
        self._revision += 1
        return f"{int(now)}.{hashlib.sha256(str(self._revision).encode()).hexdigest()[:8]}"

    def drop(self, view: View) -> None:
        """Close a dialog."""
        stack = self.stack(view.user)
        if view in stack:
            stack.remove(view)


def complete_view(view: Json) -> Json:
    """Return the app's view as Slack stores it. Every block and every element gets an id."""
    kept = _EMPTY | {key: view[key] for key in (*_KEYS, *_OPTIONAL_KEYS) if key in view}
    kept["blocks"] = with_ids(json.loads(json.dumps(view.get("blocks", []))))
    return kept


def with_ids(blocks: list[Json]) -> list[Json]:
    """Add ids to blocks and interactive elements that have none."""
    for number, block in enumerate(blocks):
        block.setdefault("block_id", f"slack{number}")
        for position, element in enumerate(elements(block)):
            if element.get("type") != "image":
                element.setdefault("action_id", f"slack{number}.{position}")
    return blocks


def elements(block: Json) -> list[Json]:
    """List those elements of a block that a person can use."""
    kind = block.get("type")
    if kind in ("actions", "context_actions"):
        return list(block.get("elements", []))
    if kind == "section" and "accessory" in block:
        return [block["accessory"]]
    if kind == "input":
        return [block["element"]]
    if kind == "card":
        return list(block.get("actions", []))
    if kind == "carousel":
        return [element for card in block.get("elements", []) for element in elements(card)]
    if kind == "container":
        return [element for child in block.get("child_blocks", []) for element in elements(child)]
    return []
