"""conversations.* and users.conversations: methods about conversations and their history."""

import re

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.methods.spec import (
    HISTORY_SCOPES,
    READ_SCOPES,
    get_joined_channel,
    get_visible_channel,
    method,
    page,
    require_scope,
)
from taskwire_sandbox.slack.workspace import IM, MPIM, PRIVATE, PUBLIC, Channel

_TS = re.compile(r"\d+(\.\d+)?")
_KINDS = {"public_channel": PUBLIC, "private_channel": PRIVATE, "im": IM, "mpim": MPIM}
_HISTORY_PAGE, _HISTORY_MOST = 100, 999
_REPLIES_PAGE = 1000
_MPIM_MOST = 8


def _moment(arguments: Json, key: str) -> float | None:
    value = arguments.get(key)
    if not value:
        return None
    if not _TS.fullmatch(value):
        raise ApiError(f"invalid_ts_{key}")
    return float(value)


def _within(arguments: Json, stamps: list[str]) -> list[str]:
    """Return those timestamps that lie between the arguments `oldest` and `latest`. A missing argument is no
    limit."""
    oldest, latest = _moment(arguments, "oldest"), _moment(arguments, "latest")
    ends = {arguments.get("oldest"), arguments.get("latest")} if arguments.get("inclusive") else set()
    return [
        ts
        for ts in stamps
        if ts in ends or ((oldest is None or float(ts) > oldest) and (latest is None or float(ts) < latest))
    ]


def _shown(channel: Channel, stamps: list[str], arguments: Json) -> list[Json]:
    with_metadata = bool(arguments.get("include_all_metadata"))
    return [messages.show(channel, ts, with_metadata=with_metadata) for ts in stamps]


def _history(slack: Backend, arguments: Json) -> Json:
    channel = get_joined_channel(slack, arguments["channel"])
    require_scope(slack, HISTORY_SCOPES[channel.kind])
    top = [ts for ts, stored in channel.messages.items() if _is_in_history(ts, stored.body)]
    found, cursor = page(_within(arguments, top[::-1]), arguments, default=_HISTORY_PAGE, most=_HISTORY_MOST)
    answer: Json = {"messages": _shown(channel, found, arguments), "has_more": bool(cursor), "pin_count": 0}
    return answer | _more(cursor)


def _more(cursor: str) -> Json:
    return {"response_metadata": {"next_cursor": cursor}} if cursor else {}


def _is_in_history(ts: str, body: Json) -> bool:
    is_reply = body.get("thread_ts", ts) != ts
    return not is_reply or body.get("subtype") == "thread_broadcast"


def _replies(slack: Backend, arguments: Json) -> Json:
    channel = get_joined_channel(slack, arguments["channel"], error="channel_not_found")
    require_scope(slack, HISTORY_SCOPES[channel.kind])
    stored = channel.messages.get(arguments["ts"])
    if stored is None:
        raise ApiError("thread_not_found")
    found, cursor = page(_within(arguments, stored.replies), arguments, default=_REPLIES_PAGE)
    # The parent comes first on every page, even if it is outside the requested range.
    shown = _shown(channel, [arguments["ts"], *found], arguments)
    return {"messages": shown, "has_more": bool(cursor)} | _more(cursor)


def _info(slack: Backend, arguments: Json) -> Json:
    channel = get_visible_channel(slack, arguments["channel"])
    require_scope(slack, READ_SCOPES[channel.kind])
    shown = channel.payload(slack.app.bot_user_id, slack.workspace.team_id)
    if arguments.get("include_num_members"):
        shown["num_members"] = len(channel.members)
    return {"channel": shown}


def _open(slack: Backend, arguments: Json) -> Json:
    if arguments.get("channel"):
        channel = get_visible_channel(slack, arguments["channel"])
        return {"channel": _opened(slack, channel, arguments)}
    people = [person for person in (arguments.get("users") or "").split(",") if person]
    if not people:
        raise ApiError("users_list_not_supplied")
    if len(people) > _MPIM_MOST:
        raise ApiError("too_many_users")
    for person in people:
        user = slack.workspace.users.get(person)
        if user is None:
            raise ApiError("user_not_found")
        if user.deleted:
            raise ApiError("user_disabled")
    require_scope(slack, "im:write" if len(people) == 1 else "mpim:write")
    everybody = [slack.app.bot_user_id, *people]
    existed = slack.workspace.find_direct(everybody) is not None
    channel = slack.workspace.open_direct(everybody)
    known: Json = {"no_op": True, "already_open": True} if existed else {}
    return {"channel": _opened(slack, channel, arguments)} | known


