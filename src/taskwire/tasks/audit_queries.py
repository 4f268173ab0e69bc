"""Answers `/task audit`: shows administrators which person did what, page by page or as a file."""

import secrets
from typing import Literal

from taskwire.dependencies import Dependencies
from taskwire.domain.audit import AuditEntry
from taskwire.domain.errors import UserError
from taskwire.domain.parsing.audit_command import Audit
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.messages import audit, refusals
from taskwire.outbox.audit import log_entry
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.telemetry import logger

_log = logger("taskwire.tasks.audit_queries")


class AuditQueries:
    """Reads the audit trail for administrators of Taskwire."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def show(self, requester: Requester, question: Audit) -> Message:
        """Return one page of the entries that the filter matches, the newest first."""
        await self.require_admin(requester, "audit")
        wanted = question.make_filter(self._deps.slack.now())
        last = question.page * audit.ENTRIES_PER_PAGE
        found = await self._deps.audit.list_newest(wanted, last + 1)
        await self.record(requester, "audit")
        return audit.audit_page(
            found[last - audit.ENTRIES_PER_PAGE : last],
            question.typed,
            page=question.page,
            has_more=len(found) > last,
            trouble=await self._find_trouble(),
        )

    async def export(self, requester: Requester, question: Audit) -> tuple[str, str, str]:
        """Return the entries that the filter matches as a file: its name, its title and its text.

        Each line of the text is one JSON object.
        """
        await self.require_admin(requester, "export_audit")
        wanted = question.make_filter(self._deps.slack.now())
        lines = [stored.to_json() async for stored in self._deps.audit.read(wanted)]
        if not lines:
            raise UserError(*refusals.nothing_to_export())
        await self.record(requester, "export_audit")
        _log.info("audit trail exported", person=requester.person, entries=len(lines))
        return "audit.jsonl", "Audit trail", "".join(f"{line}\n" for line in lines)

    async def _find_trouble(self) -> str:
        broken = await self._deps.audit.find_break()
        return audit.chain_is_broken(broken.number, broken.why) if broken is not None else ""

    async def require_admin(self, requester: Requester, verb: str) -> None:
        """Raise UserError unless the person is an administrator. Write each refusal into the audit trail."""
        await self._people.get_profile(requester.person)
        if not await self._people.is_admin(requester.person):
            await self.record(requester, verb, "not_allowed")
            what: Literal["see who did what", "run the doctor"] = (
                "run the doctor" if verb == "doctor" else "see who did what"
            )
            raise UserError(*refusals.only_administrators(what), reason="not_allowed")
        # A suspended administrator is refused. Who administers Taskwire needs no account, and may use the
        # doctor while Coder does not answer.
        await self._people.require_account(requester.person, needs_coder=False)

    async def record(self, requester: Requester, verb: str, refused: str = "") -> None:
        """Write into the audit trail that a person has read the trail or run the doctor.

        If the person was not allowed to, write the refusal. `refused` is then its reason.
        """
        entry = AuditEntry(
            person=requester.person,
            account=self._people.accounts.find_known_name(requester.person),
            verb=verb,
            surface=requester.surface,
            channel=requester.channel,
            outcome="refused" if refused else "done",
            reason=refused,
            reference=secrets.token_hex(6),
        )
        trail, written = self._deps.audit, None
        if trail.takes(entry):
            written = await self._deps.queues.write(trail.add_to(Batch(), entry))
            trail.note_written(written)
        log_entry(entry, "", written)
