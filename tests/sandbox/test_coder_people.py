"""The users of the Coder stand-in: permissions, keys and their expiry, rate limits, and search."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from taskwire_sandbox.coder import Settings
from taskwire_sandbox.coder.access import Rules
from taskwire_sandbox.coder.clock import DEFAULT_START
from taskwire_sandbox.coder.limits import RateLimit
from taskwire_sandbox.coder.rows import ExternalAuth, Parameter
from tests.sandbox.coder_people import TASKS, Person, Scene, scene

SIGNED_OUT = "You are signed out or your session has expired. Please sign in again to continue."


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice."""
    async with scene() as found:
        yield found


def somebody(stage: Scene, role: str) -> Person:
    """Return a person with this role."""
    if role in ("organization-admin", "organization-auditor", "organization-template-admin"):
        return stage.person(role, organizations={"coder": (role,)})
    return stage.person(role, roles=() if role == "member" else (role,))


@pytest.mark.parametrize(
    ("role", "listed", "get", "live_log", "send", "create", "pause", "delete"),
    [
        ("member", 0, 404, 404, 404, 403, 404, 404),
        ("organization-admin", 1, 200, 404, 404, 201, 202, 202),
        ("owner", 1, 200, 200, 204, 201, 202, 202),
        ("auditor", 0, 404, 404, 404, 403, 404, 404),
        ("template-admin", 0, 404, 404, 404, 403, 404, 404),
        ("user-admin", 0, 404, 404, 404, 403, 404, 404),
        ("organization-auditor", 0, 404, 404, 404, 403, 404, 404),
        ("organization-template-admin", 0, 404, 404, 404, 403, 404, 404),
    ],
)
async def test_a_role_reaches_so_far(
    stage: Scene,
    role: str,
    listed: int,
    get: int,
    live_log: int,
    send: int,
    create: int,
    pause: int,
    delete: int,
) -> None:
    """A person with this role makes each call on another user's task. The answers have the statuses of the
    table. `listed` is the number of tasks that the person sees."""
    task = stage.sandbox.add_task("alice", "Do it")
    person = somebody(stage, role)
    path = f"{TASKS}/alice/{task.id}"
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "Something else"}

    found = [
        (await person.asks("GET", TASKS)).json["count"],
        (await person.asks("GET", path)).status,
        (await person.asks("GET", f"{path}/logs")).status,
        (await person.asks("POST", f"{path}/send", {"input": "hello"})).status,
        (await person.asks("POST", f"{TASKS}/alice", body)).status,
        (await person.asks("POST", f"{path}/pause")).status,
        (await person.asks("DELETE", path)).status,
    ]

    assert found == [listed, get, live_log, send, create, pause, delete]


async def test_an_organization_admin_reads_what_was_kept(stage: Scene) -> None:
    """If an admin of the organization reads another user's log, the live log is refused. The snapshot of a
    paused task is shown."""
    task = stage.sandbox.add_task("alice", "Do it")
    task.pause()
    admin = somebody(stage, "organization-admin")

    reply = await admin.asks("GET", f"{TASKS}/alice/{task.id}/logs")

    assert reply.json["snapshot"] is True


async def test_rules_of_the_deployment_narrow_the_roles() -> None:
    """By its settings, a deployment can deny owners access to workspaces, and hide members from each
    other."""
    rules = Rules(shares_workspaces=False, owner_may_access_workspaces=False)
    async with scene(Settings(rules=rules)) as stage:
        task = stage.sandbox.add_task("alice", "Do it")
        bob = stage.person("bob")
        body = {"template_version_id": stage.sandbox.template.active.id, "input": "x"}

        live = await stage.admin.asks("GET", f"{TASKS}/alice/{task.id}/logs")
        create = await bob.asks("POST", f"{TASKS}/alice", body)

        assert (live.status, create.status) == (404, 404)


