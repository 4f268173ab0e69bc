"""People act in Slack. Each test shows what they see and which events the app gets."""

from collections.abc import AsyncIterator

import pytest

from taskwire_sandbox.slack import Attachment, ImpossibleAction
from tests.sandbox.slack_app import Api, Json, SocketApp, connected
from tests.sandbox.slack_worlds import world

BUTTONS: list[Json] = [
    {
        "type": "actions",
        "block_id": "row",
        "elements": [
            {
                "type": "button",
                "action_id": "go",
                "text": {"type": "plain_text", "text": "Go"},
                "value": "v1",
            },
            {
                "type": "static_select",
                "action_id": "pick",
                "options": [{"text": {"type": "plain_text", "text": "One"}, "value": "1"}],
            },
        ],
    }
]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world(retry_seconds=(0.0,)) as opened:
        yield opened


@pytest.fixture
async def app(api: Api) -> AsyncIterator[SocketApp]:
    async with connected(api) as opened:
        yield opened


@pytest.fixture
def general(api: Api) -> str:
    return api.slack.workspace.channel("general").id


async def test_a_command_arrives_with_its_text_escaped(app: SocketApp, api: Api, general: str) -> None:
    """If a person types a command, the app gets its text in Slack's form. Mentions are ids and names, URLs
    are links, and control characters are entities."""
    answer = await api.slack.command(
        "alice", "general", "/task", "ask @bob in #random & see https://x.test <b>"
    )

    alice, bob, random = (
        api.slack.workspace.user("alice").id,
        api.slack.workspace.user("bob").id,
        "C0TW000002",
    )
    assert app.envelopes[0]["payload"] == {
        "token": "verification",
        "team_id": "T0TASKWIRE",
        "team_domain": "acme",
        "channel_id": general,
        "channel_name": "general",
        "user_id": alice,
        "user_name": "alice",
        "command": "/task",
        "text": f"ask <@{bob}|bob> in <#{random}|random> &amp; see <https://x.test> &lt;b&gt;",
        "api_app_id": "A0TW000001",
        "is_enterprise_install": "false",
        "response_url": answer.response_url,
        "trigger_id": answer.trigger_id,
    }


async def test_the_ack_of_a_command_is_shown_to_the_person(app: SocketApp, api: Api) -> None:
    """If the ack of a command has a message, the person sees it. If the message has `in_channel`, everybody
    in the channel sees it."""
    app.reply = lambda payload: {"text": payload["text"], "response_type": payload["text"]}

    await api.slack.command("alice", "general", "/task", "ephemeral")
    await api.slack.command("alice", "general", "/task", "in_channel")

    assert [e.body["text"] for e in api.slack.ephemerals("alice")] == ["ephemeral"]
    assert [m["text"] for m in api.slack.messages("general")] == ["in_channel"]


async def test_a_command_cannot_be_used_in_a_thread(app: SocketApp, api: Api) -> None:
    """If a person types a command in a thread, the stand-in refuses it as Slack does, and the app gets
    nothing."""
    root = await api.slack.post("alice", "general", "root")

    answer = await api.slack.command("alice", "general", "/task", "help", thread_ts=root)

    assert answer.failure == "/task is not supported in threads. Sorry!"
    assert all(e["type"] == "events_api" for e in app.envelopes)


async def test_a_response_url_answers_five_times(app: SocketApp, api: Api) -> None:
    """If the app answers a response URL six times, the first five answers are accepted. The sixth is refused
    and recorded as a violation."""
    answer = await api.slack.command("alice", "general", "/task help")

    statuses = []
    for number in range(6):
        async with api.session.post(answer.response_url, json={"text": str(number)}) as response:
            statuses.append(response.status)

    assert len(app.envelopes) == 1
    assert statuses == [200] * 5 + [404]
    assert [e.body["text"] for e in api.slack.ephemerals("alice")] == list("01234")
    assert api.slack.violations == ["response_url: used_url"]


