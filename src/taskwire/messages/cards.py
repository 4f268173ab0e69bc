"""The card: the one message of a link that shows the present state and is edited in place.

A card names people without mentioning them, because it is also posted. Slack keeps the ages on it up to date,
because a card is edited only when something changes. Texts that are posted once are in `notices`.
"""

from collections.abc import Collection
from typing import Literal, NamedTuple

from taskwire.domain.agent_text import for_agent
from taskwire.domain.ids import ChannelId, LinkId, UserId, from_ms, moment_of, ts_of
from taskwire.domain.links import Link, LinkEnd, LinkRecord
from taskwire.domain.message import Block, Button, Message
from taskwire.domain.mrkdwn import escape_mrkdwn
from taskwire.domain.naming import says_the_same
from taskwire.domain.phases import Observation, Phase
from taskwire.domain.transitions import LinkState
from taskwire.messages import blocks
from taskwire.messages.blocks import (
    PHASE_LABELS,
    PhaseLabel,
    ago,
    at,
    button,
    escaped,
    line,
    one_line,
    own,
    plain,
    said,
    sentence,
    when,
)

PROMPT = 300
# In characters. A longer address does not belong in a text that a phone shows.
SHOWN_URL = 300

# Why Coder shows no tasks: it does not answer, it refuses our token, or it has no Tasks.
Silence = Literal["away", "refused", "no_tasks"]
_SILENCES: dict[Silence, str] = {
    "away": "does not answer me",
    "refused": "refuses my token",
    "no_tasks": "has no Tasks any more",
}

