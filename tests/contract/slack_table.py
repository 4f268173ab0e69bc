"""The tables of what Taskwire uses of Slack's platform: methods, scopes, limits, events, and keys of the
manifest.

Tests in this folder compare the client, the stand-in and the manifest with these tables. They also compare
the tables with Slack's own references, if they are present. The tables list nothing that Taskwire does not
use.
"""

from dataclasses import dataclass

HISTORY = "channels:history groups:history im:history mpim:history"
READ_CONVERSATIONS = "channels:read groups:read im:read mpim:read"
FILE = (
    "files[].id files[].name files[].user files[].size files[].mimetype files[].url_private files[].permalink"
    " files[].editable files[].mode"
)


@dataclass(frozen=True)
class Method:
    """A method, with the arguments that are sent (`!`: required) and the values that are read (`?`: often
    absent).

    `tier` is the tier of the method's rate limit, or 0 for a special limit. The method needs one of `scopes`;
    which one depends on the kind of channel. `fine` is an error that counts as success.
    """

    tier: int
    sends: str = ""
    reads: str = ""
    scopes: str = ""
    fine: str = ""


def _each(prefix: str, names: str) -> str:
    return " ".join(prefix + name for name in names.split())


_PERSON = (
    "id name real_name deleted team_id is_bot is_workflow_bot? is_restricted is_ultra_restricted is_stranger?"
    " is_email_confirmed enterprise_user? profile.display_name profile.email tz tz_offset"
)
_OWN_METADATA = "metadata.event_type metadata.event_payload.id"
_REPLY = (
    f"ts thread_ts parent_user_id user bot_id subtype text blocks {FILE} {_OWN_METADATA}"
    " metadata.event_payload.kind metadata.event_payload.task_id reactions[].name reactions[].users"
    " username? bot_profile? edited? user_team? team?"
)

METHODS = {
    "agents.sessions.setStatus": Method(3, "channel_id status! thread_ts title", scopes="chat:write"),
    "auth.test": Method(0, reads="user_id bot_id team_id team enterprise_id? is_enterprise_install"),
    "auth.teams.list": Method(2, "cursor limit", "teams[].id response_metadata.next_cursor"),
    "apps.connections.open": Method(3, reads="url"),
    "chat.postMessage": Method(
        0,
        "channel! text blocks thread_ts metadata unfurl_links unfurl_media",
        "ts",
        "chat:write",
    ),
    "chat.postEphemeral": Method(4, "channel! user! text blocks thread_ts", scopes="chat:write"),
    "chat.update": Method(3, "channel! ts! text blocks metadata", scopes="chat:write"),
    "chat.delete": Method(3, "channel! ts!", scopes="chat:write"),
    "chat.unfurl": Method(3, "channel ts unfurls", scopes="links:write"),
    "chat.getPermalink": Method(0, "channel! message_ts!", "permalink"),
    "conversations.history": Method(
        3,
        "channel! oldest latest inclusive include_all_metadata limit cursor",
        _each("messages[].", f"ts thread_ts user latest_reply {FILE} {_OWN_METADATA}")
        + " has_more response_metadata.next_cursor",
        HISTORY,
    ),
    "conversations.replies": Method(
        3,
        "channel! ts! oldest inclusive include_all_metadata limit cursor",
        _each("messages[].", _REPLY) + " has_more response_metadata.next_cursor",
        HISTORY,
    ),
    "conversations.info": Method(
        3,
        "channel!",
        _each("channel.", "id name is_private is_im is_mpim is_ext_shared user"),
        READ_CONVERSATIONS,
    ),
    "conversations.open": Method(
        3, "users", "channel.id", "channels:manage groups:write im:write mpim:write"
    ),
    "reactions.add": Method(3, "channel! name! timestamp!", "", "reactions:write", "already_reacted"),
    "reactions.remove": Method(2, "channel name! timestamp", "", "reactions:write", "no_reaction"),
    "users.info": Method(4, "user!", _each("user.", _PERSON), "users:read"),
    "users.list": Method(
        2,
        "limit cursor team_id",
        _each("members[].", _PERSON) + " response_metadata.next_cursor",
        "users:read",
    ),
    "users.lookupByEmail": Method(3, "email!", "user.id", "users:read.email", "users_not_found"),
    "users.conversations": Method(
        3, "user types limit cursor", "channels[].id response_metadata.next_cursor", READ_CONVERSATIONS
    ),
    "usergroups.list": Method(
        2,
        "team_id include_users",
        "usergroups[].id usergroups[].name usergroups[].users",
        "usergroups:read",
    ),
    "usergroups.users.list": Method(2, "usergroup! team_id", "users", "usergroups:read"),
    "views.open": Method(4, "trigger_id view!", "view.id"),
    "views.update": Method(4, "view_id view!"),
    "views.publish": Method(4, "user_id! view!"),
    "files.getUploadURLExternal": Method(4, "filename! length!", "upload_url file_id", "files:write"),
    "files.completeUploadExternal": Method(4, "files! channel_id thread_ts", scopes="files:write"),
    "files.info": Method(
        4,
        "file!",
        "file.permalink file.shares.public.{channel}[].ts file.shares.private.{channel}[].ts",
        "files:read",
        "file_not_found",
    ),
}

