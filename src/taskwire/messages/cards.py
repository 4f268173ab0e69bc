"""The card: the first message of a task's thread. It shows the present state and is edited in place.

A card names people without mentioning them, because it is edited often. It shows ages, such as `3 minutes
ago`, in a form that Slack keeps up to date. So the card is edited only when something else changes. At the
width of a phone it has seven lines at most. `card_controls` has its buttons and its menu. Messages that are
posted once are in `notices`.
"""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from taskwire.domain.ids import ChannelId, LinkId, UserId, from_ms, moment_of, ts_of
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Link, LinkEnd, LinkRecord, Rights
from taskwire.domain.lifecycle.phases import Observation, Phase
from taskwire.domain.parsing.naming import NAME_LENGTH, is_beginning, is_same_text
from taskwire.domain.text.agent_text import sanitize_for_agent
from taskwire.domain.text.message import Block, Button, Message
from taskwire.domain.text.mrkdwn import escape_mrkdwn
from taskwire.messages import blocks, card_controls
from taskwire.messages.blocks import (
    PHASE_LABELS,
    PhaseLabel,
    escape_line,
    format_moment,
    format_time,
    line,
    mrkdwn,
    one_line,
    plain_text,
    text_piece,
)
from taskwire.messages.outages import CoderFailure, outage_note
from taskwire.messages.phone import (
    LETTERS_PER_BOLD_LINE,
    LETTERS_PER_QUOTED_LINE,
    OWNER_LENGTH,
    Facts,
    Lines,
    as_shown,
    count_lines,
    fit,
    fit_between,
    fit_facts,
    fit_lines,
    share_lines,
)
from taskwire.messages.reply_words import fit_reply_words

# The most lines of a card on a phone.
MOST_LINES = 7
# The longest URL in a card's text, in characters: a phone shows this text.
SHOWN_URL_LENGTH = 300

_CREATING_LABEL = PhaseLabel("hourglass_flowing_sand", "Creating…")
_ENDING_LABELS = {
    "gone": PHASE_LABELS[Phase.GONE],
    "detached": PhaseLabel("link", "Detached"),
    "failed": PhaseLabel("warning", "Not created"),
}
_MOVED_LABEL = PhaseLabel("link", "Moved")
_NOT_ATTACHED_LABEL = PhaseLabel("warning", "Not attached")
# What a card shows while an action is carried out, until the phase shows the effect of the action.
_PENDING_LABELS = {
    "pause": PhaseLabel("double_vertical_bar", "Pausing…"),
    "resume": PhaseLabel("arrow_forward", "Resuming…"),
    "retry": PhaseLabel("arrow_forward", "Retrying…"),
    "delete": PhaseLabel("wastebasket", "Deleting…"),
}
_WORKSPACE = "Workspace: "
_ENDING_NOTES = {
    "gone": "This task is no longer in Coder, so no agent gets replies here. `/task create` creates a new "
    "task.",
}


class _CardContext(NamedTuple):
    """The values that a card shows and that are not in its `Link`."""

    coder_url: str
    forges: Collection[str]
    unreachable_since_ms: int | None = None
    silence: CoderFailure = "away"
    is_resumed_by_reply: bool = True
    unwatched_since_ms: int | None = None
    is_open: bool = False


def card(
    link: Link,
    *,
    coder_url: str,
    forges: Collection[str] = (),
    unreachable_since_ms: int | None = None,
    silence: CoderFailure = "away",
    is_resumed_by_reply: bool = True,
    unwatched_since_ms: int | None = None,
    is_open: bool = False,
) -> Message:
    """Make a link's card. `forges` are code hosts, such as github.com, whose names a button leaves out.

    If Coder shows no tasks, `unreachable_since_ms` is when that began, in Unix milliseconds, and `silence` is
    the reason. If the account of the task's owner is not connected, `unwatched_since_ms` is when that began;
    0 if that is not known. If `is_open`, the channel's settings let everybody there steer the task.
    """
    outside = _CardContext(
        coder_url, forges, unreachable_since_ms, silence, is_resumed_by_reply, unwatched_since_ms, is_open
    )
    return Message(
        text=_text(link, outside), blocks=(*_state_blocks(link, outside), *_controls(link, outside))
    )


