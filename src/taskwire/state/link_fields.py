"""Reads a link from the fields of its hash in Redis. `links` writes them."""

from typing import cast

from pydantic import ValidationError

from taskwire.domain.ids import Ts, UserId
from taskwire.domain.link_state import LinkState
from taskwire.domain.links import Hold, Link, LinkEnd, LinkRecord, PauseLine
from taskwire.domain.phases import Observation
from taskwire.redis.decoding import CannotRead


def read_link(fields: dict[str, str]) -> Link:
    """Read a link. Raise CannotRead if a newer version has written it."""
    try:
        return _read_link(fields)
    except ValidationError as error:
        raise CannotRead(error) from error


def _read_link(fields: dict[str, str]) -> Link:
    return Link(
        record=LinkRecord.model_validate_json(fields["record"]),
        state=LinkState.model_validate_json(fields["state"]) if "state" in fields else LinkState(),
        observation=Observation.model_validate_json(fields["seen"]) if "seen" in fields else None,
        hold=Hold.model_validate_json(fields["hold"]) if "hold" in fields else None,
        pause_line=PauseLine.model_validate_json(fields["pause_line"]) if "pause_line" in fields else None,
        end_reason=cast("LinkEnd | None", fields.get("ended")),
        failure=fields.get("failure", ""),
        moved_to=fields.get("moved_to", ""),
        build_failure=fields.get("build_failure", ""),
        is_muted="muted" in fields,
        watchers=tuple(UserId(person) for person in fields.get("watchers", "").split()),
        shares=tuple(fields.get("shares", "").split()),
        is_mention_only="mention_only" in fields,
        waits_for_resume="waits_for_resume" in fields,
        has_moved="moved" in fields,
        maybe_moved_since=Ts(fields["maybe_moved"]) if "maybe_moved" in fields else None,
        closed_error=fields.get("closed_error", ""),
        cursor=fields.get("cursor", ""),
        drawn_card=fields.get("drawn_card", ""),
        told_home=fields.get("told_home", ""),
        last_input_ts=Ts(fields["last_input"]) if "last_input" in fields else None,
        follow_until_ms=int(fields.get("follow", 0)),
        pending=fields.get("pending", ""),
    )


def read_link_if_possible(fields: dict[str, str]) -> Link | None:
    """Read a link; None if only a newer version can read it."""
    try:
        return read_link(fields)
    except CannotRead:
        return None
