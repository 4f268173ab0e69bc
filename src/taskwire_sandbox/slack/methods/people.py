"""users.* and usergroups.*: methods about people and user groups."""

from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.methods.spec import method, page
from taskwire_sandbox.slack.workspace import User


def _shown(slack: Backend, user: User) -> Json:
    return user.payload(with_email="users:read.email" in slack.app.manifest.scopes)


def _info(slack: Backend, arguments: Json) -> Json:
    user = slack.workspace.users.get(arguments["user"])
    if user is None:
        raise ApiError("user_not_found")
    return {"user": _shown(slack, user)}


def _lookup_by_email(slack: Backend, arguments: Json) -> Json:
    wanted = arguments["email"].lower()
    for user in slack.workspace.users.values():
        if user.email and user.email.lower() == wanted and not user.deleted and not user.is_stranger:
            return {"user": _shown(slack, user)}
    raise ApiError("users_not_found")


def _check_team(slack: Backend, arguments: Json) -> str:
    """Return the id of the workspace that a call is about.

    If the app is installed in an organization, the call must name one of the organization's workspaces.
    Otherwise raise ApiError.
    """
    installed, team = slack.workspace.org_teams, str(arguments.get("team_id") or "")
    if not installed:
        return slack.workspace.team_id
    if not team:
        raise ApiError("missing_argument")
    if team not in installed:
        raise ApiError("team_access_not_granted")
    return team


def _list(slack: Backend, arguments: Json) -> Json:
    team = _check_team(slack, arguments)
    users = slack.workspace.users.values()
    everybody = [user.id for user in users if not user.is_stranger and team in (user.team_id, *user.teams)]
    found, cursor = page(everybody, arguments, default=1000, bad_limit="limit_required")
    members = [_shown(slack, slack.workspace.users[user]) for user in found]
    following = {"response_metadata": {"next_cursor": cursor}}
    return {"members": members, "cache_ts": int(slack.ids.clock())} | following


def _groups(slack: Backend, arguments: Json) -> Json:
    with_users = bool(arguments.get("include_users"))
    team_id = _check_team(slack, arguments)
    shown = [
        group.payload(team_id, with_users=with_users)
        for group in slack.workspace.groups.values()
        if team_id == slack.workspace.team_id and (arguments.get("include_disabled") or not group.is_disabled)
    ]
    return {"usergroups": shown}


def _group_users(slack: Backend, arguments: Json) -> Json:
    is_home = _check_team(slack, arguments) == slack.workspace.team_id
    group = slack.workspace.groups.get(arguments["usergroup"]) if is_home else None
    if group is None or (group.is_disabled and not arguments.get("include_disabled")):
        raise ApiError("no_such_subteam")
    return {"users": list(group.members)}


METHODS = (
    method(
        "users.info", _info, "user! include_locale:bool", tier=4, scopes="users:read", errors="user_not_found"
    ),
    method(
        "users.lookupByEmail",
        _lookup_by_email,
        "email!",
        tier=3,
        scopes="users:read.email",
        errors="users_not_found",
        is_form_only=True,
    ),
    method(
        "users.list",
        _list,
        "cursor limit:int include_locale:bool team_id",
        tier=2,
        scopes="users:read",
        errors="invalid_cursor limit_required",
    ),
    method(
        "usergroups.list",
        _groups,
        "include_count:bool include_disabled:bool include_users:bool team_id",
        tier=2,
        scopes="usergroups:read",
    ),
    method(
        "usergroups.users.list",
        _group_users,
        "usergroup! include_disabled:bool team_id",
        tier=2,
        scopes="usergroups:read",
        errors="no_such_subteam",
    ),
)
