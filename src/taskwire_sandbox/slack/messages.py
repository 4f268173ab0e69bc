"""Messages and reactions: how they change, which events that causes, and how they are shown.

People's acts and the Web API both use this module. They check permissions before they call it.
"""

from urllib.parse import urlparse

from taskwire_sandbox.slack import text as words
from taskwire_sandbox.slack.backend import Backend, Ephemeral
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.events import emit
from taskwire_sandbox.slack.workspace import IM, Channel, StoredMessage

_REPLIERS_SHOWN = 5


def render(stored: StoredMessage, *, with_metadata: bool = False) -> Json:
    """Return a message as the history shows it."""
    body = dict(stored.body)
    if stored.reactions:
        body["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)}
            for name, users in stored.reactions.items()
        ]
    if with_metadata and stored.metadata:
        body["metadata"] = stored.metadata
    return body


def show(channel: Channel, ts: str, *, with_metadata: bool = False) -> Json:
    """Return a message of a channel as Slack shows it. A thread's parent has the number of its replies."""
    stored = channel.messages[ts]
    body = render(stored, with_metadata=with_metadata)
    if stored.replies:
        authors = [channel.messages[reply].body.get("user", "") for reply in stored.replies]
        unique = list(dict.fromkeys(authors))
        body |= {"thread_ts": ts, "reply_count": len(stored.replies), "reply_users_count": len(unique)}
        body |= {
            "latest_reply": stored.replies[-1],
            "reply_users": unique[:_REPLIERS_SHOWN],
            "is_locked": False,
        }
    return body


def write(slack: Backend, channel: Channel, body: Json, metadata: Json | None = None) -> Json:
    """Store a new message and emit its events. Return the message as Slack shows it.

    A reply has `thread_ts`.
    """
    ts = slack.ids.ts()
    message: Json = {"type": "message"} | body | {"ts": ts, "team": body.get("team", slack.workspace.team_id)}
    parent = channel.messages.get(message.get("thread_ts", ""))
    if parent is not None:
        message |= {"thread_ts": parent.body["ts"], "parent_user_id": parent.body.get("user", "")}
        parent.replies.append(ts)
    channel.messages[ts] = StoredMessage(message, metadata)
    if message.get("subtype") == "thread_broadcast" and parent is not None:
        message["root"] = show(channel, parent.body["ts"])
    slack.ledger.change("message", channel=channel.id, message=show(channel, ts, with_metadata=True))
    _emit_new_message(slack, channel, message)
    return show(channel, ts)


def _emit_new_message(slack: Backend, channel: Channel, message: Json) -> None:
    event = message | {"channel": channel.id, "event_ts": message["ts"], "channel_type": channel.type}
    emit(slack, event, channel)
    if message.get("bot_id") == slack.app.bot_id:
        return
    if channel.kind != IM and f"<@{slack.app.bot_user_id}>" in message.get("text", ""):
        kept = (
            "client_msg_id",
            "user",
            "text",
            "ts",
            "team",
            "blocks",
            "files",
            "thread_ts",
            "parent_user_id",
        )
        mention = {"type": "app_mention"} | {
            key: message[key] for key in (*kept, "user_team") if key in message
        }
        emit(slack, mention | {"channel": channel.id, "event_ts": message["ts"]}, channel)
    if "user" in message:
        _emit_links(slack, channel, message)


def _emit_links(slack: Backend, channel: Channel, message: Json) -> None:
    found = [
        {"url": url, "domain": urlparse(url).hostname or ""} for url in words.links(message.get("text", ""))
    ]
    ours = [link for link in found if slack.app.manifest.unfurls(link["domain"])]
    if not ours:
        return
    event: Json = {"type": "link_shared", "user": message["user"], "channel": channel.id, "links": ours}
    event |= {"message_ts": message["ts"], "source": "conversations_history", "event_ts": message["ts"]}
    event |= {"is_bot_user_member": slack.app.bot_user_id in channel.members}
    event["unfurl_id"] = f"{channel.id}.{message['ts']}.{slack.ids.unique('', 20)}"
    if "thread_ts" in message:
        event["thread_ts"] = message["thread_ts"]
    emit(slack, event, channel, bot_must_be_in=False)


def rewrite(
    slack: Backend,
    channel: Channel,
    ts: str,
    changes: Json,
    *,
    editor: str | None,
    without: tuple[str, ...] = (),
) -> Json:
    """Change a stored message and emit the event. Return the message as Slack shows it.

    The keys in `without` are removed from the message. `editor` is the person or bot who edits. If `editor`
    is None, Slack itself changes the message, so the message is not marked as edited.
    """
    stored = channel.messages[ts]
    before = show(channel, ts)
    stored.body |= changes
    for key in without:
        stored.body.pop(key, None)
    moment = slack.ids.ts()
    if editor:
        stored.body["edited"] = {"user": editor, "ts": moment}
    _emit_change(slack, channel, ts, before, moment)
    return show(channel, ts)


