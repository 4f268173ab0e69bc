"""Makes the audit entry of a job that ends, if the job is an act of a person.

The worker adds the entry to the batch that ends the job. Most acts are one job. Some requests only queue
another job; then the entry is made when that other job ends. Such a request gets its own entry only if it is
refused or fails.
"""

from collections.abc import Callable, Sequence

from taskwire.domain.audit import AuditEntry, AuditOutcome, WrittenEntry
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.grammar import get_word
from taskwire.domain.parsing.naming import digest
from taskwire.domain.queueing.decisions import Choose, DecideHeld, DecideReply, PassOn, SnoozeReminder
from taskwire.domain.queueing.jobs import (
    Act,
    ActRequested,
    CreateRequested,
    CreateTask,
    MessageToBot,
    PostCard,
    Reply,
    ReplyChanged,
    SendToTask,
    ShowAnswer,
)
from taskwire.domain.queueing.person_jobs import (
    AuthorizeAccount,
    ConfirmAccount,
    ConnectAccount,
    DisconnectAccount,
    MakeTaskOfMessage,
    SaveChannelSettings,
    SavePersonSettings,
    StopByReaction,
)
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester, Surface
from taskwire.job_context import JobContext, Outcome
from taskwire.telemetry import logger

# A function that returns a person's user name in Coder; empty if the name is not known.
FindAccount = Callable[[UserId], str]

# The verb of each kind of job that is an act. Jobs of the kinds `act` and `act_requested` contain their verb.
_VERBS: dict[type[Work], str] = {
    CreateRequested: "create",
    MakeTaskOfMessage: "create",
    MessageToBot: "message",
    PostCard: "create",
    CreateTask: "create",
    Reply: "send",
    SendToTask: "send",
    Choose: "send",
    StopByReaction: "stop",
    ShowAnswer: "show",
    SnoozeReminder: "snooze",
    SaveChannelSettings: "settings",
    SavePersonSettings: "own_settings",
    ConnectAccount: "connect",
    AuthorizeAccount: "connect",
    ConfirmAccount: "connect",
    DisconnectAccount: "disconnect",
}
# These jobs get no entry if they succeed, because another job then carries out the act and gets the entry.
# For a reply, its handler says with `AuditNote` what has become of the reply.
_PASSED_ON = (
    ActRequested,
    CreateRequested,
    MakeTaskOfMessage,
    MessageToBot,
    PostCard,
    Reply,
    SendToTask,
    Choose,
    StopByReaction,
)
_log = logger("taskwire.audit")


def make_entry(
    context: JobContext, outcome: Outcome, find_account: FindAccount, coder_status: int
) -> AuditEntry | None:
    """Return the audit entry of a job with this outcome.

    Return None if the job has not ended, if it is not an act of a person, or if another job carries out the
    act. `coder_status` is the HTTP status of Coder's answer to the latest call that changes something; 0 if
    there was no answer.
    """
    work, note = context.job.work, context.audit
    verb, person = _find_verb(context), _find_person(work) or UserId(note.person)
    ended = _find_outcome(context, outcome)
    if not verb or not person or ended is None:
        return None
    link = note.link
    is_given_up = ended == "failed" and not note.reason
    task_id = note.task_id or (link.record.task_id if link is not None else None) or ""
    return AuditEntry(
        person=person,
        account=find_account(person),
        verb=verb,
        task_id=task_id,
        task=note.task or (link.record.name if link is not None else ""),
        task_owner=(link.record.owner_slack if link is not None else None) or "",
        surface=_find_surface(work),
        channel=_find_channel(context),
        outcome=ended,
        reason="given_up" if is_given_up else note.reason,
        coder_status=coder_status,
        reference=digest(context.lease.name, context.job.id)[:12],
    )


