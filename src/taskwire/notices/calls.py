"""Decides which people a notice calls, that is, mentions."""

from taskwire.domain.events import Notice, NoticeKind
from taskwire.domain.links import Link

# These notices also call the people who watch the task. Others call only its owner.
FOR_WATCHERS: frozenset[NoticeKind] = frozenset({"needs_input", "completed", "failed", "error"})


def list_called(link: Link, notice: Notice) -> tuple[str, ...]:
    """List whom a notice mentions: the owner, or the fallback of a reminder, then people who watch.

    A muted task calls nobody.
    """
    if link.is_muted or not notice.is_call:
        return ()
    first = notice.fallback or link.record.owner_slack or ""
    watchers = link.watchers if notice.kind in FOR_WATCHERS else ()
    return tuple(dict.fromkeys(each for each in (first, *watchers) if each))
