"""The endpoint of the stand-in's Web API: tokens, arguments, scopes, forms and JSON, and violations."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.slack_app import Api
from tests.sandbox.slack_worlds import world


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world() as opened:
        yield opened


async def test_auth_test_says_who_the_bot_is(api: Api) -> None:
    """The answer of auth.test names the workspace, the bot user and the bot."""
    answer = await api.call("auth.test")

    assert answer == {
        "ok": True,
        "url": "https://acme.slack.com/",
        "team": "acme",
        "user": "taskwire",
        "team_id": "T0TASKWIRE",
        "user_id": api.slack.bot_user_id,
        "bot_id": "B0TW000001",
        "is_enterprise_install": False,
    }


@pytest.mark.parametrize(
    ("token", "error"),
    [("", "not_authed"), ("xoxb-other", "invalid_auth"), ("app", "not_allowed_token_type")],
)
async def test_a_wrong_token_is_refused(api: Api, token: str, error: str) -> None:
    """If a call has a wrong token, the answer is HTTP 200 with Slack's error."""
    token = api.slack.app_token if token == "app" else token

    async with api.raw("auth.test", token=token) as response:
        answer = await response.json()

    assert (response.status, answer) == (200, {"ok": False, "error": error})


async def test_an_unknown_method_is_refused_and_recorded_as_a_violation(api: Api) -> None:
    """If an app calls an unknown method, the call is refused. The stand-in records a violation, because the
    call is a mistake of the app."""
    answer = await api.call("chat.shout")

    assert answer == {"ok": False, "error": "unknown_method", "req_method": "chat.shout"}
    assert api.slack.violations == ["unknown_method: chat.shout"]


async def test_an_unknown_argument_is_ignored_and_recorded_as_a_violation(api: Api) -> None:
    """If a call has an unknown argument, it is ignored, as in Slack, and recorded as a violation."""
    answer = await api.call("users.info", user=api.slack.workspace.user("alice").id, colour="red")

    assert answer["ok"]
    assert api.slack.violations == ["unknown argument of users.info: colour"]


async def test_a_missing_argument_is_named(api: Api) -> None:
    """If arguments are missing, the answer names them."""
    answer = await api.call("reactions.add", name="eyes")

    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] missing required field: channel",
        "[ERROR] missing required field: timestamp",
    ]


async def test_forms_carry_structures_as_json_strings(api: Api) -> None:
    """If an app sends a form, blocks and metadata in it are JSON strings, and booleans are words."""
    channel = api.slack.workspace.channel("general").id

    answer = await api.form(
        "chat.postMessage",
        channel=channel,
        text="hello",
        blocks='[{"type": "divider"}]',
        metadata='{"event_type": "t", "event_payload": {"id": "1"}}',
        unfurl_links="false",
    )

    assert answer["message"]["blocks"] == [{"type": "divider", "block_id": "slack0"}]
    assert answer["message"]["metadata"] == {"event_type": "t", "event_payload": {"id": "1"}}
    assert api.slack.violations == []


async def test_a_json_body_needs_its_token_in_the_header(api: Api) -> None:
    """If the body of a call is JSON, the token must be in the header. A token in the body does not count."""
    async with api.session.post(
        api.slack.api_url + "auth.test", json={"token": api.slack.bot_token}
    ) as response:
        answer = await response.json()

    assert answer["error"] == "not_authed"


async def test_what_takes_forms_only_refuses_json(api: Api) -> None:
    """If a method accepts only forms, as the first step of an upload does, it refuses JSON."""
    as_json = await api.call("files.getUploadURLExternal", filename="a.txt", length=3)
    as_form = await api.form("files.getUploadURLExternal", filename="a.txt", length="3")

    assert (as_json["error"], as_form["ok"]) == ("invalid_arguments", True)


async def test_every_answer_has_a_date(api: Api) -> None:
    """Every answer has a Date header, from which a client knows Slack's time."""
    async with api.raw("auth.test") as response:
        assert response.headers["Date"].endswith("GMT")