@pytest.mark.parametrize(("role", "patch"), [("use", 500), ("admin", 204)])
async def test_a_shared_task_can_be_steered_but_not_deleted(stage: Scene, role: str, patch: int) -> None:
    """A task can be shared with a person under one of two roles. With each role, the person can see the task,
    send input, pause and resume. Only the role `admin` allows an edit. Neither role allows a deletion."""
    task = stage.sandbox.add_task("alice", "Do it")
    bob = stage.person("bob")
    acl = f"/api/v2/workspaces/{task.row.workspace.id}/acl"
    path = f"{TASKS}/alice/{task.id}"

    shared = await stage.alice.asks("PATCH", acl, {"user_roles": {stage.sandbox.user("bob").id: role}})
    found = [
        (await bob.asks("GET", TASKS)).json["count"],
        (await bob.asks("GET", f"{path}/logs")).status,
        (await bob.asks("POST", f"{path}/send", {"input": "hello"})).status,
        (await bob.asks("POST", f"{path}/pause")).status,
        (await bob.asks("PATCH", f"{path}/input", {"input": "new"})).status,
        (await bob.asks("POST", f"{path}/resume")).status,
    ]
    delete = await bob.asks("DELETE", path)
    listed = (await stage.alice.asks("GET", acl)).json["users"]
    await stage.alice.asks("DELETE", acl)

    assert shared.status == 204
    assert found == [1, 200, 204, 202, patch, 202]
    assert delete.said[:2] == (403, "You do not have permission to delete this workspace.")
    assert [(user["username"], user["role"]) for user in listed] == [("bob", role)]
    assert (await bob.asks("GET", path)).status == 404


async def test_a_task_made_for_somebody_belongs_to_them(stage: Scene) -> None:
    """If an owner creates a task for another user, the task belongs to that user. Its first build names the
    owner as initiator."""
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "x"}

    task = (await stage.admin.asks("POST", f"{TASKS}/alice", body)).json

    build = stage.sandbox.task(task["id"]).builds[0]
    assert task["owner_name"] == "alice"
    assert (build.initiator.username, build.reason) == ("admin", "initiator")


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        ("", 'Cookie "coder_session_token" or query parameter must be provided.'),
        ("nonsense", "Invalid API key format: incorrect amount of API key parts, expected 2 got 1"),
        ("a-b", "Invalid API key format: invalid API key ID length, expected 10 got 1"),
        (f"{'a' * 10}-{'b' * 22}", "API key is invalid."),
    ],
)
async def test_a_wrong_key_signs_nobody_in(stage: Scene, key: str, detail: str) -> None:
    """If a request has a wrong key, the answer has the same message for every wrong key, with different
    details."""
    assert (await stage.with_key(key).asks("GET", TASKS)).said == (401, SIGNED_OUT, detail)


async def test_a_key_ends(stage: Scene) -> None:
    """A key shows the time when it expires. The key no longer works after this time, or when its user is
    suspended."""
    key = stage.sandbox.add_token("alice", lifetime=timedelta(days=1))
    alice = stage.with_key(key)

    known = (await alice.asks("GET", f"/api/v2/users/me/keys/{key.partition('-')[0]}")).json
    await stage.sandbox.advance(24 * 3600 + 1)
    ended = await alice.asks("GET", TASKS)
    stage.sandbox.suspend("alice")
    suspended = await stage.alice.asks("GET", TASKS)

    assert known["lifetime_seconds"] == 86400
    assert known["expires_at"].startswith("2026-06-19T10:40:02")
    assert (ended.said[:2], suspended.status) == ((401, SIGNED_OUT), 401)
    assert ended.said[2].startswith('API key expired at "2026-06-19 10:40:02.5')


@pytest.mark.parametrize("place", ["bearer", "cookie", "query", "access_token"])
async def test_a_key_is_found_in_every_place(stage: Scene, place: str) -> None:
    """A request may have its key in a cookie, in the query, or in either of two headers."""
    key = stage.alice.token
    nobody = stage.with_key("")
    options: dict[str, dict[str, dict[str, str]]] = {
        "bearer": {"headers": {"Authorization": f"Bearer {key}"}},
        "cookie": {"headers": {"Cookie": f"coder_session_token={key}"}},
        "query": {"query": {"coder_session_token": key}},
        "access_token": {"query": {"access_token": key}},
    }

    assert (await nobody.asks("GET", TASKS, **options[place])).status == 200  # type: ignore[arg-type]  # one of two


