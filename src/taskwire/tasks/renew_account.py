"""Renews a person's tokens before they expire, if Coder's OAuth2 provider has given these tokens.

A refresh token works only once. The queue `account` lets only one process at a time renew the tokens, and the
intent record stops a process that is late. If a process dies after it has used the refresh token and before
it has stored the new tokens, the new tokens are lost. Then Coder refuses the next try, and the person is
asked to connect again.
"""

import contextlib
from datetime import datetime, timedelta
from functools import partial

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import PersonTokenRefused
from taskwire.coder.keys import delete_key, delete_quietly
from taskwire.coder.oauth import CALL_SECONDS, GrantRefused, OAuthClient, Tokens
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import Refused, TryLater
from taskwire.domain.ids import to_ms
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import DeleteToken, RenewToken
from taskwire.domain.queueing.queues import account, account_score
from taskwire.job_context import JobContext, Outcome, done
from taskwire.messages import accounts
from taskwire.outbox.direct_messages import tell_person
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.owner_absence import end_absence, show_absence
from taskwire.outbox.tell_once import record_told
from taskwire.outbox.waiting_requests import PERSON_TOLD_MS
from taskwire.queue.batch import Batch
from taskwire.state.accounts import ConnectedAccount, open_pasted, seal_pasted
from taskwire.telemetry import logger

# A token that lives longer than this is not renewed.
LONG_LIFE = timedelta(days=365)
# A token is renewed when this share of its life is left.
RENEWED_WITH_LEFT = 0.25

_log = logger("taskwire.tasks.renew_account")


async def refresh_tokens(deps: Dependencies, context: JobContext, known: ConnectedAccount) -> Outcome:
    """Replace both tokens of an account. If Coder refuses, ask the person to connect again.

    Coder gives new tokens to a suspended user too. So they do not end a suspension, and the account counts as
    refused until Coder accepts one of its tokens (`people/accounts.py`).
    """
    if deps.oauth is None:
        return await _ask_to_connect(deps, context, known, "the app is no longer configured")
    if context.is_outcome_unknown:
        # If the call of an earlier try has arrived, Coder refuses the call of this try. So Coder's answer
        # settles both calls.
        context.record_reconciled()
    call = partial(deps.oauth.refresh, known.refresh_token)
    try:
        tokens = await context.attempt(known.key_id, CALL_SECONDS, call)
    except GrantRefused as refused:
        if refused.code != "invalid_grant":
            # Coder refuses Taskwire as an app, and not this person. The operator has time to mend that.
            raise TryLater(str(refused)) from refused
        # The refresh token is lost, so it is not tried again.
        return await _ask_to_connect(
            deps, context, known.model_copy(update={"refresh_token": ""}), str(refused)
        )
    is_refused = known.is_refused and await deps.accounts.is_suspended(known)
    renewed = with_tokens(known, tokens, deps.slack.now()).model_copy(update={"is_refused": is_refused})
    batch = deps.accounts.replace_tokens(Batch(), renewed)
    if known.is_refused and not is_refused:
        await end_absence(deps, known.person, batch)
    renew_in_time(batch, renewed, deps.slack.now())
    await refresh_home_if_kept(deps, known.person, batch)
    if not await write_if_held(deps, context, known, batch):
        return done(delete_later(deps, Batch(), renewed, context.job.id))
    _log.info("tokens of a connected account refreshed", person=known.person, job=context.job.id)
    return done()


def with_tokens(known: ConnectedAccount, tokens: Tokens, now: datetime) -> ConnectedAccount:
    """Return the account with these tokens, which Coder has given just now."""
    return known.model_copy(
        update={
            "token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "expires_at_ms": to_ms(now) + tokens.expires_in * 1000 if tokens.expires_in else 0,
            "is_refused": False,
        }
    )


async def _ask_to_connect(
    deps: Dependencies, context: JobContext, known: ConnectedAccount, why: str
) -> Outcome:
    """Record that Coder no longer accepts the account's tokens, and tell the account's person.

    `known` is the account as it is stored from now on.
    """
    _log.warning(
        "tokens of a connected account are lost, person asked to connect again", person=known.person, why=why
    )
    refused = known.model_copy(update={"is_refused": True})
    batch = deps.accounts.replace_tokens(Batch(), refused)
    message = accounts.account_ended(known.username, deps.connect_ways)
    tell_person(known.person, f"account:{context.job.id}", message, batch)
    record_told(deps, batch, "account", known.person, ttl_ms=PERSON_TOLD_MS)
    await refresh_home_if_kept(deps, known.person, batch)
    await show_absence(deps, known.person, batch)
    await write_if_held(deps, context, known, batch)
    return done()


