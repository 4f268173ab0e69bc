"""chat.unfurl: adds the app's preview below a link that a person has posted."""

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.block_rules import MESSAGE, problems
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.methods.spec import method
from taskwire_sandbox.slack.workspace import Channel


def _message(slack: Backend, arguments: Json) -> tuple[Channel, str]:
    channel_id, ts = arguments.get("channel"), arguments.get("ts")
    if arguments.get("unfurl_id"):
        if not arguments.get("source"):
            raise ApiError("missing_source")
        if arguments["source"] not in ("composer", "conversations_history"):
            raise ApiError("invalid_source")
        channel_id, _, rest = arguments["unfurl_id"].partition(".")
        ts = rest.rpartition(".")[0]
    elif not channel_id:
        raise ApiError("missing_channel")
    elif not ts:
        raise ApiError("missing_ts")
    channel = slack.workspace.channels.get(channel_id)
    if channel is None:
        raise ApiError("cannot_find_channel")
    if ts not in channel.messages:
        raise ApiError("cannot_find_message")
    return channel, ts


def _unfurl(slack: Backend, arguments: Json) -> Json:
    unfurls = arguments.get("unfurls")
    if unfurls is None or unfurls == "":
        raise ApiError("missing_unfurls")
    if not isinstance(unfurls, dict):
        raise ApiError("invalid_unfurls_format")
    channel, ts = _message(slack, arguments)
    shown = []
    for url, unfurl in unfurls.items():
        found = problems(unfurl.get("blocks", []), MESSAGE)
        if found:
            slack.ledger.record_violation(f"invalid unfurl: {'; '.join(found)}")
            raise ApiError("cannot_parse_attachment")
        shown.append({"from_url": url, "app_unfurl_url": url, "is_app_unfurl": True} | unfurl)
    before = channel.messages[ts].body.get("attachments", [])
    kept = [item for item in before if item.get("from_url") not in unfurls]
    messages.rewrite(slack, channel, ts, {"attachments": kept + shown}, editor=None)
    return {}


METHODS = (
    method(
        "chat.unfurl",
        _unfurl,
        "channel ts unfurl_id source unfurls:json user_auth_blocks:json user_auth_message"
        " user_auth_required:bool user_auth_url",
        tier=3,
        scopes="links:write",
        errors="cannot_find_channel cannot_find_message cannot_parse_attachment invalid_source"
        " invalid_unfurls_format missing_channel missing_source missing_ts missing_unfurls",
    ),
)
