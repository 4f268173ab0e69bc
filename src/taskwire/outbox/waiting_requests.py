"""Lets requests wait until a person has connected their Coder account.

Such a request leaves its queue, so that other jobs do not wait behind it. The request then waits in a queue
of the person whose account it needs. The person who made the request is told. When the account is connected,
`tasks/waiting_requests.py` moves the request back to its first queue.
"""

import secrets
from collections.abc import Awaitable, Callable

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS, HOUR_MS
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Act, CreateRequested, CreateTask, Job, MessageToBot, PostCard
from taskwire.domain.queueing.person_jobs import (
    AnswerQuestion,
    AuthorizeAccount,
    ConfirmAccount,
    ConnectAccount,
    DisconnectAccount,
    MakeTaskOfMessage,
    RenewToken,
    WaitForAccount,
)
from taskwire.domain.queueing.queues import QueueName, account, intake, waiting_requests
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, Outcome, done, replace_question
from taskwire.messages import accounts, waiting
from taskwire.outbox.direct_messages import tell_person
from taskwire.outbox.enqueue import draw
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.owner_absence import check_owners, show_absence
from taskwire.outbox.tell_once import record_told, record_unless_told
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Lease

AccountProblem = AccountNeeded | PersonTokenRefused
# A person is told only once in this time that requests wait for their account, unless they connect the
# account in the meantime.
PERSON_TOLD_MS = 7 * DAY_MS
# The most requests that wait for one person's account: as many as may wait in their `intake` queue.
MOST_WAITING = 50
# The most requests of other people among them. The other places are for the person whose account it is.
MOST_OF_OTHERS = 25
# The most requests of one other person among these.
MOST_OF_ONE = 5
# The longest delay of a job that renews a token. The job runs at once when Coder refuses the token.
LONGEST_RENEWAL_WAIT_MS = 366 * DAY_MS
# A question whose token is being renewed is asked again after this time.
RENEWAL_MS = 2_000
# A job waits this long in its place for a new token. After this time, its person is asked to connect again.
LONGEST_RENEWAL_MS = 180_000
# After a renewal was late, replies of other people than the owner do not wait for it for this time.
RENEWAL_LATE_TTL_MS = HOUR_MS
# Jobs of these kinds stay in their queue. The first four connect accounts. The others begin a link, and no
# other person's request waits behind them.
_STAY = (
    ConnectAccount,
    AuthorizeAccount,
    ConfirmAccount,
    DisconnectAccount,
    PostCard,
    CreateTask,
    WaitForAccount,
)


def can_wait_elsewhere(context: JobContext) -> bool:
    """Return whether the job is a request that may leave its queue, because no part of it was carried out."""
    work = context.job.work
    is_request = isinstance(getattr(work, "requester", None), Requester) and not isinstance(work, _STAY)
    return is_request and not context.keeps_intent_record


async def let_wait(deps: Dependencies, context: JobContext, error: AccountProblem) -> Outcome:
    """Return the outcome that moves a request to the queue of waiting requests, and tells the requester."""
    job = context.job
    requester: Requester = getattr(job.work, "requester")  # noqa: B009 - `can_wait_elsewhere` has checked it
    link, batch = await deps.links.find(context.link_id), Batch()
    if link is not None and link.pending.endswith(f" {job.id}"):
        draw(link.id, deps.writes.remove_field(batch, link.id, "pending"))
    context.audit.is_nothing()
    wish = waiting.describe_request(job.work, link)
    waiting_job = Job(id=job.id, work=job.work)
    message = await _append(deps, requester, error, (wish, context.lease.name, waiting_job), batch)
    if isinstance(job.work, Act | CreateRequested) and job.work.note_key:
        return replace_question(batch, requester, message)
    return done(batch, (requester, message))


async def answer_or_wait(
    deps: Dependencies, requester: Requester, line: str, answer: Callable[[], Awaitable[Message]]
) -> Message:
    """Return the result of `answer`: the answer to a command that only asks for something.

    If the answer needs an account that is not connected, let the question wait, and return a message that
    says this. `line` is the text of the command after `/task`.
    """
    try:
        return await answer()
    except (AccountNeeded, PersonTokenRefused) as error:
        batch, work = Batch(), AnswerQuestion(requester=requester, line=line)
        job = Job(id=f"question:{secrets.token_hex(8)}", work=work)
        wish, queue = waiting.describe_request(work, None), intake(requester.person)
        if await renew_if_possible(deps, error, batch):
            await deps.queues.write(batch.append(queue, job, delay_ms=RENEWAL_MS))
            return accounts.request_waits_for_renewal(wish)
        message = await _append(deps, requester, error, (wish, queue, job), batch)
        await deps.queues.write(batch)
        return message


