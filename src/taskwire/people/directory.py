"""Looks up people, user groups and members of channels in Slack and Coder.

Rights are looked up at each action, so that a person cannot use a lost right for long. All replicas share an
answer for five seconds after its request, or until Slack reports a change. Requests for the same answer in
this time share one call. So one person causes at most one call in five seconds. Slack allows lookups of a
hundred people a minute. If more people act in a minute, their lookups wait for Slack's rate limits. Names may
be some minutes old, because no right depends on a name. A stored answer is encrypted and signed for the
person that it is about. So nobody can become another person by writing into Redis.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from taskwire import transport
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NotFound
from taskwire.coder.models import User
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, TryLater, UserError
from taskwire.domain.ids import ChannelId, UserId
from taskwire.domain.text.mrkdwn import fold_words
from taskwire.messages import refusals
from taskwire.redis.decoding import CannotRead, read
from taskwire.sealing import key_ring
from taskwire.single_flight import SingleFlight
from taskwire.slack.call_priorities import (
    Priority,
    as_claimant,
    get_least_priority,
    retry_until_capacity,
    with_least_priority,
)
from taskwire.slack.errors import ChannelProblem, NoCapacity, SlackRateLimited, SlackRefused
from taskwire.slack.models import Channel, Profile, UserGroup
from taskwire.telemetry import logger

# Slack allows 20 calls a minute about groups, and 20 about the workspaces that have the app. An answer about
# a group is stored for MS_FOR_EACH_GROUP times the number of groups, but for ANSWER_TTL_MS at least and
# LONGEST_TTL_MS at most. Answers about workspaces and about conversations are stored for LONGEST_TTL_MS.
ANSWER_TTL_MS, MS_FOR_EACH_GROUP, LONGEST_TTL_MS = 5_000, 3_200, 10_000
# If the answers about more groups than this are missing, they are asked for in one call about all groups. One
# call for each of them would take so long that the first answers had expired before the last one came.
MOST_SINGLE_GROUPS = 3
# How long it is known that a group exists. No right depends on it. In this time, Slack allows 200 calls about
# groups, so a request that names many groups ends, also if several people make such requests.
GROUP_EXISTS_TTL_MS = 600_000
# How long it is known that a group does not exist. A group that is made in this time does not exist for us
# until then, or until Slack reports its members.
NO_GROUP_TTL_MS = 180_000
# Slack allows reading 20 pages of people a minute. A search for a name reads at most this many pages. All
# searches share a page for this long, so together they read 12 pages a minute.
MOST_PAGES_OF_PEOPLE, PEOPLE_TTL_MS = 10, 50_000
# What is known for some minutes of a person whom somebody names for a share: that the person may use the bot,
# and the person's names. No right depends on it.
SHARE_POSSIBLE, NAMES_OF_NAMED = KNOWN_OF_NAMED = "share_possible", "names_of_named"

T = TypeVar("T")
_log = logger("taskwire.people.directory")


class CoderAccount(BaseModel):
    """The fields of a Coder user that decide what the person may do."""

    id: str
    username: str
    is_suspended: bool = False


_ACCOUNTS = TypeAdapter(tuple[CoderAccount, ...])
_NAMES = TypeAdapter(dict[str, str])


class _PeoplePage(BaseModel):
    """A page of the people of a workspace: the names of each person, folded, and the next page's cursor."""

    names: dict[UserId, frozenset[str]]
    next_cursor: str


