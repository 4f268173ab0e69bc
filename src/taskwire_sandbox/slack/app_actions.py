"""What people do with the app: commands, clicks, dialogs, shortcuts, Home.

Each method does a person's act, and returns what the person then sees.
"""

from dataclasses import dataclass
from typing import Literal

from taskwire_sandbox.slack import text as words
from taskwire_sandbox.slack.backend import VERIFICATION_TOKEN, Backend, Ephemeral
from taskwire_sandbox.slack.dispatcher import Outcome
from taskwire_sandbox.slack.errors import ApiError, ImpossibleAction, Json
from taskwire_sandbox.slack.events import emit
from taskwire_sandbox.slack.extra_endpoints import show_answer
from taskwire_sandbox.slack.interaction_payloads import (
    action,
    channel_label,
    common_fields,
    entered_state,
    find_element,
    place,
    view_payload,
)
from taskwire_sandbox.slack.ledger import Delivery
from taskwire_sandbox.slack.message_actions import MessageActions
from taskwire_sandbox.slack.methods import content
from taskwire_sandbox.slack.submissions import SubmitResult, apply_response_action, check_entered
from taskwire_sandbox.slack.view_stacks import View
from taskwire_sandbox.slack.workspace import Channel, User


@dataclass(frozen=True)
class ActionResult:
    """The result of a person's act.

    `failure` is what Slack shows if the app failed; `reply` is the body of the ack.
    """

    failure: str = ""
    error: str = ""
    reply: Json | None = None
    trigger_id: str = ""
    response_url: str = ""

    @property
    def ok(self) -> bool:
        """Return whether the app accepted the act."""
        return not self.failure