_CREATING = PhaseLabel("hourglass_flowing_sand", "Creating…")
_ENDED = {
    "gone": PHASE_LABELS[Phase.GONE],
    "detached": PhaseLabel("link", "Detached"),
    "failed": PhaseLabel("warning", "Not created"),
}
_NOT_ATTACHED = PhaseLabel("warning", "Not attached")
_LAST_WORDS = {
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
_HINT = "Reply in this thread to talk to the agent."
_REPORTING = frozenset(
    {Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED, Phase.PAUSING, Phase.PAUSED}
)


class _Outside(NamedTuple):
    """What a card needs to know besides its link."""

    coder_url: str
    forges: Collection[str]
    unreachable_since_ms: int | None = None
    silence: Silence = "away"


def card(
    link: Link,
    *,
    coder_url: str,
    forges: Collection[str] = (),
    unreachable_since_ms: int | None = None,
    silence: Silence = "away",
) -> Message:
    """Make a link's card. `silence` says why Coder could not be read since `unreachable_since_ms`."""
    outside = _Outside(coder_url, forges, unreachable_since_ms, silence)
    hint = _hint(link)
    drawn = [*_present(link, outside), *_buttons(link, outside)]
    if hint:
        drawn.append(blocks.context("hint", [own(hint)]))
    return Message(text=_text(link, hint, outside), blocks=tuple(drawn))


def status(
    link: Link, *, coder_url: str, forges: Collection[str] = (), permalink: str = "", can_steer: bool = True
) -> Message:
    """Make the card for one person, with a link to the thread and without buttons that would refuse them."""
    outside = _Outside(coder_url, forges)
    first = [button(Button.OPEN_THREAD, "Open thread", url=permalink)] if blocks.web_url(permalink) else []
    drawn = [*_present(link, outside), *_buttons(link, outside, first, can_steer=can_steer)]
    hint = "" if link.id or ending_of(link) else _no_thread(link.record.name)
    if hint:
        drawn.append(blocks.context("hint", [own(hint)]))
    return Message(text=_text(link, hint, outside), blocks=tuple(drawn))


def unlinked(seen: Observation, state: LinkState, prompt: str = "") -> Link:
    """Make a link for the card of a task without a thread. Its id is empty, so that no button acts."""
    record = LinkRecord(
        id=LinkId(""),
        channel=ChannelId(""),
        made_at=ts_of(seen.created_at),
        requested_by=UserId(""),
        owner_id=seen.owner_id,
        owner_name=seen.owner_name,
        prompt=for_agent(prompt),
        name=seen.name,
        title=seen.title,
        template=seen.template,
        task_id=seen.task_id,
    )
    return Link(record=record, state=state, seen=seen)


def name_of(link: Link) -> str:
    """Return the task's name for people; the beginning of its prompt until it has a name."""
    return one_line(link.title, blocks.TITLE) or one_line(link.record.prompt, 60) or "New task"


def ending_of(link: Link) -> LinkEnd | None:
    """Return how the link has ended, if it has. A vanished task counts even before that is stored."""
    return "gone" if link.ended is None and link.state.phase is Phase.GONE else link.ended


def page_of(link: Link, coder_url: str) -> str:
    """Return the address of the task's page in Coder, or nothing if there is no such page now."""
    return "" if ending_of(link) == "gone" else former_page_of(link, coder_url)


def former_page_of(link: Link, coder_url: str) -> str:
    """Return the address of the page that the task has in Coder, or had."""
    owner = link.record.owner_name or (link.seen.owner_name if link.seen else "")
    return blocks.task_url(coder_url, owner, link.record.task_id)


def face_of(link: Link) -> PhaseLabel:
    """Return the emoji and the word for a link's state."""
    ending = ending_of(link)
    if ending == "failed" and link.record.task_id is not None:
        return _NOT_ATTACHED
    if ending is not None:
        return _ENDED[ending]
    if link.record.task_id is None:
        return _CREATING
    phase, word = link.state.phase, one_line(link.state.word, 40)
    if phase is Phase.OTHER and word:
        return PhaseLabel(PHASE_LABELS[phase].emoji, f"Coder calls it “{word}”")
    face = PHASE_LABELS[phase]
    return (
        PhaseLabel("warning", f"{face.label}, agent not reachable") if _is_out_of_reach(link.state) else face
    )


def _present(link: Link, outside: _Outside) -> list[Block]:
    face, report = face_of(link), _report(link)
    phase = [blocks.emoji(face.emoji), said(" "), said(face.label, is_bold=True)]
    drawn = [
        line("title", [blocks.titled(name_of(link), page_of(link, outside.coder_url))]),
        line("phase", [*phase, said(f" · {report}")] if report else phase),
        blocks.context("facts", _facts(link)),
    ]
    notes = _notes(link, outside)
    if notes:
        drawn.append(blocks.section("notes", "\n".join(notes)))
    prompt = link.record.prompt.strip()
    if prompt and not says_the_same(link.title, prompt):
        drawn.append(blocks.quoted("prompt", prompt, PROMPT))
    return drawn


def _report(link: Link) -> str:
    """Return the agent's latest report, if it is still about the present."""
    report = link.state.present_report
    is_shown = ending_of(link) is None and link.state.phase in _REPORTING
    return one_line(report.message, blocks.REPORT) if is_shown and report is not None else ""


def _facts(link: Link) -> list[Block]:
    record, seen = link.record, link.seen
    owner = record.owner_name or (seen.owner_name if seen else "")
    template = record.template or (seen.template if seen else "")
    made = f"{template} ({record.preset})" if template and record.preset else template
    started = record.created_at or (seen.created_at if seen else moment_of(record.made_at))
    facts = [plain(text, 100) for text in (owner, made) if text.strip()]
    facts.append(own(f"started {ago(started)}" if record.task_id else f"asked for {ago(started)}"))
    if _report(link) and link.state.present_report is not None:
        facts.append(own(f"last report {ago(link.state.present_report.at)}"))
    if link.is_muted and ending_of(link) is None:
        facts.append(own("muted: calls nobody"))
    return facts


def _notes(link: Link, outside: _Outside) -> list[str]:
    """List what the card has to explain."""
    ending = ending_of(link)
    if ending == "failed":
        return [_not_made(link)]
    if ending is not None:
        return [_LAST_WORDS.get(ending, _detached(link))]
    state = link.state
    notes = [_phase_note(link)] if state.phase in _PHASE_NOTES and link.record.task_id else []
    if state.error_ms is not None and state.phase is not Phase.BROKEN:
        notes.append(_waited_out(state))
    if state.unreachable_ms is not None:
        notes.append(f"{_lost(state.unreachable_ms)} Often that passes by itself. {_RESTART}")
    if state.is_script_failed:
        notes.append("Its startup script failed; it takes input all the same.")
    # During a pause, the hint says what a reply does, and the thread says how many replies wait.
    if link.hold is not None and state.phase not in (Phase.PAUSING, Phase.PAUSED):
        notes.append(
            "A pause was asked for here. Replies from before it wait; a new reply resumes the task and takes "
            "them along."
        )
    if outside.unreachable_since_ms is not None:
        moment = when(from_ms(outside.unreachable_since_ms))
        what = _SILENCES[outside.silence]
        notes.append(f":warning: Coder {what} (first noticed: {moment}). What you see here is from before.")
    return notes


_RESTART = "*Retry* stops its workspace and starts it again."
_PHASE_NOTES = {
    Phase.UNCLEAR: "Coder does not say how its workspace stands. I keep looking.",
    Phase.BROKEN: "Coder reports an error with its workspace. *Retry* starts it again.",
    Phase.OTHER: "I do not know this word, so I show it as it is and keep looking.",
}


def _waited_out(state: LinkState) -> str:
    until = at(from_ms(state.grace_ends_ms)) if state.grace_ends_ms else ""
    if state.phase is Phase.STARTING and until:
        return (
            "Coder reports an error. While a workspace starts that may pass, so I wait until "
            f"{until} before I call it broken."
        )
    then = f"at {until}" if until else "in a moment"
    lost = _lost(state.error_ms or state.since_ms)
    return f"{lost} That may pass by itself; if it is not back {then}, I say so in the thread. {_RESTART}"


def _is_out_of_reach(state: LinkState) -> bool:
    """Whether an agent that was up cannot be reached. During a start this is normal."""
    is_down = state.error_ms is not None and state.phase not in (Phase.STARTING, Phase.BROKEN)
    return is_down or state.unreachable_ms is not None


def _lost(since_ms: int) -> str:
    return f"Agent not reachable since {when(from_ms(since_ms))}."


def _phase_note(link: Link) -> str:
    why = one_line(link.broken_why, blocks.REPORT)
    if link.state.phase is not Phase.BROKEN or not why:
        return _PHASE_NOTES[link.state.phase]
    return f"Its workspace's build failed: {sentence(escaped(why, blocks.REPORT))} *Retry* starts it again."


def _not_made(link: Link) -> str:
    if link.record.task_id is not None:
        return f"This task got no thread here. {link.failure}".strip()
    return f"Coder did not make this task. {link.failure} `/task create` starts another.".replace("  ", " ")


def _detached(link: Link) -> str:
    if link.moved_to:
        return f"This thread is no longer the task's: it has <{link.moved_to}|another one> now."
    name = link.record.name
    again = f" `/task attach {escaped(name, 40)}` gives it one again." if name else ""
    return f"This thread is no longer the task's; the task itself was left alone.{again}"


def _no_thread(name: str) -> str:
    return (
        f"It has no thread. `/task attach {escaped(name, 40)}` gives it one in the channel where you type it."
    )


def _hint(link: Link) -> str:
    if ending_of(link) is not None:
        return ""
    if link.record.task_id is None:
        return "You can reply in this thread already; the agent gets your words as soon as it is up."
    if _is_out_of_reach(link.state):
        return "Replies wait until it is back."
    return _HINTS.get(link.state.phase, _HINT)


def _buttons(
    link: Link, outside: _Outside, first: list[Block] | None = None, *, can_steer: bool = True
) -> list[Block]:
    """Return the buttons that make sense now. Mute and delete are apart from the others."""
    steps = [*(first or ()), *_pages(link, outside)]
    apart: list[Block] = []
    if link.id and ending_of(link) is None and link.record.task_id:
        steps += _reading(link)
    if link.id and ending_of(link) is None and link.record.task_id and can_steer:
        steps += _steering(link)
        mute = (Button.UNMUTE, "Unmute") if link.is_muted else (Button.MUTE, "Mute")
        apart = [button(*mute, link.id), button(Button.DELETE, "Delete", link.id, style="danger")]
    return blocks.rows("buttons", steps, apart)


def _pages(link: Link, outside: _Outside) -> list[Block]:
    report, page = link.state.last_report, page_of(link, outside.coder_url)
    url = blocks.web_url(report.uri) if report else ""
    is_result, known = link.state.phase is Phase.DONE, (outside.coder_url, outside.forges)
    pages = [blocks.reported(url, *known, is_result=is_result)] if url else []
    if page:
        pages.append(button(Button.OPEN_CODER, "Open in Coder", url=page))
    return pages


def _reading(link: Link) -> list[Block]:
    has_log = link.state.has_reported or link.state.phase in _REPORTING
    return [button(Button.LOGS, "Logs", link.id)] if has_log else []


def _steering(link: Link) -> list[Block]:
    phase, made = link.state.phase, []
    if phase is Phase.PAUSED:
        made.append(button(Button.RESUME, "Resume", link.id, style="primary"))
        made.append(button(Button.EDIT, "Edit prompt", link.id))
    elif phase is Phase.BROKEN or _is_out_of_reach(link.state):
        made.append(button(Button.RETRY, "Retry", link.id, style="primary"))
    if phase is not Phase.PAUSED and link.state.status == "active":
        made.append(button(Button.PAUSE, "Pause", link.id))
    return made


def _text(link: Link, hint: str, outside: _Outside) -> str:
    """Write the card as a text, for clients that show no blocks."""
    record, state = link.record, link.state
    told = [f"{escaped(face_of(link).label, 60)}: {blocks.sentence(escaped(name_of(link), blocks.TITLE))}"]
    told.append(blocks.sentence(escaped(_report(link), blocks.REPORT)))
    if record.task_id is None and not says_the_same(link.title, record.prompt):
        told.append(f"Asked for: {blocks.sentence(escaped(record.prompt, 100))}")
    told += _notes(link, outside)
    told += [f"Owner: {escaped(record.owner_name, 100)}."] if record.owner_name else []
    told += [f"Template: {escaped(record.template, 100)}."] if record.template else []
    told.append(hint)
    pages = (
        blocks.web_url(state.last_report.uri) if state.last_report else "",
        page_of(link, outside.coder_url),
    )
    told += [escape_mrkdwn(page) for page in pages if len(page) <= SHOWN_URL]
    return " ".join(part for part in told if part)