async def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    """If the body of a call is not JSON, it is refused, with an error in JSON."""
    headers = {"Content-Type": "application/json"}

    async with api.session.post(api.slack.api_url + "auth.test", data=b"{", headers=headers) as response:
        assert await response.json() == {"ok": False, "error": "invalid_json"}


async def test_a_missing_scope_is_named_and_recorded_as_a_violation() -> None:
    """If a scope is missing, the answer names it, and a violation is recorded. The app has only the scopes of
    its manifest."""
    manifest = {"display_information": {"name": "Small"}, "oauth_config": {"scopes": {"bot": ["users:read"]}}}

    async with world(manifest=manifest) as api:
        channel = api.slack.workspace.channel("general").id
        answer = await api.call("chat.postMessage", channel=channel, text="hello")
        violations = api.slack.violations

    assert answer == {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "users:read"}
    assert violations == ["missing_scope: chat.postMessage chat:write"]


async def test_a_violation_can_be_ignored(api: Api) -> None:
    """If a test causes a violation on purpose, it can tell the stand-in to ignore this violation."""
    await api.call("chat.shout")

    api.slack.ignore_violations("chat.shout")
    await api.call("chat.shout")

    assert api.slack.violations == []
    assert api.slack.backend.ledger.ignored_violations == ["unknown_method: chat.shout"] * 2


async def test_people_are_found_by_id_and_address(api: Api) -> None:
    """A person is found by id or by email address, whose case does not matter. Unknown ids and addresses are
    not found."""
    alice = api.slack.workspace.user("alice")

    found = await api.form("users.lookupByEmail", email="ALICE@acme.test")
    missing = await api.form("users.lookupByEmail", email="nobody@acme.test")
    shown = await api.call("users.info", user=alice.id)
    unknown = await api.call("users.info", user="U404")

    assert found["user"]["id"] == shown["user"]["id"] == alice.id
    assert (shown["user"]["real_name"], shown["user"]["profile"]["email"]) == (
        "Alice Adams",
        "alice@acme.test",
    )
    assert (missing["error"], unknown["error"]) == ("users_not_found", "user_not_found")


async def test_user_groups_are_listed(api: Api) -> None:
    """A group is listed with its members."""
    group = api.slack.add_group("admins", ["alice"])

    listed = await api.call("usergroups.list", include_users=True)
    members = await api.call("usergroups.users.list", usergroup=group.id)
    unknown = await api.call("usergroups.users.list", usergroup="S404")

    assert [(g["handle"], g["users"]) for g in listed["usergroups"]] == [("admins", group.members)]
    assert (members["users"], unknown["error"]) == (group.members, "no_such_subteam")


async def test_an_organizations_token_names_the_workspace_whose_people_it_lists(api: Api) -> None:
    """If the app's token is for an organization, a call that reads people must name a workspace that has the
    app. Otherwise the stand-in refuses the call."""
    group = api.slack.add_group("admins", ["alice"])
    home = api.slack.workspace.team_id
    api.slack.workspace.org_teams = (home, "T0OTHER")
    methods: dict[str, dict[str, str]] = {
        "users.list": {},
        "usergroups.list": {},
        "usergroups.users.list": {"usergroup": group.id},
    }

    refused = [(await api.call(method, **given))["error"] for method, given in methods.items()]
    strange = [
        (await api.call(method, team_id="T0ELSE", **given))["error"] for method, given in methods.items()
    ]
    named = [(await api.call(method, team_id=home, **given))["ok"] for method, given in methods.items()]
    others = await api.call("users.list", team_id="T0OTHER")

    assert refused == ["missing_argument"] * 3
    assert strange == ["team_access_not_granted"] * 3
    assert named == [True] * 3
    assert others["members"] == []


async def test_lists_come_in_pages(api: Api) -> None:
    """A list comes in pages. The cursor leads to the next page and is empty at the end. A wrong cursor is
    refused."""
    first = await api.call("users.list", limit=2)
    second = await api.call("users.list", limit=2, cursor=first["response_metadata"]["next_cursor"])
    refused = await api.call("users.list", cursor="nonsense")

    assert [len(first["members"]), len(second["members"])] == [2, 1]
    assert second["response_metadata"] == {"next_cursor": ""}
    assert refused["error"] == "invalid_cursor"
