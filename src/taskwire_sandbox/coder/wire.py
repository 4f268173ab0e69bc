"""Encodes answers to clients as a Go server does: JSON, times, and refusals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

JSON_TYPE = "application/json; charset=utf-8"

JsonValue = str | int | float | bool | None | Mapping[str, "JsonValue"] | Sequence["JsonValue"]
Json = dict[str, JsonValue]

NOT_FOUND = "Resource not found or you do not have access to this resource"
ROUTE_NOT_FOUND = "Route not found."
SIGNED_OUT = "You are signed out or your session has expired. Please sign in again to continue."
NO_PERMISSION = (
    "You don't have permission to view this content. If you believe this is a mistake, please contact your "
    "administrator or try signing in with different credentials."
)
UNAUTHORIZED = "unauthorized: rbac: forbidden"

_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, ready to be sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    watches: str = ""  # id of the workspace whose changes are streamed after the body
    after_seconds: float = 0.0  # delay of this answer, by the deployment's clock


class Refusal(Exception):
    """A refusal of Coder: a status and a message. Some refusals also have a detail or validations."""

    def __init__(
        self,
        status: int,
        message: str,
        detail: str = "",
        validations: Sequence[tuple[str, str]] = (),
        *,
        after_seconds: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds  # delay of the answer, by the deployment's clock
        self.status = status
        self.message = message
        self.detail = detail
        self.validations = validations

    def response(self) -> Response:
        """Return the answer in Coder's form, without empty keys."""
        body: Json = {"message": self.message}
        if self.detail:
            body["detail"] = self.detail
        if self.validations:
            body["validations"] = [{"field": name, "detail": text} for name, text in self.validations]
        return replace(json_response(self.status, body), after_seconds=self.after_seconds)


def not_found() -> Refusal:
    """Return Coder's 404, both for a missing row and for a row that the viewer may not see."""
    return Refusal(404, NOT_FOUND)


def encode(value: JsonValue) -> bytes:
    """Encode JSON as Go does: compact, with keys in the given order, and with HTML characters escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPES).encode("utf-8", "replace")


def json_response(status: int, value: JsonValue) -> Response:
    """Return a JSON answer. The answer ends with a line break, because Go's encoder writes one."""
    return Response(status, encode(value) + b"\n", content_type=JSON_TYPE)


def timestamp(moment: datetime, nanoseconds: int = 0, offset_minutes: int = 0) -> str:
    """Format a time as Go does: RFC 3339, without trailing zeros in the fraction, with Z or an offset."""
    zone = timezone(timedelta(minutes=offset_minutes))
    local = moment.astimezone(zone)
    fraction = f".{local.microsecond:06d}{nanoseconds:03d}".rstrip("0").rstrip(".")
    suffix = "Z" if offset_minutes == 0 else local.strftime("%z")[:3] + ":" + local.strftime("%z")[3:]
    return local.strftime("%Y-%m-%dT%H:%M:%S") + fraction + suffix


def go_time(moment: datetime) -> str:
    """Format a time as Go prints a time in a sentence."""
    local = moment.astimezone(UTC)
    fraction = f".{local.microsecond:06d}".rstrip("0").rstrip(".")
    return local.strftime("%Y-%m-%d %H:%M:%S") + fraction + " +0000 UTC"


def quoted(text: str) -> str:
    """Quote a string as Go's %q does. For ordinary text, the result is a JSON string."""
    return json.dumps(text, ensure_ascii=False)
