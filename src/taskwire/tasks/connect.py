"""Connects and disconnects people's own Coder accounts.

A person pastes a token into a dialog. The token is encrypted before the job is written. The job asks Coder
whose token it is. With the pasted token, the job makes a new token that is named `taskwire` and has few
rights. The job stores the new token, encrypted, and deletes the pasted token. A token that lives for less
than a year is renewed before it expires. The old token works until the new token is stored. The write that
stores the new token also appends a job that deletes the old token. Each step can be repeated: a token that an
earlier try has made is deleted, and the record names the job that stored it.
"""

import asyncio
import contextlib
from dataclasses import replace
from functools import partial

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import PersonTokenRefused
from taskwire.coder.keys import delete_quietly, list_named, make_token
from taskwire.coder.models import User
from taskwire.coder.scopes import PERSON_SCOPES
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutcomeUnknown, OutsideError, Refused, TryLater, UserError
from taskwire.domain.ids import UserId, from_ms, to_ms
from taskwire.domain.queueing.person_jobs import ConnectAccount, DeleteToken, DisconnectAccount, RenewToken
from taskwire.domain.queueing.queues import account
from taskwire.domain.requester import Requester
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import accounts, refusals
from taskwire.messages.cards import get_name
from taskwire.outbox.direct_messages import tell_person
from taskwire.outbox.home_requests import forget_home_answer, refresh_home_if_kept
from taskwire.outbox.owner_absence import check_owners, end_absence, hasten_jobs_of, show_absence
from taskwire.outbox.request_retries import has_failed_too_long, retry_for_person
from taskwire.outbox.waiting_requests import start_renewal
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.models import Profile
from taskwire.state.accounts import ConnectedAccount, open_pasted
from taskwire.tasks import owner_changes
from taskwire.tasks.card_questions import CHECK_TIMEOUT_SECONDS
from taskwire.tasks.renew_account import (
    delete_later,
    delete_tokens,
    end_tokens,
    refresh_tokens,
    renew_in_time,
    write_if_held,
)
from taskwire.telemetry import logger

# A new token must have another name than the token that it replaces.
KEY_NAME, OTHER_KEY_NAME = "taskwire", "taskwire-2"
# After one person has begun to connect a Coder user, no other person can connect that user for this time.
CLAIM_MS = 60_000
CLAIMED = "another person is connecting this Coder user too"

_log = logger("taskwire.tasks.connect")


async def is_token_refused(deps: Dependencies, people: People, work: ConnectAccount) -> bool:
    """Return whether Coder refuses the token that a person has just pasted.

    Return False if the person may connect no account, or if nobody answers in time. The job checks all that.
    """
    person = work.requester.person
    if not people.accounts.can_connect:
        return False
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await people.get_profile(person)
            token = open_pasted(work.sealed_token, person)
            await deps.service_coder.for_person(token, person).get_own_user()
    except PersonTokenRefused:
        return True
    except (TimeoutError, OutsideError, UserError):
        return False
    return False