class AppActions(MessageActions):
    """The acts of a person that Slack sends to the app."""

    backend: Backend

    async def _deliver(
        self, kind: Literal["slash_commands", "interactive"], name: str, payload: Json
    ) -> tuple[Outcome, str]:
        """Deliver a payload to the app and wait for its ack. `name` is the command or the interaction's type.

        Return the outcome and Slack's error. The error is empty if the app has acked.
        """
        if kind == "interactive" and not self.backend.app.manifest.interactive:
            raise ImpossibleAction("this app is not configured to handle interactive responses")
        delivery = Delivery(kind, name, payload)
        reply = await self.backend.dispatcher.deliver_now(delivery)
        return reply, "" if reply.is_acked else delivery.outcome

    async def command(
        self, user: str, channel: str, command: str, text: str = "", *, thread_ts: str | None = None
    ) -> ActionResult:
        """Use a slash command. Pass its name and its text, or the whole line as `command`.

        No conversation shows the typed line; a conversation shows only the app's answer.
        """
        person, here = self._here(user, channel)
        name, _, rest = command.partition(" ")
        declared = self.backend.app.manifest.command(name)
        workspace = self.backend.workspace
        is_sister = workspace.enterprise_id and person.enterprise_id == workspace.enterprise_id
        if declared is None or (person.team_id != workspace.team_id and not is_sister):
            return ActionResult(f"{name} is not a valid command.", "invalid_command")
        if thread_ts is not None:
            return ActionResult(f"{name} is not supported in threads. Sorry!", "not_in_threads")
        trigger_id = self.backend.tickets.trigger(person.id)
        url = self.backend.tickets.response_url("commands", person.id, here.id)
        typed = words.command(
            (text or rest).strip(), self.backend.workspace, should_escape=declared.should_escape
        )
        payload = self._command_payload(person, here, name, typed)
        payload |= {"response_url": url, "trigger_id": trigger_id}
        reply, error = await self._deliver("slash_commands", name, payload)
        failure = f'{name} failed with the error "{error}"' if error else ""
        self._show_reply(person, here, reply.payload)
        return ActionResult(failure, error, reply.payload, trigger_id, url)

    def _command_payload(self, person: User, here: Channel, name: str, text: str) -> Json:
        workspace = self.backend.workspace
        org = {"enterprise_id": workspace.enterprise_id, "enterprise_name": "Org"}
        return (org if workspace.enterprise_id else {}) | {
            "token": VERIFICATION_TOKEN,
            "team_id": workspace.team_id,
            "team_domain": workspace.domain,
            "channel_id": here.id,
            "channel_name": channel_label(here),
            "user_id": person.id,
            "user_name": person.name,
            "command": name,
            "text": text,
            "api_app_id": self.backend.app.app_id,
            "is_enterprise_install": "true" if workspace.org_teams else "false",
        }

    def _show_reply(self, person: User, here: Channel, reply: Json | None) -> None:
        """Show the message that the ack of a command contains."""
        if not reply:
            return
        try:
            said = content.body(self.backend, reply, too_long="msg_blocks_too_long")
        except ApiError as refused:
            self.backend.ledger.record_violation(f"the ack of a command cannot be shown: {refused.error}")
            return
        show_answer(self.backend, here.id, person.id, said, reply, source="ack")

    async def click(
        self,
        user: str,
        channel: str,
        message_ts: str,
        action_id: str,
        value: object = None,
        *,
        block_id: str | None = None,
    ) -> ActionResult:
        """Press a button of a message, or choose `value` in a menu there. The message may be ephemeral."""
        person, here = self._here(user, channel)
        ephemeral = next((said for said in self.ephemerals(person.id) if said.ts == message_ts), None)
        body = ephemeral.body if ephemeral else self.message(here.id, message_ts)
        block, element = find_element(_blocks(body), action_id, value=value, block_id=block_id)
        pressed = action(self.backend, block, element, value)
        payload = common_fields(self.backend, "block_actions", person)
        payload |= self._where(here, message_ts, body, ephemeral)
        payload["container"] |= _attachment_fields(body, block)
        payload |= {"state": {"values": _pressed_state(pressed)}, "actions": [pressed]}
        thread_ts = ephemeral.thread_ts if ephemeral else body.get("thread_ts")
        return await self._interact(
            person, payload, here, message_ts, thread_ts, is_ephemeral=ephemeral is not None
        )

    def _where(self, here: Channel, ts: str, body: Json, ephemeral: Ephemeral | None) -> Json:
        """Return the fields of a payload that identify the message on which a person acted.

        The fields include the content of the message. For an ephemeral message, Slack does not send the
        content.
        """
        thread_ts = ephemeral.thread_ts if ephemeral else body.get("thread_ts")
        container: Json = {"type": "message", "message_ts": ts, "channel_id": here.id}
        container |= {"is_ephemeral": ephemeral is not None} | ({"thread_ts": thread_ts} if thread_ts else {})
        shown: Json = {"container": container, "channel": place(here)}
        return shown if ephemeral else shown | {"message": _without_metadata(body)}

    async def _interact(
        self,
        person: User,
        payload: Json,
        here: Channel,
        ts: str,
        thread_ts: str | None,
        *,
        is_ephemeral: bool = False,
    ) -> ActionResult:
        trigger_id = self.backend.tickets.trigger(person.id)
        url = self.backend.tickets.response_url(
            "actions", person.id, here.id, thread_ts=thread_ts, message_ts=ts, is_ephemeral=is_ephemeral
        )
        payload |= {"trigger_id": trigger_id, "response_url": url}
        reply, error = await self._deliver("interactive", payload["type"], payload)
        return ActionResult(_failure_text(error), error, reply.payload, trigger_id, url)

    async def press(
        self,
        user: str,
        view: View | str,
        action_id: str,
        value: object = None,
        *,
        block_id: str | None = None,
    ) -> ActionResult:
        """Press a button of a dialog or the Home tab, or choose `value` in a menu there."""
        person, shown = self.backend.workspace.user(user), self._view(user, view)
        block, element = find_element(shown.content["blocks"], action_id, value=value, block_id=block_id)
        if element["type"] not in ("button", "overflow"):
            shown.values.setdefault(block["block_id"], {})[action_id] = entered_state(element, value)
        payload = common_fields(self.backend, "block_actions", person)
        payload |= {
            "container": {"type": "view", "view_id": shown.id},
            "view": view_payload(self.backend, shown),
        }
        payload["actions"] = [action(self.backend, block, element, value)]
        payload["trigger_id"] = self.backend.tickets.trigger(person.id, shown.id)
        reply, error = await self._deliver("interactive", "block_actions", payload)
        return ActionResult(_failure_text(error), error, reply.payload, payload["trigger_id"])

    async def suggest(self, user: str, view: View | str, action_id: str, typed: str) -> list[Json]:
        """Type into a menu whose options come from the app. Return these options."""
        person, shown = self.backend.workspace.user(user), self._view(user, view)
        block, element = find_element(shown.content["blocks"], action_id)
        payload = common_fields(self.backend, "block_suggestion", person)
        payload |= {
            "container": {"type": "view", "view_id": shown.id},
            "view": view_payload(self.backend, shown),
        }
        payload |= {"action_id": element["action_id"], "block_id": block["block_id"], "value": typed}
        reply, _ = await self._deliver("interactive", "block_suggestion", payload)
        offered = reply.payload or {}
        groups = offered.get("option_groups", [])
        return [*offered.get("options", []), *(option for group in groups for option in group["options"])]

    async def submit(self, user: str, view: View | str, values: Json | None = None) -> SubmitResult:
        """Fill in a dialog and submit it. `values` are by action id or block id."""
        await self.enter(user, view, values or {})
        person, shown = self.backend.workspace.user(user), self._view(user, view)
        check_entered(shown)
        payload = common_fields(self.backend, "view_submission", person)
        payload |= {"trigger_id": self.backend.tickets.trigger(person.id, shown.id), "response_urls": []}
        payload["view"] = view_payload(self.backend, shown)
        reply, error = await self._deliver("interactive", "view_submission", payload)
        if error:
            return SubmitResult(failure="We had some trouble connecting. Try again?", error=error)
        return apply_response_action(self.backend, shown, reply.payload or {})

    async def enter(self, user: str, view: View | str, values: Json) -> None:
        """Fill in a dialog and do not submit it. `values` are by action id or block id."""
        shown = self._view(user, view)
        for key, value in values.items():
            self._enter(shown, key, value)

    def _enter(self, view: View, key: str, value: object) -> None:
        """Set the value of the input that has this action id, or whose block has this id."""
        blocks = view.content["blocks"]
        by_block = next(
            (block for block in blocks if block["block_id"] == key and block["type"] == "input"), None
        )
        block, element = (by_block, by_block["element"]) if by_block else find_element(blocks, key)
        view.values.setdefault(block["block_id"], {})[element["action_id"]] = entered_state(element, value)

    async def close(self, user: str, view: View | str) -> None:
        """Close a dialog. The app gets a view_closed payload if the view has `notify_on_close`."""
        person, shown = self.backend.workspace.user(user), self._view(user, view)
        self.backend.views.drop(shown)
        self.backend.ledger.change("view_closed", user=person.id, view_id=shown.id)
        if shown.content.get("notify_on_close"):
            payload = common_fields(self.backend, "view_closed", person)
            payload |= {"view": view_payload(self.backend, shown), "is_cleared": False}
            await self._deliver("interactive", "view_closed", payload)

    async def shortcut(self, user: str, callback_id: str) -> ActionResult:
        """Use a global shortcut."""
        person = self.backend.workspace.user(user)
        if not self.backend.app.manifest.has_shortcut(callback_id, "global"):
            raise ImpossibleAction(f"there is no global shortcut {callback_id!r}")
        payload = common_fields(self.backend, "shortcut", person)
        payload |= {"callback_id": callback_id, "action_ts": self.backend.ids.ts()}
        payload["trigger_id"] = self.backend.tickets.trigger(person.id)
        reply, error = await self._deliver("interactive", "shortcut", payload)
        return ActionResult(_failure_text(error), error, reply.payload, payload["trigger_id"])

    async def message_shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> ActionResult:
        """Use a shortcut in the menu of a message."""
        person, here = self._here(user, channel)
        if not self.backend.app.manifest.has_shortcut(callback_id, "message"):
            raise ImpossibleAction(f"there is no message shortcut {callback_id!r}")
        body = self.message(here.id, ts)
        payload = common_fields(self.backend, "message_action", person)
        payload |= {"callback_id": callback_id, "action_ts": self.backend.ids.ts(), "message_ts": ts}
        payload |= {"channel": place(here), "message": _without_metadata(body)}
        return await self._interact(person, payload, here, ts, body.get("thread_ts"))

    async def open_home(self, user: str, tab: Literal["home", "messages"] = "home") -> View | None:
        """Open the app's Home, and send Slack's event to the app.

        Return the Home tab as it was before this event; None if the app has never published it.
        """
        person, app = self.backend.workspace.user(user), self.backend.app
        direct = self.backend.workspace.open_direct([app.bot_user_id, person.id])
        view = self.backend.views.home.get(person.id)
        event: Json = {"type": "app_home_opened", "user": person.id, "channel": direct.id, "tab": tab}
        event["event_ts"] = self.backend.ids.ts()
        if view is not None and tab == "home":
            event["view"] = view_payload(self.backend, view)
        emit(self.backend, event, None)
        return view

    def views(self, user: str) -> list[View]:
        """List this person's open dialogs. The last dialog is on top."""
        return list(self.backend.views.stack(self.backend.workspace.user(user).id))

    def home(self, user: str) -> View | None:
        """Return this person's Home tab; None if the app has never published it."""
        return self.backend.views.home.get(self.backend.workspace.user(user).id)

    def _view(self, user: str, view: View | str) -> View:
        found = self.backend.views.find(view.id if isinstance(view, View) else view)
        if found is None or found.user != self.backend.workspace.user(user).id:
            raise ImpossibleAction(f"{user} has no such view open")
        return found


def _failure_text(error: str) -> str:
    return f"This app is not responding ({error})" if error else ""


def _blocks(body: Json) -> list[Json]:
    attached = (block for item in body.get("attachments", []) for block in item.get("blocks", []))
    return [*body.get("blocks", []), *attached]


def _attachment_fields(body: Json, pressed: Json) -> Json:
    """Return a payload's fields about the link preview (unfurl) that contains the pressed block.

    Return no fields if the pressed block belongs to the message itself.
    """
    for number, item in enumerate(body.get("attachments", []), 1):
        if any(block is pressed for block in item.get("blocks", [])):
            made: Json = {"type": "message_attachment", "attachment_id": number, "is_app_unfurl": True}
            return made | {"app_unfurl_url": item["from_url"]}
    return {}


def _without_metadata(body: Json) -> Json:
    return {key: value for key, value in body.items() if key != "metadata"}


def _pressed_state(pressed: Json) -> Json:
    if pressed["type"] in ("button", "overflow"):
        return {}
    own = {
        key: value
        for key, value in pressed.items()
        if key.startswith("selected_") or key in ("type", "value")
    }
    return {pressed["block_id"]: {pressed["action_id"]: own}}