class Directory:
    """Looks up people in Slack and Coder."""

    def __init__(self, deps: Dependencies, groups: int = 0) -> None:
        self._deps = deps
        self._group_ms = min(max(ANSWER_TTL_MS, groups * MS_FOR_EACH_GROUP), LONGEST_TTL_MS)
        self._running_calls: dict[tuple[str, str], SingleFlight[str]] = {}

    async def list_group_names(self) -> dict[str, str]:
        """Return the names of the user groups by id.

        The result is empty if Slack does not show the groups to the bot.
        """
        try:
            found = await self._get_cached("group_names", "all", self._ask_group_names, LONGEST_TTL_MS)
            return _parse(_NAMES.validate_json, found)
        except SlackRefused as refused:
            _log.warning("user groups not readable, none offered", code=refused.code)
            return {}

    async def get_profile(self, person: UserId) -> Profile:
        """Return a person's profile. Raise UserError if Slack does not show the person to the bot."""
        found = await self._get_cached("profile", person, partial(self._ask_profile, person), ANSWER_TTL_MS)
        if not found:
            raise UserError(*refusals.NOT_FOR_STRANGERS, reason="not_a_member")
        return _parse(Profile.model_validate_json, found)

    async def look_up_named(self, person: UserId, asker: UserId) -> None:
        """Look up the profile of a person whom `asker` names, so that `get_profile` then needs no call.

        Anybody can name many people. So rights go first in Slack's limits, and the people whom `asker` names
        are looked up one after the other.
        """
        ask, claimant = partial(self._ask_profile, person), f"named_person:{asker}"
        get = partial(
            self._get_shared, "profile", person, ask, ANSWER_TTL_MS, Priority.BACKFILL, claimant=claimant
        )
        await self._share_call("named_person", person, get)

    async def get_name(self, person: UserId) -> str:
        """Return a person's name. Raise UserError if Slack does not show the person to the bot."""
        known = await self._deps.notes.find("name", person)
        return known if known is not None else _name_of(await self.get_profile(person))

    async def find_shown_name(self, person: UserId) -> str:
        """Return a person's name for a text; empty if Slack gives no name now."""
        return await self._find_shown("name", person, partial(self._ask_name, person))

    async def find_channel_name(self, channel: ChannelId) -> str:
        """Return the name of a public channel for a text; empty if Slack gives no name now.

        It is also empty for any other conversation: the readers of the text may not be in that one.
        """
        return await self._find_shown("channel_name", channel, partial(self._ask_channel_name, channel))

    async def _find_shown(self, what: str, name: str, ask: Callable[[], Awaitable[str]]) -> str:
        """Return a name that is only shown. Rights and all other needs go first in Slack's limits.

        Do not wait for a place in these limits, because anybody can write a text that names many channels. It
        is also remembered that Slack gives no name.
        """
        notes, no_name = self._deps.notes, f"no_{what}"
        known = await notes.find(what, name)
        if known is not None or await notes.find(no_name, name) is not None:
            return known or ""
        try:
            with as_claimant(f"shown:{what}:{name}"), with_least_priority(Priority.BACKFILL):
                found = await ask()
        except (NoCapacity, SlackRateLimited, AccountRefused):
            return ""
        except SlackRefused:
            found = ""
        await notes.keep(found, what if found else no_name, name)
        return found

    async def list_named(self, names: Collection[str]) -> dict[str, list[UserId]]:
        """Return, for each of these names, the people who have it in Slack.

        The caller has passed the names through `fold_words`, so that case and spaces do not count. Return an
        empty dict if the workspace has too many people to read them all, or if Slack refuses the list.
        """
        found: dict[str, dict[UserId, None]] = {}
        teams, cursor = [*await self._list_teams_to_ask()], ""
        for _ in range(MOST_PAGES_OF_PEOPLE):
            try:
                page = await self._get_people_page(teams[0], cursor)
            except SlackRefused as refused:
                _log.warning(
                    "list of people not readable in Slack, so a typed name was not found", code=refused.code
                )
                return {}
            for person, own in page.names.items():
                for name in own.intersection(names):
                    # A person may be in several workspaces of an organization.
                    found.setdefault(name, {})[person] = None
            cursor = page.next_cursor
            if not cursor:
                del teams[0]
            if not teams:
                return {name: [*people] for name, people in found.items()}
        return {}

    async def _get_people_page(self, team: str, cursor: str) -> _PeoplePage:
        """Return a page of the people of a workspace.

        Pages are stored, so a search that Slack's limits made wait goes on where it was.
        """
        ask = partial(self._ask_people_page, team, cursor)
        found = await self._get_cached("people_page", f"{team}:{cursor}", ask, PEOPLE_TTL_MS)
        return _parse(_PeoplePage.model_validate_json, found)

    async def list_accounts(self, email: str) -> tuple[CoderAccount, ...]:
        """Return the Coder users whose e-mail address is exactly this address."""
        found = await self._get_cached(
            "accounts", key_ring().digest(email), partial(self._ask_accounts, email), ANSWER_TTL_MS
        )
        return _parse(_ACCOUNTS.validate_json, found)

    async def list_users(self, user_id: str, coder: CoderClient) -> tuple[CoderAccount, ...]:
        """Return the Coder user with this id, in a list. If there is no such user, the list is empty.

        `coder` is the client that asks Coder. An answer to one token does not count for another token.
        """
        ask, name = partial(_ask_user, user_id, coder), f"{user_id}-{coder.key_id}"
        found = await self._get_cached("coder_user", name, ask, ANSWER_TTL_MS)
        return _parse(_ACCOUNTS.validate_json, found)

    async def has_group(self, group: str, asker: UserId) -> bool:
        """Return whether a user group exists. Return True if Slack does not show the groups to the bot.

        The answer is stored, so a request that names many groups goes on where Slack's limits made it wait.
        Anybody can name groups that do not exist. So rights go first in these limits, and the groups that
        `asker` names are looked up one after the other.
        """
        known = await self._find_whether_group_exists(group)
        if known is not None:
            return known
        ask = partial(self._ask_whether_group_exists, group, asker, await self._list_teams_to_ask())
        return bool(await self._share_call("group_exists", group, ask))

    async def _find_whether_group_exists(self, group: str) -> bool | None:
        if await self._deps.notes.find("group_exists", group) is not None:
            return True
        return False if await self._deps.notes.find("no_group", group) is not None else None

    async def list_group(self, group: str) -> frozenset[str]:
        """Return the members of a user group. If the group no longer exists, return no members."""
        found = await self._get_cached("group", group, partial(self._ask_group, group), self._group_ms)
        return frozenset(found.split())

    async def list_groups_of(self, person: UserId, groups: Collection[str]) -> frozenset[str]:
        """Return those of these user groups that the person is a member of."""
        found = {group: await self._deps.notes.find_cached("group", group) for group in groups}
        known = {group: answer.split() for group, (answer, _) in found.items() if answer is not None}
        missing = {group: change for group, (answer, change) in found.items() if answer is None}
        if len(missing) > MOST_SINGLE_GROUPS:
            known |= await self._ask_groups(missing)
        else:
            known |= {group: [*await self.list_group(group)] for group in missing}
        return frozenset(group for group, members in known.items() if person in members)

    async def list_own_teams(self) -> frozenset[str]:
        """Return this workspace. For an organization, return all its workspaces that have the app."""
        bot = self._deps.bot
        return frozenset(await self._list_teams_to_ask()) if bot.is_org_wide else frozenset({bot.team_id})

    async def _list_teams_to_ask(self) -> tuple[str, ...]:
        """Return the workspaces that a call about people or groups has to name, as Slack's client knows them.

        They are stored as an answer of Slack, because the client asks Slack each time.
        """
        return tuple((await self._get_cached("teams", "own", self._ask_teams, LONGEST_TTL_MS)).split(" "))

    async def find_channel(self, channel: ChannelId) -> Channel | None:
        """Return a conversation.

        Return None for an empty id, or if Slack does not show the conversation to the bot.
        """
        if not channel:
            return None
        found = await self._get_cached(
            "channel", channel, partial(self._ask_channel, channel), LONGEST_TTL_MS
        )
        return _parse(Channel.model_validate_json, found) if found else None

    async def is_member(self, person: UserId, channel: ChannelId) -> bool:
        """Return whether a person is in a conversation.

        Return False if Slack does not show the conversation to the bot.
        """
        conversation = await self.find_channel(channel)
        if conversation is None or conversation.other is not None:
            return conversation is not None and conversation.other == person
        found = await self._get_cached("channels", person, partial(self._ask_channels, person), ANSWER_TTL_MS)
        return channel in found.split()

    async def can_see(self, person: UserId, channel: ChannelId) -> bool:
        """Return whether a member of this workspace can read a conversation."""
        conversation = await self.find_channel(channel)
        return conversation is not None and (conversation.is_public or await self.is_member(person, channel))

    async def forget(self, name: str, *, is_group: bool) -> None:
        """Delete, for all replicas, the stored answers about a person or a user group."""
        notes = self._deps.notes
        await notes.invalidate("group" if is_group else "profile", name)
        for known in ("group_exists", "no_group") if is_group else ("name", *KNOWN_OF_NAMED):
            await notes.forget(known, name)
        if is_group:
            await notes.invalidate("group_names", "all")

    async def _get_cached(self, what: str, name: str, ask: Callable[[], Awaitable[str]], ttl_ms: int) -> str:
        found, _ = await self._deps.notes.find_cached(what, name)
        if found is not None:
            return found
        get = partial(self._get_shared, what, name, ask, ttl_ms, get_least_priority())
        return await self._share_call(what, name, get)

    async def _share_call(self, what: str, name: str, ask: Callable[[], Awaitable[str]]) -> str:
        """Return the answer to a question that several callers may have at the same time."""
        call = self._running_calls.setdefault((what, name), SingleFlight(ask))
        try:
            return await retry_until_capacity(call.get)
        finally:
            if call.is_idle:
                self._running_calls.pop((what, name), None)

    async def _get_shared(
        self,
        what: str,
        name: str,
        ask: Callable[[], Awaitable[str]],
        ttl_ms: int,
        priority: Priority,
        claimant: str = "",
    ) -> str:
        found, change = await self._deps.notes.find_cached(what, name)
        if found is not None:
            # Another request has got the answer in the meantime.
            return found
        started = transport.boottime()
        with as_claimant(claimant or f"shared:{what}:{name}"), with_least_priority(priority):
            answer = await ask()
        left_ms = ttl_ms - int((transport.boottime() - started) * 1000)
        if left_ms > 0:
            await self._deps.notes.keep_cached(answer, change, what, name, ttl_ms=left_ms)
        return answer

    async def _ask_profile(self, person: UserId) -> str:
        try:
            profile = await self._deps.slack.get_profile(person)
        except SlackRefused as refused:
            if refused.code in ("user_not_found", "user_not_visible"):
                return ""
            raise
        await self._deps.notes.keep(_name_of(profile), "name", person)
        return profile.model_dump_json()

    async def _ask_name(self, person: UserId) -> str:
        profile = await self._ask_profile(person)
        return _name_of(_parse(Profile.model_validate_json, profile)) if profile else ""

    async def _ask_channel_name(self, channel: ChannelId) -> str:
        found = await self._deps.slack.get_channel(channel)
        return found.name if found.is_public else ""

    async def _ask_whether_group_exists(self, group: str, asker: UserId, teams: tuple[str, ...]) -> str:
        """Return "1" if the group exists, and store the answer. Otherwise return an empty text."""
        known = await self._find_whether_group_exists(group)
        if known is not None:
            # Another request has got the answer in the meantime.
            return "1" if known else ""
        try:
            with as_claimant(f"named_group:{asker}"), with_least_priority(Priority.BACKFILL):
                await self._deps.slack.list_group(group, teams)
        except SlackRefused as refused:
            if refused.code == "no_such_subteam":
                await self._deps.notes.keep("1", "no_group", group, ttl_ms=NO_GROUP_TTL_MS)
                return ""
        await self._deps.notes.keep("1", "group_exists", group, ttl_ms=GROUP_EXISTS_TTL_MS)
        return "1"

    async def _ask_people_page(self, team: str, cursor: str) -> str:
        profiles, next_cursor = await self._deps.slack.list_profiles(cursor, team)
        names = {
            each.id: frozenset({fold_words(each.real_name), fold_words(each.name)})
            for each in profiles
            if not each.is_bot and not each.is_deleted
        }
        return _PeoplePage(names=names, next_cursor=next_cursor).model_dump_json()

    async def _ask_accounts(self, email: str) -> str:
        return _dump_accounts(await self._deps.service_coder.list_users_by_email(email))

    async def _ask_group(self, group: str) -> str:
        try:
            teams = await self._list_teams_to_ask()
            return " ".join(sorted(await self._deps.slack.list_group(group, teams)))
        except SlackRefused as refused:
            if refused.code != "no_such_subteam":
                raise
            _log.warning("user group no longer exists, treated as empty", group=group)
            return ""

    async def _ask_group_names(self) -> str:
        found: dict[str, str] = {}
        for team in await self._list_teams_to_ask():
            groups = await self._deps.slack.list_groups(team)
            found |= {group: each.name for group, each in groups.items() if each.name}
        return _NAMES.dump_json(found).decode()

    async def _ask_groups(self, changes: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the members of these groups, and store them. If a group no longer exists, it has no members.

        `changes` has the id of each group's last change.
        """
        started, groups = transport.boottime(), dict[str, UserGroup]()
        for team in await self._list_teams_to_ask():
            groups |= await self._deps.slack.list_groups(team, with_members=True)
        found = {group: sorted(groups[group].members) if group in groups else [] for group in changes}
        left_ms = self._group_ms - int((transport.boottime() - started) * 1000)
        for group in found if left_ms > 0 else ():
            answer = " ".join(found[group])
            await self._deps.notes.keep_cached(answer, changes[group], "group", group, ttl_ms=left_ms)
        return found

    async def _ask_channel(self, channel: ChannelId) -> str:
        try:
            return (await self._deps.slack.get_channel(channel)).model_dump_json()
        except ChannelProblem:
            return ""

    async def _ask_channels(self, person: UserId) -> str:
        return " ".join(sorted(await self._deps.slack.list_channels_of(person)))

    async def _ask_teams(self) -> str:
        return " ".join(await self._deps.slack.list_teams_to_ask())


class NotKnown(TryLater):
    """The answer is not stored, and must not be asked for now."""


class KnownDirectory(Directory):
    """Answers only from what is stored. Raises NotKnown instead of a call to Slack or Coder."""

    async def _get_cached(self, what: str, name: str, ask: Callable[[], Awaitable[str]], ttl_ms: int) -> str:
        del ask, ttl_ms
        found, _ = await self._deps.notes.find_cached(what, name)
        if found is None:
            raise NotKnown(f"{what} of {name} is not stored")
        return found


async def _ask_user(user_id: str, coder: CoderClient) -> str:
    try:
        return _dump_accounts([await coder.get_user(user_id)])
    except NotFound:
        return _dump_accounts([])


def _dump_accounts(users: Iterable[User]) -> str:
    found = tuple(
        CoderAccount(id=user.id, username=user.username, is_suspended=user.status == "suspended")
        for user in users
    )
    return _ACCOUNTS.dump_json(found).decode()


def _name_of(profile: Profile) -> str:
    return profile.real_name or profile.name


def _parse(reads: Callable[[str], T], found: str) -> T:
    """Parse a stored answer with `reads`.

    Raise TryLater if another version of Taskwire has written the answer in another format. The answer expires
    soon.
    """
    try:
        return read(reads, found)
    except CannotRead as error:
        raise TryLater(error.why) from error
