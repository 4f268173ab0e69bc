"""The card: the first message of a task's thread. It shows the present state and is edited in place.

A card names people without mentioning them, because it is edited often. It shows ages, such as `3 minutes
ago`, in a form that Slack keeps up to date. So the card is edited only when something else changes. Messages
that are posted once are in `notices`.
"""

from collections.abc import Collection
from typing import Literal, NamedTuple

from taskwire.domain.agent_text import sanitize_for_agent
from taskwire.domain.ids import ChannelId, LinkId, UserId, from_ms, moment_of, ts_of
from taskwire.domain.links import Link, LinkEnd, LinkRecord
from taskwire.domain.message import Block, Button, Message
from taskwire.domain.mrkdwn import escape_mrkdwn
from taskwire.domain.naming import is_same_text
from taskwire.domain.phases import Observation, Phase
from taskwire.domain.transitions import LinkState
from taskwire.messages import blocks
from taskwire.messages.blocks import (
    PHASE_LABELS,
    PhaseLabel,
    button,
    end_sentence,
    escape_line,
    format_age,
    format_moment,
    format_time,
    line,
    mrkdwn,
    one_line,
    plain_text,
    text_piece,
)

PROMPT_LENGTH = 300
# Longest URL in a card's text, in characters: a phone shows this text.
SHOWN_URL_LENGTH = 300

# Why Coder shows no tasks: it does not answer, it refuses our token, or it has no Tasks.
CoderFailure = Literal["away", "refused", "no_tasks"]
_CODER_FAILURES: dict[CoderFailure, str] = {
    "away": "does not answer me",
    "refused": "refuses my token",
    "no_tasks": "has no Tasks any more",
}

_CREATING_LABEL = PhaseLabel("hourglass_flowing_sand", "Creating…")
_ENDING_LABELS = {
    "gone": PHASE_LABELS[Phase.GONE],
    "detached": PhaseLabel("link", "Detached"),
    "failed": PhaseLabel("warning", "Not created"),
}
_NOT_ATTACHED_LABEL = PhaseLabel("warning", "Not attached")
_ENDING_NOTES = {
    "gone": "This task is no longer in Coder: replies here reach nobody. `/task create` starts a new one.",
}
_HINTS = {
    Phase.STARTING: "Reply in this thread to talk to the agent; it gets your words as soon as it is up.",
    Phase.NEEDS_YOU: "Reply in this thread to go on.",
    Phase.DONE: "Reply in this thread if there is more to do.",
    Phase.FAILED: "Reply in this thread to tell the agent how to go on.",
    Phase.PAUSING: "Reply in this thread to talk to the agent; your reply resumes it.",
    Phase.PAUSED: "Reply in this thread to talk to the agent; your reply resumes it.",
    Phase.BROKEN: "Replies in this thread are not delivered while it is broken; a button sends them later.",
}
_DEFAULT_HINT = "Reply in this thread to talk to the agent."
_PHASES_WITH_REPORT = frozenset(
    {Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED, Phase.PAUSING, Phase.PAUSED}
)


class _CardContext(NamedTuple):
    """What a card shows that its `Link` does not contain."""

    coder_url: str
    forges: Collection[str]
    unreachable_since_ms: int | None = None
    silence: CoderFailure = "away"


def card(
    link: Link,
    *,
    coder_url: str,
    forges: Collection[str] = (),
    unreachable_since_ms: int | None = None,
    silence: CoderFailure = "away",
) -> Message:
    """Make a link's card. `forges` are the hosts of code forges whose links need no host on their button.

    If Coder shows no tasks, `unreachable_since_ms` is since when, in Unix milliseconds, and `silence` is why.
    """
    outside = _CardContext(coder_url, forges, unreachable_since_ms, silence)
    hint = _hint(link)
    layout = [*_state_blocks(link, outside), *_buttons(link, outside)]
    if hint:
        layout.append(blocks.context("hint", [mrkdwn(hint)]))
    return Message(text=_text(link, hint, outside), blocks=tuple(layout))