class AccountConnector:
    """Handles the jobs that connect and disconnect accounts."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.without_link(ConnectAccount, self.connect),
            Handler.without_link(DisconnectAccount, self.disconnect),
            Handler.without_link(RenewToken, self.renew),
            Handler.without_link(DeleteToken, self.delete),
            *owner_changes.handlers(self._deps, self._people),
        )

    async def connect(self, context: JobContext) -> Outcome:
        """Check the token that the person has pasted, exchange it for a new token, and store the account."""
        work = context.work(ConnectAccount)
        return await retry_for_person(self._deps, context, None, partial(self._connect, work))

    async def _connect(self, work: ConnectAccount, context: JobContext) -> Outcome:
        person = work.requester.person
        profile = await self._people.get_profile(person)
        if not self._people.accounts.can_connect:
            return done(None, (work.requester, accounts.found_by_email()))
        former, pasted_token = await self._deps.accounts.find(person), open_pasted(work.sealed_token, person)
        if former is not None and former.job == context.job.id:
            # An earlier try has stored the account.
            is_other = False
            with contextlib.suppress(OutsideError, PersonTokenRefused):
                stored = await self._deps.service_coder.for_person(former.token, person).get_own_user()
                is_other = has_other_address(profile, stored)
            return await self._finish(work, former, pasted_token, is_other)
        pasted = self._deps.service_coder.for_person(pasted_token, person)
        try:
            user = await pasted.get_own_user()
            found = ConnectedAccount(
                person=person,
                user_id=user.id,
                username=user.username,
                token=pasted_token,
                job=context.job.id,
                has_other_address=not has_confirmed_address(profile, user),
            )
            lost = await self.claim(context, found)
            token = await self._exchange(pasted, former, person) or pasted_token
        except PersonTokenRefused:
            context.audit.is_refused("not_possible")
            refusal = accounts.pasted_token_refused(self._deps.connect_ways)
            return replace(done(None, (work.requester, refusal)), is_refusal=True)
        own = self._deps.service_coder.for_person(token, person)
        ends = await own.find_token_expiry()
        connected = found.model_copy(update={"token": token, "expires_at_ms": to_ms(ends) if ends else 0})
        try:
            await self.store(context, connected, former, lost)
        except TryLater:
            if token != pasted_token:  # The next try may be refused, and would leave this token.
                await delete_quietly(pasted, own.key_id)
            raise
        return await self._finish(work, connected, pasted_token, has_other_address(profile, user))

    async def store(
        self,
        context: JobContext,
        connected: ConnectedAccount,
        former: ConnectedAccount | None,
        lost: ConnectedAccount | None,
    ) -> None:
        """Store a connected account in place of the person's former account.

        The former account's token is deleted later. `lost` is the account of another person that the new
        account replaces too, because Coder refuses its token.
        """
        batch, read = Batch(), await self._require_claim(connected, lost)
        if lost is not None:
            await self._remove_lost(lost, connected, batch)
        if former is not None:
            batch.drop(account(former.person), f"renew:{former.key_id}")
        self._deps.accounts.end_suspension(batch, connected.person, connected.user_id)
        if former is not None and former.user_id != connected.user_id:
            await self._people.accounts.suspensions.note_before_removal(former, batch)
            self._deps.accounts.remove(batch, former)
            await check_owners(self._deps, former, batch, is_connected=False)
        if former is not None and former.key_id != connected.key_id:
            delete_later(self._deps, batch, former, context.job.id)
        await context.write(self._deps.accounts.write(batch, connected), read)
        _log.info(
            "account connected", person=connected.person, coder_user=connected.user_id, job=context.job.id
        )

    async def _require_claim(self, found: ConnectedAccount, lost: ConnectedAccount | None) -> dict[str, str]:
        """Return the records that must be unchanged when the account is stored.

        Raise TryLater if another person has claimed or connected the same Coder user since this person's
        claim, or if `lost` was connected again. The next try then claims the user again.
        """
        user, others = found.user_id, [lost.person] if lost is not None else []
        read = await self._deps.accounts.read_records(user, *others)
        claimant = await self._deps.notes.find("account_claim", user)
        holder = await self._deps.accounts.find_person(user)
        held = await self._deps.accounts.find(lost.person) if lost is not None else None
        is_changed = lost is not None and held is not None and held.key_id != lost.key_id
        is_taken = holder not in (None, found.person, *others)
        if claimant not in (None, found.person) or is_taken or is_changed:
            raise TryLater(CLAIMED)
        return read

    async def _remove_lost(self, lost: ConnectedAccount, by: ConnectedAccount, batch: Batch) -> None:
        """Remove the account of a person whose token Coder refuses, and tell them who has connected it.

        The refused token may still exist in Coder, and cannot delete itself. So the new account deletes it.
        """
        self._deps.accounts.remove(batch, lost)
        await self._people.accounts.suspensions.note_missing_after_removal(lost.person, batch)
        delete_later(self._deps, batch, lost.model_copy(update={"person": by.person}), by.job)
        batch.drop(account(lost.person), f"renew:{lost.key_id}")
        await refresh_home_if_kept(self._deps, lost.person, batch)
        await show_absence(self._deps, lost.person, batch)
        hasten_jobs_of(await self._deps.links.list_of(lost.person), batch)
        message = accounts.account_replaced(lost.username, await self._people.find_name(by.person))
        tell_person(lost.person, f"account_lost:{by.job}", message, batch)
        _log.info("refused account replaced", person=lost.person, by=by.person, coder_user=lost.user_id)

    async def claim(self, context: JobContext, found: ConnectedAccount) -> ConnectedAccount | None:
        """Claim a Coder user for a person, so that nobody else can connect this user at the same time.

        Return the account of another person who has connected this user, if Coder refuses their token. The
        caller replaces it by `found`. Raise UserError if another person has connected this user, or is
        connecting it now. The tokens of `found` are then deleted later. Raise TryLater if this person has
        connected the user, and another person is about to replace their account.
        """
        person, note = found.person, ("account_claim", found.user_id)
        is_first = await self._deps.notes.keep_if_new(*note, value=person, ttl_ms=CLAIM_MS)
        holder = await self._deps.accounts.find_person(found.user_id)
        held = await self._deps.accounts.find(holder) if holder not in (None, person) else None
        if held is not None and await self._is_lost(held):
            if await self._deps.notes.find(*note) == holder:
                await self._deps.notes.forget(*note)
                is_first = await self._deps.notes.keep_if_new(*note, value=person, ttl_ms=CLAIM_MS)
            holder = None
        if holder in (None, person) and not is_first:
            claimant = UserId(await self._deps.notes.find(*note) or person)
            if holder == person and claimant != person:
                raise TryLater(CLAIMED)
            holder = claimant
        if holder in (None, person):
            return held
        if is_first:
            await self._deps.notes.forget(*note)
        if held is None or held.key_id != found.key_id:
            await context.write(delete_later(self._deps, Batch(), found, context.job.id))
        name = await self._people.find_name(holder)
        raise UserError(*refusals.account_taken(found.username, name))

    async def _is_lost(self, held: ConnectedAccount) -> bool:
        """Return whether Coder refuses the token of a connected account for good.

        A suspension can end, so it does not count. Raise TryLater if the token may only have expired. Then it
        is renewed first.
        """
        # Also ask Coder if it has refused the token before: it accepts the token again after a suspension.
        client = self._deps.service_coder.for_person(held.token, held.person)
        try:
            await client.get_own_user()
        except PersonTokenRefused as error:
            if error.answer.says_suspended:
                await self._people.accounts.suspensions.note_if_suspended(held, error)
                return False
            if not await start_renewal(self._deps, error):
                return True
            raise TryLater("the token of the person who has connected this user is renewed first") from error
        return False

    async def _exchange(self, client: CoderClient, former: ConnectedAccount | None, person: UserId) -> str:
        """Make a new token with this client. Return an empty text if Coder refuses.

        The token of the `former` account still exists. So the new token gets a name that the former token
        does not have. Try a token with few rights first. Older versions of Coder do not know such rights, so
        try a token with all rights next.
        """
        for scopes in (PERSON_SCOPES, ()):
            try:
                has_first_name = former is not None and former.key_id in await list_named(client, KEY_NAME)
                token = await make_token(client, OTHER_KEY_NAME if has_first_name else KEY_NAME, scopes)
            except Refused as refused:
                _log.info(
                    "Coder refused to make a token, will try one with all rights or keep the present one",
                    person=person,
                    error=str(refused),
                )
                continue
            own = self._deps.service_coder.for_person(token, person)
            if await _works(own):
                return token
            await delete_quietly(client, own.key_id)
        return ""

    async def _finish(
        self, work: ConnectAccount, connected: ConnectedAccount, pasted_token: str, is_other_address: bool
    ) -> Outcome:
        """Delete the pasted token, run the requests that waited for the account, and tell the person."""
        is_kept = connected.token == pasted_token
        if not is_kept:
            pasted = self._deps.service_coder.for_person(pasted_token, connected.person)
            await delete_quietly(pasted, pasted.key_id)
        return await self.finish(
            work.requester, connected, is_kept=is_kept, is_other_address=is_other_address
        )

    async def finish(
        self,
        requester: Requester,
        connected: ConnectedAccount,
        *,
        is_kept: bool = False,
        is_other_address: bool = False,
    ) -> Outcome:
        """Run the requests that waited for a stored account, and tell the person.

        `is_kept` is true if the bot keeps the token that the person pasted, because Coder refused to make
        another one. `is_other_address` is true if the person is warned about the account's e-mail address.
        """
        person = connected.person
        batch = renew_in_time(Batch(), connected, self._deps.slack.now())
        forget_home_answer(self._deps, person, batch)
        await end_absence(self._deps, person, batch)
        await check_owners(self._deps, connected, batch, is_connected=True)
        ends = connected.find_near_end(self._deps.slack.now())
        said = accounts.connected(
            connected.username, ends, is_kept=is_kept, is_other_address=is_other_address
        )
        return done(batch, (requester, said))

    async def renew(self, context: JobContext) -> Outcome:
        """Replace a token that expires soon. If Coder refuses, ask the person to connect again."""
        work = context.work(RenewToken)
        known = await self._people.accounts.find(work.person)
        if known is None or known.key_id != work.key_id:
            return done()
        if known.refresh_token:
            return await refresh_tokens(self._deps, context, known)
        if context.is_outcome_unknown:
            # An earlier try has stored that the refresh token is lost.
            context.record_reconciled()
            return done()
        own = self._deps.service_coder.for_person(known.token, known.person)
        token = await self._exchange(own, known, known.person)
        if not token:
            message = accounts.account_ends(
                known.username, from_ms(known.expires_at_ms), self._deps.connect_ways
            )
            return done(tell_person(known.person, f"account:{context.job.id}", message, Batch()))
        client = self._deps.service_coder.for_person(token, known.person)
        ends = await client.find_token_expiry()
        renewed = known.model_copy(update={"token": token, "expires_at_ms": to_ms(ends) if ends else 0})
        batch = self._deps.accounts.write(Batch(), renewed)
        delete_later(self._deps, batch, known, context.job.id)
        renew_in_time(batch, renewed, self._deps.slack.now())
        await refresh_home_if_kept(self._deps, known.person, batch)
        if not await write_if_held(self._deps, context, known, batch):
            return done(delete_later(self._deps, Batch(), renewed, context.job.id))
        _log.info("token of a connected account renewed", person=known.person, job=context.job.id)
        return done()

    async def delete(self, context: JobContext) -> Outcome:
        """Delete a token that was replaced, or that connects no account."""
        work = context.work(DeleteToken)
        known = await self._deps.accounts.find(work.person)
        await delete_tokens(self._deps.service_coder, self._deps.oauth, work, known)
        return done()

    async def disconnect(self, context: JobContext) -> Outcome:
        """Delete the token of the connected account from Coder and from Redis."""
        work = context.work(DisconnectAccount)
        return await retry_for_person(
            self._deps, context, None, partial(self._disconnect, work), gives_up=False
        )

    async def _disconnect(self, work: DisconnectAccount, context: JobContext) -> Outcome:
        known = await self._people.accounts.find(work.requester.person)
        if known is None:
            can_connect = self._people.accounts.can_connect
            said = accounts.nothing_connected() if can_connect else accounts.found_by_email()
            return done(None, (work.requester, said))
        client, is_deleted = self._deps.service_coder.for_person(known.token, known.person), True
        is_suspended, suspensions = None, self._people.accounts.suspensions
        batch = self._deps.accounts.remove(Batch(), known)
        try:
            is_suspended = await suspensions.note_before_removal(known, batch)
            await suspensions.note_missing_after_removal(known.person, batch)
            await end_tokens(self._deps.oauth, client, known.refresh_token)
        except (TryLater, OutcomeUnknown):
            if not has_failed_too_long(context):
                raise
            is_deleted = False
            is_admin = await self._people.is_admin(known.person)
            suspensions.note_unknown_before_removal(known, batch, is_admin=is_admin)
        _log.info("account disconnected", person=known.person, coder_user=known.user_id, job=context.job.id)
        await refresh_home_if_kept(self._deps, known.person, batch)
        batch.drop(account(known.person), f"renew:{known.key_id}")
        await check_owners(self._deps, known, batch, is_connected=False)
        unwatched = await show_absence(self._deps, known.person, batch)
        titles = [get_name(link) for link in unwatched if link.record.owner_id == known.user_id]
        said = accounts.disconnected(
            known.username,
            titles,
            self._deps.connect_ways,
            is_deleted=is_deleted,
            is_suspended=bool(is_suspended),
        )
        return done(batch, (work.requester, said))


def is_same_address(one: str, other: str) -> bool:
    """Return whether two e-mail addresses are equal. Upper and lower case of A to Z count as equal."""
    return bool(one) and one.isascii() and other.isascii() and one.lower() == other.lower()


def has_confirmed_address(profile: Profile, user: User) -> bool:
    """Return whether the account's e-mail address is the one that Slack has confirmed."""
    return profile.is_email_confirmed and is_same_address(profile.email or "", user.email)


def has_other_address(profile: Profile, user: User) -> bool:
    """Return whether the account's e-mail address is certainly not the one that Slack has confirmed."""
    known = profile.email if profile.is_email_confirmed else ""
    return bool(known and user.email) and not is_same_address(known or "", user.email)


async def _works(client: CoderClient) -> bool:
    """Return whether a token has the rights that every task needs."""
    try:
        await client.get_own_user()
        await client.list_templates()
        await client.list_tasks_raw("owner:me")
    except Refused as refused:
        _log.warning(
            "new token has too few rights, will try one with all rights or keep the present one",
            error=str(refused),
        )
        return False
    return True