async def test_keys_are_made_and_deleted(stage: Scene) -> None:
    """A user can make a key with a name. A second key of the same name is refused.

    The key works, is listed, and can be deleted. An owner's key lives for at most a week.
    """
    path = "/api/v2/users/me/keys/tokens"
    hour = 3600 * 10**9

    made = await stage.alice.asks("POST", path, {"token_name": "bot", "lifetime": hour})
    again = await stage.alice.asks("POST", path, {"token_name": "bot"})
    scope = await stage.alice.asks("POST", path, {"scopes": ["task:everything"]})
    too_long = await stage.admin.asks("POST", path, {"lifetime": 169 * hour})
    limits = [
        (await person.asks("GET", f"{path}/tokenconfig")).json["max_token_lifetime"]
        for person in (stage.alice, stage.admin)
    ]
    key_id = made.json["key"].partition("-")[0]
    works = (await stage.with_key(made.json["key"]).asks("GET", TASKS)).status
    names = [key["token_name"] for key in (await stage.alice.asks("GET", path)).json]
    deleted = await stage.alice.asks("DELETE", f"/api/v2/users/me/keys/{key_id}")

    assert (made.status, works, deleted.status) == (201, 200, 204)
    assert "bot" in names
    assert again.said == (409, 'A token with name "bot" already exists.', "")
    assert scope.said[:2] == (400, "Failed to create API key.")
    assert too_long.said == (
        400,
        "Failed to validate create API key request.",
        "lifetime must be less than 168h0m0s",
    )
    assert limits == [36500 * 24 * hour, 168 * hour]
    assert (await stage.with_key(made.json["key"]).asks("GET", TASKS)).status == 401


async def test_a_key_without_a_name_is_a_session(stage: Scene) -> None:
    """A key without a name is a session, as Coder's pages make it. It lives for a week, has all rights, and
    is in no list."""
    path = "/api/v2/users/me/keys"

    made = await stage.alice.asks("POST", path)
    key_id = made.json["key"].partition("-")[0]
    seen = (await stage.with_key(made.json["key"]).asks("GET", f"{path}/{key_id}")).json
    listed = [key["id"] for key in (await stage.alice.asks("GET", f"{path}/tokens")).json]
    others = await stage.alice.asks("POST", "/api/v2/users/admin/keys")

    assert made.status == 201
    assert (seen["login_type"], seen["token_name"], seen["scopes"]) == ("password", "", ["coder:all"])
    assert seen["lifetime_seconds"] == 7 * 24 * 3600
    assert key_id not in listed
    assert others.status == 404


async def test_the_page_for_tools_shows_a_token(stage: Scene) -> None:
    """The page that makes tokens for tools first asks a person to sign in. Then it shows a new key that
    works. The page does not store the key."""
    nobody, alice = stage.with_key(""), stage.sandbox.user("alice")

    asked = await nobody.asks("GET", "/cli-auth")
    shown = await nobody.asks("GET", "/cli-auth", query={"user": alice.id})
    unknown = await nobody.asks("GET", "/cli-auth", query={"user": "nobody"})

    key = shown.text.partition("<code>")[2].partition("</code>")[0]
    me = (await stage.with_key(key).asks("GET", "/api/v2/users/me")).json
    assert f'<a href="?user={alice.id}">' in asked.text
    assert me["username"] == "alice"
    assert shown.headers["Cache-Control"] == "no-store"
    assert unknown.status == 404


async def test_only_the_scope_for_keys_lets_a_key_make_keys(stage: Scene) -> None:
    """If a key lacks the scope for keys, it cannot see, make or delete keys."""
    path = "/api/v2/users/me/keys"
    narrow = stage.with_key(stage.sandbox.add_token("alice", scopes=("task:*", "user:read")))
    wide = stage.with_key(stage.sandbox.add_token("alice", scopes=("coder:apikeys.manage_self", "task:read")))

    refused = [
        (await narrow.asks("GET", f"{path}/tokens")).status,
        (await narrow.asks("POST", f"{path}/tokens", {"token_name": "bot"})).status,
        (await narrow.asks("DELETE", f"{path}/{narrow.token.partition('-')[0]}")).status,
    ]
    made = await wide.asks("POST", f"{path}/tokens", {"token_name": "bot"})

    assert refused == [404, 404, 404]
    assert made.status == 201


async def test_a_scope_narrows_a_key(stage: Scene) -> None:
    """If a key has only the scope to read tasks, it cannot create or pause tasks."""
    task = stage.sandbox.add_task("alice", "Do it")
    reader = stage.with_key(
        stage.sandbox.add_token("alice", scopes=("task:read", "workspace:read", "user:read"))
    )

    assert (await reader.asks("GET", TASKS)).json["count"] == 1
    assert (await reader.asks("POST", f"{TASKS}/me/{task.id}/pause")).said[:2] == (
        403,
        "You do not have permission to stop this workspace.",
    )