def status_card(
    link: Link, *, coder_url: str, forges: Collection[str] = (), permalink: str = "", can_steer: bool = True
) -> Message:
    """Make the card for the answer to `/task status`, which one person sees.

    `permalink` is the URL of the thread. Without `can_steer`, the buttons that change the task are left out.
    """
    outside = _CardContext(coder_url, forges)
    first = (
        [button(Button.OPEN_THREAD, "Open thread", url=permalink)] if blocks.safe_web_url(permalink) else []
    )
    layout = [*_state_blocks(link, outside), *_buttons(link, outside, first, can_steer=can_steer)]
    hint = "" if link.id or find_ending(link) else _no_thread_hint(link.record.name)
    if hint:
        layout.append(blocks.context("hint", [mrkdwn(hint)]))
    return Message(text=_text(link, hint, outside), blocks=tuple(layout))


def make_unlinked(seen: Observation, state: LinkState, prompt: str = "") -> Link:
    """Make a link to show a task without a thread. Its id is empty, so its card has no action buttons."""
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
    """Return the task's title or name; without both, the beginning of its prompt."""
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


def get_phase_label(link: Link) -> PhaseLabel:
    """Return the emoji and the word for a link's state."""
    ending = find_ending(link)
    if ending == "failed" and link.record.task_id is not None:
        return _NOT_ATTACHED_LABEL
    if ending is not None:
        return _ENDING_LABELS[ending]
    if link.record.task_id is None:
        return _CREATING_LABEL
    phase, word = link.state.phase, one_line(link.state.unknown_status, 40)
    if phase is Phase.OTHER and word:
        return PhaseLabel(PHASE_LABELS[phase].emoji, f"Coder calls it “{word}”")
    face = PHASE_LABELS[phase]
    return (
        PhaseLabel("warning", f"{face.label}, agent not reachable")
        if _is_agent_unreachable(link.state)
        else face
    )


def _state_blocks(link: Link, outside: _CardContext) -> list[Block]:
    face, report = get_phase_label(link), _report(link)
    phase = [blocks.emoji_piece(face.emoji), text_piece(" "), text_piece(face.label, is_bold=True)]
    layout = [
        line("title", [blocks.title_piece(get_name(link), get_page_url(link, outside.coder_url))]),
        line("phase", [*phase, text_piece(f" · {report}")] if report else phase),
        blocks.context("facts", _facts(link)),
    ]
    notes = _notes(link, outside)
    if notes:
        layout.append(blocks.section("notes", "\n".join(notes)))
    prompt = link.record.prompt.strip()
    if prompt and not is_same_text(link.title, prompt):
        layout.append(blocks.quote_block("prompt", prompt, PROMPT_LENGTH))
    return layout


def _report(link: Link) -> str:
    """Return the agent's latest report; an empty string if it is not about the present state."""
    report = link.state.current_report
    is_shown = find_ending(link) is None and link.state.phase in _PHASES_WITH_REPORT
    return one_line(report.message, blocks.REPORT_LENGTH) if is_shown and report is not None else ""


def _facts(link: Link) -> list[Block]:
    record, seen = link.record, link.observation
    owner = record.owner_name or (seen.owner_name if seen else "")
    template = record.template or (seen.template if seen else "")
    made = f"{template} ({record.preset})" if template and record.preset else template
    started = record.created_at or (seen.created_at if seen else moment_of(record.made_at))
    facts = [plain_text(text, 100) for text in (owner, made) if text.strip()]
    facts.append(
        mrkdwn(f"started {format_age(started)}" if record.task_id else f"asked for {format_age(started)}")
    )
    if _report(link) and link.state.current_report is not None:
        facts.append(mrkdwn(f"last report {format_age(link.state.current_report.at)}"))
    if link.is_muted and find_ending(link) is None:
        facts.append(mrkdwn("muted: calls nobody"))
    return facts