def status_card(
    link: Link,
    *,
    coder_url: str,
    forges: Collection[str] = (),
    permalink: str = "",
    rights: Rights = Rights.MANAGE,
    shared_with: str = "",
    unreachable_since_ms: int | None = None,
    silence: CoderFailure = "away",
    is_open: bool = False,
) -> Message:
    """Make the card for the answer to `/task status`, which one person sees.

    `permalink` is the URL of the thread. Controls that the person's `rights` do not allow are left out.
    `shared_with` are the people with whom the owner shares the task, as mrkdwn.
    """
    outside = _CardContext(coder_url, forges, unreachable_since_ms, silence, is_open=is_open)
    layout = [
        *_state_blocks(link, outside),
        *_controls(link, outside, blocks.safe_web_url(permalink), rights=rights),
    ]
    hint = "" if link.id or find_ending(link) else _no_thread_hint(link.record.name)
    hint = f"{shared_with} can steer it too." if shared_with else hint
    if hint:
        layout.append(blocks.context("hint", [mrkdwn(hint)]))
    return Message(text=_text(link, outside, hint), blocks=tuple(layout))


def preview(
    link: Link, *, coder_url: str, forges: Collection[str] = (), permalink: str = "", attachable: str = ""
) -> Message:
    """Make the preview of a link to a task: the card without its controls.

    `permalink` is the URL of the thread. `attachable` is the id of a task without a thread. A button then
    gives that task a thread in the conversation of the preview.
    """
    outside = _CardContext(coder_url, forges)
    thread = blocks.safe_web_url(permalink)
    row = [blocks.button(Button.OPEN_THREAD, "Open thread", url=thread)] if thread else []
    row += [blocks.button(Button.ATTACH, "Attach here", attachable)] if attachable else []
    layout = (*_state_blocks(link, outside), *blocks.button_rows("buttons", row))
    return Message(text=_text(link, outside), blocks=layout)


def make_unlinked(seen: Observation, state: LinkState, prompt: str = "") -> Link:
    """Make a link for a task without a thread. The link's id is empty, so the card has no action buttons."""
    record = LinkRecord(
        id=LinkId(""),
        channel=ChannelId(""),
        made_at=ts_of(seen.created_at),
        requested_by=UserId(""),
        owner_id=seen.owner_id,
        owner_name=seen.owner_name,
        prompt=sanitize_for_agent(prompt),
        name=seen.name,
        title=seen.title,
        template=seen.template,
        task_id=seen.task_id,
    )
    return Link(record=record, state=state, observation=seen)


def get_name(link: Link) -> str:
    """Return the task's title, or else its name, or else the beginning of its prompt."""
    return one_line(link.title, blocks.TITLE_LENGTH) or one_line(link.record.prompt, 60) or "New task"


def find_ending(link: Link) -> LinkEnd | None:
    """Return how the link has ended; None if it has not ended.

    If the task has vanished from Coder, return `gone`, even before the link is stored as ended.
    """
    return "gone" if link.end_reason is None and link.state.phase is Phase.GONE else link.end_reason


def get_page_url(link: Link, coder_url: str) -> str:
    """Return the URL of the task's page in Coder; an empty string if the task is gone or not created yet."""
    return "" if find_ending(link) == "gone" else get_former_page_url(link, coder_url)


def get_former_page_url(link: Link, coder_url: str) -> str:
    """Return the URL of the task's page in Coder, even if the task is gone; empty if it was never created."""
    owner = link.record.owner_name or (link.observation.owner_name if link.observation else "")
    return blocks.task_url(coder_url, owner, link.record.task_id)


def get_owner_name(link: Link) -> str:
    """Return the owner's name in Slack, or the name in Coder if the owner is not known in Slack."""
    record, seen = link.record, link.observation
    return record.owner_slack_name or record.owner_name or (seen.owner_name if seen else "")