def make_entry_of_reply(
    context: JobContext, link: Link, job_id: str, reply: Reply, reason: str
) -> AuditEntry:
    """Return the audit entry of a reply that waits behind the running job's reply.

    Both replies are given up together. `job_id` is the id of the waiting reply's job.
    """
    return AuditEntry(
        person=reply.person,
        verb="send",
        task_id=link.record.task_id or "",
        task=link.record.name,
        task_owner=link.record.owner_slack or "",
        surface=reply.surface,
        channel=link.record.channel,
        outcome="failed",
        reason=reason,
        reference=digest(context.lease.name, job_id)[:12],
    )


def log_entries(
    entries: Sequence[tuple[AuditEntry, str]],
    entered: Sequence[tuple[AuditEntry, str]],
    written: WrittenEntry,
) -> None:
    """Log the audit entries of one call to Redis, each with the id of its job.

    `entered` are those that the call has written. `written` says what became of the last one; the others have
    the numbers before its number.
    """
    for entry, job_id in entries:
        if (entry, job_id) not in entered:
            log_entry(entry, job_id)
    for behind, (entry, job_id) in enumerate(reversed(entered)):
        number = written.number - behind if written.number else 0
        known = written._replace(number=number, hash="" if behind else written.hash)
        log_entry(entry, job_id, known)


def log_entry(entry: AuditEntry, job_id: str, written: WrittenEntry | None = None) -> None:
    """Log an audit entry, also if Redis has refused it. `written` is what Redis said, if it is known.

    The log never has a task's name, because people's words are often in it.
    """
    written, fields = written or WrittenEntry(), entry.model_dump(exclude={"task"})
    _log.info("audit", number=written.number, hash=written.hash, job=job_id, **fields)
    if written.trouble:
        _log.error(
            "audit entry refused by Redis, it is only in this log",
            number=written.number,
            why=written.trouble,
            hint="Somebody may have changed the stream of the audit trail. Run taskwire audit.",
        )


def _find_outcome(context: JobContext, outcome: Outcome) -> AuditOutcome | None:
    """Return how the act ended.

    Return None if the job has not ended, if it is not an act, or if another job carries out the act.
    """
    note = context.audit
    if outcome.kind != "done" or note.outcome == "none":
        return None
    if outcome.is_dead_letter:
        return "failed"
    if note.outcome:
        return note.outcome
    if outcome.trouble == "unchanged":
        return "failed"
    work = context.job.work
    is_passed_on = isinstance(work, _PASSED_ON) or (isinstance(work, DecideHeld) and not work.is_dropped)
    return None if is_passed_on else "done"


def _find_verb(context: JobContext) -> str:
    work, link = context.job.work, context.audit.link
    match work:
        case Act() | ActRequested():
            return get_word(work.verb)
        case DecideHeld():
            return "drop_replies" if work.is_dropped else "send_replies"
        case DecideReply():
            return f"reply_{work.decision}"
        case ReplyChanged():
            return "edit_reply" if work.change == "edited" else "delete_reply"
        case PassOn():
            return {"ask": "ask_owner", "pass_on": "pass_on", "always": "pass_on_and_share"}.get(
                work.step, "not_now"
            )
        case PostCard() | CreateTask() if link is not None and link.record.task_id is not None:
            return "attach"
        case _:
            return _VERBS.get(type(work), "")


def _find_person(work: Work) -> UserId | None:
    requester = getattr(work, "requester", None)
    person = requester.person if isinstance(requester, Requester) else getattr(work, "person", None)
    return UserId(person) if person else None


def _find_surface(work: Work) -> Surface:
    if isinstance(work, Reply):
        return work.surface
    if isinstance(work, ReplyChanged):
        return "reply"
    requester = getattr(work, "requester", None)
    return requester.surface if isinstance(requester, Requester) else ""


def _find_channel(context: JobContext) -> str:
    requester, link = getattr(context.job.work, "requester", None), context.audit.link
    if isinstance(requester, Requester):
        return requester.channel
    return link.record.channel if link is not None else ""
