"""Every act on every surface.

The acts are made from the product's own tables: its manifest, verbs, buttons and dialogs. A new verb, button,
dialog or shortcut therefore becomes a new act automatically. A new event raises an error until this module
says how people cause it. The last act is one of the bot: a notice, of which the person wants to be told by
direct message.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

from taskwire.domain.ids import UserId
from taskwire.domain.parsing.grammar import THREAD_VERBS, VERBS, ThreadVerb, Verb
from taskwire.domain.parsing.replies import ThreadCommand, classify
from taskwire.domain.text.message import Button, Dialog
from taskwire.queue.batch import Batch
from taskwire.slack import manifest
from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack import text as words
from taskwire_sandbox.slack.backend import Backend, Ephemeral
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.events import emit
from taskwire_sandbox.slack.interaction_payloads import common_fields, place
from taskwire_sandbox.slack.ledger import Delivery
from taskwire_sandbox.slack.workspace import Channel, User
from tests.scenarios.world import CARD_SECONDS, SETTLE_SECONDS

from .actors import REPORT, Actor, Cast, Target

Needs = Literal["idle", "paused"]
# The text of the private message that has the pressed button. If the bot answers, its answer replaces this
# message.
QUESTION = "a question"
# The surface of what the bot says by itself. The actor does nothing.
NOTICE = "notice"
# A press of these buttons in the Home tab names no channel. Otherwise the bot handles the press as a press in
# a message.
HOME_BUTTONS = (
    *(Button.ANSWER, Button.RETRY, Button.RESUME, Button.NEW_TASK, Button.PREFERENCES, Button.PAUSE),
    *(Button.SEND_THEIRS, Button.NOT_NOW),
)
_MARKS = {"!verb": "!", "mention": "<@{bot}> "}
_BOT, _FRIEND = UserId("U0BOT"), UserId("U0FRIEND")
# The acts that need a paused task. All other acts need a task whose agent waits for input.
_PAUSED_VERBS = {"resume", "edit"}
_PAUSED_BUTTONS = {Button.RESUME, Button.RETRY, Button.EDIT, Button.PAUSE_TO_EDIT, Button.RESUME_AND_SEND}
# The values of these buttons are no link. The value of every other button is a link and, for some buttons, a
# key too.
_VALUES: dict[Button, Callable[["Scene"], str]] = {
    Button.ATTACH: lambda scene: scene.target.task.id,
    Button.USE_TEMPLATE: lambda scene: scene.cast.world.coder.template.id,
    Button.LIST_PAGE: lambda _: "1 all",
    Button.OWN_TASKS: lambda _: "mine",
    Button.AUDIT_PAGE: lambda _: "1 ",
    Button.MENU: lambda scene: f"{Button.MUTE} {scene.target.link.id}",
    **dict.fromkeys(
        (Button.RUN_OFFERED, Button.CREATE, Button.CREATE_ANOTHER, Button.CHANGE_REQUEST), lambda _: "kept"
    ),
}
_WITH_KEY = {
    Button.CHOOSE: "key:0",
    Button.DO_VERB: "pause:job",
    **dict.fromkeys((Button.STEPS, Button.SHOW_ANSWER, Button.PAUSE_TO_EDIT, Button.RETRY_AND_SEND), "key"),
    **dict.fromkeys((Button.ARRIVED, Button.SEND_AGAIN, Button.DROP_INPUT, Button.SEND_AS_IT_IS), "job"),
    **dict.fromkeys((Button.SEND_STILL, Button.ASK_OWNER, Button.SEND_THEIRS, Button.NOT_NOW), "job"),
    Button.ALWAYS_LET: "job",
}
# The values that people enter in every dialog. Each dialog reads only its own fields.
_ENTERED: dict[str, Json] = {
    "form.prompt": {"type": "plain_text_input", "value": "do that"},
    "settings.replies": {"type": "static_select", "selected_option": {"value": "all"}},
    "person.calls": {"type": "static_select", "selected_option": {"value": "direct"}},
    "account.token": {"type": "plain_text_input", "value": "aaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbb"},
    "account.number": {"type": "plain_text_input", "value": "1234 5678"},
}
# These events are no acts of people. They tell the bot that a place or a person has changed.
_NO_ACTS = {"member_joined_channel", "channel_unarchive", "group_unarchive", "user_change"}
_NO_ACTS |= {"subteam_updated", "subteam_members_changed"}
# Messages of these conversations are handled as messages of a public channel.
_LIKE_CHANNELS = {"message.groups", "message.mpim"}


@dataclass(frozen=True)
class Scene:
    """An actor, and the task on which the actor acts."""

    cast: Cast
    actor: Actor
    target: Target

    @property
    def _backend(self) -> Backend:
        return self.cast.world.slack.backend

    @property
    def _user(self) -> User:
        return self._backend.workspace.user(self.actor.person.id)

    @property
    def here(self) -> Channel:
        """Return the channel where the actor acts."""
        return self.cast.world.slack.workspace.channel(self.actor.here)

    async def writes(self, text: str, channel: Channel, thread_ts: str = "") -> str:
        """Write a message in a channel in the actor's way: as a person, an app or a workflow step. Return its
        ts."""
        backend, user = self._backend, self._user
        stored = words.typed(text, backend.workspace)
        body: Json = {"text": stored, "blocks": words.rich_text(stored), "team": user.team_id}
        if self.actor.writer == "workflow":
            body |= {"subtype": "bot_message", "bot_id": "B0WORKFLOW"}
        else:
            body |= {"user": user.id} | ({"bot_id": "B0APP"} if self.actor.writer == "app" else {})
        if user.team_id != backend.workspace.team_id:
            body |= {"user_team": user.team_id, "source_team": user.team_id}
        return str(
            messages.write(backend, channel, body | ({"thread_ts": thread_ts} if thread_ts else {}))["ts"]
        )

    async def replies(self, text: str) -> None:
        """Write a message in the thread of the task, as the actor."""
        channel = self.cast.world.slack.workspace.channel(self.target.channel)
        await self.writes(text, channel, self.target.thread.ts)

    async def types(self, line: str) -> None:
        """Type a command."""
        backend, user = self._backend, self._user
        name, _, text = line.partition(" ")
        payload: Json = {"team_id": user.team_id, "channel_id": self.here.id, "user_id": user.id}
        payload |= {"enterprise_id": user.enterprise_id, "command": name, "text": text}
        payload["trigger_id"] = backend.tickets.trigger(user.id)
        payload["response_url"] = backend.tickets.response_url("commands", user.id, self.here.id)
        reply = await backend.dispatcher.deliver_now(Delivery("slash_commands", name, payload))
        if reply.payload:
            self.cast.acks.append(str(reply.payload["text"]))

    async def presses(self, button: Button, *, is_at_home: bool = False) -> None:
        """Press a button as if it were in a message, or in the Home tab if `is_at_home`."""
        backend, user = self._backend, self._user
        link = self.target.link.id
        value = _VALUES[button](self) if button in _VALUES else f"{link} {_WITH_KEY.get(button, '')}".strip()
        pressed: Json = {"action_id": button.value, "block_id": "b", "action_ts": backend.ids.ts()}
        if button is Button.MENU:
            pressed |= {"type": "static_select", "selected_option": {"value": value}}
        else:
            pressed |= {"type": "button", "value": value}
        payload = common_fields(backend, "block_actions", user) | {"actions": [pressed]}
        payload["trigger_id"] = backend.tickets.trigger(user.id)
        if is_at_home:
            payload |= {"container": {"type": "view", "view_id": "V0HOME"}}
        else:
            # The button may be in a private message, which the bot's answer can replace.
            ts, body = backend.ids.ts(), {"text": QUESTION}
            backend.ephemerals.append(Ephemeral(ts, self.here.id, user.id, body, "chat.postEphemeral"))
            where = {"message_ts": ts, "channel_id": self.here.id, "is_ephemeral": True}
            payload |= {"channel": place(self.here), "container": {"type": "message", **where}}
            payload["response_url"] = backend.tickets.response_url(
                "actions", user.id, self.here.id, message_ts=ts, is_ephemeral=True
            )
        await backend.dispatcher.deliver_now(Delivery("interactive", "block_actions", payload))

    async def submits(self, dialog: Dialog) -> None:
        """Submit a dialog about the task, as if the actor had opened it."""
        backend, user = self._backend, self._user
        at = backend.ids.ts()
        friend = {"type": "multi_users_select", "selected_users": [self.cast.friend.id]}
        entered = {name: {name: value} for name, value in {**_ENTERED, "share.people": friend}.items()}
        view: Json = {"id": f"V{at}", "hash": at, "type": "modal", "callback_id": dialog.value}
        about = {"at": at, "channel": self.here.id, "task": self.target.task.id}
        view |= {"private_metadata": json.dumps(about), "state": {"values": entered}}
        payload = common_fields(backend, "view_submission", user) | {"view": view}
        reply = await backend.dispatcher.deliver_now(Delivery("interactive", "view_submission", payload))
        if reply.payload:
            self.cast.acks.append(json.dumps(reply.payload))

    async def uses(self, callback_id: str) -> None:
        """Use a shortcut. A message shortcut is used on a message in the task's thread."""
        backend, user = self._backend, self._user
        is_global = backend.app.manifest.has_shortcut(callback_id, "global")
        payload = common_fields(backend, "shortcut" if is_global else "message_action", user)
        payload |= {"callback_id": callback_id, "action_ts": backend.ids.ts()}
        payload["trigger_id"] = backend.tickets.trigger(user.id)
        if not is_global:
            slack = self.cast.world.slack
            channel = slack.workspace.channel(self.target.channel)
            # A message of another app is no input before the shortcut.
            ts = await slack.post_as_bot(channel.id, "do that", self.target.thread.ts)
            payload |= {"action_ts": backend.ids.ts(), "message_ts": ts}
            payload |= {"channel": place(channel), "message": slack.message(channel.id, ts)}
            payload["response_url"] = backend.tickets.response_url("actions", user.id, channel.id)
        await backend.dispatcher.deliver_now(Delivery("interactive", str(payload["type"]), payload))

    async def reacts(self, name: str, *, on_card: bool) -> None:
        """React to the card, or to a message of Bob."""
        slack = self.cast.world.slack
        channel = slack.workspace.channel(self.target.channel if on_card else self.actor.here)
        friend: Json = {"user": self.cast.friend.id, "text": "do that"}
        ts = self.target.thread.card_ts if on_card else messages.write(slack.backend, channel, friend)["ts"]
        messages.react(slack.backend, channel, ts, name, self.actor.person.id)
        messages.unreact(slack.backend, channel, ts, name, self.actor.person.id)

    async def is_called(self) -> None:
        """Let the agent fail while the actor watches the task and wants direct messages. Afterwards
        the actor neither watches the task nor wants them."""
        world, person = self.cast.world, UserId(self.actor.person.id)
        deps, task, link_id = world.bot.parts.deps, self.target.task, self.target.link.id
        link, before = await deps.links.find(link_id), await deps.person_settings.get(person)
        assert link is not None
        batch = deps.writes.set_people(Batch(), link_id, "watchers", [*link.watchers, person])
        deps.writes.remove_field(batch, link_id, "muted")
        # The agent has failed for earlier actors too. Without an input, it calls people five times an hour.
        state = link.state.model_copy(update={"result_calls_ms": ()})
        deps.writes.write_state(batch, link_id, state, None)
        await deps.queues.write(
            deps.person_settings.write(batch, person, before.model_copy(update={"calls": "direct"}))
        )
        task.becomes("working", "On it")
        await world.polls()
        await world.passes(SETTLE_SECONDS)
        task.becomes("failed", REPORT)
        await world.polls()
        await world.passes(SETTLE_SECONDS + 1)
        await world.passes(CARD_SECONDS)
        batch = deps.writes.set_people(Batch(), link_id, "watchers", [*link.watchers])
        await deps.queues.write(deps.person_settings.write(batch, person, before))

    async def happens(self, kind: str, **fields: object) -> None:
        """Send the bot an event of this kind with the actor as its user. `fields` are further fields of the
        event."""
        backend = self._backend
        event: Json = {"type": kind, "user": self.actor.person.id, "event_ts": backend.ids.ts(), **fields}
        emit(backend, event, None)