def get_phase_label(link: Link) -> PhaseLabel:
    """Return the emoji and the word for a link's state."""
    ending = find_ending(link)
    if ending == "failed" and link.record.task_id is not None:
        return _NOT_ATTACHED_LABEL
    if ending == "detached" and link.moved_to:
        return _MOVED_LABEL
    if ending is not None:
        return _ENDING_LABELS[ending]
    if link.record.task_id is None:
        return _CREATING_LABEL
    pending = link.shown_pending
    if pending is not None:
        return _PENDING_LABELS[pending]
    phase, word = link.state.phase, one_line(link.state.unknown_status, 40)
    if phase is Phase.OTHER and word:
        return PhaseLabel(PHASE_LABELS[phase].emoji, f"Coder calls it “{word}”")
    face = PHASE_LABELS[phase]
    return PhaseLabel("warning", f"{face.label}, agent not reachable") if link.is_agent_unreachable else face


def _state_blocks(link: Link, outside: _CardContext) -> list[Block]:
    """Make the lines that show the state.

    On a phone, a card has MOST_LINES lines. One line is for the controls, and the note has as many lines as
    it needs. Title, phase and facts are cut only if there are too few lines for them. The prompt gets the
    lines that are left, at most two.
    """
    note, name = next(iter(_notes(link, outside)), ""), get_name(link)
    room = MOST_LINES - 1 - count_lines(as_shown(note))
    facts, preset = _list_facts(link, outside), link.record.preset or ""
    name_lines = count_lines(name, LETTERS_PER_BOLD_LINE)
    wanted = Lines(name_lines, _phase_line(link, room)[1], facts.with_preset(preset).line_count)
    least = Lines(1, _phase_line(link, room, has_age=False)[1], facts.least_line_count)
    given = share_lines(wanted, least, room)
    title, facts = fit_lines(name, given.title, LETTERS_PER_BOLD_LINE), fit_facts(facts, preset, given.facts)
    phase, phase_lines = _phase_line(link, given.phase)
    layout = [
        line("title", [blocks.title_piece(title, get_page_url(link, outside.coder_url))]),
        line("phase", phase),
        blocks.context("facts", _draw_facts(facts, get_reported_url(link))),
    ]
    if note:
        layout.append(blocks.section("notes", note))
    left = room - count_lines(title, LETTERS_PER_BOLD_LINE) - phase_lines - facts.line_count
    prompt = "" if says_same(name, link.record.prompt) else link.record.prompt
    prompt = fit_lines(prompt, min(left, 2), LETTERS_PER_QUOTED_LINE) if left > 0 else ""
    return [*layout, blocks.quote_block("prompt", prompt, len(prompt))] if prompt else layout


def _phase_line(link: Link, most_lines: int, *, has_age: bool = True) -> tuple[list[Block], int]:
    """Return the line with the phase, the report and the time, and the number of its lines on a phone.

    If all three do not fit, the time is left out. If the report does not fit then, it is cut. The report is
    in quotation marks, because the agent's words, such as *Finished*, may look like another phase.
    """
    face, detail, age = get_phase_label(link), get_detail(link), _age(link) if has_age else None
    opens, closes = (" · “", "”") if detail == get_report(link) else (" · ", "")
    # An emoji is as wide as two letters.
    phase, after = f"xx {face.label}", f" · {age.shown}" if age else ""
    whole = phase + opens + detail + closes if detail else phase
    if count_lines(whole + after) > most_lines and (most_lines == 1 or count_lines(whole) <= most_lines):
        age, after = None, ""
    if detail:
        shown = fit_between(
            phase + opens, lambda width: fit(get_detail(link, width), width), closes + after, most_lines
        )
        detail = opens + shown + closes if shown else ""
    pieces = [blocks.emoji_piece(face.emoji), text_piece(" "), text_piece(face.label, is_bold=True)]
    pieces += [text_piece(detail)] if detail else []
    if age:
        pieces += [text_piece(f" · {age.words}"), *([blocks.age_piece(age.since)] if age.since else [])]
    return pieces, count_lines(phase + detail + after)


def get_detail(link: Link, width: int = blocks.REPORT_LENGTH) -> str:
    """Return the agent's latest report. If the phase does not come from a report, return its reason.

    A reason has at most `width` characters.
    """
    if find_ending(link) is not None or link.record.task_id is None:
        return ""
    match link.state.phase:
        case Phase.BROKEN:
            why = blocks.fit_cause(link.build_error, width - len(_WORKSPACE))
            return f"{_WORKSPACE}{why}" if why else "The agent can't work"
        case Phase.UNCLEAR:
            return "Coder does not say what the workspace is doing"
        case _:
            return get_report(link)


