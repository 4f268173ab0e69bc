"""A small bot for the tests of the demo's page: a Bolt app in Socket Mode that uses each feature once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from taskwire_sandbox.slack import SlackSandbox

Json = dict[str, Any]  # Slack's open payloads, as in the stand-in itself

HOSTILE = '<img src=x onerror="document.title=1"> & <script>document.title=2</script>'
LOG = "\n".join(f"line {number} of the log" for number in range(1, 41))


def words(text: str, kind: str = "mrkdwn") -> Json:
    """Return one of Slack's text objects."""
    return {"type": kind, "text": text}


def button(action_id: str, label: str, **more: object) -> Json:
    """Return one of Slack's buttons. `more` has further fields of the button."""
    return {"type": "button", "action_id": action_id, "text": words(label, "plain_text")} | more


def card(prompt: str, phase: str, created: int) -> list[Json]:
    """Return the blocks of a message that looks like a task's card."""
    title: Json = {
        "type": "link",
        "url": "https://coder.test/tasks/1",
        "text": prompt,
        "style": {"bold": True},
    }
    line: Json = {"type": "rich_text_section", "elements": [title]}
    face: Json = {"type": "emoji", "name": "gear"}
    state: Json = {"type": "rich_text_section", "elements": [face, {"type": "text", "text": f" {phase}"}]}
    age = f"started <!date^{created}^{{ago}}|on some day>"
    danger = button("task.delete", "Delete", value="7", style="danger", confirm=_CONFIRM)
    pressed = [button("task.edit", "Edit prompt", value="7", style="primary"), danger]
    return [
        {"type": "rich_text", "block_id": "title", "elements": [line, state]},
        {"type": "context", "block_id": "facts", "elements": [words("alice", "plain_text"), words(age)]},
        {
            "type": "section",
            "block_id": "note",
            "text": words("Reply in *this thread* to talk to the agent."),
        },
        {"type": "actions", "block_id": "buttons", "elements": [_PULL_REQUEST, *pressed, _MENU]},
    ]


_PULL_REQUEST = button("open.link", "View pull request", url="https://github.com/acme/shop/pull/412")
_CONFIRM: Json = {
    "title": words("Delete this task?", "plain_text"),
    "text": words("Its workspace goes with it.", "plain_text"),
    "confirm": words("Delete", "plain_text"),
    "deny": words("Keep it", "plain_text"),
    "style": "danger",
}


_MENU: Json = {
    "type": "overflow",
    "action_id": "task.menu",
    "options": [
        {"text": words("Open in Coder", "plain_text"), "value": "open", "url": "https://coder.test/tasks/7"},
        {"text": words("Mute", "plain_text"), "value": "mute"},
    ],
}


def select_row(block_id: str) -> list[Json]:
    """Return a row of blocks with a select, as in the menu of Taskwire's card."""
    select: Json = {"type": "static_select", "action_id": "task.more", "options": _options("Logs", "Mute")}
    select |= {"placeholder": words("More…", "plain_text")}
    return [{"type": "actions", "block_id": block_id, "elements": [select]}]


_CHANNELS: Json = {"include": ["public", "private"], "exclude_bot_users": True}


def _input(block_id: str, label: str, element: Json, **more: object) -> Json:
    block: Json = {"type": "input", "block_id": block_id, "label": words(label, "plain_text")}
    return block | {"element": {"action_id": block_id} | element} | more


def _options(*names: str) -> list[Json]:
    return [{"text": words(name, "plain_text"), "value": name.lower()} for name in names]


def loading() -> Json:
    """Return the dialog that the bot opens immediately, before its content is ready."""
    view: Json = {"type": "modal", "callback_id": "form", "title": words("New task", "plain_text")}
    return view | {"blocks": [{"type": "section", "text": words("Asking Coder…")}]}


def form() -> Json:
    """Return a dialog with many kinds of input."""
    choices = _options("Small", "Large")
    blocks = [
        _input("template", "Template", {"type": "static_select", "options": _options("Docker", "Cloud")}),
        _input("prompt", "Prompt", {"type": "plain_text_input", "multiline": True, "min_length": 5}),
        _input(
            "name", "Name", {"type": "plain_text_input"}, optional=True, hint=words("Letters", "plain_text")
        ),
        _input("channel", "Channel", {"type": "conversations_select", "filter": _CHANNELS}, optional=True),
        _input("size", "Size", {"type": "radio_buttons", "options": choices}, optional=True),
        _input(
            "extras", "Extras", {"type": "checkboxes", "options": _options("Logs", "Tests")}, optional=True
        ),
        _input("who", "Watchers", {"type": "multi_users_select"}, optional=True),
        _input("when", "Day", {"type": "datepicker"}, optional=True),
    ]
    return loading() | {"submit": words("Create", "plain_text"), "blocks": blocks}


def _home() -> Json:
    blocks = [
        {"type": "header", "text": words("What needs you", "plain_text")},
        {"type": "section", "text": words("Nothing. :tada:")},
        {"type": "actions", "elements": [button("home.refresh", "Refresh", value="1")]},
    ]
    return {"type": "home", "blocks": blocks}


