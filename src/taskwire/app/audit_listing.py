"""`taskwire audit`: prints the audit trail, and says whether an entry was changed or removed.

Each entry is chained to the entry before it, so a change breaks the chain. Reading the trail is recorded too:
the entry about it is written before anything is shown.
"""

import getpass
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from taskwire.doctor.opening import open_workspace
from taskwire.domain.audit import OPERATOR, AuditEntry, ExpectedEntry, StoredEntry
from taskwire.domain.ids import from_ms
from taskwire.domain.parsing.audit_command import Audit
from taskwire.domain.parsing.grammar import get_word
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss_detector import DataLossDetector
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import Clock, ServerClock
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.settings import Settings
from taskwire.state.audit import AuditLimits, AuditTrail


def open_trail(
    settings: Settings,
    connections: Connections,
    keys: Keys,
    clock: Clock | None = None,
    detector: DataLossDetector | None = None,
) -> AuditTrail:
    """Return the audit trail for the bot, or for a command that may run beside the bot."""
    return AuditTrail(
        connections,
        keys,
        clock or ServerClock(),
        AuditLimits(settings.audit_entries, settings.audit_days),
        lambda: detector.last if detector is not None else None,
    )


async def print_trail(
    settings: Settings,
    wanted: Audit,
    show: Callable[[str], None],
    expected: ExpectedEntry | None = None,
    *,
    is_json: bool,
) -> int:
    """Print the wanted entries, but not the entry about this command.

    Return 1 if the chain is broken, or if the trail does not have the expected entry.
    """
    async with open_workspace(settings) as (connections, keys):
        trail = open_trail(settings, connections, keys)
        own = AuditEntry(
            person=OPERATOR,
            account=_find_user(),
            verb="audit",
            outcome="done",
            reference=secrets.token_hex(6),
        )
        await Queues(connections, keys, ServerClock()).write(trail.add_to(Batch(), own))
        count = 0
        async for stored in trail.read(wanted.make_filter(datetime.now(UTC))):
            if stored.entry.reference == own.reference:
                continue
            show(stored.to_json() if is_json else _format(stored))
            count += 1
        broken = await trail.find_break()
        head = await trail.find_head()
        losses = await trail.list_losses()
        compared = await trail.compare(*expected) if expected is not None else "there"
    if not count and not is_json:
        show("There are no entries.")
    for loss in losses:
        _warn(
            f"Redis lost writes; this was noticed on {from_ms(loss.at_ms):%Y-%m-%d %H:%M:%S} UTC. Before, "
            f"the trail was sealed up to entry {loss.number} ({loss.hash}). The log has the lost entries."
        )
    if broken is not None:
        _warn(
            f"The chain breaks at entry {broken.number}: {broken.why}. Somebody has changed the store, or it "
            "went back in time. The log has the number and the hash of each entry."
        )
    if expected is not None and compared != "there":
        _warn(
            f"Entry {expected.number} is older than what the trail keeps."
            if compared == "trimmed"
            else f"The trail has no entry {expected.number} with this hash. Somebody has changed the store, "
            "or it went back in time."
        )
    if broken is not None or compared == "missing":
        return 1
    if not is_json:
        show(f"The chain is whole. The newest entry is {head}.")
    return 0


def _warn(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - programs read the entries on stdout


def _find_user() -> str:
    """Return the name of the operating system's user who runs the command; empty if the user has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _format(stored: StoredEntry) -> str:
    entry = stored.entry
    place = f"{stored.number:>6}  {stored.at:%Y-%m-%d %H:%M:%S} UTC"
    if stored.trouble:
        return f"{place}  {stored.trouble}"
    words = [
        place,
        f"{entry.person}{f' ({entry.account})' if entry.account else ''}",
        get_word(entry.verb),
        entry.task or entry.task_id,
        f"{entry.surface} {entry.channel}".strip(),
        f"{entry.outcome}{f' ({entry.reason})' if entry.reason else ''}",
        f"Coder {entry.coder_status}" if entry.coder_status else "",
        entry.reference,
    ]
    # Replace line breaks, so that a name cannot add a line that looks like an entry.
    return "  ".join(word for word in words if word).replace("\n", "\\n")