def _notes(link: Link, outside: _CardContext) -> list[str]:
    """List the sentences that explain the state."""
    ending = find_ending(link)
    if ending == "failed":
        return [_failed_note(link)]
    if ending is not None:
        return [_ENDING_NOTES.get(ending, _detached_note(link))]
    state = link.state
    notes = [_phase_note(link)] if state.phase in _PHASE_NOTES and link.record.task_id else []
    if state.error_since_ms is not None and state.phase is not Phase.BROKEN:
        notes.append(_grace_note(state))
    if state.unreachable_since_ms is not None:
        notes.append(
            f"{_unreachable_note(state.unreachable_since_ms)} Often that passes by itself. {_RESTART_HINT}"
        )
    if state.is_script_failed:
        notes.append("Its startup script failed; it takes input all the same.")
    # During a pause, the hint says what a reply does, and the thread says how many replies wait.
    if link.hold is not None and state.phase not in (Phase.PAUSING, Phase.PAUSED):
        notes.append(
            "A pause was asked for here. Replies from before it wait; a new reply resumes the task and takes "
            "them along."
        )
    if outside.unreachable_since_ms is not None:
        moment = format_moment(from_ms(outside.unreachable_since_ms))
        what = _CODER_FAILURES[outside.silence]
        notes.append(f":warning: Coder {what} (first noticed: {moment}). What you see here is from before.")
    return notes


_RESTART_HINT = "*Retry* stops its workspace and starts it again."
_PHASE_NOTES = {
    Phase.UNCLEAR: "Coder does not say how its workspace stands. I keep looking.",
    Phase.BROKEN: "Coder reports an error with its workspace. *Retry* starts it again.",
    Phase.OTHER: "I do not know this word, so I show it as it is and keep looking.",
}


def _grace_note(state: LinkState) -> str:
    until = format_time(from_ms(state.grace_ends_ms)) if state.grace_ends_ms else ""
    if state.phase is Phase.STARTING and until:
        return (
            "Coder reports an error. While a workspace starts that may pass, so I wait until "
            f"{until} before I call it broken."
        )
    then = f"at {until}" if until else "in a moment"
    lost = _unreachable_note(state.error_since_ms or state.since_ms)
    return (
        f"{lost} That may pass by itself; if it is not back {then}, I say so in the thread. {_RESTART_HINT}"
    )


def _is_agent_unreachable(state: LinkState) -> bool:
    """Whether the agent cannot be reached. During a start that is normal, so the result is then False."""
    is_down = state.error_since_ms is not None and state.phase not in (Phase.STARTING, Phase.BROKEN)
    return is_down or state.unreachable_since_ms is not None


def _unreachable_note(since_ms: int) -> str:
    return f"Agent not reachable since {format_moment(from_ms(since_ms))}."


def _phase_note(link: Link) -> str:
    why = one_line(link.build_error, blocks.REPORT_LENGTH)
    if link.state.phase is not Phase.BROKEN or not why:
        return _PHASE_NOTES[link.state.phase]
    reason = end_sentence(escape_line(why, blocks.REPORT_LENGTH))
    return f"Its workspace's build failed: {reason} *Retry* starts it again."


def _failed_note(link: Link) -> str:
    if link.record.task_id is not None:
        return f"This task got no thread here. {link.failure}".strip()
    return f"Coder did not make this task. {link.failure} `/task create` starts another.".replace("  ", " ")


def _detached_note(link: Link) -> str:
    if link.moved_to:
        return f"This thread is no longer the task's: it has <{link.moved_to}|another one> now."
    name = link.record.name
    again = f" `/task attach {escape_line(name, 40)}` gives it one again." if name else ""
    return f"This thread is no longer the task's; the task itself was left alone.{again}"


def _no_thread_hint(name: str) -> str:
    command = f"`/task attach {escape_line(name, 40)}`"
    return f"It has no thread. {command} gives it one in the channel where you type it."


def _hint(link: Link) -> str:
    if find_ending(link) is not None:
        return ""
    if link.is_mention_only:
        return "Mention @Taskwire in a reply to talk to the agent."
    if link.record.task_id is None:
        return "You can reply in this thread already; the agent gets your words as soon as it is up."
    if _is_agent_unreachable(link.state):
        return "Replies wait until it is back."
    return _HINTS.get(link.state.phase, _DEFAULT_HINT)