async def write_if_held(
    deps: Dependencies, context: JobContext, known: ConnectedAccount, batch: Batch
) -> bool:
    """Write a batch that changes a person's account, unless the person has another account, or none, by now.

    `known` is the account that the batch changes. Return whether the batch was written.
    """
    while True:
        read = await deps.accounts.read_records(known.user_id, known.person)
        held = await deps.accounts.find(known.person)
        holder = await deps.accounts.find_person(known.user_id)
        if held is None or held.key_id != known.key_id or holder not in (None, known.person):
            _log.warning(
                "account was removed or replaced meanwhile, its tokens are not stored", person=known.person
            )
            return False
        # If the records have changed since they were read, look again.
        with contextlib.suppress(TryLater):
            await context.write(batch, read)
            return True


async def end_tokens(oauth: OAuthClient | None, client: CoderClient, refresh_token: str) -> None:
    """End the client's token and its refresh token in Coder.

    If Coder does not revoke them together, delete the client's token, and the refresh token ends with it. If
    Coder refuses that too, do nothing.
    """
    if not await _revoke(oauth, refresh_token):
        await delete_quietly(client, client.key_id)


async def _revoke(oauth: OAuthClient | None, refresh_token: str) -> bool:
    """Revoke a refresh token and its access token. Return False if Coder refuses, or without such a token."""
    if oauth is None or not refresh_token:
        return False
    try:
        await oauth.revoke(refresh_token)
    except Refused as error:
        # Older versions of Coder cannot revoke tokens. There, a refresh token ends with its access token.
        _log.info("tokens not revoked, key deleted instead", error=str(error))
        return False
    return True


async def delete_tokens(
    coder: CoderClient, oauth: OAuthClient | None, work: DeleteToken, known: ConnectedAccount | None
) -> None:
    """Delete the tokens that a job names in Coder. Do nothing if Coder refuses that.

    If the replaced token may not delete itself, use the token of `known`, the account's present one. Raise
    TryLater or OutcomeUnknown if Coder does not answer.
    """
    if known is not None and known.key_id == work.key_id:
        return
    tokens = [open_pasted(work.sealed_token, work.person)] if work.sealed_token else []
    if known is not None and not known.is_refused:
        tokens.append(known.token)
    sealed = work.sealed_refresh_token
    if await _revoke(oauth, open_pasted(sealed, work.person) if sealed else ""):
        return
    for token in tokens:
        with contextlib.suppress(Refused, PersonTokenRefused):
            await delete_key(coder.for_person(token, work.person), work.key_id)
            break


def delete_later(deps: Dependencies, batch: Batch, former: ConnectedAccount, job_id: str) -> Batch:
    """Add to a batch a job that deletes the tokens of an account that is not used from now on."""
    work = make_deletion(former)
    score = account_score(deps.slack.now())
    job = Job(id=f"delete:{former.key_id}:{job_id}", work=work)
    return batch.append(account(former.person), job, score=score)


def make_deletion(former: ConnectedAccount) -> DeleteToken:
    """Return the work that deletes the tokens of an account that is no longer used."""
    sealed = seal_pasted(former.token, former.person)
    refresh = seal_pasted(former.refresh_token, former.person) if former.refresh_token else ""
    return DeleteToken(
        person=former.person, key_id=former.key_id, sealed_token=sealed, sealed_refresh_token=refresh
    )


def renew_in_time(batch: Batch, connected: ConnectedAccount, now: datetime) -> Batch:
    """Add to a batch a job that renews a person's token before the token expires."""
    left = connected.expires_at_ms - to_ms(now)
    if not connected.expires_at_ms or left >= LONG_LIFE / timedelta(milliseconds=1):
        return batch
    if left <= 0 and not connected.refresh_token:
        return batch
    work = RenewToken(person=connected.person, key_id=connected.key_id)
    delay_ms = max(0, int(left * (1 - RENEWED_WITH_LEFT)))
    job = Job(id=f"renew:{connected.key_id}", work=work)
    return batch.append(account(connected.person), job, score="due", delay_ms=delay_ms)
