"""files.*: uploads in three steps.

Slack answers the last step, and shortly after that the file appears in the channel.
"""

import asyncio

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack import text as words
from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json, invalid_arguments
from taskwire_sandbox.slack.file_store import SharedFile
from taskwire_sandbox.slack.methods import content
from taskwire_sandbox.slack.methods.spec import get_joined_channel, method
from taskwire_sandbox.slack.workspace import PUBLIC, Channel

# Slack's limits: a snippet has at most a megabyte, and a description 1,000 characters.
_SNIPPET_MOST, _ALT_MOST = 1_048_576, 1_000


def _get_upload_url(slack: Backend, arguments: Json) -> Json:
    if arguments["length"] <= 0:
        raise invalid_arguments("must be more than 0: length")
    if len(arguments.get("alt_txt") or "") > _ALT_MOST:
        raise ApiError("alt_txt_too_large")
    if arguments.get("snippet_type") and arguments["length"] > _SNIPPET_MOST:
        raise ApiError("snippet_too_large")
    file_id, bot = slack.ids.unique("F"), slack.app.bot_user_id
    made = slack.files.add(file_id, arguments["filename"], bot, arguments["length"], slack.ids.clock())
    if arguments.get("snippet_type"):
        made.filetype, made.mimetype = arguments["snippet_type"], "text/plain"
    return {
        "upload_url": f"{slack.base_url}/upload/v1/{slack.files.open_upload(file_id)}",
        "file_id": file_id,
    }


def _complete(slack: Backend, arguments: Json) -> Json:
    listed = arguments["files"]
    if not isinstance(listed, list) or not all(isinstance(item, dict) and "id" in item for item in listed):
        raise invalid_arguments("must be a list of objects with an id: files")
    if arguments.get("channel_id") and arguments.get("channels"):
        raise invalid_arguments("channel_id and channels together")
    places = [place for place in _places(arguments) if place]
    channels = [get_joined_channel(slack, place) for place in places]
    files = [_uploaded(slack, item) for item in listed]
    for shared in files:
        shared.is_complete = True
    for channel in channels:
        slack.tasks.spawn(_share(slack, channel, files, arguments))
    return {"files": [_shown(slack, shared) for shared in files]}


def _places(arguments: Json) -> list[str]:
    return [arguments.get("channel_id") or "", *(arguments.get("channels") or "").split(",")]


def _uploaded(slack: Backend, item: Json) -> SharedFile:
    found = slack.files.files.get(item["id"])
    if found is None or not found.is_uploaded or found.user != slack.app.bot_user_id:
        raise ApiError("file_not_found")
    found.title = item.get("title") or found.title or found.name
    return found


async def _share(slack: Backend, channel: Channel, files: list[SharedFile], arguments: Json) -> None:
    await asyncio.sleep(slack.share_seconds)
    body = content.identity(slack, {}) | {"subtype": "file_share", "upload": True}
    body["text"] = words.posted(arguments.get("initial_comment") or "")
    body["files"] = [shared.payload(slack.base_url, slack.workspace.domain) for shared in files]
    parent = channel.messages.get(arguments.get("thread_ts") or "")
    if parent is not None:
        body["thread_ts"] = parent.body.get("thread_ts", parent.body["ts"])
    message = messages.write(slack, channel, body)
    for shared in files:
        place = (channel.id, channel.kind == PUBLIC, message["ts"], message.get("thread_ts"))
        shared.shares.append(place)
    slack.ledger.change("file_shared", channel=channel.id, files=[shared.id for shared in files])


def _shown(slack: Backend, shared: SharedFile) -> Json:
    answer = shared.payload(slack.base_url, slack.workspace.domain)
    shares = shared.shares_payload()
    where = [channel for channel, _, _, _ in shared.shares]
    return answer | {"channels": where, "groups": [], "ims": []} | ({"shares": shares} if shares else {})


def _info(slack: Backend, arguments: Json) -> Json:
    found = slack.files.files.get(arguments["file"])
    if found is None or not found.is_complete:
        raise ApiError("file_not_found")
    return {"file": _shown(slack, found), "comments": [], "response_metadata": {"next_cursor": ""}}


METHODS = (
    method(
        "files.getUploadURLExternal",
        _get_upload_url,
        "filename! length!:int alt_txt snippet_type",
        tier=4,
        scopes="files:write",
        errors="alt_txt_too_large snippet_too_large",
        is_form_only=True,
    ),
    method(
        "files.completeUploadExternal",
        _complete,
        "files!:json channel_id channels thread_ts initial_comment blocks:json",
        tier=4,
        scopes="files:write",
        errors="channel_not_found file_not_found not_in_channel",
    ),
    method(
        "files.info",
        _info,
        "file! count:int cursor limit:int page:int",
        tier=4,
        scopes="files:read",
        errors="file_not_found",
    ),
)
