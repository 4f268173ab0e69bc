"""The controls of a card: the buttons that the phase needs, *Stop* while an agent runs, and a menu.

The menu is a select, because Slack's overflow menu has at most five options. An option of a select opens no
page, so *Open in Coder* opens a dialog with the link. Slack goes on showing the chosen option until the row
has another block id. A new entry gets a line in `_entries`.
"""

from collections.abc import Collection
from typing import NamedTuple

from taskwire.domain.lifecycle.links import Link, Rights
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.parsing.naming import digest
from taskwire.domain.text.message import Block, Button
from taskwire.messages import blocks
from taskwire.messages.blocks import button

# What the menu shows while nothing is chosen.
MENU_LABEL = "More…"
# In these phases there is no agent to stop, or the agent has ended its work.
_PHASES_WITHOUT_STOP = frozenset({Phase.DONE, Phase.FAILED, Phase.PAUSED})
# In these phases, the agent has reported something or has had the time to do so.
PHASES_WITH_REPORT = frozenset(
    {Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED, Phase.PAUSING, Phase.PAUSED}
)


class Place(NamedTuple):
    """The URLs to which the controls of a card lead. A control with an empty URL is left out."""

    page: str
    coder_url: str
    forges: Collection[str] = ()
    thread: str = ""
    reported: str = ""


class _Entry(NamedTuple):
    """An entry of the menu. Slack shows `effect`, which says what the entry does, below its label."""

    button: Button
    label: str
    effect: str


_PAGE = _Entry(Button.PAGE, "Open in Coder", "the task's page, with its terminal")
_FOLLOW = _Entry(Button.FOLLOW, "Follow", "show what it writes, live")
_UNFOLLOW = _Entry(Button.UNFOLLOW, "Unfollow", "the agent works on")
_LOGS = _Entry(Button.LOGS, "Logs", "what it wrote last")
# Everybody sees the same menu of a card, so the entry itself says that the owner does not need it.
_WATCH = _Entry(Button.WATCH, "Watch", "call me too, beside its owner")
_MUTE = _Entry(Button.MUTE, "Mute", "for everybody: call nobody")
_UNMUTE = _Entry(Button.UNMUTE, "Unmute", "call people again")
_EDIT = _Entry(Button.EDIT, "Edit prompt", "change what it was asked")
_NEW_LIKE = _Entry(Button.NEW_LIKE, "New like this", "the form, filled the same")
_READ_REPLIES = _Entry(Button.READ_REPLIES, "Read every reply", "no mention needed")
_READ_MENTIONS = _Entry(Button.READ_MENTIONS, "Read mentions only", "other replies stay here")
_GIVE_THREAD = _Entry(Button.GIVE_THREAD, "Give it the thread", "the messages before the card")
_OF_OWNERS = (
    _Entry(Button.SHARE, "Share", "let others steer it"),
    _Entry(Button.DETACH, "Detach", "unlink this thread, keep the task"),
    _Entry(Button.DELETE, "Delete", "the task and its workspace"),
)


def controls(link: Link, place: Place, *, is_open: bool, rights: Rights) -> list[Block]:
    """Return the row of controls. `is_open` is true if the task exists and its link has not ended.

    Controls that these rights do not allow are left out.
    """
    row = [button(Button.OPEN_THREAD, "Open thread", url=place.thread)] if place.thread else []
    row += _asked_for(link, place, is_open=is_open, rights=rights)
    if is_open and rights >= Rights.STEER and link.shown_pending is None and is_agent_running(link):
        row.append(button(Button.PAUSE, "Stop", link.id))
    if not is_open:
        row += [button(Button.OPEN_CODER, "Open in Coder", url=place.page)] if place.page else []
        return blocks.button_rows("buttons", row)
    entries = _entries(link, place, rights=rights)
    shown = digest(link.menu_used or "", *(entry.label for entry in entries))
    return blocks.button_rows(f"buttons.{shown}", [*row, _menu(link, entries)])


