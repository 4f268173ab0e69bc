"""Which events the app gets, and the envelope around each event.

The app must have subscribed to the event and must have the event's scope. The app's bot must be in the
conversation.
"""

from taskwire_sandbox.slack.backend import VERIFICATION_TOKEN, Backend
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.workspace import Channel

MESSAGE_EVENTS = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}


def emit(slack: Backend, event: Json, channel: Channel | None, *, bot_must_be_in: bool = True) -> None:
    """Deliver `event` in Slack's envelope if the app has subscribed to it and has its scope.

    `channel` is the conversation of the event. The bot must be a member of the conversation, unless
    `bot_must_be_in` is False.
    """
    kind = event["type"]
    subscription = MESSAGE_EVENTS[channel.type] if kind == "message" and channel else kind
    if not slack.app.manifest.wants(subscription):
        return
    if channel and bot_must_be_in and slack.app.bot_user_id not in channel.members:
        return
    slack.dispatcher.deliver_event(kind, envelope(slack, event, channel))


def envelope(slack: Backend, event: Json, channel: Channel | None) -> Json:
    """Wrap an event as the Events API does."""
    team_id = slack.workspace.team_id
    enterprise_id = slack.workspace.enterprise_id or None
    authorization: Json = {"enterprise_id": enterprise_id, "team_id": team_id}
    authorization |= {"user_id": slack.app.bot_user_id, "is_bot": True}
    authorization |= {"is_enterprise_install": bool(slack.workspace.org_teams)}
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": team_id,
        "context_team_id": team_id,
        "context_enterprise_id": enterprise_id,
        "api_app_id": slack.app.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": slack.ids.unique("Ev"),
        "event_time": int(slack.ids.clock()),
        "authorizations": [authorization],
        "is_ext_shared_channel": bool(channel and channel.is_ext_shared),
        "event_context": slack.ids.unique("4-", 40),
    }