async def test_a_response_url_lives_half_an_hour() -> None:
    """A response URL expires after half an hour of the stand-in's clock. If an answer to it has an unknown
    field, this is a violation."""
    now = 1_800_000_000.0

    async with world(clock=lambda: now) as api, connected(api):
        url = (await api.slack.command("alice", "general", "/task help")).response_url
        async with api.session.post(url, json={"text": "in time", "colour": "red"}) as response:
            in_time = response.status
        now += 30 * 60 + 1
        async with api.session.post(url, json={"text": "late"}) as response:
            late = (response.status, await response.json())

        assert (in_time, late) == (200, (404, {"ok": False, "error": "expired_url"}))
        assert api.slack.violations == [
            "unknown field for a response_url: colour",
            "response_url: expired_url",
        ]


async def test_a_mention_is_two_events(app: SocketApp, api: Api) -> None:
    """If a person mentions the bot, the app gets two events about the one message, with different event
    ids."""
    ts = await api.slack.mention("alice", "general", "fix it")
    await api.slack.wait_until_idle()

    assert sorted((e["type"], e["ts"]) for e in app.events) == [("app_mention", ts), ("message", ts)]
    assert len({e["payload"]["event_id"] for e in app.envelopes}) == 2


async def test_the_apps_own_messages_are_events_too(app: SocketApp, api: Api, general: str) -> None:
    """If the app posts a message, it gets an event for it too. The bot id in the event shows that the message
    is the app's own."""
    await api.post(general, "hello")
    await api.slack.wait_until_idle()

    assert [(e["type"], e["bot_id"], e["text"]) for e in app.events] == [("message", "B0TW000001", "hello")]


async def test_no_events_from_where_the_bot_is_not(app: SocketApp, api: Api) -> None:
    """If a person writes in a channel that the bot has not joined, the app gets no event. This holds even if
    the message mentions the bot."""
    await api.slack.mention("alice", "random", "hello?")
    await api.slack.wait_until_idle()

    assert app.events == []


async def test_subtypes_of_messages(app: SocketApp, api: Api) -> None:
    """The event about a message has a subtype that says what happened. There is one for an edit, a deletion,
    a file, a broadcast, another bot's message and a join."""
    root = await api.slack.post("alice", "general", "root")
    await api.slack.edit("alice", "general", root, "root, better")
    await api.slack.post("bob", "general", "all see", root, broadcast=True)
    ts = await api.slack.post("bob", "general", "look", files=[Attachment("a.log", b"line")])
    await api.slack.delete("bob", "general", ts)
    await api.slack.post_as_bot("general", "beep")
    carol = api.slack.add_user("carol")
    await api.slack.join(carol.id, "general")
    await api.slack.wait_until_idle()

    subtypes = [str(e.get("subtype", e["type"])) for e in app.events]
    assert sorted(subtypes) == sorted(
        [
            *("message", "message_changed", "thread_broadcast", "file_share", "message_deleted"),
            *("bot_message", "channel_join", "member_joined_channel"),
        ]
    )


async def test_an_edit_tells_before_and_after(app: SocketApp, api: Api, general: str) -> None:
    """If a message is edited, the app gets an event with the text before and after. The event has its own ts.
    The message keeps its ts and is marked as edited."""
    ts = await api.slack.post("alice", "general", "one")
    await api.slack.edit("alice", "general", ts, "two <3")
    await api.slack.wait_until_idle()

    changed = next(e for e in app.events if e.get("subtype") == "message_changed")
    assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("two &lt;3", "one")
    assert (changed["message"]["ts"], changed["channel"], changed["hidden"]) == (ts, general, True)
    assert changed["message"]["edited"]["user"] == api.slack.workspace.user("alice").id
    assert changed["ts"] > ts


async def test_slacks_own_unfurl_is_no_edit(app: SocketApp, api: Api) -> None:
    """If Slack itself adds a preview of a link, the message changes but is not marked as edited."""
    ts = await api.slack.post("alice", "general", "see https://example.test")
    await api.slack.unfurl("general", ts, "https://example.test")
    await api.slack.wait_until_idle()

    changed = next(e for e in app.events if e.get("subtype") == "message_changed")
    assert "edited" not in changed["message"]
    assert changed["message"]["text"] == changed["previous_message"]["text"]