# Slack allows this method with any of several scopes. Taskwire needs only the scope that is named here,
# because it opens conversations with one person only.
NARROWED = {"conversations.open": "im:write"}
# Scopes that no method and no event needs.
OTHER_SCOPES = {"commands": "a slash command"}

# The limit of calls a minute, by tier, for each method in each workspace. Tier 0 stands for a special limit;
# the special limits of the methods here are several hundred.
TIERS = {2: 20, 3: 50, 4: 100, 0: 300}
# The longest text in characters. Slack cuts a longer post and refuses a longer edit.
POSTED_TEXT, EDITED_TEXT = 40_000, 4_000
# The greatest number of blocks in a message, in a dialog and in the Home tab.
MOST_BLOCKS = {"message": 50, "modal": 100, "home": 100}
# The arguments sent to a response URL. A response URL answers a command or a press of a button.
RESPONSE = "text blocks response_type replace_original"

# The events, each with the scope without which Slack does not send it. An empty scope means that the event
# needs none.
EVENTS = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "link_shared": "links:read",
    "member_joined_channel": "channels:read",
    "channel_unarchive": "channels:read",
    "group_unarchive": "groups:read",
    "user_change": "users:read",
    "subteam_updated": "usergroups:read",
    "subteam_members_changed": "usergroups:read",
    "app_home_opened": "",
}

# Only an app that is declared as an agent needs this scope and gets these events.
AGENT_SCOPES = {"assistant:write": "Slack grants it with the declaration"}
AGENT_EVENTS = {"agent_session_stopped": ""}

# The kind of each key, and the least and the greatest length of a text or a list. `!`: Slack requires the
# key.
MANIFEST = {
    "display_information.name!": "string 1 35",
    "display_information.description": "string 1 140",
    "display_information.background_color": "string 4 7",
    "features.agent_view.agent_description": "string 0 300",
    "features.app_home.home_tab_enabled": "boolean",
    "features.app_home.messages_tab_enabled": "boolean",
    "features.app_home.messages_tab_read_only_enabled": "boolean",
    "features.bot_user.display_name!": "string 1 80",
    "features.bot_user.always_online": "boolean",
    "features.shortcuts": "array 1 10",
    "features.shortcuts[].name!": "string 1 24",
    "features.shortcuts[].type!": "string 6 7",
    "features.shortcuts[].callback_id!": "string 1 255",
    "features.shortcuts[].description!": "string 1 150",
    "features.unfurl_domains": "array 1 5",
    "features.unfurl_domains[]": "string 0 255",
    "features.slash_commands": "array 1 50",
    "features.slash_commands[].command!": "string 2 32",
    "features.slash_commands[].description!": "string 1 2000",
    "features.slash_commands[].usage_hint": "string 1 1000",
    "features.slash_commands[].should_escape": "boolean",
    "features.slash_commands[].url": "string 0 3000",
    "oauth_config.scopes.bot": "array 0 255",
    "oauth_config.scopes.bot[]": "string 0 50",
    "settings.event_subscriptions.request_url": "string 0 3500",
    "settings.event_subscriptions.bot_events": "array 0 100",
    "settings.event_subscriptions.bot_events[]": "string 0 50",
    "settings.interactivity.is_enabled!": "boolean",
    "settings.interactivity.request_url": "string 0 3500",
    "settings.org_deploy_enabled": "boolean",
    "settings.socket_mode_enabled": "boolean",
    "settings.token_rotation_enabled": "boolean",
}


def list_arguments(method: str) -> set[str]:
    """Return the arguments that are sent to a method."""
    return {word.removesuffix("!") for word in METHODS[method].sends.split()}


def list_required_arguments(method: str) -> set[str]:
    """Return the arguments that Slack requires in a call of a method."""
    return {word.removesuffix("!") for word in METHODS[method].sends.split() if word.endswith("!")}


def list_reads(method: str) -> set[str]:
    """Return the values that are read from a method's answer."""
    return {word.removesuffix("?") for word in METHODS[method].reads.split()}


def list_required_reads(method: str) -> set[str]:
    """Return the values that the client reads from a method's answer, without those that are often absent."""
    return {word for word in METHODS[method].reads.split() if not word.endswith("?")}


def list_scopes(method: str) -> set[str]:
    """Return the scopes that the bot needs to call a method."""
    return set(NARROWED.get(method, METHODS[method].scopes).split())
