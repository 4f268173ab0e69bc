"""Who is who, and who may do what.

In service mode one Coder account acts for all: a person is the Coder user whose e-mail equals the confirmed
one of their Slack profile. Checked when something happens, from a cache of minutes; never at the listener.
"""

from pydantic import BaseModel

from taskwire.bridge.doors import Doors
from taskwire.model.errors import OutsideError, UserError
from taskwire.model.ids import UserId
from taskwire.model.links import Link
from taskwire.slack.answers import Profile
from taskwire.slack.errors import SlackRefused
from taskwire.telemetry import logger
from taskwire.words import refusals

_log = logger("taskwire.people")


class Account(BaseModel):
    """A person's account in Coder."""

    id: str
    username: str


class People:
    """Knows the people of one workspace."""

    def __init__(self, doors: Doors, admins: tuple[str, ...]) -> None:
        self._doors = doors
        self._admins = admins

    async def get_profile(self, person: UserId) -> Profile:
        """A person who may use the bot; raises UserError for those who never may."""
        profile = await self._profile(person)
        if profile.is_bot or profile.is_deleted:
            raise UserError(*refusals.NOT_FOR_BOTS)
        is_foreign = profile.is_stranger or (bool(profile.team_id) and not self._is_ours(profile))
        if is_foreign:
            raise UserError(*refusals.NOT_FOR_STRANGERS)
        if profile.is_guest:
            raise UserError(*refusals.NOT_FOR_GUESTS)
        return profile

    async def get_account(self, person: UserId) -> Account:
        """The person's account in Coder; raises UserError that says what is missing."""
        profile = await self.get_profile(person)
        known = await self._doors.memory.find("account", person)
        if known is not None:
            return Account.model_validate_json(known)
        if not profile.email or not profile.is_email_confirmed:
            raise UserError(*refusals.no_email())
        users = await self._doors.coder.list_users_by_email(profile.email)
        if len(users) != 1:
            raise UserError(*refusals.no_account(profile.email, len(users)))
        if users[0].status == "suspended":
            raise UserError(*refusals.suspended(profile.email))
        account = Account(id=users[0].id, username=users[0].username)
        await self._doors.memory.keep(account.model_dump_json(), "account", person)
        return account

    async def is_admin(self, person: UserId) -> bool:
        """Whether the person is listed, by id or by a user group."""
        if person in self._admins:
            return True
        groups = [name for name in self._admins if name.startswith("S")]
        return any([person in await self._group(group) for group in groups])

    async def may_steer(self, person: UserId, link: Link) -> bool:
        """Whether the person may act on this link's task: its owner, and administrators.

        Raises UserError for those who may use nothing here.
        """
        await self.get_profile(person)
        if await self.is_admin(person):
            return True
        if not link.bond.owner_id:
            return person == link.bond.asked_by
        return (await self.get_account(person)).id == link.bond.owner_id

    async def require_steer(self, person: UserId, link: Link) -> None:
        """Raise UserError unless the person may act on this link's task."""
        if not await self.may_steer(person, link):
            raise UserError(*refusals.not_yours(link))

    async def find_in_slack(self, owner_id: str) -> UserId | None:
        """The Slack person who is this Coder user, if it can be known."""
        user = await self._doors.coder.get_user(owner_id)
        return await self._doors.slack.find_user_by_email(user.email) if user.email else None

    async def get_name(self, person: UserId) -> str:
        """What a person is called."""
        profile = await self._profile(person)
        return profile.real_name or profile.name

    async def find_name(self, person: UserId | None) -> str:
        """What a person is called, for a sentence that can do without; nothing if it cannot be learnt now."""
        if person is None:
            return ""
        try:
            return await self.get_name(person)
        except (UserError, OutsideError) as error:
            _log.info("name not known", person=person, error=str(error))
            return ""

    def _is_ours(self, profile: Profile) -> bool:
        # In an org-wide install a member of a sister workspace has the organization's id.
        return profile.team_id == self._doors.bot.team_id or (
            profile.enterprise_id is not None and profile.enterprise_id == self._doors.bot.enterprise_id
        )

    async def _profile(self, person: UserId) -> Profile:
        known = await self._doors.memory.find("profile", person)
        if known is not None:
            return Profile.model_validate_json(known)
        try:
            profile = await self._doors.slack.get_profile(person)
        except SlackRefused as refused:
            if refused.code in ("user_not_found", "user_not_visible"):
                raise UserError(*refusals.NOT_FOR_STRANGERS) from refused
            raise
        await self._doors.memory.keep(profile.model_dump_json(), "profile", person)
        return profile

    async def _group(self, group: str) -> frozenset[str]:
        known = await self._doors.memory.find("group", group)
        if known is not None:
            return frozenset(known.split())
        members = await self._doors.slack.list_group(group)
        await self._doors.memory.keep(" ".join(sorted(members)), "group", group)
        return frozenset(members)