async def test_the_rate_limit_counts_by_person_and_path() -> None:
    """Each user may make a fixed number of requests a minute to each path. Other users and other paths have
    their own counts."""
    async with scene(Settings(requests_per_minute=3)) as stage:
        replies = [await stage.alice.asks("GET", TASKS) for _ in range(4)]
        other_path = await stage.alice.asks("GET", "/api/v2/users/me")
        other_person = await stage.admin.asks("GET", TASKS)
        await stage.sandbox.advance(121)
        later = await stage.alice.asks("GET", TASKS)

        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["2", "1", "0", "0"]
        assert replies[0].headers["X-RateLimit-Limit"] == "3"
        assert replies[3].headers["Retry-After"] == "60"
        assert replies[3].json == {
            "message": "You've been rate limited for sending more than 3 requests in 1m0s."
        }
        assert (other_path.status, other_person.status, later.status) == (200, 200, 200)


def test_the_window_slides() -> None:
    """The rate limit uses a sliding window: after half a minute, half of the last minute's requests still
    count."""
    limit, start = RateLimit(10), DEFAULT_START.replace(second=0, microsecond=0)
    for _ in range(10):
        limit.take(("alice", "/"), start)

    passed = [limit.take(("alice", "/"), start + timedelta(seconds=90))[0] for _ in range(6)]

    assert passed == [True] * 5 + [False]


async def test_the_bypass_is_for_owners(stage: Scene) -> None:
    """The rate limit has a header that bypasses it, for owners only. If another user sends this header, the
    request is refused, and the stand-in records a violation."""
    reply = await stage.alice.asks("GET", TASKS, headers={"X-Coder-Bypass-Ratelimit": "true"})

    assert reply.status == 428
    assert stage.sandbox.violations
    stage.sandbox.world.violations.clear()


async def test_users_are_found_by_those_who_may(stage: Scene) -> None:
    """A search for users compares emails and usernames. A member without other roles finds only
    themselves."""
    stage.person("bob", email="bob@acme.test", github_id=77)

    by_admin = await stage.admin.asks("GET", "/api/v2/users", query={"q": "acme.test"})
    by_number = await stage.admin.asks("GET", "/api/v2/users", query={"q": "github_com_user_id:77"})
    by_alice = await stage.alice.asks("GET", "/api/v2/users", query={"q": "acme.test"})
    page = await stage.admin.asks("GET", "/api/v2/users", query={"limit": "1", "offset": "1"})

    assert [user["username"] for user in by_admin.json["users"]] == ["alice", "bob"]
    assert [user["username"] for user in by_number.json["users"]] == ["bob"]
    assert [user["username"] for user in by_alice.json["users"]] == ["alice"]
    assert ([user["username"] for user in page.json["users"]], page.json["count"]) == (["alice"], 3)


async def test_a_user_is_read_by_name_or_id(stage: Scene) -> None:
    """A user can be read by `me`, an id or a username, but not by an email address. A member cannot read
    other users."""
    alice = stage.sandbox.user("alice")

    found = [
        (await stage.admin.asks("GET", f"/api/v2/users/{name}")).json["username"]
        for name in ("me", alice.id, "Alice")
    ]
    missing = [
        (await stage.admin.asks("GET", "/api/v2/users/alice@acme.test")).status,
        (await stage.alice.asks("GET", "/api/v2/users/admin")).status,
    ]

    assert found == ["admin", "alice", "alice"]
    assert missing == [404, 404]


async def test_templates_are_found_by_what_they_are(stage: Scene) -> None:
    """The query for templates finds task templates that are not deprecated. If the query has an unknown key,
    it is refused."""
    stage.sandbox.add_template("plain", has_ai_task=False)
    stage.sandbox.add_template("old").deprecation = "Use another"
    path = "/api/v2/templates"

    fit = await stage.alice.asks("GET", path, query={"q": "has-ai-task:true deprecated:false"})
    named = await stage.alice.asks("GET", "/api/v2/organizations/coder/templates/plain")
    scoped = await stage.alice.asks("GET", "/api/v2/organizations/default/templates")
    wrong = await stage.alice.asks("GET", path, query={"q": "has_ai_task:true"})

    assert [template["name"] for template in fit.json] == ["tasks-docker"]
    assert named.json["name"] == "plain"
    assert [template["name"] for template in scoped.json] == ["old", "plain", "tasks-docker"]
    assert wrong.json["validations"] == [
        {"field": "has_ai_task", "detail": '"has_ai_task" is not a valid query param'}
    ]
    stage.sandbox.world.violations.clear()