@dataclass(frozen=True)
class Act:
    """Something that an actor can do.

    `is_written`: the act is a message, so apps and workflow steps can do it too. Other acts can be done only
    by people. `is_there`: the act is possible only in the channel of the task. `is_for_all`: everybody tries
    the act in every mode, whatever it asks about rights.
    """

    surface: str
    name: str
    do: Callable[[Scene], Awaitable[object]]
    needs: Needs = "idle"
    is_written: bool = False
    is_there: bool = False
    is_for_all: bool = False

    def can_be_done_by(self, actor: Actor) -> bool:
        """Return whether Slack offers the act to this actor."""
        is_there = not self.is_there or actor.here != "other"
        return is_there and (self.is_written or actor.writer == "person")

    def __str__(self) -> str:
        """Return the name of the act in the table."""
        return f"{self.surface} {self.name}".strip()


def list_acts() -> list[Act]:
    """List all acts of the product. The manifest tells which surfaces Slack offers."""
    made = manifest.make_manifest(is_agent=True)
    features = cast("dict[str, list[dict[str, str]]]", made["features"])
    acts: list[Act] = []
    for command in features["slash_commands"]:
        acts += _list_commands(command["command"])
    for shortcut in features["shortcuts"]:
        acts.append(_shortcut(shortcut["callback_id"], shortcut["name"]))
    for event in cast("dict[str, dict[str, list[str]]]", made["settings"])["event_subscriptions"][
        "bot_events"
    ]:
        acts += _list_events(event)
    for button in Button:
        needs: Needs = "paused" if button in _PAUSED_BUTTONS else "idle"
        acts.append(Act("button", button.value, partial(Scene.presses, button=button), needs))
        if button in HOME_BUTTONS:
            presses = partial(Scene.presses, button=button, is_at_home=True)
            acts.append(Act("Home", button.value, presses, needs))
    for dialog in Dialog:
        needs = "paused" if dialog is Dialog.EDIT else "idle"
        acts.append(Act("dialog", dialog.value, partial(Scene.submits, dialog=dialog), needs))
    return [*acts, Act(NOTICE, "direct message", Scene.is_called, is_for_all=True)]


