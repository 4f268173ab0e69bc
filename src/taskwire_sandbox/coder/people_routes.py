"""Routes about users: rights, organizations and members, API keys, and notification preferences."""

from datetime import timedelta

from taskwire_sandbox.coder import search, shapes
from taskwire_sandbox.coder.access import is_known_scope
from taskwire_sandbox.coder.bodies import AUTH_CHECK, CREATE_TOKEN, UPDATE_PREFERENCES, text
from taskwire_sandbox.coder.calls import Call
from taskwire_sandbox.coder.notifications import TEMPLATE_IDS
from taskwire_sandbox.coder.rows import Organization, Token, User
from taskwire_sandbox.coder.wire import (
    NO_PERMISSION,
    Json,
    JsonValue,
    Refusal,
    Response,
    json_response,
    not_found,
    quoted,
    timestamp,
)

USER_KEYS = (
    "search", "name", "status", "service_account", "role", "last_seen_after", "last_seen_before",
    "created_after", "created_before", "github_com_user_id", "login_type",
)  # fmt: skip
NANOSECONDS = 1_000_000_000


def build_info(call: Call) -> Response:
    """Answer with the server's version. The request needs no API key."""
    settings = call.world.settings
    return json_response(
        200,
        {
            "external_url": f"https://github.com/coder/coder/commit/{settings.version.partition('+')[2]}",
            "version": settings.version,
            "dashboard_url": settings.access_url,
            "telemetry": False,
            "workspace_proxy": False,
            "agent_api_version": "1.0",
            "provisioner_api_version": "1.15",
            "upgrade_message": "",
            "deployment_id": call.world.deployment_id,
        },
    )


def check_rights(call: Call) -> Response:
    """Answer for each check in the request whether the viewer has the right.

    Both the viewer's roles and the scopes of the key must give the right. An object without an owner stands
    for the rows of all people. The stand-in does not know `resource_id`.
    """
    checks = call.read(AUTH_CHECK)["checks"]
    found: Json = {}
    for name, check in checks.items() if isinstance(checks, dict) else ():
        asked = check if isinstance(check, dict) else {}
        about = asked.get("object")
        row = about if isinstance(about, dict) else {}
        resource, action = str(row.get("resource_type", "")), str(asked.get("action", ""))
        if not resource:
            said = f'Object\'s "resource_type" field must be defined for key {quoted(name)}.'
            raise Refusal(400, said)
        if not is_known_scope(f"{resource}:{action}") or row.keys() - {"resource_type", "organization_id"}:
            call.world.record_violation(f"authcheck: {name!r} asks what is not known here: {asked}")
        organization = call.world.find_organization(str(row.get("organization_id", "")))
        found[name] = call.viewer.may_all(f"{resource}:{action}", organization)
    return json_response(200, found)


def list_users(call: Call) -> Response:
    """Answer with the users that match the search and that the viewer can read, sorted by name."""
    terms, problems = search.parse(call.query.get("q", ""), bare="search")
    wanted = {key: search.single(terms, key, problems) for key in USER_KEYS}
    problems += search.excess(terms, USER_KEYS, call.world.record_violation)
    if problems:
        raise Refusal(400, "Invalid user search query.", validations=problems)
    found = [
        user for user in call.world.users.values() if call.viewer.can_read_user(user) and _fits(user, wanted)
    ]
    found.sort(key=lambda user: user.username.lower())
    page: list[JsonValue] = [shapes.user_json(user) for user in _page(call, found)]
    return json_response(200, {"users": page, "count": len(found)})


def _fits(user: User, wanted: dict[str, str]) -> bool:
    searched = wanted["search"]
    if searched and searched not in user.email.lower() and searched not in user.username.lower():
        return False
    if wanted["name"] and wanted["name"] not in user.name.lower():
        return False
    if wanted["status"] and user.status not in wanted["status"].split(","):
        return False
    if wanted["role"] and not user.roles & set(wanted["role"].split(",")):
        return False
    return not wanted["github_com_user_id"] or str(user.github_id) == wanted["github_com_user_id"]