class _Age(NamedTuple):
    """A time on the card: some words, and then the age of a moment. Slack keeps the age up to date."""

    words: str
    since: datetime | None = None

    @property
    def shown(self) -> str:
        """The longest text that Slack may show for this age."""
        return self.words + "30 minutes ago" if self.since else self.words


def _age(link: Link) -> _Age | None:
    """Return how long the agent has worked, how long it took, or since when it has waited."""
    state, record = link.state, link.record
    if find_ending(link) is not None:
        return None
    began = from_ms(link.turn_began_ms) if link.turn_began_ms else record.created_at
    began = began or (link.observation.created_at if link.observation else None)
    if record.task_id is None or state.phase is Phase.STARTING:
        return _Age("requested ", began or moment_of(record.made_at))
    if state.phase is Phase.WORKING:
        return _Age("started ", began) if began else None
    if state.phase in (Phase.NEEDS_YOU, Phase.PAUSED, Phase.BROKEN):
        return _Age("", from_ms(state.since_ms)) if state.since_ms else None
    if state.phase in (Phase.DONE, Phase.FAILED) and link.turn_began_ms:
        took_ms = (state.idle_since_ms or state.since_ms) - link.turn_began_ms
        # No line breaks between a number and its unit.
        took = blocks.format_duration(took_ms).replace(" ", "\u00a0")
        return _Age(f"took {took}") if took_ms >= 1_000 else None
    return None


def says_same(title: str, prompt: str) -> bool:
    """Return whether the title says all that the prompt says, because it is the prompt or its beginning."""
    return is_same_text(title, prompt) or is_beginning(title, prompt)


def get_report(link: Link) -> str:
    """Return the agent's latest report; an empty string if it is not about the present state."""
    report = link.state.current_report
    is_shown = find_ending(link) is None and link.state.phase in card_controls.PHASES_WITH_REPORT
    return one_line(report.message, blocks.REPORT_LENGTH) if is_shown and report is not None else ""


def _list_facts(link: Link, outside: _CardContext) -> Facts:
    """Return the small text: owner, template, reported link, and the task's name.

    People use the name in commands. So the name is left out if no command can name the task.
    """
    record, seen = link.record, link.observation
    url = get_reported_url(link)
    is_open = record.task_id is not None and find_ending(link) is None
    return Facts(
        owner=get_owner_name(link),
        template=record.template or (seen.template if seen else ""),
        link=blocks.link_name(url, outside.coder_url, outside.forges) if url else "",
        name=one_line(record.name.replace("`", ""), NAME_LENGTH) if is_open else "",
        mark="muted" if link.is_muted and find_ending(link) is None else "",
        steerers="everybody here can steer" if outside.is_open and is_open else "",
    )


def _draw_facts(shown: Facts, url: str) -> list[Block]:
    facts = [plain_text(text, 100) for text in (shown.owner, shown.template) if text.strip()]
    facts += [mrkdwn(f"<{escape_mrkdwn(url)}|{escape_mrkdwn(shown.link)}>")] if shown.link else []
    facts += [mrkdwn(f"`{escape_mrkdwn(shown.name)}`")] if shown.name else []
    facts += [mrkdwn(mark) for mark in (shown.steerers, shown.mark) if mark]
    return facts or [mrkdwn("Task")]


def get_reported_url(link: Link) -> str:
    """Return the URL that the agent reported last, if a browser may open it."""
    report = link.state.last_report
    return blocks.safe_web_url(report.uri) if report else ""


def _notes(link: Link, outside: _CardContext) -> list[str]:
    """List the sentences that explain the state, the most important first."""
    ending = find_ending(link)
    if ending == "failed":
        return [_failed_note(link)]
    if ending is not None:
        return [_ENDING_NOTES[ending]] if ending in _ENDING_NOTES else _moved_notes(link)
    state, notes = link.state, []
    if outside.unreachable_since_ms is not None:
        waits = "" if outside.silence == "no_tasks" else " Replies wait."
        notes.append(outage_note(outside.unreachable_since_ms, outside.silence) + waits)
    if outside.unwatched_since_ms is not None:
        notes.append(_unwatched_note(link, outside.unwatched_since_ms))
    if state.error_since_ms is not None and state.phase is not Phase.BROKEN:
        notes.append(_grace_note(state))
    if state.unreachable_since_ms is not None:
        notes.append(f"{_unreachable_note(state.unreachable_since_ms)} Replies wait.")
    # During a pause, the phase and the thread already say what a reply does.
    is_stopping = link.shown_pending == "pause"
    if (is_stopping or link.held_count) and state.phase not in (Phase.PAUSING, Phase.PAUSED):
        waits = "A reply in its thread resumes it." if outside.is_resumed_by_reply else "Replies wait."
        notes.append(fit_reply_words(waits, link) if is_stopping else _HELD_NOTE)
    if link.is_mention_only:
        notes.append("The agent gets only messages that mention @Taskwire.")
    if state.is_script_failed:
        notes.append("Its startup script failed. It takes replies.")
    return notes