def _opened(slack: Backend, channel: Channel, arguments: Json) -> Json:
    if arguments.get("return_im"):
        return channel.payload(slack.app.bot_user_id, slack.workspace.team_id)
    return {"id": channel.id}


def _join(slack: Backend, arguments: Json) -> Json:
    channel = get_visible_channel(slack, arguments["channel"])
    if channel.kind != PUBLIC:
        raise ApiError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise ApiError("is_archived")
    warned: Json = {}
    if slack.app.bot_user_id in channel.members:
        warned = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
    else:
        messages.join(slack, channel, slack.app.bot_user_id)
    return {"channel": channel.payload(slack.app.bot_user_id, slack.workspace.team_id)} | warned


def _members(slack: Backend, arguments: Json) -> Json:
    channel = get_visible_channel(slack, arguments["channel"])
    require_scope(slack, READ_SCOPES[channel.kind])
    found, cursor = page(list(channel.members), arguments, default=100, bad_limit="invalid_limit")
    return {"members": found, "response_metadata": {"next_cursor": cursor}}


def _of_user(slack: Backend, arguments: Json) -> Json:
    asked = (arguments.get("types") or "public_channel").split(",")
    if not set(asked) <= set(_KINDS):
        raise ApiError("invalid_types")
    kinds = {_KINDS[kind] for kind in asked}
    for kind in kinds:
        require_scope(slack, READ_SCOPES[kind])
    user = arguments.get("user") or slack.app.bot_user_id
    bot, found = slack.app.bot_user_id, []
    for channel in slack.workspace.channels.values():
        is_seen = user in channel.members and (channel.kind == PUBLIC or bot in channel.members)
        if (
            is_seen
            and channel.kind in kinds
            and not (arguments.get("exclude_archived") and channel.is_archived)
        ):
            found.append(channel.id)
    shown, cursor = page(found, arguments, default=100, bad_limit="invalid_limit")
    channels = [slack.workspace.channels[id_].payload(bot, slack.workspace.team_id) for id_ in shown]
    return {"channels": channels, "response_metadata": {"next_cursor": cursor}}


_READ = "channels:read groups:read im:read mpim:read"
_HISTORY = "channels:history groups:history im:history mpim:history"
_RANGE = "cursor limit:int oldest latest inclusive:bool include_all_metadata:bool"

METHODS = (
    method(
        "conversations.history",
        _history,
        f"channel! {_RANGE}",
        tier=3,
        scopes=_HISTORY,
        errors="channel_not_found invalid_cursor invalid_ts_latest invalid_ts_oldest not_in_channel",
    ),
    method(
        "conversations.replies",
        _replies,
        f"channel! ts! {_RANGE}",
        tier=3,
        scopes=_HISTORY,
        errors="channel_not_found invalid_cursor invalid_ts_latest invalid_ts_oldest thread_not_found",
    ),
    method(
        "conversations.info",
        _info,
        "channel! include_locale:bool include_num_members:bool",
        tier=3,
        scopes=_READ,
        errors="channel_not_found",
    ),
    method(
        "conversations.open",
        _open,
        "channel users return_im:bool prevent_creation:bool",
        tier=3,
        scopes="channels:manage groups:write im:write mpim:write",
        errors="channel_not_found too_many_users user_disabled user_not_found users_list_not_supplied",
    ),
    method(
        "conversations.join",
        _join,
        "channel!",
        tier=3,
        scopes="channels:join",
        errors="channel_not_found is_archived method_not_supported_for_channel_type",
    ),
    method(
        "conversations.members",
        _members,
        "channel! cursor limit:int",
        tier=4,
        scopes=_READ,
        errors="channel_not_found invalid_cursor invalid_limit",
    ),
    method(
        "users.conversations",
        _of_user,
        "user types cursor limit:int exclude_archived:bool team_id",
        tier=3,
        scopes=_READ,
        errors="invalid_cursor invalid_limit invalid_types",
    ),
)
