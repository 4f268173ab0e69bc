"""The workspace: people, conversations and user groups. `messages` has the code that writes messages."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.ids import Ids

PUBLIC: Final = "public"
PRIVATE: Final = "private"
IM: Final = "im"
MPIM: Final = "mpim"
CHANNEL_TYPES = {PUBLIC: "channel", PRIVATE: "group", IM: "im", MPIM: "mpim"}
# The names that Slack gives in slash commands for conversations whose real names it does not tell.
COMMAND_NAMES = {PRIVATE: "privategroup", IM: "directmessage"}


@dataclass
class User:
    """A member, a guest, a bot, or a person from another company (a stranger).

    `name` is the user's handle.
    """

    id: str
    name: str
    real_name: str = ""
    email: str | None = None
    # None leaves the field out of the payload, because not every answer of Slack has this field.
    is_email_confirmed: bool | None = True
    tz: str = "Etc/UTC"
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    team_id: str = ""
    # The id of the organization, and the ids of its workspaces that this person is in.
    enterprise_id: str = ""
    teams: list[str] = field(default_factory=list)
    deleted: bool = False
    bot_id: str | None = None
    app_id: str | None = None

    def payload(self, *, with_email: bool) -> Json:
        """Return the user as users.info shows them.

        `with_email` says whether the app has the scope for e-mail addresses.
        """
        real_name = self.real_name or self.name
        profile: Json = {
            "real_name": real_name,
            "real_name_normalized": real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "team": self.team_id,
        }
        if self.bot_id:
            profile |= {"bot_id": self.bot_id, "api_app_id": self.app_id}
        if with_email and self.email and not self.is_bot:
            profile["email"] = self.email
        answer: Json = {"id": self.id, "team_id": self.team_id, "name": self.name, "deleted": self.deleted}
        answer |= {"real_name": real_name, "tz": self.tz, "tz_label": self.tz, "tz_offset": self._tz_offset()}
        answer |= {"profile": profile, "is_admin": False, "is_owner": False, "is_primary_owner": False}
        answer |= {"is_restricted": self.is_restricted, "is_ultra_restricted": self.is_ultra_restricted}
        answer |= {"is_bot": self.is_bot, "is_app_user": False, "updated": 1_700_000_000}
        if self.is_email_confirmed is not None:
            answer["is_email_confirmed"] = self.is_email_confirmed
        if self.enterprise_id:
            answer["enterprise_user"] = {
                "id": self.id,
                "enterprise_id": self.enterprise_id,
                "enterprise_name": "Org",
                "is_admin": False,
                "is_owner": False,
                "teams": list(self.teams),
            }
        if self.is_stranger:
            answer["is_stranger"] = True
        return answer

    def _tz_offset(self) -> int:
        offset = datetime.now(ZoneInfo(self.tz)).utcoffset()
        return int(offset.total_seconds()) if offset else 0


@dataclass
class UserGroup:
    """A user group: one `@handle` for several people."""

    id: str
    handle: str
    members: list[str] = field(default_factory=list)
    is_disabled: bool = False

    def payload(self, team_id: str, *, with_users: bool) -> Json:
        """Return the group as usergroups.list shows it. `with_users` says whether it contains the members'
        ids."""
        answer: Json = {"id": self.id, "team_id": team_id, "is_usergroup": True, "is_subteam": True}
        answer |= {"name": self.handle, "handle": self.handle, "description": "", "is_external": False}
        answer |= {"date_delete": 1 if self.is_disabled else 0, "user_count": len(self.members)}
        if with_users:
            answer["users"] = list(self.members)
        return answer


@dataclass
class StoredMessage:
    """A stored message. `body` is what Slack sends, but without metadata, reactions and reply counts."""

    body: Json
    metadata: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    replies: list[str] = field(default_factory=list)


@dataclass
class Channel:
    """A conversation of any kind. The keys of `messages` are ts, in the order of writing."""

    id: str
    name: str
    kind: str = PUBLIC
    members: list[str] = field(default_factory=list)
    is_archived: bool = False
    is_ext_shared: bool = False
    created: int = field(default_factory=lambda: int(time.time()))
    messages: dict[str, StoredMessage] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The word that events use for the kind of conversation: channel, group, im or mpim."""
        return CHANNEL_TYPES[self.kind]

    def payload(self, viewer: str, team_id: str) -> Json:
        """Return the conversation as conversations.info shows it to the user `viewer`."""
        answer: Json = {"id": self.id, "created": self.created, "is_archived": self.is_archived}
        if self.kind == IM:
            other = next((member for member in self.members if member != viewer), viewer)
            return answer | {"is_im": True, "is_org_shared": False, "user": other, "context_team_id": team_id}
        answer |= {"name": self.name, "name_normalized": self.name, "is_im": False, "is_general": False}
        answer |= {"is_channel": self.kind == PUBLIC, "is_group": self.kind == PRIVATE}
        answer |= {"is_mpim": self.kind == MPIM, "is_private": self.kind != PUBLIC}
        answer |= {
            "is_shared": self.is_ext_shared,
            "is_ext_shared": self.is_ext_shared,
            "is_org_shared": False,
        }
        answer |= {"is_member": viewer in self.members, "context_team_id": team_id}
        empty = {"value": "", "creator": "", "last_set": 0}
        return answer | {"topic": empty, "purpose": dict(empty), "previous_names": []}