def _list_commands(command: str) -> Iterator[Act]:
    yield Act(command, "", partial(_types, command, ""))
    yield Act(command, "a sentence", partial(_types, command, "do that"))
    for verb in VERBS:
        needs: Needs = "paused" if verb.name in _PAUSED_VERBS else "idle"
        # What a person without an account is told differs for each kind of person.
        is_for_all = verb.name == "connect"
        yield Act(command, verb.name, partial(_types, command, _line_of(verb)), needs, is_for_all=is_for_all)


def _line_of(verb: Verb) -> str:
    arguments = {
        "nothing": "",
        "name": "{task}",
        "name and full": "{task}",
        "name and text": "{task} <@{friend}>",
        "filter": "all",
        "prompt": "do that",
        "verb": "",
    }
    return f"{verb.name} {arguments[verb.arguments]}".strip()


async def _types(command: str, line: str, scene: Scene) -> None:
    said = line.format(task=scene.target.task.id, friend=scene.cast.friend.id)
    await scene.types(f"{command} {said}".strip())


def _list_thread_verbs(surface: Literal["!verb", "mention"]) -> Iterator[Act]:
    for verb in THREAD_VERBS:
        needs: Needs = "paused" if verb.name in _PAUSED_VERBS else "idle"
        words = f"{verb.name} {_argument_of(verb)}".strip()
        if surface == "!verb" or not is_same_verb(words):
            said = partial(_replies, f"{_MARKS[surface]}{words}")
            yield Act(
                surface,
                verb.name,
                said,
                needs if surface == "!verb" else "idle",
                is_written=True,
                is_there=True,
            )


