"""Connects a person's Coder account through Coder's sign-in page, where the person allows the connection.

The button opens Coder's page with a `state` that belongs to the person who asked. Anybody could open this
page, for example a colleague to whom an attacker has sent the link. So an account is connected at once only
if its confirmed e-mail address is also the person's address in Slack. Otherwise, the browser shows a number
after the sign-in, and the person must enter the number in Slack. That proves that one person has both asked
in Slack and allowed Taskwire.

Coder exchanges a code for tokens only once, so the tokens are stored at once. If the process dies before it
has stored the tokens, Coder refuses a second exchange, and the person is asked to begin again.
"""

import hmac
from functools import partial

from taskwire.coder.errors import PersonTokenRefused
from taskwire.coder.oauth import GrantRefused, Tokens, make_secret
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import Refused, UserError
from taskwire.domain.ids import UserId
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import AuthorizeAccount, ConfirmAccount
from taskwire.domain.queueing.queues import account
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import accounts, refusals
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.state.accounts import ConnectedAccount
from taskwire.state.authorizations import LIFETIME_MS, Grant, StartedAuthorization, UnconfirmedAccount
from taskwire.tasks.connect import AccountConnector, has_confirmed_address
from taskwire.tasks.renew_account import make_deletion, with_tokens
from taskwire.telemetry import logger

_log = logger("taskwire.tasks.connect_by_oauth")