async def test_a_link_is_offered_for_unfurling(app: SocketApp, api: Api) -> None:
    """If a person posts a link, the app gets an event, even if the bot is not in the channel. The app can
    answer with a preview, which is shown below the message."""
    ts = await api.slack.post("alice", "random", "see https://coder.test/tasks/1")
    await api.slack.until(lambda: app.events, "the event")
    shared = app.events[0]
    unfurls = {"https://coder.test/tasks/1": {"blocks": [{"type": "divider"}]}}

    answer = await api.call(
        "chat.unfurl", unfurl_id=shared["unfurl_id"], source=shared["source"], unfurls=unfurls
    )

    assert (shared["type"], shared["is_bot_user_member"], shared["message_ts"]) == ("link_shared", False, ts)
    assert shared["links"] == [{"url": "https://coder.test/tasks/1", "domain": "coder.test"}]
    assert answer == {"ok": True}
    assert api.slack.message("random", ts)["attachments"][0]["from_url"] == "https://coder.test/tasks/1"


async def test_reactions_are_events(app: SocketApp, api: Api, general: str) -> None:
    """If a person adds a reaction, the app gets an event. It names the message's author, but not the
    message's thread."""
    ts = await api.post(general, "card")
    await api.slack.react("alice", "general", ts, ":octagonal_sign:")
    await api.slack.unreact("alice", "general", ts, "octagonal_sign")
    await api.slack.wait_until_idle()

    events = [(e["type"], e["reaction"], e["item_user"]) for e in app.events if e["type"] != "message"]
    bot = api.slack.bot_user_id
    assert sorted(events) == [
        ("reaction_added", "octagonal_sign", bot),
        ("reaction_removed", "octagonal_sign", bot),
    ]


