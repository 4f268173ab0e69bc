"""The controls of a card: what the phase asks for, *Stop* while an agent runs, and a menu with the rest.

Slack's menu has at most five options. If there are more, the last one is *More…*: its private answer has the
others as buttons. A new entry gets a line in `_entries`, at the place that says how often it is used.
"""

from collections.abc import Collection
from typing import NamedTuple

from taskwire.domain.links import Link, Rights
from taskwire.domain.message import Block, Button, Message
from taskwire.domain.phases import Phase
from taskwire.messages import blocks
from taskwire.messages.blocks import button

# Slack's limit for an overflow menu.
MOST_ENTRIES = 5
# In these phases, the agent has reported something or has had the time to do so.
PHASES_WITH_REPORT = frozenset(
    {Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED, Phase.PAUSING, Phase.PAUSED}
)


class Place(NamedTuple):
    """Where the controls of a card lead. An empty URL leads nowhere."""

    page: str
    coder_url: str
    forges: Collection[str] = ()
    thread: str = ""
    reported: str = ""


class _Entry(NamedTuple):
    """An entry of the menu. `url` is the page that it opens."""

    button: Button
    label: str
    url: str = ""


def controls(link: Link, place: Place, *, is_open: bool, rights: Rights) -> list[Block]:
    """Return the row of controls. `is_open`: the task exists, and its link has not ended.

    Controls that these rights do not allow are left out.
    """
    row = [button(Button.OPEN_THREAD, "Open thread", url=place.thread)] if place.thread else []
    row += _asked_for(link, place, is_open=is_open, rights=rights)
    if is_open and rights >= Rights.STEER and _is_agent_running(link):
        row.append(button(Button.PAUSE, "Stop", link.id))
    entries = _entries(link, place, is_open=is_open, rights=rights)
    if len(entries) > 1:
        row.append(_menu(link, entries))
    else:
        row += [_as_button(link, entry) for entry in entries]
    return blocks.button_rows("buttons", row)


def more(link: Link, place: Place, *, rights: Rights) -> Message | None:
    """Make the private answer to *More…*: buttons for the entries that the menu has no place for.

    Return None if this person may use none of them.
    """
    left = _entries(link, place, is_open=True, rights=Rights.MANAGE)[MOST_ENTRIES - 1 :]
    allowed = _entries(link, place, is_open=True, rights=rights)
    rows = blocks.button_rows("buttons", [_as_button(link, each) for each in left if each in allowed])
    words = f"More for {blocks.bold_name(link.title)}:"
    return Message(text=words, blocks=(blocks.section("more", words), *rows)) if rows else None


def _asked_for(link: Link, place: Place, *, is_open: bool, rights: Rights) -> list[Block]:
    """Return the controls that a person needs in this phase: none, one, or *Answer* with *Resume*."""
    state = link.state
    acts = is_open and rights >= Rights.STEER
    if acts and (state.phase is Phase.BROKEN or link.is_agent_unreachable):
        return [button(Button.RETRY, "Retry", link.id, style="primary")]
    if acts and state.open_phase in (Phase.NEEDS_YOU, Phase.FAILED):
        answer = [button(Button.ANSWER, "Answer", link.id, style="primary")]
        return [*answer, button(Button.RESUME, "Resume", link.id)] if state.phase is Phase.PAUSED else answer
    if acts and state.phase is Phase.PAUSED:
        return [button(Button.RESUME, "Resume", link.id, style="primary")]
    if place.reported:
        is_result = state.phase is Phase.DONE
        return [blocks.report_button(place.reported, place.coder_url, place.forges, is_result=is_result)]
    return []


def _is_agent_running(link: Link) -> bool:
    """Return whether there is an agent to stop.

    A starting agent counts too: Coder stops it when it has started.
    """
    return link.state.status == "active" or link.state.phase is Phase.STARTING


def _entries(link: Link, place: Place, *, is_open: bool, rights: Rights) -> list[_Entry]:
    """Return the entries of the menu, the most used first."""
    entries = [_Entry(Button.OPEN_CODER, "Open in Coder", place.page)] if place.page else []
    if not is_open:
        return entries
    if link.state.has_reported or link.state.phase in PHASES_WITH_REPORT:
        entries.append(_Entry(Button.LOGS, "Logs"))
    watch = _Entry(Button.WATCH, "Watch")
    if rights < Rights.STEER:
        return [*entries, watch]
    if link.state.phase is Phase.PAUSED:
        entries.append(_Entry(Button.EDIT, "Edit prompt"))
    entries += _discussion_entries(link)
    entries.append(_Entry(Button.UNMUTE, "Unmute") if link.is_muted else _Entry(Button.MUTE, "Mute"))
    entries.append(watch)
    if link.state.phase is Phase.WORKING:
        is_followed = link.follow_until_ms > 0
        follow = _Entry(Button.UNFOLLOW, "Stop following") if is_followed else _Entry(Button.FOLLOW, "Follow")
        entries.append(follow)
    if rights < Rights.MANAGE:
        return entries
    owners = (_Entry(Button.SHARE, "Share"), _Entry(Button.DETACH, "Detach"), _Entry(Button.DELETE, "Delete"))
    return [*entries, *owners]


def asked_for(link: Link, place: Place) -> list[Block]:
    """Return the controls that the task's owner needs in this phase."""
    return _asked_for(link, place, is_open=True, rights=Rights.MANAGE)


def _discussion_entries(link: Link) -> list[_Entry]:
    """Return the entries about which messages the agent gets, for a discussion or a channel of mentions."""
    record = link.record
    if record.root_ts is None:
        return [_Entry(Button.READ_REPLIES, "Read every reply")] if link.is_mention_only else []
    has_more = not record.context and record.root_ts != record.made_at
    entries = [_Entry(Button.GIVE_THREAD, "Give it the thread")] if has_more else []
    if link.is_mention_only:
        return [*entries, _Entry(Button.READ_REPLIES, "Read every reply")]
    return [*entries, _Entry(Button.READ_MENTIONS, "Read mentions only")]


def _menu(link: Link, entries: list[_Entry]) -> Block:
    """Make the menu from the first entries. If some are left, its last option leads to them."""
    if len(entries) > MOST_ENTRIES:
        entries = [*entries[: MOST_ENTRIES - 1], _Entry(Button.MORE, "More…")]
    return {
        "type": "overflow",
        "action_id": Button.MENU.value,
        "options": [_option(link, entry) for entry in entries],
    }


def _option(link: Link, entry: _Entry) -> Block:
    made: Block = {
        "text": {"type": "plain_text", "text": entry.label, "emoji": False},
        "value": f"{entry.button.value} {link.id}".strip(),
    }
    return made | ({"url": entry.url} if entry.url else {})


def _as_button(link: Link, entry: _Entry) -> Block:
    is_delete = entry.button is Button.DELETE
    value = "" if entry.url else link.id
    return button(entry.button, entry.label, value, entry.url, "danger" if is_delete else "")