# The note of a task that was resumed outside Slack, while nobody has decided about the replies from before
# the pause.
_HELD_NOTE = "Replies from before the stop wait. The next reply sends them too."


def _unwatched_note(link: Link, since_ms: int) -> str:
    since = f" since {format_moment(from_ms(since_ms))}" if since_ms else ""
    owner = escape_line(get_owner_name(link), OWNER_LENGTH)
    return f":warning: Not up to date{since}: {owner} must connect Coder again."


def _grace_note(state: LinkState) -> str:
    until = format_time(from_ms(state.grace_ends_ms)) if state.grace_ends_ms else ""
    then = f" If this lasts, I'll post in the thread at {until}." if until else ""
    if state.phase is Phase.STARTING:
        return f"Coder reports an error.{then}"
    return f"{_unreachable_note(state.error_since_ms or state.since_ms)}{then or ' Replies wait.'}"


def _unreachable_note(since_ms: int) -> str:
    return f"Agent not reachable since {format_moment(from_ms(since_ms))}."


def _failed_note(link: Link) -> str:
    if link.record.task_id is not None:
        return f"This task got no thread here. {link.failure}".strip()
    why = f" {link.failure}" if link.failure else ""
    return f"Coder did not create this task.{why} `/task create` creates another."


def _moved_notes(link: Link) -> list[str]:
    """List the sentence that leads to the task's new thread. Without one, the thread itself says enough."""
    return [f"The task has a <{link.moved_to}|new thread>."] if link.moved_to else []


def _no_thread_hint(name: str) -> str:
    shown = escape_line(name, 40)
    return f"It has no thread. `/task attach {shown}` gives it one in the channel where you type it."


def _controls(
    link: Link, outside: _CardContext, thread_url: str = "", *, rights: Rights = Rights.MANAGE
) -> list[Block]:
    """Return the row of controls."""
    has_ended = find_ending(link) is not None
    place = card_controls.Place(
        page=get_page_url(link, outside.coder_url),
        thread=thread_url,
        reported=get_reported_url(link),
        coder_url=outside.coder_url,
        forges=outside.forges,
    )
    is_open = bool(link.id) and not has_ended and link.record.task_id is not None
    return card_controls.controls(link, place, is_open=is_open, rights=rights)


def _text(link: Link, outside: _CardContext, hint: str = "") -> str:
    """Write the card as plain text, for clients that show no blocks."""
    record = link.record
    name = blocks.end_sentence(escape_line(get_name(link), blocks.TITLE_LENGTH))
    sentences = [f"{escape_line(get_phase_label(link).label, 60)}: {name}"]
    sentences.append(blocks.end_sentence(escape_line(get_detail(link), blocks.REPORT_LENGTH)))
    if record.task_id is None and not says_same(get_name(link), record.prompt):
        sentences.append(f"Asked for: {blocks.end_sentence(escape_line(record.prompt, 100))}")
    sentences += _notes(link, outside)
    owner = get_owner_name(link)
    sentences += [f"Owner: {escape_line(owner, 100)}."] if owner else []
    sentences += [f"Template: {escape_line(record.template, 100)}."] if record.template else []
    open_hint = "Everybody here can steer it." if outside.is_open and find_ending(link) is None else ""
    sentences += [open_hint, hint]
    pages = (get_reported_url(link), get_page_url(link, outside.coder_url))
    sentences += [escape_mrkdwn(page) for page in pages if len(page) <= SHOWN_URL_LENGTH]
    return " ".join(part for part in sentences if part)