async def test_a_click_carries_the_message_and_a_response_url(app: SocketApp, api: Api, general: str) -> None:
    """If a person clicks a button, the app gets the message and a response URL. An answer to this URL may
    replace the message."""
    ts = await api.post(general, "card", blocks=BUTTONS)

    answer = await api.slack.click("alice", "general", ts, "go")
    async with api.session.post(
        answer.response_url, json={"text": "done", "replace_original": True}
    ) as response:
        assert (response.status, await response.text()) == (200, "ok")

    payload = next(e["payload"] for e in app.envelopes if e["type"] == "interactive")
    assert payload["type"] == "block_actions"
    assert payload["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": general,
        "is_ephemeral": False,
    }
    assert payload["message"]["text"] == "card"
    (action,) = payload["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("go", "row", "v1")
    assert api.slack.message("general", ts)["text"] == "done"


async def test_a_response_url_shows_nothing_in_a_thread_to_one_person(
    app: SocketApp, api: Api, general: str
) -> None:
    """If a button was clicked in a thread, an ephemeral answer to the response URL is shown outside the
    thread. Only chat.postEphemeral can show a message to one person in the thread."""
    del app
    root = await api.post(general, "root")
    ts = await api.post(general, "notice", blocks=BUTTONS, thread_ts=root)
    answer = await api.slack.click("alice", "general", ts, "go")

    async with api.session.post(answer.response_url, json={"text": "psst", "thread_ts": root}) as response:
        assert response.status == 200
    alice = api.slack.workspace.user("alice").id
    await api.call("chat.postEphemeral", channel=general, user=alice, text="here", thread_ts=root)

    assert [(said.body["text"], said.thread_ts) for said in api.slack.ephemerals("alice")] == [
        ("psst", None),
        ("here", root),
    ]


async def test_a_choice_in_a_menu_carries_the_option(app: SocketApp, api: Api, general: str) -> None:
    """If a person chooses an option in a menu, the app gets the option. A test names the option by its value
    or its text."""
    ts = await api.post(general, "card", blocks=BUTTONS)

    await api.slack.click("alice", "general", ts, "pick", "One")

    action = next(e for e in app.envelopes if e["type"] == "interactive")["payload"]["actions"][0]
    assert action["selected_option"] == {"text": {"type": "plain_text", "text": "One"}, "value": "1"}


async def test_an_ephemeral_message_can_be_clicked_and_taken_away(
    app: SocketApp, api: Api, general: str
) -> None:
    """If a person clicks a button of an ephemeral message, the app does not get the message. Only the
    response URL can change or delete it."""
    alice = api.slack.workspace.user("alice").id
    shown = await api.call("chat.postEphemeral", channel=general, user=alice, text="a", blocks=BUTTONS)

    answer = await api.slack.click("alice", "general", shown["message_ts"], "go")
    async with api.session.post(answer.response_url, json={"delete_original": True}) as response:
        assert response.status == 200

    payload = app.envelopes[-1]["payload"]
    assert (payload["container"]["is_ephemeral"], "message" in payload) == (True, False)
    assert api.slack.ephemerals("alice") == []


async def test_shortcuts_carry_what_they_were_used_on(app: SocketApp, api: Api) -> None:
    """If a person uses a message shortcut, also in a thread, the app gets the message."""
    root = await api.slack.post("alice", "general", "root")
    reply = await api.slack.post("alice", "general", "reply", root)

    await api.slack.shortcut("alice", "new_task")
    await api.slack.message_shortcut("alice", "general", reply, "make_task")

    (first, second) = (e["payload"] for e in app.envelopes if e["type"] == "interactive")
    assert (first["type"], first["callback_id"]) == ("shortcut", "new_task")
    assert (second["type"], second["message_ts"], second["message"]["thread_ts"]) == (
        "message_action",
        reply,
        root,
    )


async def test_what_a_person_cannot_do(api: Api, general: str) -> None:
    """If a test lets a person do something that is impossible in Slack, the error says why."""
    ts = await api.post(general, "card", blocks=BUTTONS)

    with pytest.raises(ImpossibleAction, match="only one's own messages"):
        await api.slack.edit("alice", "general", ts, "x")
    with pytest.raises(ImpossibleAction, match="bob is not in secret"):
        await api.slack.post("bob", "secret", "x")
    with pytest.raises(ImpossibleAction, match="nothing to press with action_id 'stop'"):
        await api.slack.click("alice", "general", ts, "stop")
    with pytest.raises(ImpossibleAction, match="has no option 'Two'"):
        await api.slack.click("alice", "general", ts, "pick", "Two")


async def test_a_typed_message_comes_with_its_rich_text(app: SocketApp, api: Api) -> None:
    """If a person types a message, the app gets it with rich text, in which mentions, links and code are
    elements."""
    await api.slack.post("alice", "general", "hey @bob see https://x.test and `run` ```\na < b\n```")
    await api.slack.wait_until_idle()

    bob = api.slack.workspace.user("bob").id
    event = next(e for e in app.events if e["type"] == "message")
    assert event["text"] == f"hey <@{bob}> see <https://x.test> and `run` ```\na &lt; b\n```"
    section, code = event["blocks"][0]["elements"]
    assert [e["type"] for e in section["elements"]] == [
        "text",
        "user",
        "text",
        "link",
        "text",
        "text",
        "text",
    ]
    assert code == {
        "type": "rich_text_preformatted",
        "elements": [{"type": "text", "text": "a < b"}],
        "border": 0,
    }


async def test_only_subscribed_events_are_delivered() -> None:
    """If the manifest does not subscribe to an event or lacks its scope, the app does not get the event."""
    manifest = {
        "display_information": {"name": "Small"},
        "oauth_config": {"scopes": {"bot": ["app_mentions:read"]}},
        "settings": {
            "socket_mode_enabled": True,
            "event_subscriptions": {"bot_events": ["app_mention", "message.channels"]},
        },
    }

    async with world(manifest=manifest) as api, connected(api) as app:
        await api.slack.mention("alice", "general", "hello")
        await api.slack.wait_until_idle()

        assert [e["type"] for e in app.events] == ["app_mention"]


async def test_only_declared_commands_and_shortcuts_exist() -> None:
    """If a person uses a command or shortcut that the manifest does not declare, the stand-in refuses it. The
    app gets nothing."""
    manifest = {
        "display_information": {"name": "Small"},
        "features": {"slash_commands": [{"command": "/task", "description": "Tasks"}]},
        "oauth_config": {"scopes": {"bot": ["commands"]}},
        "settings": {"socket_mode_enabled": True},
    }

    async with world(manifest=manifest) as api, connected(api) as app:
        known = await api.slack.command("alice", "general", "/task", "@bob")
        unknown = await api.slack.command("alice", "general", "/other")
        with pytest.raises(ImpossibleAction, match="no global shortcut 'new_task'"):
            await api.slack.shortcut("alice", "new_task")

        assert (known.ok, app.envelopes[0]["payload"]["text"]) == (True, "@bob")
        assert unknown.failure == "/other is not a valid command."
