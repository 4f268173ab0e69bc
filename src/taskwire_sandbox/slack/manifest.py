"""The app's manifest: reads from Slack's manifest format what the app was granted."""

from dataclasses import dataclass, field

from taskwire_sandbox.slack.errors import Json

# All bot scopes except chat:write.public. With that scope, a test would not notice that the bot was not
# invited.
SCOPES = (
    "app_mentions:read", "assistant:write", "bookmarks:write", "channels:history", "channels:join",
    "channels:manage", "channels:read", "chat:write", "chat:write.customize", "commands", "files:read",
    "files:write", "groups:history", "groups:read", "groups:write", "im:history", "im:read", "im:write",
    "links:read", "links:write", "metadata.message:read", "mpim:history", "mpim:read", "mpim:write",
    "pins:write", "reactions:read", "reactions:write", "team:read", "usergroups:read", "users:read",
    "users:read.email",
)  # fmt: skip
# The scope that each event type needs. message.* differs by the type of the conversation.
EVENT_SCOPES = {
    "agent_session_stopped": "",
    "app_mention": "app_mentions:read",
    "app_home_opened": "",
    "link_shared": "links:read",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "channel_archive": "channels:read",
    "channel_unarchive": "channels:read",
    "group_unarchive": "groups:read",
    "file_shared": "files:read",
    "app_uninstalled": "",
    "tokens_revoked": "",
    "user_change": "users:read",
    "subteam_updated": "usergroups:read",
    "subteam_members_changed": "usergroups:read",
}


@dataclass(frozen=True)
class Command:
    """A slash command that the manifest declares."""

    name: str
    should_escape: bool
    url: str = ""


@dataclass(frozen=True)
class Manifest:
    """What the app was granted.

    Without a manifest, everything is granted, and all commands and shortcuts exist.
    """

    name: str = "Taskwire"
    scopes: frozenset[str] = frozenset(SCOPES)
    events: frozenset[str] = frozenset(EVENT_SCOPES)
    commands: dict[str, Command] | None = None
    shortcuts: dict[str, str] | None = None
    unfurl_domains: tuple[str, ...] | None = None
    home_enabled: bool = True
    messages_enabled: bool = True
    interactive: bool = True
    socket_mode: bool = True
    is_agent: bool = True
    event_url: str = ""
    interactivity_url: str = ""
    raw: Json = field(default_factory=dict)

    def command(self, name: str) -> Command | None:
        """Find a slash command that the manifest declares; None if the app does not have the command."""
        if "commands" not in self.scopes:
            return None
        if self.commands is None:
            return Command(name, should_escape=True)
        return self.commands.get(name)

    def has_shortcut(self, callback_id: str, kind: str) -> bool:
        """Return whether the manifest declares this `global` or `message` shortcut."""
        return self.shortcuts is None or self.shortcuts.get(callback_id) == kind

    def wants(self, event_type: str) -> bool:
        """Return whether the app has subscribed to this event and has the event's scope."""
        scope = EVENT_SCOPES.get(event_type, "")
        return event_type in self.events and (not scope or scope in self.scopes)

    def unfurls(self, host: str) -> bool:
        """Return whether the app may unfurl links to this host."""
        if self.unfurl_domains is None:
            return True
        return any(host == domain or host.endswith("." + domain) for domain in self.unfurl_domains)


def read(raw: Json | None) -> Manifest:
    """Read a manifest. Without one (`raw` is None), everything is granted."""
    if raw is None:
        return Manifest()
    features, settings = raw.get("features", {}), raw.get("settings", {})
    home, interactivity = features.get("app_home", {}), settings.get("interactivity", {})
    subscriptions = settings.get("event_subscriptions", {})
    bot = raw.get("oauth_config", {}).get("scopes", {})
    return Manifest(
        name=features.get("bot_user", {}).get("display_name", raw["display_information"]["name"]),
        scopes=frozenset([*bot.get("bot", []), *bot.get("bot_optional", [])]),
        events=frozenset(subscriptions.get("bot_events", [])),
        commands={item["command"]: _command(item) for item in features.get("slash_commands", [])},
        shortcuts={item["callback_id"]: item["type"] for item in features.get("shortcuts", [])},
        unfurl_domains=tuple(features.get("unfurl_domains", [])),
        home_enabled=home.get("home_tab_enabled", False),
        messages_enabled=home.get("messages_tab_enabled", True)
        and not home.get("messages_tab_read_only_enabled", False),
        interactive=interactivity.get("is_enabled", False),
        socket_mode=settings.get("socket_mode_enabled", False),
        is_agent="agent_view" in features,
        event_url=subscriptions.get("request_url", ""),
        interactivity_url=interactivity.get("request_url", ""),
        raw=raw,
    )


def _command(item: Json) -> Command:
    return Command(item["command"], bool(item.get("should_escape", False)), item.get("url", ""))
