"""The audit trail as administrators see it in Slack."""

import re
from collections.abc import Sequence

from taskwire.domain.audit import OPERATOR, AuditEntry, StoredEntry
from taskwire.domain.parsing.grammar import get_word
from taskwire.domain.text.message import Block, Button, Message
from taskwire.domain.text.mrkdwn import escape_mrkdwn
from taskwire.messages.blocks import (
    begin_sentence,
    button,
    button_rows,
    cut,
    escape_line,
    format_moment,
    join_lines,
    mention,
    one_line,
    section,
)
from taskwire.messages.shapes import statement

ENTRIES_PER_PAGE = 10


def audit_page(
    entries: Sequence[StoredEntry], typed: str, *, page: int, has_more: bool, trouble: str
) -> Message:
    """Show the entries of the audit trail, the newest first.

    `typed` is the filter. `trouble` says at which entry the chain of hashes breaks.
    """
    shown = one_line(typed, 80)
    if not entries:
        words = f"Nothing fits `{escape_mrkdwn(shown.replace('`', ''))}`." if shown else ""
        words = words or "Nobody has done anything yet."
        return statement(f"{trouble} {words}".strip())
    about = "".join(
        f" · {part}" for part in (escape_mrkdwn(shown), f"page {page}" if page > 1 else "") if part
    )
    head = f"{trouble}\n*Who did what*{about}".strip()
    lines = [_line(each) for each in entries]
    layout = [section("heading", head)]
    layout += [section(f"entry.{number}", words) for number, words in enumerate(lines)]
    layout += _page_buttons(page, typed, has_more=has_more)
    return Message(text=join_lines([f"{trouble} Who did what{about}:".strip(), *lines]), blocks=tuple(layout))


def exported() -> Message:
    """Say that the bot has sent the entries of the audit trail as a file."""
    return statement("*Who did what* is in your direct messages with me, as a file.")


def chain_is_broken(number: int, reason: str) -> str:
    """Say that somebody has changed the audit trail in the store.

    `reason` is a clause in which `it` and `its` stand for the entry, for example `its time is in the future`.
    """
    what = re.sub(r"\bits (\w+)", rf"the \1 of entry {number}", reason)
    what = begin_sentence(re.sub(r"^it\b", f"entry {number}", what))
    compare = "Compare the list with Taskwire's log."
    return f":warning: Somebody may have changed this list. {what}. {compare}"


def _line(stored: StoredEntry) -> str:
    entry = stored.entry
    if stored.trouble:
        return f"{format_moment(stored.at)}  Entry {stored.number} is {stored.trouble}."
    account = f" ({escape_line(entry.account, 40)})" if entry.account else ""
    person = "the operator" if entry.person == OPERATOR else mention(entry.person)
    about = f" `{escape_line(entry.task.replace('`', ''), 60)}`" if entry.task else ""
    place = f" in <#{entry.channel}>" if entry.channel.startswith("C") else ""
    where = f" by {entry.surface.replace('_', ' ')}" if entry.surface else ""
    status = f" · Coder {entry.coder_status}" if entry.coder_status else ""
    return (
        f"{format_moment(stored.at)}  {person}{account}  *{get_word(entry.verb)}*{about}{where}{place}: "
        f"{_ending(entry)}{status} · `{entry.reference}`"
    )


def _ending(entry: AuditEntry) -> str:
    return f"{entry.outcome} ({entry.reason.replace('_', ' ')})" if entry.reason else entry.outcome


def _page_buttons(page: int, typed: str, *, has_more: bool) -> list[Block]:
    """Return the buttons for newer and older entries. Their action ids differ, as Slack requires in a row."""
    wanted = [(page - 1, "Newer")] if page > 1 else []
    wanted += [(page + 1, "Older")] if has_more else []
    steps = [
        button(Button.AUDIT_PAGE, label, cut(f"{to} {typed}".strip(), 1_000))
        | {"action_id": f"{Button.AUDIT_PAGE.value}.{number}"}
        for number, (to, label) in enumerate(wanted)
    ]
    return button_rows("pages", steps)