def is_same_verb(words: str) -> bool:
    """Return whether these words after `!` mean the same verb as after a mention of the bot."""
    by_mark, by_mention = (
        classify(f"{mark.format(bot=_BOT)}{words.format(friend=_FRIEND)}", _BOT) for mark in _MARKS.values()
    )
    return by_mark == by_mention and isinstance(by_mark, ThreadCommand)


def _argument_of(verb: ThreadVerb) -> str:
    return {"none": "", "full": "", "text": "other words", "people": "<@{friend}>"}[verb.argument]


async def _replies(text: str, scene: Scene) -> None:
    await scene.replies(text.format(friend=scene.cast.friend.id, bot=scene.cast.world.slack.bot_user_id))


async def _writes(text: str, scene: Scene) -> None:
    await scene.writes(text.format(bot=scene.cast.world.slack.bot_user_id), scene.here)


async def _writes_directly(scene: Scene) -> None:
    await scene.writes("do that", scene.cast.world.slack.open_direct(scene.actor.person.id))


async def _posts_a_link(scene: Scene) -> None:
    url = f"{scene.cast.world.coder.url}/tasks/{scene.target.task.row.owner.username}/{scene.target.task.id}"
    await scene.writes(f"see <{url}>", scene.here)


async def _stops_session(scene: Scene) -> None:
    channel = scene.cast.world.slack.workspace.channel(scene.target.channel).id
    await scene.happens("agent_session_stopped", channel=channel, thread_ts=scene.target.thread.ts)


