"""Payloads of the stand-in, and malformed payloads, are parsed into typed values."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Button, Dialog, Message, View
from taskwire.slack import inbound
from taskwire.slack.inbound import (
    DirectMessage,
    IgnoredPayload,
    Mention,
    MessageDeleted,
    MessageEdited,
    ThreadMessage,
)
from taskwire.slack.metadata import Metadata
from taskwire.slack.outbound import Outbound
from taskwire.slack.payload_sources import Source, parse_source
from taskwire_sandbox.slack import Attachment, SlackSandbox

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Body = Mapping[str, object]


def last(slack: SlackSandbox, name: str) -> Body:
    """Return the latest payload that the stand-in has delivered under this name."""
    return next(one.payload for one in reversed(slack.deliveries) if one.name == name)


def last_message(slack: SlackSandbox) -> object:
    return inbound.parse_message_event(last(slack, "message"))


def dev(slack: SlackSandbox) -> ChannelId:
    return ChannelId(slack.workspace.channel("dev").id)


def alice(slack: SlackSandbox) -> UserId:
    return UserId(slack.workspace.user("alice").id)


async def card(slack: SlackSandbox, outbound: Outbound) -> Ts:
    return await outbound.post(dev(slack), Message(text="A card"), Metadata("c1", "card"))


async def test_a_reply_under_the_card(slack: SlackSandbox, outbound: Outbound) -> None:
    root = await card(slack, outbound)
    ts = await slack.post("alice", "dev", "use <b>", root, files=[Attachment("a.log", b"abc")])

    found = last_message(slack)

    assert isinstance(found, ThreadMessage)
    assert (found.channel, found.ts, found.thread_ts, found.person) == (dev(slack), ts, root, alice(slack))
    assert (found.text, found.is_bot_thread) == ("use &lt;b&gt;", True)
    assert found.delivery == f"{dev(slack)}:{ts}"
    assert found.blocks_json.startswith('[{"type":"rich_text"')
    (file,) = found.files
    assert (file.name, file.size, file.mimetype) == ("a.log", 3, "text/plain")
    assert file.url.startswith("http://127.0.0.1")


async def test_a_reply_that_is_also_sent_to_the_channel_is_a_reply(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    root = await card(slack, outbound)
    ts = await slack.post("alice", "dev", "louder", root, broadcast=True)

    found = last_message(slack)

    assert isinstance(found, ThreadMessage)
    assert (found.ts, found.text) == (ts, "louder")


async def test_a_reply_in_somebody_elses_thread_says_so(slack: SlackSandbox) -> None:
    root = await slack.post("bob", "dev", "who knows?")
    await slack.post("alice", "dev", "I do", root)

    found = last_message(slack)

    assert isinstance(found, ThreadMessage)
    assert not found.is_bot_thread


async def test_a_reply_that_does_not_name_who_began_its_thread_may_be_in_ours(slack: SlackSandbox) -> None:
    """Some servers do not say in a reply's event who began the thread. Such a reply counts as one in a thread
    that the bot may have begun."""
    root = await slack.post("bob", "dev", "who knows?")
    await slack.post("alice", "dev", "I do", root)
    body = slack.deliveries[-1].payload
    del body["event"]["parent_user_id"]

    found = inbound.parse_message_event(body)

    assert isinstance(found, ThreadMessage)
    assert found.is_bot_thread


async def test_what_is_said_at_the_top_of_a_channel_is_not_ours(slack: SlackSandbox) -> None:
    await slack.post("alice", "dev", "good morning")

    assert last_message(slack) == IgnoredPayload("not in a thread")


async def test_bots_are_not_heard(slack: SlackSandbox, outbound: Outbound) -> None:
    root = await card(slack, outbound)
    assert last_message(slack) == IgnoredPayload("written by a bot")

    await slack.post_as_bot("dev", "beep", root)
    assert last_message(slack) == IgnoredPayload("written by a bot")

    await outbound.update(dev(slack), root, Message(text="Another card"), Metadata("c1", "card"))
    assert last_message(slack) == IgnoredPayload("written by a bot")


async def test_a_message_about_a_join_is_ignored(slack: SlackSandbox) -> None:
    slack.add_user("carol")
    await slack.join("carol", "dev")

    assert last_message(slack) == IgnoredPayload("subtype channel_join")


async def test_a_direct_message_and_a_reply_under_the_bots_own(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    direct = ChannelId(slack.open_direct("alice").id)
    ts = await slack.post("alice", direct, "fix it")
    assert last_message(slack) == DirectMessage(
        direct, Ts(ts), alice(slack), "fix it", f"{direct}:{ts}", blocks_json=_blocks_of(slack)
    )

    await slack.post("alice", direct, "and soon", ts)
    under_own = last_message(slack)
    assert isinstance(under_own, DirectMessage)
    assert under_own.thread_ts == ts

    root = await outbound.post(direct, Message(text="A card"), Metadata("c2", "card"))
    await slack.post("alice", direct, "go on", root)
    under_bots = last_message(slack)
    assert isinstance(under_bots, ThreadMessage)
    assert under_bots.is_bot_thread


def _blocks_of(slack: SlackSandbox) -> str:
    found = last_message(slack)
    assert isinstance(found, DirectMessage)
    return found.blocks_json


async def test_a_mention_has_the_delivery_of_its_message(slack: SlackSandbox) -> None:
    root = await slack.post("bob", "dev", "it is broken")
    ts = await slack.mention("alice", "dev", "fix this", root)

    message, mention = last_message(slack), inbound.parse_mention(last(slack, "app_mention"))

    assert isinstance(message, ThreadMessage)
    assert isinstance(mention, Mention)
    assert mention.delivery == message.delivery == f"{dev(slack)}:{ts}"
    assert (mention.thread_ts, mention.text) == (root, f"<@{slack.bot_user_id}> fix this")
    assert mention.in_thread() == message


async def test_a_mention_at_the_top_has_no_thread(slack: SlackSandbox) -> None:
    await slack.mention("alice", "dev", "fix this")

    found = inbound.parse_mention(last(slack, "app_mention"))

    assert isinstance(found, Mention)
    assert found.thread_ts is None


async def test_an_edit_is_claimed_apart_and_an_unfurl_is_none(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    root = await card(slack, outbound)
    ts = await slack.post("alice", "dev", "see https://example.test/a", root)
    await slack.unfurl("dev", ts, "https://example.test/a")
    assert last_message(slack) == IgnoredPayload("nothing that a person changed")

    await slack.edit("alice", "dev", ts, "see the other")

    found = last_message(slack)
    assert isinstance(found, MessageEdited)
    assert (found.ts, found.thread_ts, found.text) == (ts, root, "see the other")
    assert found.delivery == f"{dev(slack)}:{ts}:edited:{found.edited_ts}"


async def test_a_deleted_reply(slack: SlackSandbox, outbound: Outbound) -> None:
    root = await card(slack, outbound)
    ts = await slack.post("alice", "dev", "never mind", root)

    await slack.delete("alice", "dev", ts)

    found = last_message(slack)
    assert isinstance(found, MessageDeleted)
    assert (found.channel, found.thread_ts, found.ts) == (dev(slack), root, ts)
    assert found.delivery == f"{dev(slack)}:{ts}:deleted"
    assert (found.at > ts, found.is_bot_thread) == (True, True)


async def test_a_root_that_leaves_a_tombstone_is_deleted(slack: SlackSandbox) -> None:
    root = await slack.post("alice", "dev", "it is broken")
    await slack.post("bob", "dev", "really?", root)

    await slack.delete("alice", "dev", root)

    found = last_message(slack)
    assert isinstance(found, MessageDeleted)
    assert (found.channel, found.thread_ts, found.ts) == (dev(slack), root, root)


async def test_a_command(slack: SlackSandbox) -> None:
    typed = await slack.command("alice", "dev", "/task", "create fix it")

    found = inbound.parse_command(last(slack, "/task"), NOW)

    requester = Requester(person=alice(slack), channel=dev(slack), at=Ts("1777636800.000000"))
    assert isinstance(found, inbound.SlashCommand)
    assert found.requester == requester.model_copy(
        update={"response_url": typed.response_url, "surface": "command"}
    )
    assert found.text == "create fix it"
    assert found.delivery == found.trigger_id == typed.trigger_id


async def test_a_click_on_a_card(slack: SlackSandbox, outbound: Outbound) -> None:
    button = {"type": "button", "action_id": Button.PAUSE.value, "value": "link-1"}
    label = {"type": "plain_text", "text": "Pause"}
    blocks = ({"type": "actions", "block_id": "a", "elements": [button | {"text": label}]},)
    message = Message.model_validate({"text": "A card", "blocks": blocks})
    root = await outbound.post(dev(slack), message, Metadata("c1", "card"))

    pressed = await slack.click("alice", "dev", root, Button.PAUSE.value)

    found = inbound.parse_click(last(slack, "block_actions"))
    assert isinstance(found, inbound.Click)
    assert (found.button, found.value, found.person) == (Button.PAUSE, "link-1", alice(slack))
    assert (found.channel, found.thread_ts) == (dev(slack), None)
    assert (found.response_url, found.trigger_id) == (pressed.response_url, pressed.trigger_id)
    assert found.view_id is None
    assert found.delivery == f"{found.action_ts}:{alice(slack)}"


def menu(kind: str, **more: object) -> dict[str, object]:
    return {"type": kind, "action_id": "chosen"} | more


def option(value: str) -> dict[str, object]:
    return {"text": {"type": "plain_text", "text": value.title()}, "value": value}


def asked(block_id: str, element: dict[str, object]) -> dict[str, object]:
    label = {"type": "plain_text", "text": block_id}
    return {"type": "input", "block_id": block_id, "label": label, "element": element, "optional": True}


FORM = {
    "type": "modal",
    "callback_id": Dialog.CREATE.value,
    "private_metadata": "key-1",
    "title": {"type": "plain_text", "text": "New task"},
    "submit": {"type": "plain_text", "text": "Create"},
    "blocks": [
        asked("prompt", menu("plain_text_input", multiline=True)),
        asked("template", menu("static_select", options=[option("docker"), option("vm")])),
        asked("channel", menu("conversations_select")),
        asked("with", menu("checkboxes", options=[option("thread"), option("files")])),
        asked("name", menu("plain_text_input")),
    ],
}


async def test_a_home_tab_that_was_opened(slack: SlackSandbox) -> None:
    await slack.open_home("alice")
    await slack.wait_until_idle()
    found = inbound.parse_home_opened(last(slack, "app_home_opened"))
    await slack.open_home("alice", "messages")
    await slack.wait_until_idle()

    assert isinstance(found, inbound.HomeOpened)
    assert found.person == alice(slack)
    assert found.delivery.startswith("Ev")
    assert isinstance(inbound.parse_home_opened(last(slack, "app_home_opened")), IgnoredPayload)


async def test_a_dialog_that_was_filled_in(slack: SlackSandbox, outbound: Outbound) -> None:
    trigger = slack.backend.tickets.trigger(alice(slack))
    view_id = await outbound.views.open(trigger, View.model_validate({"content": FORM}))
    entered = {"prompt": "fix it", "template": "vm", "channel": dev(slack), "with": ["thread", "files"]}

    await slack.submit("alice", view_id, entered)

    found = inbound.parse_submission(last(slack, "view_submission"))
    assert isinstance(found, inbound.Submission)
    assert found.values == {
        "prompt": "fix it",
        "template": "vm",
        "channel": dev(slack),
        "with": "thread,files",
    }
    assert (found.dialog, found.private_metadata, found.person) == (Dialog.CREATE, "key-1", alice(slack))
    assert found.delivery.startswith(f"{view_id}:")


async def test_a_choice_within_a_dialog(slack: SlackSandbox, outbound: Outbound) -> None:
    trigger = slack.backend.tickets.trigger(alice(slack))
    view_id = await outbound.views.open(trigger, View.model_validate({"content": FORM}))

    await slack.press("alice", view_id, "chosen", "vm", block_id="template")

    found = inbound.parse_click(last(slack, "block_actions"))
    assert isinstance(found, inbound.Click)
    assert (found.button, found.action_id, found.value) == (None, "chosen", "vm")
    assert (found.view_id, found.values) == (view_id, {"template": "vm"})


async def test_where_things_come_from(slack: SlackSandbox) -> None:
    slack.add_user("stranger", team_id="T0OTHER", is_stranger=True)
    slack.add_channel("shared", ["alice", "stranger"], is_ext_shared=True)
    await slack.post("alice", "shared", "hello")
    assert parse_source(last(slack, "message")) == Source("T0TASKWIRE", None, "T0TASKWIRE", is_bot=False)

    await slack.post("stranger", "shared", "hello")
    assert parse_source(last(slack, "message")).actor_team_id == "T0OTHER"

    await slack.post_as_bot("dev", "beep")
    assert parse_source(last(slack, "message")).is_bot

    await slack.command("alice", "dev", "/task", "list")
    assert parse_source(last(slack, "/task")) == Source("T0TASKWIRE", None, "T0TASKWIRE", is_bot=False)


def test_a_person_of_an_unknown_organisation_has_no_workspace() -> None:
    event = {"type": "message", "user": "U1", "user_team": "E0OTHER"}
    body = {"is_ext_shared_channel": True, "authorizations": [{"team_id": "T0TASKWIRE"}], "event": event}

    assert parse_source(body).actor_team_id is None
    assert parse_source(body | {"enterprise_id": "E0OTHER"}).actor_team_id == "T0TASKWIRE"
    assert parse_source(body | {"event": {"type": "message"}}).actor_team_id is None


@pytest.mark.parametrize(
    "parts",
    [
        {"message": {"user_team": "T0OTHER", "team": "T0TASKWIRE"}},
        {"message": {"team": "T0OTHER"}, "previous_message": {"team": "T0TASKWIRE"}},
        {"message": {"subtype": "tombstone"}, "previous_message": {"user_team": "T0OTHER"}},
        {"previous_message": {"team": "T0OTHER"}},
    ],
)
def test_an_edit_or_a_deletion_names_the_workspace_in_its_message(parts: dict[str, object]) -> None:
    body = {"is_ext_shared_channel": True, "event": {"type": "message", **parts}}

    assert parse_source(body).actor_team_id == "T0OTHER"


@pytest.mark.parametrize("body", [{}, {"event": None}, {"event": []}, {"authorizations": [None, 1]}])
def test_nonsense_is_ignored(body: dict[str, object]) -> None:
    assert isinstance(inbound.parse_message_event(body), IgnoredPayload)
    assert isinstance(inbound.parse_mention(body), IgnoredPayload)
    assert isinstance(inbound.parse_command(body, NOW), IgnoredPayload)
    assert isinstance(inbound.parse_click(body), IgnoredPayload)
    assert isinstance(inbound.parse_submission(body), IgnoredPayload)


def test_half_characters_are_replaced() -> None:
    event = {"channel": "C0000001", "ts": "2.000000", "thread_ts": "1.000000", "user": "U0000001"}
    body = {"event": event | {"text": "a\ud800b", "blocks": [{"type": "\ud800"}]}}

    found = inbound.parse_message_event(body)

    assert isinstance(found, ThreadMessage)
    assert (found.text, found.blocks_json) == ("a?b", '[{"type":"?"}]')