def _page(call: Call, users: list[User]) -> list[User]:
    bounds = {}
    for key in ("offset", "limit"):
        value = call.query.get(key, "0")
        if not value.isdecimal():
            call.world.record_violation(f"users.list: {key}={value!r} is no number")
            problem = f'Query param "{key}" must be a valid positive integer: {value}'
            raise Refusal(400, "Query parameters have invalid values.", validations=[(key, problem)])
        bounds[key] = int(value)
    end = bounds["offset"] + bounds["limit"] if bounds["limit"] else None
    return users[bounds["offset"] : end]


def get_user(call: Call) -> Response:
    """Answer with one user."""
    return json_response(200, shapes.user_json(call.user()))


def list_organizations(call: Call) -> Response:
    """Answer with all organizations that the viewer can read."""
    found = call.world.organizations.values()
    return json_response(
        200, [shapes.organization_json(o) for o in found if call.viewer.can_read_organization(o)]
    )


def list_own_organizations(call: Call) -> Response:
    """Answer with the organizations that a user belongs to."""
    user = call.user()
    found = call.world.organizations.values()
    return json_response(200, [shapes.organization_json(o) for o in found if o.id in user.org_roles])


def list_members(call: Call) -> Response:
    """Answer with the members of an organization whom the viewer can read."""
    organization = organization_of(call)
    members = [user for user in call.world.users.values() if organization.id in user.org_roles]
    visible = [user for user in members if organization.id in call.viewer.shared_memberships(user)]
    return json_response(200, [shapes.member_json(user, organization) for user in visible])


def organization_of(call: Call) -> Organization:
    """Return the organization that `{organization}` in the path names.

    Raise Refusal (404) if there is no such organization that the viewer can read.
    """
    found = call.world.find_organization(call.params["organization"])
    if found is None or not call.viewer.can_read_organization(found):
        raise not_found()
    return found


def list_tokens(call: Call) -> Response:
    """Answer with a user's named API keys. Include expired keys only if the query asks for them."""
    user = _keys_of(call)
    now = call.world.schedule.now()
    wants_expired = call.query.get("include_expired") == "true"
    found = [
        token
        for token in call.world.tokens.values()
        if token.user is user and token.login_type == "token" and (wants_expired or token.expires_at > now)
    ]
    return json_response(200, [shapes.token_json(token) for token in found])


def create_token(call: Call) -> Response:
    """Create a named API key. Only this answer contains the secret of the key."""
    user = _keys_of(call, "create")
    request = call.read(CREATE_TOKEN)
    scopes = _scopes(request)
    lifetime = _lifetime(call, user, request["lifetime"])
    name = text(request, "token_name") or f"{user.username}-{call.world.ids.new_suffix()}"
    if any(token.user is user and token.name == name for token in call.world.tokens.values()):
        taken = [("name", "This value is already in use and should be unique.")]
        raise Refusal(409, f"A token with name {quoted(name)} already exists.", validations=taken)
    return json_response(201, {"key": add_token(call, user, name, lifetime, scopes).key})


def create_session_key(call: Call) -> Response:
    """Create an API key without a name and without limits.

    Coder's own pages do this for the person who reads them.
    """
    user = _keys_of(call, "create")
    lifetime = timedelta(days=call.world.settings.default_lifetime_days)
    made = add_token(call, user, "", lifetime, ("all",), login_type="password")
    return json_response(201, {"key": made.key})


def add_token(
    call: Call,
    user: User,
    name: str,
    lifetime: timedelta,
    scopes: tuple[str, ...],
    *,
    login_type: str = "token",
) -> Token:
    """Add an API key."""
    world = call.world
    key_id, secret = world.ids.new_token()
    now = world.schedule.next_timestamp()
    token = Token(key_id, secret, user, name, now, now + lifetime, int(lifetime.total_seconds()), scopes)
    token.login_type = login_type
    world.tokens[key_id] = token
    return token


