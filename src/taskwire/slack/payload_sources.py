"""Reads where a payload comes from: the workspace, the organization, and whether an app has written it.

`listeners/ingress.py` uses this to decide which payloads are accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from taskwire.slack.payload_fields import read_flag, read_object, read_objects, read_text

Body = Mapping[str, object]


@dataclass(frozen=True)
class Source:
    """The origin of a payload, as far as the payload shows it.

    `team_id` is the workspace to which Slack delivered the payload. `actor_team_id` is the workspace of the
    person who acted. `actor_team_id` is None if the payload is from a shared channel and does not name that
    workspace.
    """

    team_id: str
    enterprise_id: str | None
    actor_team_id: str | None
    is_bot: bool


def parse_source(body: Body) -> Source:
    """Return the origin of any payload."""
    event = read_object(body, "event")
    first = next(iter(read_objects(body, "authorizations")), {})
    team = _get_team(body, first)
    enterprises = (
        read_text(first, "enterprise_id"),
        read_text(body, "enterprise", "id"),
        read_text(body, "enterprise_id"),
    )
    return Source(
        team_id=team,
        enterprise_id=next((found for found in enterprises if found), None),
        actor_team_id=_find_actor_team(body, event, team),
        is_bot=bool(event) and any(is_from_bot(part) for part in (event, read_object(event, "message"))),
    )


def _get_team(body: Body, authorization: Body) -> str:
    """Return the workspace to which a payload was delivered; an empty string if the payload does not say.

    In a shared channel, the `team_id` of an event may be the other company's workspace. The `team_id` of the
    event's authorization is always our workspace.
    """
    found = (
        read_text(body, "view", "app_installed_team_id"),
        read_text(authorization, "team_id"),
        read_text(body, "team", "id"),
        read_text(body, "team_id"),
        read_text(body, "user", "team_id"),
    )
    return next((team for team in found if team), "")


def _find_actor_team(body: Body, event: Body, team: str) -> str | None:
    """Return the workspace of the person who acted; None if the payload does not name that workspace.

    In a channel that is shared with another company, only the fields of the event itself name that workspace.
    """
    if not event:
        return read_text(body, "user", "team_id") or read_text(body, "team_id") or team or None
    # The event of an edit or a deletion names the workspace only in the message, as it is now or was before.
    parts = (event, read_object(event, "message"), read_object(event, "previous_message"))
    named = (read_text(part, "user_team") or read_text(part, "team") for part in parts)
    actor_team = next((found for found in named if found), "")
    if actor_team.startswith("E"):
        # This is the id of an organization and not of a workspace.
        is_ours = actor_team in (read_text(body, "enterprise_id"), read_text(body, "context_enterprise_id"))
        return team if is_ours else None
    if actor_team:
        return actor_team
    return None if read_flag(body, "is_ext_shared_channel") else team or None


def is_of_stranger(message: Body, team_id: str, enterprise_id: str | None) -> bool:
    """Return whether a message of a conversation's history names another company's workspace.

    `team_id` is our workspace. In an organization, return False: the message may name another of the
    organization's workspaces.
    """
    team = read_text(message, "user_team") or read_text(message, "team")
    return enterprise_id is None and team not in ("", team_id)


def is_from_bot(message: Body) -> bool:
    """Return whether an app has written a message."""
    return bool(read_text(message, "bot_id")) or read_text(message, "subtype") == "bot_message"
