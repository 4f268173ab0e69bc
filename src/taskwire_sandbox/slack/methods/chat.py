"""chat.*: methods for the app's messages. chat.unfurl is in `unfurls`."""

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.methods import content
from taskwire_sandbox.slack.methods.spec import get_joined_channel, get_visible_channel, method, require_scope
from taskwire_sandbox.slack.workspace import PUBLIC, Channel


def _place(slack: Backend, channel_id: str) -> Channel:
    """Find the conversation in which to post. A user id means the direct conversation with that user."""
    if channel_id in slack.workspace.users:
        return slack.workspace.open_direct([slack.app.bot_user_id, channel_id])
    channel = get_visible_channel(slack, channel_id)
    is_in = slack.app.bot_user_id in channel.members
    may_post_anyway = channel.kind == PUBLIC and "chat:write.public" in slack.app.manifest.scopes
    if not is_in and not may_post_anyway:
        raise ApiError("not_in_channel")
    return channel


def _post_message(slack: Backend, arguments: Json) -> Json:
    channel = _place(slack, arguments["channel"])
    if channel.is_archived:
        raise ApiError("is_archived")
    if any(arguments.get(key) for key in ("username", "icon_emoji", "icon_url")):
        require_scope(slack, "chat:write.customize")
    body = content.body(slack, arguments, too_long="msg_blocks_too_long")
    body["text"] = body["text"][: content.TEXT_TRUNCATED]
    metadata, warnings = content.metadata(slack, arguments.get("metadata"))
    body |= content.identity(slack, arguments) | _thread(channel, arguments)
    message = messages.write(slack, channel, body, metadata)
    shown = messages.show(channel, message["ts"], with_metadata=True)
    return {"channel": channel.id, "ts": message["ts"], "message": shown} | _warning_fields(warnings)


def _thread(channel: Channel, arguments: Json) -> Json:
    """Return the fields that put a message into the thread of the argument `thread_ts`; none without the
    argument.

    If `thread_ts` is the ts of a reply, the message goes into the thread of this reply. Raise ApiError if
    there is no such message.
    """
    thread_ts = arguments.get("thread_ts")
    if not thread_ts:
        return {}
    parent = channel.messages.get(thread_ts)
    if parent is None or parent.body.get("subtype") == "tombstone":
        raise ApiError("cannot_reply_to_message")
    found: Json = {"thread_ts": parent.body.get("thread_ts", thread_ts)}
    return found | ({"subtype": "thread_broadcast"} if arguments.get("reply_broadcast") else {})


def _warning_fields(warnings: list[str]) -> Json:
    if not warnings:
        return {}
    return {"warning": ",".join(warnings), "response_metadata": {"warnings": warnings}}


def _own_message(slack: Backend, arguments: Json, not_ours: str) -> tuple[Channel, str]:
    """Return the channel and the ts of a message of the app that still exists.

    Raise ApiError if there is no such message. `not_ours` is the error for a message that the app did not
    write.
    """
    channel = get_visible_channel(slack, arguments["channel"])
    ts = arguments["ts"]
    stored = channel.messages.get(ts)
    if stored is None or stored.body.get("subtype") == "tombstone":
        raise ApiError("message_not_found")
    if stored.body.get("bot_id") != slack.app.bot_id:
        raise ApiError(not_ours)
    return channel, ts


def _update(slack: Backend, arguments: Json) -> Json:
    channel, ts = _own_message(slack, arguments, "cant_update_message")
    if channel.is_archived:
        raise ApiError("is_inactive")
    stored = channel.messages[ts]
    if len(arguments.get("text") or "") > content.TEXT_EDITED:
        raise ApiError("msg_too_long")
    body = content.body(slack, arguments, too_long="msg_too_long")
    warnings: list[str] = []
    if arguments.get("metadata") not in (None, ""):
        stored.metadata, warnings = content.metadata(slack, arguments["metadata"])
    # A field that is left out stays in the message. An empty list removes the field [chat.update].
    gone = tuple(key for key in ("blocks", "attachments") if arguments.get(key) == [])
    message = messages.rewrite(slack, channel, ts, body, editor=slack.app.bot_user_id, without=gone)
    return {"channel": channel.id, "ts": ts, "text": body["text"], "message": message} | _warning_fields(
        warnings
    )


def _delete(slack: Backend, arguments: Json) -> Json:
    channel, ts = _own_message(slack, arguments, "cant_delete_message")
    messages.remove(slack, channel, ts)
    return {"channel": channel.id, "ts": ts}


def _post_ephemeral(slack: Backend, arguments: Json) -> Json:
    channel = get_joined_channel(slack, arguments["channel"])
    if channel.is_archived:
        raise ApiError("is_archived")
    if arguments["user"] not in channel.members:
        raise ApiError("user_not_in_channel")
    if len(arguments.get("text") or "") > content.TEXT_TRUNCATED:
        raise ApiError("msg_too_long")
    body = content.body(slack, arguments, too_long="msg_too_long")
    thread_ts = _thread(channel, arguments).get("thread_ts")
    said = messages.show_ephemeral(
        slack, channel.id, arguments["user"], body, "chat.postEphemeral", thread_ts
    )
    return {"message_ts": said.ts}


def _permalink(slack: Backend, arguments: Json) -> Json:
    channel = get_visible_channel(slack, arguments["channel"])
    stored = channel.messages.get(arguments["message_ts"])
    if stored is None:
        raise ApiError("message_not_found")
    thread_ts = stored.body.get("thread_ts")
    return {"channel": channel.id, "permalink": slack.permalink(channel.id, stored.body["ts"], thread_ts)}


_CONTENT = "text blocks:json attachments:json markdown_text link_names:bool parse as_user:bool"

METHODS = (
    method(
        "chat.postMessage",
        _post_message,
        f"channel! {_CONTENT} thread_ts reply_broadcast:bool metadata:json unfurl_links:bool"
        " unfurl_media:bool mrkdwn:bool username icon_emoji icon_url current_draft_last_updated_ts",
        tier=0,
        scopes="chat:write",
        errors="cannot_reply_to_message channel_not_found invalid_blocks invalid_blocks_format is_archived"
        " invalid_metadata_format markdown_text_conflict metadata_too_large msg_blocks_too_long no_text"
        " not_in_channel too_many_attachments",
    ),
    method(
        "chat.update",
        _update,
        f"channel! ts! {_CONTENT} reply_broadcast:bool metadata:json file_ids:json unfurled_attachments:json",
        tier=3,
        scopes="chat:write",
        errors="cant_update_message channel_not_found invalid_blocks invalid_blocks_format is_inactive"
        " invalid_metadata_format markdown_text_conflict message_not_found metadata_too_large msg_too_long"
        " no_text too_many_attachments",
    ),
    method(
        "chat.delete",
        _delete,
        "channel! ts! as_user:bool",
        tier=3,
        scopes="chat:write",
        errors="cant_delete_message channel_not_found message_not_found",
    ),
    method(
        "chat.postEphemeral",
        _post_ephemeral,
        f"channel! user! {_CONTENT} thread_ts username icon_emoji icon_url",
        tier=4,
        scopes="chat:write",
        errors="cannot_reply_to_message channel_not_found invalid_blocks invalid_blocks_format is_archived"
        " markdown_text_conflict msg_too_long no_text not_in_channel too_many_attachments"
        " user_not_in_channel",
    ),
    method(
        "chat.getPermalink",
        _permalink,
        "channel! message_ts!",
        tier=0,
        errors="channel_not_found message_not_found",
    ),
)
