"""Decides which Coder account a call to Coder uses.

An act of a person uses the account that they have connected, if it is about their own task or about no task.
What the bot does for a link, such as a notice, uses the account of the link's owner. Everything else uses the
service account, also an act on another person's task: Taskwire itself decides whether that act is allowed.
With TASKWIRE_ACCOUNTS=service, everything uses the service account.

`permissions.py` decides which Coder user a person is, and what the person may do.
"""

from taskwire.coder.client import CoderClient
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused
from taskwire.domain.ids import UserId
from taskwire.domain.jobs import Reply
from taskwire.domain.links import Link
from taskwire.domain.person_jobs import PublishHome, RenewToken, SavePersonSettings
from taskwire.domain.requester import Requester
from taskwire.domain.work import Work
from taskwire.state.accounts import ConnectedAccount


class AccountNeeded(AccountRefused):
    """The person has no Coder account yet. Their request waits until they have connected one."""

    def __init__(self, person: UserId) -> None:
        super().__init__("the person has connected no account")
        self.person = person


class Accounts:
    """The clients for the accounts of one deployment."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self.is_personal = deps.has_personal_accounts

    async def find(self, person: UserId | None) -> ConnectedAccount | None:
        """Return the account that the person has connected; None without one.

        None too if this deployment does not use people's own accounts.
        """
        if not self.is_personal or person is None:
            return None
        return await self._deps.accounts.find(person)

    async def get_client(self, person: UserId | None, owner_id: str = "") -> CoderClient:
        """Return the client for an act of this person. `owner_id` is the Coder user who owns the task."""
        account = await self.find(person)
        if account is None or (owner_id and owner_id != account.user_id):
            return self._deps.service_coder
        return self._get_own_client(account)

    async def get_client_for_job(self, work: Work, link: Link | None) -> CoderClient:
        """Return the client of the person whose act the job is, else of the link's owner."""
        owner_id = link.record.owner_id if link is not None else ""
        actor = find_actor(work)
        if actor is not None:
            return await self.get_client(actor, owner_id)
        account = await self.find(link.record.owner_slack) if link is not None else None
        if account is None or account.is_refused or account.user_id != owner_id:
            return self._deps.service_coder
        return self._get_own_client(account)

    def _get_own_client(self, account: ConnectedAccount) -> CoderClient:
        return self._deps.service_coder.for_person(
            account.token, account.person, is_refused=account.is_refused
        )


def find_actor(work: Work) -> UserId | None:
    """Return the person whose act the work is; None if no person has asked for it."""
    requester = getattr(work, "requester", None)
    if isinstance(requester, Requester):
        return requester.person
    return work.person if isinstance(work, Reply | PublishHome | RenewToken | SavePersonSettings) else None