def _scopes(request: dict[str, JsonValue]) -> tuple[str, ...]:
    listed = request["scopes"]
    scopes = [str(scope) for scope in listed] if isinstance(listed, list) else []
    scopes = scopes or [text(request, "scope") or "all"]
    unknown = next((scope for scope in scopes if not is_known_scope(scope)), None)
    if unknown is not None:
        raise Refusal(
            400, "Failed to create API key.", f"invalid or unsupported API key scope: {quoted(unknown)}"
        )
    return tuple(scopes)


def _lifetime(call: Call, user: User, nanoseconds: JsonValue) -> timedelta:
    settings = call.world.settings
    asked = nanoseconds if isinstance(nanoseconds, int) else 0
    limit = longest_lifetime(call, user)
    if asked < 0:
        raise Refusal(
            400,
            "Failed to validate create API key request.",
            "lifetime must be positive number greater than 0",
        )
    if timedelta(microseconds=asked / 1000) > limit:
        hours = int(limit.total_seconds() // 3600)
        detail = f"lifetime must be less than {hours}h0m0s"
        raise Refusal(400, "Failed to validate create API key request.", detail)
    return timedelta(microseconds=asked // 1000) if asked else timedelta(days=settings.default_lifetime_days)


def longest_lifetime(call: Call, user: User) -> timedelta:
    """Return the longest lifetime of a user's API key. It is shorter for an owner of the deployment."""
    settings = call.world.settings
    is_owner = "owner" in user.roles
    return timedelta(days=settings.max_admin_lifetime_days if is_owner else settings.max_lifetime_days)


def token_config(call: Call) -> Response:
    """Answer with the longest lifetime of an API key."""
    limit = longest_lifetime(call, _keys_of(call))
    return json_response(200, {"max_token_lifetime": int(limit.total_seconds()) * NANOSECONDS})


def get_key(call: Call) -> Response:
    """Answer with one API key by its id. From this answer, a client learns when its own key expires."""
    return json_response(200, shapes.token_json(_key(call)))


def delete_key(call: Call) -> Response:
    """Delete an API key."""
    del call.world.tokens[_key(call, "delete").id]
    return Response(204)


def expire_key(call: Call) -> Response:
    """Let an API key expire now."""
    _key(call, "update").expires_at = call.world.schedule.now()
    return Response(204)


def _key(call: Call, action: str = "read") -> Token:
    user = _keys_of(call, action)
    found = call.world.tokens.get(call.params["keyid"])
    if found is None or found.user is not user:
        raise not_found()
    return found


def _keys_of(call: Call, action: str = "read") -> User:
    user = call.user()
    if not call.viewer.can_manage_keys_of(user, action):
        raise not_found()
    return user


def get_preferences(call: Call) -> Response:
    """Answer with the kinds of notifications that a user has turned on or off."""
    return json_response(200, _preferences(_with_preferences(call)))


def put_preferences(call: Call) -> Response:
    """Turn kinds of notifications on or off."""
    user = _with_preferences(call)
    wanted = call.read(UPDATE_PREFERENCES)["template_disabled_map"]
    for template_id, is_disabled in wanted.items() if isinstance(wanted, dict) else ():
        if template_id not in TEMPLATE_IDS.values():
            raise Refusal(400, "Unable to parse notification template UUID.", template_id)
        user.disabled_notices[template_id] = bool(is_disabled)
    user.preferences_at = call.world.schedule.next_timestamp()
    return json_response(200, _preferences(user))


def _with_preferences(call: Call) -> User:
    user = call.user()
    if user is not call.viewer.user and not call.viewer.is_site("owner"):
        raise Refusal(403, "Forbidden.", NO_PERMISSION)
    return user


def _preferences(user: User) -> list[JsonValue]:
    at = timestamp(user.preferences_at or user.created_at)
    rows: list[JsonValue] = []
    for template_id, is_disabled in user.disabled_notices.items():
        row: Json = {"id": template_id, "disabled": is_disabled, "updated_at": at}
        rows.append(row)
    return rows