async def test_a_version_tells_what_it_asks_for(stage: Scene) -> None:
    """A template version lists its presets with Go's field names, or null if it has none. It also lists the
    external accounts that it needs, and whether the viewer has linked them."""
    preset = stage.sandbox.new_preset("Europe", {"region": "eu"}, is_default=True)
    full = stage.sandbox.add_template(
        "full",
        presets=[preset],
        parameters=[Parameter("region", default="us")],
        external_auth=[ExternalAuth("gh", "GitHub", is_optional=True)],
    )
    stage.sandbox.user("alice").linked.add("gh")
    base = "/api/v2/templateversions"

    presets = await stage.alice.asks("GET", f"{base}/{full.active.id}/presets")
    none = await stage.alice.asks("GET", f"{base}/{stage.sandbox.template.active.id}/presets")
    parameters = await stage.alice.asks("GET", f"{base}/{full.active.id}/rich-parameters")
    accounts = await stage.alice.asks("GET", f"{base}/{full.active.id}/external-auth")

    assert presets.json == [
        {
            "ID": preset.id,
            "Name": "Europe",
            "Parameters": [{"Name": "region", "Value": "eu"}],
            "Default": True,
            "DesiredPrebuildInstances": None,
            "Description": "",
            "Icon": "",
        }
    ]
    assert none.text == "null\n"
    assert parameters.json[0]["default_value"] == "us"
    assert (accounts.json[0]["authenticated"], accounts.json[0]["optional"]) == (True, True)


async def test_what_the_real_one_does_not_know_is_recorded_as_a_violation(stage: Scene) -> None:
    """If a request has an unknown or malformed route, method, query key or id, the stand-in answers as Coder
    does. It also records a violation."""
    replies = [
        await stage.alice.asks("GET", "/api/v2/task"),
        await stage.alice.asks("PUT", TASKS),
        await stage.alice.asks("GET", TASKS, query={"limit": "5"}),
        await stage.alice.asks("GET", "/api/v2/workspaces/nonsense"),
    ]

    assert [reply.status for reply in replies] == [404, 405, 200, 400]
    assert replies[0].said == (404, "Route not found.", "")
    assert stage.sandbox.violations == [
        "GET /api/v2/task: no such route",
        "PUT /api/v2/tasks: the route has no such method",
        "tasks.list: the query key 'limit' is not known to this route",
        "workspaces.get: 'nonsense' is no uuid",
    ]
    stage.sandbox.world.violations.clear()


async def test_organizations_have_members(stage: Scene) -> None:
    """Members can read their organization. If sharing is on, they can read each other too."""
    stage.sandbox.add_organization("research")

    mine = await stage.alice.asks("GET", "/api/v2/organizations")
    of_me = await stage.alice.asks("GET", "/api/v2/users/me/organizations")
    all_of_them = await stage.admin.asks("GET", "/api/v2/organizations")
    members = await stage.alice.asks("GET", f"/api/v2/organizations/{mine.json[0]['id']}/members")

    assert [each["name"] for each in mine.json] == [each["name"] for each in of_me.json] == ["coder"]
    assert [each["name"] for each in all_of_them.json] == ["coder", "research"]
    assert [each["username"] for each in members.json] == ["admin", "alice"]


async def test_a_check_of_rights_counts_custom_roles_in_their_organization() -> None:
    """A check of rights takes all roles into account, including custom ones, and the scopes of the key. If a
    check names no resource, it is refused."""
    async with scene(Settings(rules=Rules(custom_roles={"reader": ["task:read", "workspace:*"]}))) as stage:
        stage.sandbox.add_user("carol", organizations={"coder": ["reader"]})
        here = stage.sandbox.template.organization.id
        carol, narrow = (
            stage.with_key(stage.sandbox.add_token("carol", scopes=scopes))
            for scopes in (("all",), ("task:read",))
        )
        checks: dict[str, object] = {
            "tasks": {"object": {"resource_type": "task", "organization_id": here}, "action": "read"},
            "everywhere": {"object": {"resource_type": "task"}, "action": "read"},
            "stops": {"object": {"resource_type": "workspace", "organization_id": here}, "action": "stop"},
            "edits": {"object": {"resource_type": "task", "organization_id": here}, "action": "update"},
        }

        wide = await carol.asks("POST", "/api/v2/authcheck", {"checks": checks})
        less = await narrow.asks("POST", "/api/v2/authcheck", {"checks": checks})
        bad = await carol.asks(
            "POST", "/api/v2/authcheck", {"checks": {"x": {"object": {}, "action": "read"}}}
        )

    assert wide.json == {"tasks": True, "everywhere": False, "stops": True, "edits": False}
    assert less.json == {"tasks": True, "everywhere": False, "stops": False, "edits": False}
    assert bad.said[:2] == (400, 'Object\'s "resource_type" field must be defined for key "x".')
