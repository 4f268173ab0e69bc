"""Remembers whose Coder account was suspended or missing when Coder was last asked about it.

So a suspension counts while Coder does not answer, and nobody gets rid of it by connecting or disconnecting
an account.
"""

import contextlib
from collections.abc import Awaitable, Callable

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import Refused, UserError
from taskwire.domain.ids import UserId
from taskwire.messages import accounts, refusals
from taskwire.people.account_errors import AccountNeeded, NoAccount, Suspended
from taskwire.people.directory import Directory
from taskwire.queue.batch import Batch
from taskwire.state.accounts import ConnectedAccount

# The note that a person had no account when Coder was last asked, and how long it is stored. No outage of
# Coder lasts longer.
NO_ACCOUNT, NO_ACCOUNT_TTL_MS = "no_account", 30 * DAY_MS


class Suspensions:
    """The suspended and missing Coder accounts of one deployment.

    `find` returns the account that a person has connected.
    """

    def __init__(
        self,
        deps: Dependencies,
        directory: Directory,
        find: Callable[[UserId], Awaitable[ConnectedAccount | None]],
    ) -> None:
        self._deps = deps
        self._directory = directory
        self._find = find
        self._has_service = deps.has_service_account

    async def require_not_suspended(self, person: UserId) -> None:
        """Raise Suspended if the person has no connected account and Coder had suspended their last one.

        Without a service account, Coder can be asked about a person only with an account that the person has
        connected. So a person cannot get rid of the suspension by disconnecting the account.
        """
        if self._has_service or await self._find(person) is not None:
            return
        for noted in await self._deps.accounts.list_suspended(person):
            raise Suspended(*accounts.account_was_suspended(noted.name))

    async def require_not_suspended_before(self, person: UserId) -> None:
        """Raise Suspended if the person's account was suspended when Coder was last asked about it.

        This is for what a person may do or read while Coder does not answer.
        """
        name = await self._find_present(person)
        if name is not None:
            raise Suspended(*refusals.account_suspended(name))

    async def _find_present(self, person: UserId) -> str | None:
        """Return the name or address of the suspended account that the person has now; None if there is none.

        A person who has connected another account since has that one, until Coder refuses its token.
        """
        noted, own = await self._deps.accounts.list_suspended(person), await self._find(person)
        if own is not None and not own.is_refused:
            noted = [each for each in noted if each.user_id in ("", own.user_id)]
        return noted[0].name if noted else None

    async def require_account_before(self, person: UserId, *, is_admin: bool) -> None:
        """Raise an error if the person had no usable account when Coder was last asked about them.

        This is for what a person may read while Coder does not answer. Raise Suspended, AccountNeeded for a
        token that Coder has refused, or UserError for a person without an account. An administrator
        (`is_admin`) needs no account.
        """
        await self.require_not_suspended_before(person)
        own = await self._find(person)
        if own is not None and own.is_refused:
            raise AccountNeeded(person)
        if not is_admin and await self._deps.notes.find(NO_ACCOUNT, person) is not None:
            raise UserError(*accounts.had_no_account(), reason="no_account")

    async def is_without_account(self, person: UserId, error: Exception) -> bool:
        """Return whether a service account finds none of the person's, or found none when it last asked.

        A suspended account counts as none. `error` is how the search for the account has just failed.
        """
        if self._has_service and isinstance(error, NoAccount | AccountNeeded):
            return True
        is_suspended = await self._find_present(person) is not None
        return is_suspended or await self._deps.notes.find(NO_ACCOUNT, person) is not None

    async def note_missing(self, person: UserId) -> None:
        """Remember that a service account has found no account of the person."""
        if self._has_service:
            await self._deps.notes.keep("1", NO_ACCOUNT, person, ttl_ms=NO_ACCOUNT_TTL_MS)

    async def require_not_suspended_still(self, person: UserId, email: str | None) -> None:
        """Raise Suspended if the person's account was suspended, and Coder says that it still is.

        So nobody gets rid of a suspension by disconnecting the account, by connecting another one, or by
        another e-mail address in Slack. If Coder no longer has the account, the suspension has ended. The
        account with the person's confirmed e-mail address counts too. Raise the client's error if Coder does
        not answer. Without a service account, see `require_not_suspended`.
        """
        if not self._has_service:
            return
        found = await self._directory.list_accounts(email) if email else []
        if email and found and all(account.is_suspended for account in found):
            raise Suspended(*refusals.account_suspended(email))
        for name, user_id in await self._deps.accounts.list_suspended(person):
            if not user_id and "@" in name:
                found = await self._directory.list_accounts(name)
            else:
                found = await self._directory.list_users(user_id or name, self._deps.service_coder)
            if any(account.is_suspended for account in found):
                raise Suspended(*refusals.account_suspended(name))
            await self.forget_suspended(person, user_id)

    async def note_suspended(self, person: UserId, name: str, user_id: str) -> None:
        """Remember that Coder has suspended the person's account. `name` is its name, or its address.

        `user_id` is its id, by which Coder finds it also under another name.
        """
        noted = {each.user_id for each in await self._deps.accounts.list_suspended(person)}
        if user_id not in noted and (user_id or not noted):
            await self._deps.queues.write(self._deps.accounts.note_suspended(Batch(), person, name, user_id))

    async def forget_suspended(self, person: UserId, user_id: str) -> None:
        """Remember that this account of the person is active, if it was suspended or missing before.

        The suspension of another account stays: it does not end when the person connects this one.
        """
        if await self._deps.notes.find(NO_ACCOUNT, person) is not None:
            await self._deps.notes.forget(NO_ACCOUNT, person)
        noted = {each.user_id for each in await self._deps.accounts.list_suspended(person)}
        if noted & {"", user_id}:
            await self._deps.queues.write(self._deps.accounts.end_suspension(Batch(), person, user_id))

    async def note_if_suspended(self, account: ConnectedAccount, error: PersonTokenRefused) -> None:
        """Remember it if Coder has refused the account's token because the account is suspended."""
        if error.answer.says_suspended:
            noted = (account.person, account.username, account.user_id)
            batch = self._deps.accounts.note_suspended(Batch(), *noted)
            await self._deps.queues.write(batch)

    async def note_before_removal(self, account: ConnectedAccount, batch: Batch) -> bool | None:
        """Record whether a connected account, which is about to be removed, is suspended. Return this.

        Return None if Coder's answer does not tell, and record nothing. With a service account, Coder also
        tells it of an account whose token has ended. Raise the client's error if Coder does not answer.
        """
        is_suspended = await self._find_suspended(account)
        noted = (account.person, account.username, account.user_id)
        if is_suspended:
            self._deps.accounts.note_suspended(batch, *noted)
        elif is_suspended is False:
            self._deps.accounts.end_suspension(batch, account.person, account.user_id)
        return is_suspended

    def note_unknown_before_removal(self, account: ConnectedAccount, batch: Batch, *, is_admin: bool) -> None:
        """Record that nothing is known of a person whose account is removed while Coder does not answer.

        With a service account, this holds until it is asked about the person. An administrator needs no
        account, so the removed one counts as suspended until Coder says that it is active.
        """
        if not self._has_service:
            return
        self._deps.notes.keep_in(batch, "1", NO_ACCOUNT, account.person, ttl_ms=NO_ACCOUNT_TTL_MS)
        if is_admin:
            self._deps.accounts.note_suspended(batch, account.person, account.username, account.user_id)

    async def _find_suspended(self, account: ConnectedAccount) -> bool | None:
        own = self._deps.service_coder.for_person(account.token, account.person)
        try:
            await own.get_own_user()
        except PersonTokenRefused as error:
            if error.answer.says_suspended:
                return True
        except Refused:
            return None
        else:
            return False
        if not self._has_service:
            return None
        found = await self._directory.list_users(account.user_id, self._deps.service_coder)
        return found[0].is_suspended if found else None

    async def note_missing_after_removal(self, person: UserId, batch: Batch) -> None:
        """Record that a person, whose connected account is about to be removed, has no account, if so.

        With a service account, the person then has the account with their confirmed e-mail address.
        """
        if not self._has_service:
            return
        email = ""
        with contextlib.suppress(UserError):
            profile = await self._directory.get_profile(person)
            email = (profile.email or "") if profile.is_email_confirmed else ""
        if not email or not await self._directory.list_accounts(email):
            self._deps.notes.keep_in(batch, "1", NO_ACCOUNT, person, ttl_ms=NO_ACCOUNT_TTL_MS)
