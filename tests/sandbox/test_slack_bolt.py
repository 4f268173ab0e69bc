"""A real Bolt app works with the Slack stand-in over Socket Mode."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncRespond, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from taskwire_sandbox.slack import DeliveryFault, SlackSandbox
from tests.sandbox.slack_app import Api, Json
from tests.sandbox.slack_worlds import world

FORM: Json = {
    "type": "modal",
    "callback_id": "form",
    "title": {"type": "plain_text", "text": "New task"},
    "submit": {"type": "plain_text", "text": "Create"},
    "blocks": [
        {
            "type": "input",
            "block_id": "prompt",
            "label": {"type": "plain_text", "text": "Prompt"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}
CARD: list[Json] = [
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "pause",
                "text": {"type": "plain_text", "text": "Pause"},
                "value": "1",
            }
        ],
    }
]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world(retry_seconds=(0.0, 0.1)) as opened:
        yield opened


def bolt(slack: SlackSandbox) -> AsyncApp:
    """Return an app that answers each kind of payload that the tests send."""
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    app = AsyncApp(client=client)

    async def command(ack: AsyncAck, respond: AsyncRespond, command: Json, client: AsyncWebClient) -> None:
        await ack("working on it")
        await client.views_open(trigger_id=command["trigger_id"], view=FORM)
        await respond("open")

    async def mention(event: Json, say: AsyncSay) -> None:
        await say(text="a card", blocks=CARD, thread_ts=event["ts"])

    async def click(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("paused", replace_original=True)

    async def submit(ack: AsyncAck, view: Json, client: AsyncWebClient, context: AsyncBoltContext) -> None:
        prompt = view["state"]["values"]["prompt"]["text"]["value"]
        if prompt == "no":
            await ack(response_action="errors", errors={"prompt": "Say more"})
            return
        await ack()
        assert context.user_id is not None
        await client.chat_postMessage(channel=context.user_id, text=prompt)

    async def ignore() -> None:
        pass

    app.command("/task")(command)
    app.event("app_mention")(mention)
    app.event("message")(ignore)
    app.action("pause")(click)
    app.view("form")(submit)
    return app


@asynccontextmanager
async def running(slack: SlackSandbox) -> AsyncIterator[Any]:
    """Run the app over Socket Mode. Yield Bolt's socket client, which has no useful type."""
    handler = AsyncSocketModeHandler(bolt(slack), slack.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    await slack.wait_for_sockets()
    try:
        yield handler.client
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # as above


async def test_a_command_is_acked_answered_and_opens_a_dialog(api: Api) -> None:
    """If a person types a command, the app acks it, answers at its response URL and opens a dialog. The app
    refuses the first submission of the dialog with an error, and accepts the second."""
    slack = api.slack
    async with running(slack):
        answer = await slack.command("alice", "general", "/task create")
        await slack.until(
            lambda: slack.views("alice") and len(slack.ephemerals("alice")) == 2, "both answers"
        )
        (view,) = slack.views("alice")
        refused = await slack.submit("alice", view, {"text": "no"})
        taken = await slack.submit("alice", view, {"text": "fix it"})
        direct = slack.open_direct("alice").id
        await slack.until(lambda: slack.messages(direct), "the direct message")

    assert answer.ok
    assert sorted(e.body["text"] for e in slack.ephemerals("alice")) == ["open", "working on it"]
    assert (refused.errors, taken.ok) == ({"prompt": "Say more"}, True)
    assert [m["text"] for m in slack.messages(direct)] == ["fix it"]
    assert slack.violations == []


async def test_a_mention_brings_a_card_whose_button_works(api: Api) -> None:
    """If a person mentions the app, the app acks the event and posts a card in the thread. A click on the
    card's button replaces the card."""
    slack = api.slack
    async with running(slack):
        ts = await slack.mention("alice", "general", "hello")
        await slack.until(lambda: len(slack.thread("general", ts)) == 2, "the card")
        card = slack.thread("general", ts)[1]
        clicked = await slack.click("alice", "general", card["ts"], "pause")
        await slack.until(lambda: slack.message("general", card["ts"])["text"] == "paused", "the new card")
        await slack.wait_until_idle()

    assert (card["text"], clicked.ok) == ("a card", True)
    assert {d.outcome for d in slack.deliveries} == {"acked"}
    assert slack.violations == []


async def test_bolt_connects_anew_when_asked_to(api: Api) -> None:
    """If the stand-in asks Bolt to open a new connection, Bolt does so. A command then arrives on the new
    connection."""
    slack = api.slack
    async with running(slack):
        (before,) = slack.sockets.connections
        await slack.sockets.refresh()
        await slack.until(
            lambda: before not in slack.sockets.connections and slack.sockets.connections, "a new socket"
        )
        answer = await slack.command("alice", "general", "/task create")

    assert answer.ok


async def test_bolt_sees_a_retry_as_a_retry(api: Api) -> None:
    """If an event is lost, it is delivered again, marked as a retry, and acked."""
    slack = api.slack
    slack.faults.add("app_mention", DeliveryFault.LOST)
    async with running(slack):
        ts = await slack.mention("alice", "general", "hello")
        await slack.until(lambda: len(slack.thread("general", ts)) == 2, "the card")

    mention = next(d for d in slack.deliveries if d.name == "app_mention")
    assert mention.attempts == ["lost", "acked"]


async def test_two_apps_share_what_comes(api: Api) -> None:
    """If two apps run, only one of them answers each mention."""
    slack = api.slack
    async with running(slack), running(slack):
        await slack.wait_for_sockets(2)
        stamps = [await slack.mention("alice", "general", str(number)) for number in range(6)]
        await slack.until(lambda: all(len(slack.thread("general", ts)) == 2 for ts in stamps), "six cards")
        await slack.wait_until_idle()

        assert [len(slack.thread("general", ts)) for ts in stamps] == [2] * 6
