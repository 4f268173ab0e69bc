"""Reads request bodies as Go decodes them, and refuses a wrong body in Go's words."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from taskwire_sandbox.coder.ids import NIL, as_uuid
from taskwire_sandbox.coder.wire import Json, JsonValue, Refusal

GO_KINDS = {"string": "string", "int": "int64", "bool": "bool", "strings": "[]string", "objects": "[]object"}
ZEROS: dict[str, JsonValue] = {
    "string": "", "uuid": NIL, "int": 0, "bool": False, "strings": [], "objects": [], "map": {},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Struct:
    """A Go struct: the name of the struct, and the kind of each JSON field."""

    name: str
    fields: dict[str, str]


CREATE_TASK = Struct(
    "CreateTaskRequest",
    {
        "template_version_id": "uuid",
        "template_version_preset_id": "uuid",
        "input": "string",
        "name": "string",
        "display_name": "string",
    },
)
SEND = Struct("TaskSendRequest", {"input": "string"})
UPDATE_INPUT = Struct("UpdateTaskInputRequest", {"input": "string"})
CREATE_TOKEN = Struct(
    "CreateTokenRequest",
    {
        "lifetime": "int",
        "token_name": "string",
        "scope": "string",
        "scopes": "strings",
        "allow_list": "objects",
    },
)
AUTH_CHECK = Struct("AuthorizationRequest", {"checks": "map"})
UPDATE_ACL = Struct("UpdateWorkspaceACL", {"user_roles": "map", "group_roles": "map"})
UPDATE_PREFERENCES = Struct("UpdateUserNotificationPreferences", {"template_disabled_map": "map"})
CREATE_BUILD = Struct(
    "CreateWorkspaceBuildRequest",
    {"transition": "string", "template_version_id": "uuid", "reason": "string", "dry_run": "bool"},
)
APP_STATUS = Struct(
    "PatchAppStatus",
    {
        "app_slug": "string",
        "state": "string",
        "message": "string",
        "uri": "string",
        "icon": "string",
        "needs_user_attention": "bool",
    },
)


def read(raw: bytes, struct: Struct, record_violation: Callable[[str], None]) -> dict[str, JsonValue]:
    """Return every field of the struct. A field that the body does not have gets Go's zero value.

    Raise Refusal if Go cannot decode the body. An unknown field is passed to `record_violation` and left out.
    """
    found = _object(raw, struct, record_violation)
    values = {name: ZEROS[kind] for name, kind in struct.fields.items()}
    for key, value in found.items():
        name = key if key in struct.fields else key.lower()
        if name not in struct.fields:
            record_violation(f"{struct.name} has no field {key!r}; Coder ignores it")
            continue
        if value is not None:
            values[name] = _checked(value, struct, name, record_violation)
    return values


def text(values: dict[str, JsonValue], name: str) -> str:
    """Return the string in a field."""
    value = values[name]
    return value if isinstance(value, str) else ""


def _object(raw: bytes, struct: Struct, record_violation: Callable[[str], None]) -> Json:
    try:
        source = raw.decode("utf-8", "replace").lstrip()
        if not source:
            raise _refused("EOF")
        # Go's decoder reads one value and ignores the text after that value.
        value, _ = json.JSONDecoder().raw_decode(source)
    except json.JSONDecodeError as error:
        record_violation(f"{struct.name}: the body is not JSON")
        at = error.pos
        if at >= len(source):
            raise _refused("unexpected EOF") from error
        raise _refused(f"invalid character {source[at]!r} looking for beginning of value") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        record_violation(f"{struct.name}: the body is no object")
        go_type = f"codersdk.{struct.name}"
        raise _refused(f"json: cannot unmarshal {_json_kind(value)} into Go value of type {go_type}")
    return value


def _checked(
    value: JsonValue, struct: Struct, name: str, record_violation: Callable[[str], None]
) -> JsonValue:
    kind = struct.fields[name]
    if kind == "uuid":
        return _checked_uuid(value, struct, name, record_violation)
    if _fits(value, kind):
        return value
    record_violation(f"{struct.name}.{name}: {_json_kind(value)} instead of {kind}")
    go_kind = GO_KINDS.get(kind, "map[string]" + ("bool" if name.endswith("disabled_map") else "string"))
    raise _mistyped(value, struct, name, go_kind)


def _checked_uuid(
    value: JsonValue, struct: Struct, name: str, record_violation: Callable[[str], None]
) -> str:
    if not isinstance(value, str):
        record_violation(f"{struct.name}.{name}: {_json_kind(value)} instead of a uuid")
        raise _mistyped(value, struct, name, "uuid.UUID")
    known = as_uuid(value)
    if known is None:
        record_violation(f"{struct.name}.{name}: {value!r} is no uuid")
        wrong_length = len(value) not in (32, 36, 38, 45)
        raise _refused(f"invalid UUID length: {len(value)}" if wrong_length else "invalid UUID format")
    return known


def _fits(value: JsonValue, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "strings":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case "objects":
            return isinstance(value, list) and all(isinstance(item, dict) for item in value)
        case _:
            return isinstance(value, dict)


def _json_kind(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _mistyped(value: JsonValue, struct: Struct, name: str, go_kind: str) -> Refusal:
    found, field = _json_kind(value), f"{struct.name}.{name}"
    return _refused(f"json: cannot unmarshal {found} into Go struct field {field} of type {go_kind}")


def _refused(detail: str) -> Refusal:
    return Refusal(400, "Request body must be valid JSON.", detail)