async def _append(
    deps: Dependencies,
    requester: Requester,
    error: AccountProblem,
    request: tuple[str, QueueName, Job],
    batch: Batch,
) -> Message:
    """Append the job that holds a waiting request, and return the message to the person who made the request.

    If the needed account belongs to another person, the batch also tells that person. `request` contains a
    text that describes the request, the request's queue, and its job.
    """
    person, (wish, queue, job) = UserId(error.person), request
    if not person:
        # After `taskwire forget`, nobody is left who could connect the account.
        return accounts.needs_forgotten_account(wish)
    await note_refusal(deps, error, batch)
    known = await deps.accounts.find(person)
    is_own = person == requester.person
    others = [] if is_own else await _list_others(deps, person)
    if others.count(requester.person) >= MOST_OF_ONE:
        return accounts.too_many_of_yours_wait(person, MOST_OF_ONE)
    if len(others) >= MOST_OF_OTHERS:
        return accounts.too_many_wait_for_owner(person, MOST_OF_OTHERS)
    if await deps.links.count_jobs(waiting_requests(person)) >= MOST_WAITING:
        return accounts.too_many_wait(MOST_WAITING, deps.connect_ways)
    work = WaitForAccount(
        person=person, requester=requester, wish=wish, queue=queue, waiting_job=job.model_dump_json()
    )
    batch.append(waiting_requests(person), Job(id=f"waits:{job.id}", work=work))
    if not is_own:
        await tell_of_account(deps, error, batch)
        return accounts.request_waits_for_owner(person, wish)
    if isinstance(job.work, CreateRequested | MakeTaskOfMessage | MessageToBot):
        await refresh_home_if_kept(deps, person, batch)
    record_told(deps, batch, "account", person, ttl_ms=PERSON_TOLD_MS)
    if known is not None:
        return accounts.request_waits_again(known.username, wish, deps.connect_ways)
    return accounts.request_waits(wish, deps.connect_ways)


async def _list_others(deps: Dependencies, person: UserId) -> list[UserId]:
    """List the author of each request that waits for this person's account and is another person's."""
    waiting = await deps.links.list_jobs(waiting_requests(person))
    works = [job.work for job in waiting if isinstance(job.work, WaitForAccount)]
    return [work.requester.person for work in works if work.requester.person != person]


async def renew_if_possible(deps: Dependencies, error: AccountProblem, batch: Batch) -> bool:
    """Append a job that renews the refused token of a person's account, if the account has a refresh token.

    Return whether the job was appended. A suspended user gets new tokens from Coder too, but Coder refuses
    these tokens as well. So nothing is renewed because of a suspension.
    """
    if not isinstance(error, PersonTokenRefused) or not error.key_id or error.answer.says_suspended:
        return False
    person = UserId(error.person)
    known = await deps.accounts.find(person)
    if known is None or known.key_id != error.key_id or not known.refresh_token:
        return False
    if known.is_refused and not await _has_expired_while_suspended(deps, error):
        return False
    job = Job(id=f"renew:{known.key_id}", work=RenewToken(person=person, key_id=known.key_id))
    batch.append(account(person), job, score="due")
    batch.hasten(account(person), "renew:", LONGEST_RENEWAL_WAIT_MS)
    return True


async def _has_expired_while_suspended(deps: Dependencies, error: PersonTokenRefused) -> bool:
    """Return whether Coder refuses a token now that it had refused because of a suspension before.

    The suspension may be over. Only a new token tells.
    """
    if error.is_remembered or deps.oauth is None:
        return False
    return bool(await deps.accounts.list_suspended(UserId(error.person)))