def _add_command(app: AsyncApp, heard: list[str]) -> None:
    @app.command("/task")
    async def command(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        text, channel, user = body["text"], body["channel_id"], body["user_id"]
        heard.append(text)
        if text.startswith("create "):
            prompt = text.removeprefix("create ")
            blocks = card(prompt, "Working", 1_700_000_000)
            await client.chat_postEphemeral(channel=channel, user=user, text="I am on it.")
            await client.chat_postMessage(channel=channel, text=f"Working: {prompt}", blocks=blocks)
        elif text == "form":
            opened = await client.views_open(trigger_id=body["trigger_id"], view=loading())
            await client.views_update(view_id=opened["view"]["id"], view=form())
        elif text == "select":
            await client.chat_postMessage(channel=channel, text="Select", blocks=select_row("menu.1"))
        elif text == "hostile":
            await client.chat_postMessage(channel=channel, text=HOSTILE, blocks=_hostile())
        elif text == "write to me":
            opened = await client.conversations_open(users=[user])
            await client.chat_postMessage(channel=opened["channel"]["id"], text="Hello, it is me.")


def _hostile() -> list[Json]:
    piece: Json = {"type": "text", "text": HOSTILE}
    lines = [{"type": kind, "elements": [piece]} for kind in ("rich_text_section", "rich_text_preformatted")]
    return [
        {"type": "section", "text": words(f"*{HOSTILE}*")},
        {"type": "section", "text": words("<javascript:alert(1)|click>", "mrkdwn")},
        {"type": "header", "text": words(HOSTILE[:140], "plain_text")},
        {"type": "markdown", "text": f"# {HOSTILE}\n[x](javascript:alert(1))"},
        {"type": "rich_text", "elements": lines},
    ]


def _add_thread(app: AsyncApp, heard: list[str]) -> None:
    @app.event("message")
    async def message(event: Json, client: AsyncWebClient) -> None:
        if event.get("bot_id") or event.get("subtype") not in (None, "file_share"):
            return
        heard.append(event["text"])
        if "thread_ts" not in event:
            return
        await client.reactions_add(channel=event["channel"], timestamp=event["ts"], name="white_check_mark")
        if event["text"] == "logs":
            await client.files_upload_v2(
                channel=event["channel"], thread_ts=event["thread_ts"], content=LOG, filename="agent.log"
            )

    @app.event("app_mention")
    async def mention() -> None:
        pass

    @app.event("app_home_opened")
    async def opened(event: Json, client: AsyncWebClient) -> None:
        # The bot publishes the Home tab only once, so that it is not redrawn while a test clicks on it.
        if event["tab"] == "home" and "view" not in event:
            await client.views_publish(user_id=event["user"], view=_home())


def _add_clicks(app: AsyncApp, heard: list[str]) -> None:
    @app.action({"type": "block_actions", "action_id": "task.edit"})
    async def edit(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        heard.append("click task.edit")
        opened = await client.views_open(trigger_id=body["trigger_id"], view=loading())
        await client.views_update(view_id=opened["view"]["id"], view=form())

    @app.action({"type": "block_actions", "action_id": "task.delete"})
    async def delete(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        heard.append("click task.delete")
        message = body["message"]
        blocks = card("gone", "Gone", 1_700_000_000)[:2]
        await client.chat_update(channel=body["channel"]["id"], ts=message["ts"], text="Gone", blocks=blocks)

    @app.action("task.menu")
    async def chosen(ack: AsyncAck, body: Json) -> None:
        await ack()
        heard.append(f"menu {body['actions'][0]['selected_option']['value']}")

    @app.action("task.more")
    async def selected(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        chosen = body["actions"][0]["selected_option"]["value"]
        heard.append(f"select {chosen}")
        if chosen == "mute":
            place = {"channel": body["channel"]["id"], "ts": body["message"]["ts"]}
            await client.chat_update(**place, text="Select", blocks=select_row("menu.2"))

    @app.action("open.link")
    @app.action("home.refresh")
    async def noted(ack: AsyncAck, body: Json) -> None:
        await ack()
        heard.append(f"click {body['actions'][0]['action_id']}")

    @app.view("form")
    async def submitted(ack: AsyncAck, body: Json) -> None:
        values = body["view"]["state"]["values"]
        if values["name"]["name"]["value"] == "taken":
            await ack(response_action="errors", errors={"name": "This name is taken; try taken-2."})
            return
        heard.append(f"form {values['prompt']['prompt']['value']}")
        await ack()


def _add_shortcuts(app: AsyncApp, heard: list[str]) -> None:
    @app.shortcut("new_task")
    async def new_task(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=form())

    @app.shortcut("make_task")
    async def make_task(ack: AsyncAck, body: Json) -> None:
        await ack()
        heard.append(f"make a task of {body['message']['text']}")


@asynccontextmanager
async def bot(slack: SlackSandbox) -> AsyncIterator[list[str]]:
    """Run the bot. Yield the list of the payloads that it has received so far, in order."""
    heard: list[str] = []
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    app = AsyncApp(client=client, signing_secret=slack.signing_secret)
    for add in (_add_command, _add_thread, _add_clicks, _add_shortcuts):
        add(app, heard)
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=client)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    try:
        await slack.wait_for_sockets()
        yield heard
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # as above