def _shortcut(callback_id: str, name: str) -> Act:
    return Act(
        "shortcut",
        name,
        partial(Scene.uses, callback_id=callback_id),
        is_there=callback_id != manifest.NEW_TASK,
    )


def _list_events(event: str) -> Iterator[Act]:
    """Yield the acts that cause events. Raise KeyError for an event that this module does not know."""
    if event in _NO_ACTS | _LIKE_CHANNELS:
        return
    reply = partial(Act, "reply", is_written=True, is_there=True)
    known: dict[str, list[Act]] = {
        "app_mention": [
            Act("mention", "help", partial(_replies, "<@{bot}> help"), is_written=True, is_there=True),
            Act("mention", "start a task", partial(_writes, "<@{bot}> do that"), is_written=True),
            *_list_thread_verbs("mention"),
        ],
        "message.channels": [
            reply("words", partial(_replies, "do that")),
            reply("stop", partial(_replies, "stop")),
            reply("not a verb", partial(_replies, "!nonsense")),
            reply("an aside", partial(_replies, "// do that")),
            *_list_thread_verbs("!verb"),
        ],
        "message.im": [Act("direct message", "words", _writes_directly, is_written=True)],
        "reaction_added": [
            Act(
                "emoji",
                "stop sign",
                partial(Scene.reacts, name="octagonal_sign", on_card=True),
                is_there=True,
            ),
            Act("emoji", "make a task", partial(Scene.reacts, name="robot_face", on_card=False)),
        ],
        "link_shared": [Act("link", "preview", _posts_a_link, is_written=True)],
        "app_home_opened": [
            Act("Home", "open", partial(Scene.happens, kind="app_home_opened", tab="home"), is_for_all=True)
        ],
        "agent_session_stopped": [Act("agent surface", "stop", _stops_session, is_there=True)],
    }
    yield from known[event]