async def was_replaced(deps: Dependencies, error: AccountProblem) -> bool:
    """Return whether the refused token was replaced after the job had read it.

    Also return True if Coder has accepted the token again since then.
    """
    if not isinstance(error, PersonTokenRefused) or not error.key_id:
        return False
    known = await deps.accounts.find(UserId(error.person))
    if known is None or known.is_refused:
        return False
    return known.key_id != error.key_id or error.is_remembered


async def is_renewed(deps: Dependencies, error: AccountProblem) -> bool:
    """Return whether the account has another token already, or gets one without its person.

    A job that raises the error then runs again with that token.
    """
    return await was_replaced(deps, error) or await renew_if_possible(deps, error, Batch())


async def waits_for_account(
    deps: Dependencies, people: People, error: AccountProblem, author: UserId, link: Link, lease: Lease
) -> bool:
    """Return whether a reply to this link's task waits for the account that the error names.

    It waits if its author counts as the owner, or if the account is another person's, which delivers it.
    Other replies must not wait behind it otherwise. So it waits only while the author's token is renewed, for
    a short time, and only if the author may have a right to the task.
    """
    person = UserId(error.person)
    if person != author or await people.accounts.counts_as_owner(person, link):
        return True
    own = await people.accounts.find(person)
    owns_it = own is not None and link.record.is_owned_by(person, own.user_id)
    may_steer = owns_it or await people.is_admin(person) or await people.is_let_in(person, link)
    return may_steer and await _waits_for_renewal(deps, error, lease)


async def _waits_for_renewal(deps: Dependencies, error: AccountProblem, lease: Lease) -> bool:
    """Return whether a reply waits for the new token of a person who does not count as its task's owner.

    If the renewal is late, other replies of this person do not wait for it as well, in any thread. Each of
    them would hold up the owner's replies anew.
    """
    if not isinstance(error, PersonTokenRefused):
        return False
    if await was_replaced(deps, error):
        return True
    note = ("renewal_late", error.person, error.key_id)
    if is_renewal_late(lease):
        await deps.notes.keep("1", *note, ttl_ms=RENEWAL_LATE_TTL_MS)
        return False
    is_late = await deps.notes.find(*note) is not None
    return not is_late and await renew_if_possible(deps, error, Batch())


def is_renewal_late(lease: Lease) -> bool:
    """Return whether the job, or the jobs before it in its queue, have waited for long for a new token."""
    since_ms = max(lease.trouble_since_ms, lease.since_ms)
    return lease.trouble == "refused" and lease.now_ms - since_ms > LONGEST_RENEWAL_MS


async def start_renewal(deps: Dependencies, error: AccountProblem) -> bool:
    """Do what `is_renewed` does, and start the renewal, because no job runs again for this error."""
    batch = Batch()
    if await was_replaced(deps, error):
        return True
    if not await renew_if_possible(deps, error, batch):
        return False
    await deps.queues.write(batch)
    return True


async def note_refusal(deps: Dependencies, error: AccountProblem, batch: Batch) -> None:
    """Record that Coder no longer accepts a person's token, if the person's account still has this token."""
    if not isinstance(error, PersonTokenRefused) or not error.key_id:
        return
    person = UserId(error.person)
    known = await deps.accounts.find(person)
    if known is not None and known.key_id == error.key_id:
        deps.accounts.mark_refused(batch, person, error.key_id)
        if error.answer.says_suspended:
            deps.accounts.note_suspended(batch, person, known.username, known.user_id)
        if not known.is_refused:
            # A renewed token may be refused anew. The account has been away since the first time.
            if not await deps.accounts.find_away_since(person):
                await show_absence(deps, person, batch)
            await check_owners(deps, known, batch, is_connected=False)
    await refresh_home_if_kept(deps, person, batch)


async def tell_of_account(deps: Dependencies, error: AccountProblem, batch: Batch) -> None:
    """Tell a person by direct message, at most once a week, that a request waits for their account.

    After `taskwire forget`, nobody is left to be told of a link whose person is forgotten.
    """
    person = UserId(error.person)
    if person and await record_unless_told(deps, batch, "account", person, ttl_ms=PERSON_TOLD_MS):
        known = await deps.accounts.find(person)
        message = (
            accounts.account_needed(deps.connect_ways)
            if known is None
            else accounts.account_ended(known.username, deps.connect_ways)
        )
        tell_person(person, f"account:{secrets.token_hex(8)}", message, batch)
