"""Decides which Coder account a call to Coder uses.

`permissions.py` decides which Coder user a person is, and what the person may do.

A person's act uses the account that the person has connected, if the act is about the person's own task or
about no task. What the bot does by itself for a link, such as a notice, uses the account of the link's owner.
Everything else uses the service account. That includes an act on another person's task: Taskwire itself
decides whether the act is allowed. With TASKWIRE_ACCOUNTS=service, everything uses the service account.

With TASKWIRE_ACCOUNTS=personal there is no service account. An act on another person's task then uses the
actor's own account, if Coder shows the task to that account. Otherwise it uses the owner's account, if the
owner shares the task with the actor. A call with an account that is not connected raises an error, and its
job waits.
"""

from collections.abc import Awaitable, Callable, Sequence

from pydantic import BaseModel

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import CoderError, NotFound, PersonTokenRefused
from taskwire.coder.rights import sees_everything
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import LinkId, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job, Reply
from taskwire.domain.queueing.person_jobs import (
    CheckOwner,
    DeleteToken,
    PublishHome,
    RenewToken,
    SavePersonSettings,
)
from taskwire.domain.queueing.queues import to_coder
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.messages import missing_rights, refusals
from taskwire.messages.missing_rights import WayBack
from taskwire.people.account_errors import AccountNeeded, Suspended
from taskwire.people.directory import CoderAccount, Directory
from taskwire.people.suspensions import Suspensions
from taskwire.queue.batch import Batch
from taskwire.state.accounts import ConnectedAccount

# How long a stored owner that seems to be wrong is not checked again.
OWNER_SEEN_MS = 10_000
# The names of this many accounts are remembered for the audit trail.
MOST_KNOWN_NAMES = 10_000


class Account(BaseModel):
    """A person's account in Coder."""

    id: str
    username: str


