"""The Slack stand-in's control interface over HTTP: acts, state and changes as JSON."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.slack_app import Api, Json, connected
from tests.sandbox.slack_worlds import world


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world() as opened:
        yield opened


async def get(api: Api, path: str) -> Json:
    async with api.session.get(f"{api.slack.backend.base_url}/_control/{path}") as response:
        return dict(await response.json())


async def act(api: Api, path: str = "act", **body: object) -> Json:
    async with api.session.post(f"{api.slack.backend.base_url}/_control/{path}", json=body) as response:
        return dict(await response.json())


async def test_a_person_acts_and_looks(api: Api) -> None:
    """Over HTTP, another process lets a person act, and reads the result. The acts have the names of the
    stand-in's Python methods."""
    files = [{"name": "a.txt", "text": "x"}]
    ts = (await act(api, act="post", user="alice", channel="general", text="hello", files=files))["result"]
    await act(api, act="react", user="bob", channel="general", ts=ts, name="eyes")
    await act(api, act="post", user="bob", channel="general", text="yes?", thread_ts=ts)

    shown = (await get(api, "messages?channel=general"))["messages"]
    thread = (await get(api, f"messages?channel=general&thread_ts={ts}"))["messages"]
    assert [(m["text"], m["reply_count"], m["reactions"][0]["name"]) for m in shown] == [("hello", 1, "eyes")]
    assert [m["text"] for m in thread] == ["hello", "yes?"]
    assert shown[0]["files"][0]["name"] == "a.txt"


async def test_commands_and_dialogs_go_by_it_too(api: Api) -> None:
    """Over HTTP, another process types commands and fills in dialogs. It gets the answers and the dialogs as
    JSON."""
    view = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": []}

    async with connected(api) as app:
        app.reply = lambda _: {"text": "on it"}
        answer = (await act(api, act="command", user="alice", channel="general", command="/task help"))[
            "result"
        ]
        await api.call("views.open", trigger_id=answer["trigger_id"], view=view)
        views = (await get(api, "views?user=alice"))["views"]
        app.reply = lambda _: None
        closed = (await act(api, act="submit", user="alice", view=views[0]["id"]))["result"]

    assert (answer["ok"], answer["failure"]) == (True, "")
    assert [e["body"]["text"] for e in (await get(api, "ephemerals?user=alice"))["ephemerals"]] == ["on it"]
    assert closed == {"ok": True, "failure": "", "errors": {}, "view": None}


async def test_what_cannot_be_done_says_why(api: Api) -> None:
    """If another process asks for an impossible act, the error says why. An act or a person may be unknown,
    or a person may not be in the channel."""
    unknown = await act(api, act="shout")
    nobody = await act(api, act="post", user="zoe", channel="general", text="x")
    outside = await act(api, act="post", user="bob", channel="secret", text="x")

    errors = (unknown["error"], nobody["error"], outside["error"])
    assert errors == ("no such act: shout", "\"no user 'zoe'\"", "bob is not in secret")


async def test_the_state_shows_the_workspace(api: Api) -> None:
    """The state lists people, conversations and the bot."""
    state = await get(api, "state")

    assert [u["name"] for u in state["users"]] == ["taskwire", "alice", "bob"]
    assert [c["name"] for c in state["channels"]] == ["general", "random", "secret"]
    assert state["bot"] == api.slack.bot_user_id


async def test_changes_come_as_a_stream(api: Api) -> None:
    """Another process gets the changes of the workspace as a stream, numbered and in order."""
    async with api.session.ws_connect(f"{api.slack.backend.base_url}/_control/stream") as stream:
        await api.slack.post("alice", "general", "hello")
        first = await stream.receive_json()

    assert (first["kind"], first["message"]["text"]) == ("message", "hello")
    assert first["sequence"] >= 1


async def test_faults_are_planned_and_cleared(api: Api) -> None:
    """Over HTTP, another process plans and clears faults. A fault has the same name as in Python."""
    await act(api, "faults", name="auth.test", fault="error", error="fatal_error", times=5)
    failed = await api.call("auth.test")
    async with api.session.delete(f"{api.slack.backend.base_url}/_control/faults") as response:
        assert response.status == 200

    calls = (await get(api, "calls"))["calls"]
    assert (failed["error"], (await api.call("auth.test"))["ok"]) == ("fatal_error", True)
    assert [(c["method"], c["outcome"]) for c in calls] == [("auth.test", "error")]
    assert (await get(api, "violations"))["violations"] == []
    assert "error" in await act(api, "faults", name="auth.test", fault="sulk")


async def test_other_web_pages_are_kept_out(api: Api) -> None:
    """If a web page of another origin asks a person's browser to use the control interface, the request is
    refused."""
    headers = {"Origin": "https://evil.test"}

    async with api.session.get(f"{api.slack.backend.base_url}/_control/state", headers=headers) as response:
        assert response.status == 403
