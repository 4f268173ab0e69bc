"""Decides who a person is: whether they may use the bot, and which Coder user they are.

A person is the Coder user whose account the person has connected. If no account is connected, a person is the
Coder user with the same e-mail address as the person's Slack profile. The address must be confirmed, and only
a service account can look for it.
"""

from taskwire.coder.errors import CoderError, PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import Barred
from taskwire.domain.errors import OutcomeUnknown, OutsideError, TryLater, UserError
from taskwire.domain.ids import UserId
from taskwire.messages import refusals
from taskwire.people.account_errors import AccountNeeded, NoAccount, Suspended
from taskwire.people.accounts import Account, Accounts, require_rights
from taskwire.people.allowed import require_not_barred
from taskwire.people.directory import Directory, KnownDirectory
from taskwire.slack.models import Profile
from taskwire.state.accounts import ConnectedAccount
from taskwire.telemetry import logger

_log = logger("taskwire.people.identities")


class Identities:
    """Finds out who the people of one workspace are. `admins` are administrators, by id or by user group."""

    accounts: Accounts

    def __init__(self, deps: Dependencies, admins: tuple[str, ...]) -> None:
        self._deps = deps
        self._admins = admins
        self._groups = tuple(name for name in admins if name.startswith("S"))
        self.directory = Directory(deps, len({*self._groups, *deps.allowed.groups}))
        self._known = KnownDirectory(deps)

    async def get_profile(self, person: UserId) -> Profile:
        """Return the profile of a person who may use the bot.

        Raise UserError if the person may not use it.
        """
        profile = await self.directory.get_profile(person)
        require_not_barred(await self._find_bar(person, profile, self.directory))
        return profile

    async def _find_bar(self, person: UserId, profile: Profile, directory: Directory) -> Barred:
        if profile.is_bot or profile.is_deleted:
            return "bot"
        # A person from another workspace of this organization does not belong to our workspace.
        own_teams = self._deps.allowed.keep_workspaces(await directory.list_own_teams())
        if profile.is_stranger or not profile.teams & own_teams:
            return "stranger"
        if profile.is_guest:
            return "guest"
        groups = self._deps.allowed.groups
        if not groups or await self._is_admin(person, directory):
            return ""
        is_in_group = any([person in await directory.list_group(group) for group in groups])
        return "" if is_in_group else "group"

    async def find_known_bar(self, person: UserId) -> Barred:
        """Return why the person may not use the bot, as far as this is known without a call to Slack.

        Return an empty text if it is not known, or if the settings restrict the bot to no people. This is for
        what arrives. `get_profile` decides when the request is carried out. Raises RedisError.
        """
        if not self._deps.allowed.is_about_people:
            return ""
        try:
            profile = await self._known.get_profile(person)
            return await self._find_bar(person, profile, self._known)
        except TryLater:
            return ""
        except UserError:
            return "stranger"

    async def get_account(self, person: UserId) -> Account:
        """Return the person's Coder account. If there is none, raise UserError, which says what is missing.

        If the person can connect an account, raise AccountNeeded instead. The request then waits for the
        account.
        """
        profile = await self.get_profile(person)
        own = await self.accounts.find(person)
        try:
            account = await self._ask_for_account(person, profile, own)
        except Suspended as error:
            name = own.username if own is not None else profile.email or ""
            await self.accounts.suspensions.note_suspended(person, name, error.user_id)
            raise
        except (NoAccount, AccountNeeded):
            await self.accounts.suspensions.note_missing(person)
            raise
        self.accounts.note_name(person, account.username)
        if own is None or not own.is_refused:
            await self.accounts.suspensions.forget_suspended(person, account.id)
        return account

    async def _ask_for_account(
        self, person: UserId, profile: Profile, own: ConnectedAccount | None
    ) -> Account:
        if own is not None:
            user = await self.accounts.get_user(own)
            return Account(id=own.user_id, username=user.username)
        if not self.accounts.has_service:
            await self.accounts.suspensions.require_not_suspended(person)
            raise AccountNeeded(person)
        if not profile.email or not profile.is_email_confirmed:
            self._require_account_from(person)
            raise NoAccount(*refusals.no_email(), reason="no_account")
        found = await self.directory.list_accounts(profile.email)
        if not found:
            await require_rights(self._deps)
        if len(found) != 1:
            self._require_account_from(person)
            raise NoAccount(*refusals.no_account(profile.email, len(found)), reason="no_account")
        if found[0].is_suspended:
            raise Suspended(*refusals.account_suspended(profile.email), found[0].id)
        return Account(id=found[0].id, username=found[0].username)

    def _require_account_from(self, person: UserId) -> None:
        """Raise AccountNeeded if the person can connect an account of their own."""
        if self.accounts.can_connect:
            raise AccountNeeded(person)

    async def require_account(self, person: UserId, *, needs_coder: bool = True) -> None:
        """Raise UserError if the person has no Coder account. An administrator needs no account.

        If `needs_coder` is False, an administrator passes even while Coder does not answer, unless Coder had
        suspended their account before.
        """
        try:
            await self.find_usable_account(person)
        except (CoderError, TryLater, OutcomeUnknown):
            if needs_coder or not await self.is_admin(person):
                raise
            await self.accounts.suspensions.require_not_suspended_before(person)

    async def find_account(self, person: UserId) -> Account | None:
        """Return the person's Coder account; None for an administrator without an account.

        Raise UserError or AccountNeeded for any other person without an account, and PersonTokenRefused for a
        person whose token Coder refuses.
        """
        try:
            return await self.get_account(person)
        except (UserError, AccountNeeded) as error:
            if isinstance(error, Suspended) or not await self.is_admin(person):
                raise
            await self._require_not_suspended(person)
            return None

    async def _require_not_suspended(self, administrator: UserId) -> None:
        """Raise Suspended if Coder has suspended an account of this administrator."""
        profile = await self.get_profile(administrator)
        email = profile.email if profile.is_email_confirmed else None
        await self.accounts.suspensions.require_not_suspended_still(administrator, email)

    async def find_usable_account(self, person: UserId) -> Account | None:
        """Return what `find_account` returns; None too for an administrator whose token Coder refuses."""
        try:
            return await self.find_account(person)
        except PersonTokenRefused:
            # With a service account, administrators need no account. So they need no valid token either.
            if not self.accounts.has_service or not await self.is_admin(person):
                raise
            await self._require_not_suspended(person)
            return None

    async def is_admin(self, person: UserId) -> bool:
        """Return whether the settings list the person as an administrator, by id or by user group."""
        return await self._is_admin(person, self.directory)

    async def _is_admin(self, person: UserId, directory: Directory) -> bool:
        if person in self._admins:
            return True
        return any([person in await directory.list_group(group) for group in self._groups])

    async def find_name(self, person: UserId | None) -> str:
        """Return a person's name; empty if Slack does not give the name now."""
        if person is None:
            return ""
        try:
            return await self.directory.get_name(person)
        except (UserError, OutsideError) as error:
            _log.info("person's name not available, left out", person=person, error=str(error))
            return ""