class Accounts:
    """The Coder clients for the accounts of one deployment.

    `is_shared` returns whether a link's owner shares the link's task with a person.
    """

    def __init__(
        self, deps: Dependencies, directory: Directory, is_shared: Callable[[UserId, Link], Awaitable[bool]]
    ) -> None:
        self._deps = deps
        self._directory = directory
        self._is_shared = is_shared
        self.suspensions = Suspensions(deps, directory, self.find)
        self.can_connect = deps.has_personal_accounts
        self.has_service = deps.has_service_account
        self._known_names: dict[UserId, str] = {}

    def note_name(self, person: UserId, username: str) -> None:
        """Remember the name of the person's account in Coder. No right depends on it."""
        if len(self._known_names) >= MOST_KNOWN_NAMES:
            self._known_names.clear()
        self._known_names[person] = username

    def find_known_name(self, person: UserId) -> str:
        """Return the name that the person's account had at the last lookup; empty if there was no lookup."""
        return self._known_names.get(person, "")

    async def find(self, person: UserId | None) -> ConnectedAccount | None:
        """Return the account that the person has connected; None if there is none.

        Return None too if this deployment does not use people's own accounts.
        """
        if not self.can_connect or person is None:
            return None
        return await self._deps.accounts.find(person)

    async def find_known_id(self, person: UserId) -> str | None:
        """Return the id of the Coder user that the person has connected; None if there is none."""
        account = await self.find(person)
        return account.user_id if account is not None else None

    async def find_holder(self, user_id: str) -> UserId | None:
        """Return the person who has connected this Coder user; None if nobody has."""
        return await self._deps.accounts.find_person(user_id) if self.can_connect else None

    async def find_in_slack(self, user_id: str) -> UserId | None:
        """Return the Slack user of the Coder user with this id; None if there is none.

        A person who has connected this user with a token that Coder refuses comes after the person with the
        user's e-mail address.
        """
        connected = await self.find_holder(user_id)
        if not self.has_service:
            return connected
        account = await self.find(connected)
        if account is not None and not account.is_refused:
            return connected
        return await self.find_by_address(user_id) or connected

    async def find_by_address(self, user_id: str, *, is_active: bool = False) -> UserId | None:
        """Return the Slack user with the e-mail address of this Coder user; None if there is no such user.

        An address that Slack has not confirmed does not count, because anybody may have entered it. If
        `is_active`, a suspended Coder user does not count either.
        """
        try:
            user = await self._deps.service_coder.get_user(user_id)
        except NotFound:
            return None
        if is_active and user.status == "suspended":
            return None
        found = await self._deps.slack.find_user_by_email(user.email) if user.email else None
        if found is None:
            return None
        try:
            profile = await self._directory.get_profile(found)
        except UserError:
            return None
        return found if profile.is_email_confirmed else None

    async def is_active(self, user_id: str) -> bool:
        """Return whether the service account sees this Coder user as active.

        Raise OutsideError if Coder does not answer now. Without a service account, nobody can ask: return
        True. An act then needs an account to which Coder shows the task.
        """
        if not self.has_service:
            return True
        found = await self._directory.list_users(user_id, self._deps.service_coder)
        return any(not account.is_suspended for account in found)

    async def refuse_former_owner(self, person: UserId, link: Link) -> UserError:
        """Return the error for the owner of a task whose Coder account is not the owner's any more.

        It says how the person can get the account back.
        """
        way_back: WayBack = "connect" if self.can_connect else "none"
        if self.can_connect and self.has_service and await self.find(person) is not None:
            way_back = "disconnect"
        return UserError(*missing_rights.not_owner_in_coder(link, way_back), reason="not_allowed")

    async def check_owner_unless_stored(self, person: UserId, link: Link, *, is_own: bool) -> None:
        """Queue a check of the task's stored owner if Coder has just shown another one.

        `is_own` is whether Coder shows the task as the person's own.
        """
        if is_own != link.record.is_owned_by(person):
            await self.check_owner_again(link.id, person)

    async def check_owner_again(self, link: LinkId, who: str = "") -> None:
        """Queue a check of a stored owner that seems to be wrong, once in ten seconds for each `who`."""
        if await self._deps.notes.keep_if_new("owner_seen", link, who, ttl_ms=OWNER_SEEN_MS):
            await self.check_owner(link)

    async def check_owner(self, link: LinkId) -> None:
        """Queue a check of the stored owner of a link's task."""
        job = Job(id="owner:seen", work=CheckOwner())
        await self._deps.queues.write(Batch().append(to_coder(link), job, score=0))

    async def counts_as_owner(self, person: UserId, link: Link) -> bool:
        """Return whether the person is the owner of the link's task, as far as this is known without the
        person's own account.

        A stored owner does not count any more if another person has connected the task's Coder user, with a
        token that Coder accepts. With a service account, the stored owner does not count either if that user
        has the e-mail address of another person.
        """
        record = link.record
        return record.is_owned_by(person) and not await self.has_another_owner(person, record.owner_id)

    async def has_another_owner(self, person: UserId, user_id: str) -> bool:
        """Return whether a Coder user belongs to another person than this one, who is a task's stored owner.

        `user_id` is empty if it is not known. See `counts_as_owner`.
        """
        holder = await self.find_holder(user_id) if user_id else None
        account = await self.find(holder) if holder != person else None
        if account is not None and not account.is_refused:
            return True
        if not self.has_service or not user_id:
            return False
        return await self.find_by_address(user_id) not in (None, person)

    async def is_doubtful(self, person: UserId) -> bool:
        """Return whether a person's account may be another person's: refused, or with another address."""
        own = await self.find(person) if self.has_service else None
        return own is not None and (own.is_refused or own.has_other_address)

    async def is_lost_to_another(self, owner: UserId, user_id: str) -> bool:
        """Return whether Coder refuses the token of a task's stored owner, and the address is another's.

        Coder is asked with the token of an owner who has connected a user with another address. Without a
        service account, return False: nobody can ask for the address.
        """
        own = await self.find(owner) if self.has_service else None
        if own is None or own.user_id != user_id or not await self._is_refused_now(own):
            return False
        return await self.find_by_address(user_id) not in (None, owner)

    async def _is_refused_now(self, own: ConnectedAccount) -> bool:
        if own.is_refused or not own.has_other_address:
            return own.is_refused
        try:
            await self.get_user(own)
        except PersonTokenRefused:
            return True
        except (OutsideError, UserError):
            return False
        return False

    async def owns_still(self, person: UserId, user_id: str, *, is_refused: bool, is_for_act: bool) -> bool:
        """Return whether a task's stored owner counts as its owner, while their account is not known.

        `is_refused` is whether Coder has just refused the person's own token. Where people can connect
        accounts and there is a service account, the person must have connected the task's Coder user with a
        token that Coder accepts, or must have its e-mail address, and the user must not be suspended. If
        Coder does not say whose address it is, raise its error for an act (`is_for_act`). Otherwise, the
        stored owner counts, unless their token is refused. A person who has connected another user never
        counts.
        """
        if await self.find_known_id(person) not in (None, user_id):
            return False
        holder = await self.find_holder(user_id)
        account = await self.find(holder)
        is_held = account is not None and not account.is_refused
        if is_held and holder != person:
            return False
        if not self.has_service or (is_held and not is_refused):
            return True
        try:
            found = await self.find_by_address(user_id, is_active=True)
        except CoderError:
            if is_for_act:
                raise
            return not is_refused and (holder != person or is_held)
        return found == person

    async def has_address(self, person: UserId | None, user_id: str) -> bool:
        """Return whether a Coder user certainly has the e-mail address of this person in Slack."""
        return person is not None and self.has_service and await self.find_by_address(user_id) == person

    async def get_user(self, own: ConnectedAccount) -> CoderAccount:
        """Return the Coder user whose account the person has connected.

        Ask Coder with the person's own token, so that a revoked token gives no right. Raise
        PersonTokenRefused if Coder refuses the token, Suspended if the account is known to be suspended, and
        AccountNeeded if Coder no longer has the user.

        The end of a suspension is noticed: a token that was refused during the suspension is tried again.
        With a service account, it is tried once the user is active.
        """
        try:
            found = await self._directory.list_users(own.user_id, self.make_client(own))
        except PersonTokenRefused as error:
            await self.suspensions.note_if_suspended(own, error)
            if self.has_service:
                active = await self._find_active(own, error)
                if active is None or error.answer.says_suspended or not await self.is_accepted_again(own):
                    raise
                return active
            if not error.is_remembered or not await self.is_accepted_again(own):
                raise
            found = await self._directory.list_users(own.user_id, self._make_new_client(own))
        return _require_active(own, found)

    async def _find_active(self, own: ConnectedAccount, error: PersonTokenRefused) -> CoderAccount | None:
        """Ask Coder with the service account for the active user of a connected account.

        Return None if Coder does not answer now: the token then still counts as refused. But if Coder has
        refused it earlier, during a suspension, raise the client's error: the suspension may be over.
        """
        try:
            found = await self._directory.list_users(own.user_id, self._deps.service_coder)
        except OutsideError:
            if error.is_remembered and await self._deps.accounts.is_suspended(own):
                raise
            return None
        return _require_active(own, found)

    async def is_accepted_again(self, own: ConnectedAccount) -> bool:
        """Return whether Coder accepts a token again that it has refused during a suspension.

        With a service account, call this only if the user is active now. If no suspension is recorded, Coder
        is not asked. Raise PersonTokenRefused if the token has expired meanwhile and can be renewed. Raise
        the client's error too if Coder does not answer: the suspension then stays recorded, and the next
        request tries again.
        """
        if not await self._deps.accounts.is_suspended(own):
            return False
        batch = Batch()
        try:
            await self._make_new_client(own).get_own_user()
        except PersonTokenRefused as error:
            if error.answer.says_suspended:
                return False
            if self.has_service:
                self._deps.accounts.end_suspension(batch, own.person, own.user_id)
                if own.refresh_token:
                    self._deps.accounts.forget_refused(batch, own.person)
                await self._deps.queues.write(batch)
            if own.refresh_token:
                raise
            return False
        self._deps.accounts.end_suspension(batch, own.person, own.user_id)
        await self._deps.queues.write(self._deps.accounts.forget_refused(batch, own.person))
        return True

    async def get_client(self, person: UserId, owner_id: str = "", link: Link | None = None) -> CoderClient:
        """Return the client for an act of this person.

        `owner_id` is the id of the Coder user who owns the task. `link` is the task's link, if the task has
        one.
        """
        account = await self.find(person)
        if account is not None and owner_id in ("", account.user_id):
            return self.make_client(account)
        if self.has_service:
            return self._deps.service_coder
        if link is None:
            return self._make_client_of(account, person)
        return await self._choose_client(person, account, link)

    async def get_client_for_job(self, work: Work, link: Link | None) -> CoderClient:
        """Return the client for an act of the person who asked for the job.

        If no person asked for the job, return the client of the link's owner. Without a link, return the
        client of the service account.
        """
        owner_id = link.record.owner_id if link is not None else ""
        actor = find_actor(work)
        if actor is not None:
            return await self.get_client(actor, owner_id, link)
        return self._deps.service_coder if link is None else await self.get_owners_client(link)

    async def get_owners_client(self, link: Link) -> CoderClient:
        """Return the client for acts of the bot itself for a link, such as a notice."""
        owner = link.record.owner_slack
        account = await self.find(owner)
        if account is not None and account.user_id == link.record.owner_id and not account.is_refused:
            return self.make_client(account)
        if self.has_service:
            return self._deps.service_coder
        return self._make_client_of(account, owner or link.record.requested_by)

    async def sees(self, person: UserId, link: Link) -> bool:
        """Return whether Coder shows the link's task to the account that the person has connected."""
        account = await self.find(person)
        if account is None or link.record.task_id is None:
            return False
        try:
            await self.make_client(account).get_task(link.record.task_id)
        except NotFound:
            return False
        return True

    async def _choose_client(
        self, person: UserId, account: ConnectedAccount | None, link: Link
    ) -> CoderClient:
        """Return the client for this person's act on another person's task, without a service account."""
        if not await self._is_shared(person, link):
            return self._make_client_of(account, person)
        try:
            is_visible = account is not None and await self.sees(person, link)
        except PersonTokenRefused:
            # The handler's own calls are refused too. The handler then knows what to tell the person.
            is_visible = True
        return self._make_client_of(account, person) if is_visible else await self.get_owners_client(link)

    def _make_client_of(self, account: ConnectedAccount | None, person: UserId) -> CoderClient:
        """Return a person's client.

        If the person has no account, each call of the client raises PersonTokenRefused.
        """
        if account is not None:
            return self.make_client(account)
        return self._deps.service_coder.for_person("", person, is_refused=True)

    def make_client(self, account: ConnectedAccount) -> CoderClient:
        """Return the client of a connected account.

        If Coder has refused the account's token before, each call raises PersonTokenRefused.
        """
        return self._deps.service_coder.for_person(
            account.token, account.person, is_refused=account.is_refused
        )

    def _make_new_client(self, account: ConnectedAccount) -> CoderClient:
        """Return the client of a connected account. It asks Coder, also if Coder refused the token before."""
        return self._deps.service_coder.for_person(account.token, account.person)


def _require_active(own: ConnectedAccount, found: Sequence[CoderAccount]) -> CoderAccount:
    """Return the user that Coder has found. Raise AccountNeeded or Suspended unless the user is active."""
    if not found:
        raise AccountNeeded(own.person)
    if found[0].is_suspended:
        raise Suspended(*refusals.account_suspended(own.username), own.user_id)
    return found[0]


def find_actor(work: Work) -> UserId | None:
    """Return the person whose act the job is; None if no person has asked for the job."""
    requester = getattr(work, "requester", None)
    if isinstance(requester, Requester):
        return requester.person
    of_person = Reply | PublishHome | RenewToken | DeleteToken | SavePersonSettings
    return work.person if isinstance(work, of_person) else None


async def require_rights(deps: Dependencies) -> None:
    """Raise UserError if our own Coder account is not allowed to see all people and their tasks.

    Call this after Coder has found no user or no task.
    """
    if deps.has_service_account and not await sees_everything(deps.service_coder):
        raise UserError(*refusals.own_account_lacks_rights())
