"""Changes the stored owner of tasks whose Coder user was connected or disconnected, or got another address.

A link's record names the owner of its task in Slack: the owner is called, and may share the task. If another
person connects the task's Coder user, the task is that person's from then on. It is no longer shared with the
people whom the former owner has named, and no longer muted. The new owner is told. If the new owner cannot
read the thread, the thread is detached, so that the former owner does not read on there.

If a person disconnects a Coder user that is nobody else's, the record names no owner in Slack any more.

Each link has a job of its own, before all others that call Coder about this link. A link that is bound to an
existing task, or that opens again, gets such a job too, and so does a link whose stored owner Coder shows as
another person's when somebody acts on the task (`Accounts.check_owner_unless_stored`).
"""

from dataclasses import replace
from functools import partial

from taskwire.agent.input import AgentInput
from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId, from_ms, ts_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.person_jobs import CheckOwner
from taskwire.domain.requester import Requester
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import owners
from taskwire.outbox.enqueue import draw
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.owner_absence import hasten_jobs_of
from taskwire.outbox.owner_messages import tell_new_owner
from taskwire.outbox.share_messages import tell_of_shares
from taskwire.people.account_errors import AccountNeeded, NoAccount
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.telemetry import logger
from taskwire.waiting_replies.detach import detach

_log = logger("taskwire.tasks.owner_changes")


def handlers(deps: Dependencies, people: People) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    check = partial(_check, deps, people, AgentInput(deps, people))
    return (Handler.with_open_link(CheckOwner, check),)


async def _check(
    deps: Dependencies, people: People, agent_input: AgentInput, context: JobContext, link: Link
) -> Outcome:
    """Write who owns the task, if that is another person than the record says. End all its shares."""
    former, user_id = link.record.owner_slack, link.record.owner_id
    owner = await _find_owner(people, user_id)
    if owner == former or (owner is None and not await _has_lost(people, former, user_id)):
        if await people.is_out_of_reach(link):
            batch = Batch()
            await _end_thread(deps, people, agent_input, context, link, batch)
            return done(batch)
        # Jobs behind this one may wait for an account. How long they have waited still counts.
        return replace(done(), trouble="unchanged")
    name, batch = await people.find_name(owner), Batch()
    record = link.record.model_copy(update={"owner_slack": owner, "owner_slack_name": name})
    now = link.model_copy(update={"record": record})
    deps.writes.change_owner(batch, record, former)
    # If there is no owner any more, the former owner has ended the shares by disconnecting.
    by = owner or former or record.requested_by
    requester = Requester(person=by, channel=record.channel, at=ts_of(from_ms(context.now_ms)))
    await tell_of_shares(deps, people, requester, now, (), batch)
    for person in (owner, former):
        if person is not None:
            await refresh_home_if_kept(deps, person, batch)
    hasten_jobs_of([link], batch)
    draw(link.id, batch)
    if owner is not None:
        await _hand_over(deps, people, agent_input, context, now, former, batch)
    _log.info("task has another owner", link=link.id, owner=owner, former=former)
    return done(batch)


async def _find_owner(people: People, user_id: str) -> UserId | None:
    """Return the Slack user of a Coder user. With a service account, ask Coder about the holder's token.

    Nobody may have used this token since Coder stopped accepting it.
    """
    owner = await people.accounts.find_in_slack(user_id)
    if (
        owner is None
        or not people.accounts.has_service
        or await people.accounts.find_holder(user_id) != owner
    ):
        return owner
    try:
        await people.get_account(owner)
    except PersonTokenRefused:
        return await people.accounts.find_by_address(user_id) or owner
    except UserError:
        # The holder is suspended, or may not use the bot now.
        return owner
    return owner


async def _has_lost(people: People, former: UserId | None, user_id: str) -> bool:
    """Return whether a task's stored owner has another Coder user now, or none.

    Call this only if the task's Coder user is nobody's in Slack. Without a service account, this returns
    False: the owner of a task is then only known by the account that they connect. If people cannot connect
    accounts, a person whose account is not found now stays the owner.
    """
    accounts = people.accounts
    if former is None or not accounts.has_service:
        return False
    try:
        return (await people.get_account(former)).id != user_id
    except (NoAccount, AccountNeeded, PersonTokenRefused):
        return accounts.can_connect
    except UserError:
        # The person is suspended, or may not use the bot, so they read nothing now. Their own account is not
        # known.
        return accounts.can_connect and await accounts.find_holder(user_id) != former


async def _hand_over(
    deps: Dependencies,
    people: People,
    agent_input: AgentInput,
    context: JobContext,
    link: Link,
    former: UserId | None,
    batch: Batch,
) -> None:
    """Tell the new owner that the task is theirs. Detach its thread if they cannot read it.

    The thread stays if the former owner still has the e-mail address of the task's Coder user: the new owner
    may have connected this user with a stolen token.
    """
    record = link.record
    if record.thread is None or record.task_id is None or record.owner_slack is None:
        return
    is_kept = await people.can_read_thread(record.owner_slack, link) or await people.accounts.has_address(
        former, record.owner_id
    )
    if not is_kept:
        await _end_thread(deps, people, agent_input, context, link, batch)
        return
    if former is None and record.is_requested_by_owner:
        # The person has disconnected their own account, and connects it again.
        return
    await tell_new_owner(people, link, f"{link.id}:{context.job.id}", batch, has_thread=True)


async def _end_thread(
    deps: Dependencies, people: People, agent_input: AgentInput, context: JobContext, link: Link, batch: Batch
) -> None:
    """Detach a thread that the owner cannot read, and tell the owner."""
    await detach(deps, agent_input, link, context.job.id, owners.thread_of_former_owner(link), batch)
    await tell_new_owner(people, link, f"{link.id}:{context.job.id}", batch, has_thread=False)