def _emit_change(slack: Backend, channel: Channel, ts: str, before: Json, moment: str) -> None:
    slack.ledger.change("message_changed", channel=channel.id, message=show(channel, ts, with_metadata=True))
    event: Json = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": channel.id}
    event |= {"message": show(channel, ts), "previous_message": before, "channel_type": channel.type}
    emit(slack, event | {"ts": moment, "event_ts": moment}, channel)


def remove(slack: Backend, channel: Channel, ts: str) -> None:
    """Delete a message. If it is a parent with replies, a tombstone stays in its place, as in Slack."""
    stored = channel.messages[ts]
    before, moment = show(channel, ts), slack.ids.ts()
    if stored.replies:
        kept = {key: stored.body[key] for key in ("type", "ts", "user", "team") if key in stored.body}
        stored.body = kept | {"subtype": "tombstone", "text": "This message was deleted.", "hidden": True}
        stored.metadata = None
        _emit_change(slack, channel, ts, before, moment)
        return
    parent = channel.messages.get(stored.body.get("thread_ts", ""))
    if parent is not None and ts in parent.replies:
        parent.replies.remove(ts)
    del channel.messages[ts]
    slack.ledger.change("message_deleted", channel=channel.id, ts=ts)
    event: Json = {"type": "message", "subtype": "message_deleted", "hidden": True, "channel": channel.id}
    event |= {"deleted_ts": ts, "previous_message": before, "channel_type": channel.type}
    emit(slack, event | {"ts": moment, "event_ts": moment}, channel)


def react(slack: Backend, channel: Channel, ts: str, name: str, user: str) -> bool:
    """Add a user's reaction. Return False if the user has already added it."""
    users = channel.messages[ts].reactions.setdefault(name, [])
    if user in users:
        return False
    users.append(user)
    _emit_reaction(slack, channel, ts, name, user, "reaction_added")
    return True


def unreact(slack: Backend, channel: Channel, ts: str, name: str, user: str) -> bool:
    """Remove a user's reaction. Return False if the user has not added it."""
    reactions = channel.messages[ts].reactions
    if user not in reactions.get(name, []):
        return False
    reactions[name].remove(user)
    if not reactions[name]:
        del reactions[name]
    _emit_reaction(slack, channel, ts, name, user, "reaction_removed")
    return True


def _emit_reaction(slack: Backend, channel: Channel, ts: str, name: str, user: str, kind: str) -> None:
    slack.ledger.change(kind, channel=channel.id, ts=ts, name=name, user=user)
    event: Json = {"type": kind, "user": user, "reaction": name, "event_ts": slack.ids.ts()}
    event["item"] = {"type": "message", "channel": channel.id, "ts": ts}
    event["item_user"] = channel.messages[ts].body.get("user", "")
    emit(slack, event, channel)


def show_ephemeral(
    slack: Backend, channel: str, user: str, body: Json, source: str, thread_ts: str | None = None
) -> Ephemeral:
    """Show an ephemeral message to one person."""
    said = Ephemeral(slack.ids.ts(), channel, user, body, source, thread_ts)
    slack.ephemerals.append(said)
    slack.ledger.change(
        "ephemeral", channel=channel, user=user, ts=said.ts, message=body, thread_ts=thread_ts
    )
    return said


def join(slack: Backend, channel: Channel, user: str) -> None:
    """Add a member to a conversation, with the join message and the event."""
    channel.members.append(user)
    slack.ledger.change("joined", channel=channel.id, user=user)
    write(
        slack, channel, {"subtype": "channel_join", "user": user, "text": f"<@{user}> has joined the channel"}
    )
    _emit_membership(slack, channel, user, "member_joined_channel")


def leave(slack: Backend, channel: Channel, user: str) -> None:
    """Remove a member from a conversation."""
    _emit_membership(slack, channel, user, "member_left_channel")
    channel.members.remove(user)
    slack.ledger.change("left", channel=channel.id, user=user)


def _emit_membership(slack: Backend, channel: Channel, user: str, kind: str) -> None:
    event: Json = {"type": kind, "user": user, "channel": channel.id, "team": slack.workspace.team_id}
    letter = "C" if channel.type == "channel" else "G"
    emit(slack, event | {"channel_type": letter, "event_ts": slack.ids.ts()}, channel)