class AccountAuthorizer:
    """Handles the jobs that connect accounts through Coder's sign-in page."""

    def __init__(self, deps: Dependencies, people: People, connector: AccountConnector) -> None:
        self._deps = deps
        self._people = people
        self._connector = connector

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.without_link(AuthorizeAccount, self.authorize),
            Handler.without_link(ConfirmAccount, self.confirm),
        )

    async def authorize(self, context: JobContext) -> Outcome:
        """Get the tokens of a person who has signed in to Coder, and connect the person's account."""
        work = context.work(AuthorizeAccount)
        return await retry_for_person(self._deps, context, None, partial(self._authorize, work))

    async def _authorize(self, work: AuthorizeAccount, context: JobContext) -> Outcome:
        person = work.requester.person
        profile = await self._people.get_profile(person)
        if not self._people.accounts.can_connect:
            return done(None, (work.requester, accounts.found_by_email()))
        former = await self._deps.accounts.find(person)
        if former is not None and former.job == context.job.id:
            # An earlier try has stored the account.
            return await self._finish(work.requester, former)
        grant = Grant.open(work.sealed_grant, person)
        found = self._make_account(person, await self._get_tokens(context, grant), context.job.id)
        try:
            user = await self._deps.service_coder.for_person(found.token, person).get_own_user()
        except PersonTokenRefused:
            raise UserError(*refusals.not_authorized()) from None
        found = found.model_copy(update={"user_id": user.id, "username": user.username})
        if has_confirmed_address(profile, user):
            return await self._connect(context, work.requester, found, former)
        return await self._ask(context, work.requester, found, grant.confirmation)

    async def _get_tokens(self, context: JobContext, grant: Grant) -> Tokens:
        """Return the tokens that an earlier try has stored.

        If there are none, exchange the code for tokens. They are deleted after ten minutes, unless they
        connect an account until then.
        """
        known = await self._deps.authorizations.find_tokens(context.job.id)
        if known is not None:
            return known
        if self._deps.oauth is None:
            raise UserError(*refusals.not_authorized())
        try:
            tokens = await self._deps.oauth.exchange(grant.code, grant.verifier)
        except Refused as refused:
            code = refused.code if isinstance(refused, GrantRefused) else ""
            _log.warning(
                "Coder refused to give tokens, person asked to begin again",
                job=context.job.id,
                code=code,
                error=str(refused),
            )
            raise UserError(*refusals.not_authorized()) from None
        batch = self._deps.authorizations.keep_tokens(Batch(), context.job.id, tokens)
        person = context.work(AuthorizeAccount).requester.person
        await context.write(_delete_in_time(batch, self._make_account(person, tokens, context.job.id)))
        return tokens

    def _make_account(self, person: UserId, tokens: Tokens, job_id: str) -> ConnectedAccount:
        empty = ConnectedAccount(person=person, user_id="", username="", token="", job=job_id)
        return with_tokens(empty, tokens, self._deps.slack.now())

    async def _connect(
        self,
        context: JobContext,
        requester: Requester,
        found: ConnectedAccount,
        former: ConnectedAccount | None,
    ) -> Outcome:
        lost = await self._connector.claim(context, found)
        await self._connector.store(context, found, former, lost)
        return await self._finish(requester, found)

    async def _finish(self, requester: Requester, stored: ConnectedAccount) -> Outcome:
        """Run what waited for a stored account, and keep its tokens."""
        outcome = await self._connector.finish(requester, stored)
        outcome.batch.drop(account(stored.person), _get_deletion_id(stored))
        return outcome

    async def _ask(
        self, context: JobContext, requester: Requester, found: ConnectedAccount, confirmation: str
    ) -> Outcome:
        """Ask the person for the number that their browser shows.

        If the person does not enter the number, the tokens are deleted after ten minutes.
        """
        tokens = Tokens(
            access_token=found.token,
            refresh_token=found.refresh_token,
            expires_in=max(0, found.expires_at_ms - _now_ms(self._deps)) // 1000,
        )
        waiting = UnconfirmedAccount(
            tokens=tokens, user_id=found.user_id, username=found.username, confirmation=confirmation
        )
        batch = self._deps.authorizations.keep_unconfirmed(Batch(), found.person, waiting)
        # The ten minutes begin anew.
        _delete_in_time(batch.drop(account(found.person), _get_deletion_id(found)), found)
        context.audit.is_nothing()
        return done(batch, (requester, accounts.ask_for_number(found.username)))

    async def confirm(self, context: JobContext) -> Outcome:
        """Connect the waiting account if the person has entered the number that their browser shows."""
        work = context.work(ConfirmAccount)
        return await retry_for_person(self._deps, context, None, partial(self._confirm, work))

    async def _confirm(self, work: ConfirmAccount, context: JobContext) -> Outcome:
        person = work.requester.person
        await self._people.get_profile(person)
        former = await self._deps.accounts.find(person)
        if former is not None and former.job == context.job.id:
            return await self._finish(work.requester, former)
        waiting = await self._deps.authorizations.find_unconfirmed(person)
        if waiting is None or not waiting.tries_left:
            raise UserError(*refusals.nothing_to_confirm())
        found = self._make_account(person, waiting.tokens, context.job.id).model_copy(
            update={"user_id": waiting.user_id, "username": waiting.username, "has_other_address": True}
        )
        given = "".join(letter for letter in work.number if letter.isdecimal())
        if not hmac.compare_digest(given.encode(), waiting.confirmation.encode()):
            left = waiting.model_copy(update={"tries_left": waiting.tries_left - 1})
            await context.write(self._deps.authorizations.keep_unconfirmed(Batch(), person, left))
            raise UserError(*refusals.wrong_number(left.tries_left))
        outcome = await self._connect(context, work.requester, found, former)
        self._deps.authorizations.forget_unconfirmed(outcome.batch, person)
        return outcome


async def make_offer_to_connect(deps: Dependencies, people: People, requester: Requester) -> Message:
    """Return the answer to `/task connect`. Raise UserError for a person who must not use the bot."""
    await people.get_profile(requester.person)
    if not people.accounts.can_connect:
        return accounts.found_by_email()
    known = await people.accounts.find(requester.person)
    username = "" if known is None or known.is_refused else known.username
    if deps.oauth is None:
        return (
            accounts.offer_another(username, deps.connect_ways)
            if username
            else accounts.offer_to_connect(deps.connect_ways)
        )
    state, verifier = make_secret(), make_secret()
    started = StartedAuthorization(requester=requester, verifier=verifier)
    await deps.authorizations.start(state, started)
    return accounts.offer_page(deps.oauth.make_page_url(state, verifier), username)


def _delete_in_time(batch: Batch, found: ConnectedAccount) -> Batch:
    """Add to a batch the job that deletes these tokens if they connect no account for ten minutes."""
    job = Job(id=_get_deletion_id(found), work=make_deletion(found))
    return batch.append(account(found.person), job, score="due", delay_ms=LIFETIME_MS)


def _get_deletion_id(found: ConnectedAccount) -> str:
    return f"delete:{found.key_id}:unconfirmed"


def _now_ms(deps: Dependencies) -> int:
    return int(deps.slack.now().timestamp() * 1000)