class Workspace:
    """The people, conversations and user groups.

    Look-ups of people and conversations take an id or a name.
    """

    def __init__(self, ids: Ids, team_id: str, domain: str) -> None:
        self.ids = ids
        self.team_id = team_id
        self.domain = domain
        # The organization of the workspace, or "" if there is none. If the app is installed for the whole
        # organization, `org_teams` lists the workspaces with the app.
        self.enterprise_id = ""
        self.org_teams: tuple[str, ...] = ()
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.groups: dict[str, UserGroup] = {}

    def user(self, reference: str) -> User:
        """Return a person by id or handle. Raise KeyError if there is none."""
        found = self.find_user(reference)
        if found is None:
            raise KeyError(f"no user {reference!r}")
        return found

    def find_user(self, reference: str) -> User | None:
        """Find a person by id or handle; None if there is none."""
        if reference in self.users:
            return self.users[reference]
        handle = reference.removeprefix("@").lower()
        return next((user for user in self.users.values() if user.name.lower() == handle), None)

    def channel(self, reference: str) -> Channel:
        """Return a conversation by id or name. Raise KeyError if there is none."""
        found = self.find_channel(reference)
        if found is None:
            raise KeyError(f"no channel {reference!r}")
        return found

    def find_channel(self, reference: str) -> Channel | None:
        """Find a conversation by id or name; None if there is none."""
        if reference in self.channels:
            return self.channels[reference]
        name = reference.removeprefix("#")
        named = (channel for channel in self.channels.values() if channel.kind in (PUBLIC, PRIVATE))
        return next((channel for channel in named if channel.name == name), None)

    def add_channel(
        self, name: str, kind: str, members: list[str], *, is_ext_shared: bool = False
    ) -> Channel:
        """Create a conversation of these people."""
        prefix = "D" if kind == IM else "C"
        channel = Channel(
            self.ids.stable(prefix), name, kind, members=list(members), is_ext_shared=is_ext_shared
        )
        self.channels[channel.id] = channel
        return channel

    def find_direct(self, people: list[str]) -> Channel | None:
        """Find the direct conversation of exactly these people; None if there is none."""
        wanted = set(people)
        direct = (channel for channel in self.channels.values() if channel.kind in (IM, MPIM))
        return next((channel for channel in direct if set(channel.members) == wanted), None)

    def open_direct(self, people: list[str]) -> Channel:
        """Return the direct conversation of exactly these people. Create the conversation if necessary."""
        found = self.find_direct(people)
        if found is not None:
            return found
        kind = IM if len(set(people)) == 2 else MPIM
        name = "" if kind == IM else "mpdm-" + "--".join(self.users[person].name for person in people) + "-1"
        return self.add_channel(name, kind, people)
