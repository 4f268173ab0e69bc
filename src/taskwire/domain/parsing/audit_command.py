"""Parses `/task audit` and the options of `taskwire audit`: which entries of the audit trail are wanted."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from taskwire.domain.audit import AuditFilter, ExpectedEntry
from taskwire.domain.errors import UserError
from taskwire.domain.parsing.grammar import CommandOption
from taskwire.domain.parsing.near_misses import offer_options
from taskwire.domain.parsing.options import UnknownOption, first_word, take_options
from taskwire.domain.text.mrkdwn import quote_typed, to_visible_text

AUDIT_OPTIONS = (
    CommandOption("who", "whose acts: a person, or a user name in Coder", ("person",)),
    CommandOption("task", "a task's id, or its name or the beginning of it"),
    CommandOption("verb", "only this verb"),
    CommandOption("since", "a time like `7d` or `12h`, or a day like `2026-11-27`"),
    CommandOption("page", "which page"),
)
_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
_AGE = re.compile(r"([1-9][0-9]{0,4})\s*([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

# The earliest time of the wanted entries: an age, counted back from now, or a point in time.
Since = timedelta | datetime


@dataclass(frozen=True)
class Audit:
    """Show the audit trail to an administrator, as a message or as a file.

    An empty field fits every entry. `typed` is the filter as the person typed it.
    """

    person: str = ""
    task: str = ""
    verb: str = ""
    since: Since | None = None
    page: int = 1
    is_export: bool = False
    typed: str = ""

    def make_filter(self, now: datetime) -> AuditFilter:
        """Return the filter. An age such as `7d` is counted back from `now`."""
        since = now - self.since if isinstance(self.since, timedelta) else self.since
        return AuditFilter(person=self.person, task=self.task, verb=self.verb, since=since)


def parse_audit(rest: str) -> Audit | None:
    """Parse the text after the verb `audit`. Return None if a word in it is not an option.

    Raises UserError if the value of an option is wrong.
    """
    word, behind = first_word(rest)
    is_export = word.lower() == "export"
    typed = (behind if is_export else rest).strip()
    try:
        given, more = take_options(typed, AUDIT_OPTIONS)
    except UnknownOption as error:
        raise offer_options("audit", rest, error) from None
    if more.strip().lower() == "export" and not is_export:
        is_export = True
    elif more.strip():
        return None
    who = given.get("who", "")
    mentioned = _PERSON.fullmatch(who)
    page = given.get("page", "1")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", page):
        raise UserError(
            f"Not a page: `{quote_typed(to_visible_text(page))}`.", "Write `page=2` for the second."
        )
    return Audit(
        person=mentioned[1] if mentioned else to_visible_text(who).removeprefix("@"),
        task=to_visible_text(given.get("task", "")),
        verb=to_visible_text(given.get("verb", "")).lower().lstrip("!"),
        since=parse_since(to_visible_text(given["since"])) if "since" in given else None,
        page=int(page),
        is_export=is_export,
        typed=re.sub(r"\s*(--)?page[= ]\S+", "", typed),
    )


def parse_since(text: str) -> Since:
    """Parse an age such as `7d`, or a day or a time in ISO 8601. A time without a time zone is UTC."""
    if age := _AGE.fullmatch(text.strip().lower()):
        return int(age[1]) * _UNITS[age[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"Not a time: `{quote_typed(text)}`.", "Write `since=7d`, `since=12h` or `since=2026-11-27`."
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parse_expected(number: str, chain_hash: str) -> ExpectedEntry:
    """Parse the number and the hash of an entry, as the log and `taskwire audit` write them."""
    chain_hash = chain_hash.strip("()")
    if re.fullmatch(r"[1-9][0-9]{0,15}", number) and re.fullmatch(r"[0-9a-f]{40}", chain_hash):
        return ExpectedEntry(int(number), chain_hash)
    raise UserError("Not the number and hash of an entry.", "Copy both from a line `audit` of the log.")