def _asked_for(link: Link, place: Place, *, is_open: bool, rights: Rights) -> list[Block]:
    """Return the controls that a person needs in this phase: none, one, or *Answer* with *Resume*.

    While an action is carried out, leave out controls that would be refused or would repeat the action.
    """
    state, pending = link.state, link.shown_pending
    answers = is_open and rights >= Rights.STEER and pending != "delete"
    acts = answers and pending is None
    if acts and (state.phase is Phase.BROKEN or link.is_agent_unreachable):
        return [button(Button.RETRY, "Retry", link.id, style="primary")]
    if answers and state.open_phase in (Phase.NEEDS_YOU, Phase.FAILED):
        # A failed task has asked nothing.
        label = "Answer" if state.open_phase is Phase.NEEDS_YOU else "Reply"
        answer = [button(Button.ANSWER, label, link.id, style="primary")]
        is_resumable = acts and state.phase is Phase.PAUSED
        return [*answer, button(Button.RESUME, "Resume", link.id)] if is_resumable else answer
    if acts and state.phase is Phase.PAUSED:
        return [button(Button.RESUME, "Resume", link.id, style="primary")]
    if place.reported:
        is_result = state.phase is Phase.DONE
        known = (place.coder_url, place.forges)
        return [blocks.report_button(place.reported, *known, is_result=is_result, link=link.id)]
    return []


def is_agent_running(link: Link) -> bool:
    """Return whether there is an agent to stop.

    A starting agent counts too: Coder stops it when it has started.
    """
    phase = link.state.phase
    return phase is Phase.STARTING or (link.state.status == "active" and phase not in _PHASES_WITHOUT_STOP)


def _entries(link: Link, place: Place, *, rights: Rights) -> list[_Entry]:
    """Return the entries of the menu. Entries that show the task come first, entries that end it last."""
    entries, pending = [_PAGE] if place.page else [], link.shown_pending
    if link.state.phase is Phase.WORKING and pending is None and rights >= Rights.STEER:
        entries.append(_UNFOLLOW if link.follow_until_ms > 0 else _FOLLOW)
    if link.state.has_reported or link.state.phase in PHASES_WITH_REPORT:
        entries.append(_LOGS)
    if rights < Rights.STEER:
        return [*entries, _WATCH, _NEW_LIKE]
    if link.state.phase is Phase.PAUSED and pending is None:
        entries.append(_EDIT)
    entries += _discussion_entries(link, rights)
    # The owner is called anyway.
    entries += [] if rights is Rights.OWN else [_WATCH]
    entries += [_UNMUTE if link.is_muted else _MUTE, _NEW_LIKE]
    return entries if rights < Rights.MANAGE or pending == "delete" else [*entries, *_OF_OWNERS]


def asked_for(link: Link, place: Place) -> list[Block]:
    """Return the controls that the task's owner needs in this phase."""
    return _asked_for(link, place, is_open=True, rights=Rights.MANAGE)


def _discussion_entries(link: Link, rights: Rights) -> list[_Entry]:
    """Return the menu entries that choose which messages of the thread the agent gets.

    Only two kinds of cards have these entries: the card of a task in a discussion, and the card of a task
    whose agent gets only replies with a mention.
    """
    record = link.record
    if record.root_ts is None:
        return [_READ_REPLIES] if link.is_mention_only else []
    has_more = not record.context and record.root_ts != record.made_at
    entries = [_GIVE_THREAD] if has_more else []
    if link.is_mention_only:
        return [*entries, _READ_REPLIES]
    return entries if rights < Rights.MANAGE else [*entries, _READ_MENTIONS]


def _menu(link: Link, entries: list[_Entry]) -> Block:
    """Make the menu. Each option stands for a button, and its value has the button's id and value."""
    return {
        "type": "static_select",
        "action_id": Button.MENU.value,
        "placeholder": blocks.plain_text(MENU_LABEL, 150),
        "options": [_option(link, entry) for entry in entries],
    }


def _option(link: Link, entry: _Entry) -> Block:
    return {
        "text": {"type": "plain_text", "text": entry.label, "emoji": False},
        "description": {"type": "plain_text", "text": entry.effect, "emoji": False},
        "value": f"{entry.button.value} {link.id}",
    }