def _buttons(
    link: Link, outside: _CardContext, first: list[Block] | None = None, *, can_steer: bool = True
) -> list[Block]:
    """Return the rows of buttons for the present state. `first` come first, mute and delete come last."""
    steps = [*(first or ()), *_link_buttons(link, outside)]
    apart: list[Block] = []
    if link.id and find_ending(link) is None and link.record.task_id:
        steps += _log_buttons(link)
    if link.id and find_ending(link) is None and link.record.task_id and can_steer:
        steps += _action_buttons(link)
        mute = (Button.UNMUTE, "Unmute") if link.is_muted else (Button.MUTE, "Mute")
        apart = [button(*mute, link.id), button(Button.DELETE, "Delete", link.id, style="danger")]
    return blocks.button_rows("buttons", steps, apart)


def _link_buttons(link: Link, outside: _CardContext) -> list[Block]:
    report, page = link.state.last_report, get_page_url(link, outside.coder_url)
    url = blocks.safe_web_url(report.uri) if report else ""
    is_result, known = link.state.phase is Phase.DONE, (outside.coder_url, outside.forges)
    pages = [blocks.report_button(url, *known, is_result=is_result)] if url else []
    if page:
        pages.append(button(Button.OPEN_CODER, "Open in Coder", url=page))
    return pages


def _log_buttons(link: Link) -> list[Block]:
    has_log = link.state.has_reported or link.state.phase in _PHASES_WITH_REPORT
    return [button(Button.LOGS, "Logs", link.id)] if has_log else []


def _action_buttons(link: Link) -> list[Block]:
    phase, made = link.state.phase, []
    if phase is Phase.PAUSED:
        made.append(button(Button.RESUME, "Resume", link.id, style="primary"))
        made.append(button(Button.EDIT, "Edit prompt", link.id))
    elif phase is Phase.BROKEN or _is_agent_unreachable(link.state):
        made.append(button(Button.RETRY, "Retry", link.id, style="primary"))
    if phase is not Phase.PAUSED and link.state.status == "active":
        made.append(button(Button.PAUSE, "Pause", link.id))
    return made + _discussion_buttons(link)


def _discussion_buttons(link: Link) -> list[Block]:
    """Return the buttons of a card that stands in a discussion."""
    record, made = link.record, []
    if record.root_ts is None:
        return []
    if not record.context and record.root_ts != record.made_at:
        made.append(button(Button.GIVE_THREAD, "Give it the thread", link.id))
    if link.is_mention_only:
        made.append(button(Button.READ_REPLIES, "Read every reply", link.id))
    else:
        made.append(button(Button.READ_MENTIONS, "Read mentions only", link.id))
    return made


def _text(link: Link, hint: str, outside: _CardContext) -> str:
    """Write the card as plain text, for clients that show no blocks."""
    record, state = link.record, link.state
    name = blocks.end_sentence(escape_line(get_name(link), blocks.TITLE_LENGTH))
    sentences = [f"{escape_line(get_phase_label(link).label, 60)}: {name}"]
    sentences.append(blocks.end_sentence(escape_line(_report(link), blocks.REPORT_LENGTH)))
    if record.task_id is None and not is_same_text(link.title, record.prompt):
        sentences.append(f"Asked for: {blocks.end_sentence(escape_line(record.prompt, 100))}")
    sentences += _notes(link, outside)
    sentences += [f"Owner: {escape_line(record.owner_name, 100)}."] if record.owner_name else []
    sentences += [f"Template: {escape_line(record.template, 100)}."] if record.template else []
    sentences.append(hint)
    pages = (
        blocks.safe_web_url(state.last_report.uri) if state.last_report else "",
        get_page_url(link, outside.coder_url),
    )
    sentences += [escape_mrkdwn(page) for page in pages if len(page) <= SHOWN_URL_LENGTH]
    return " ".join(part for part in sentences if part)
