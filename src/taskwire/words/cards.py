"""The card: the one message per link that shows the present and is edited in place.

It names people without calling them, since a card is also posted. Ages are written so that they go on by
themselves: a card is only edited when something changes. What is told once belongs to `notices`.
"""

from typing import Literal, NamedTuple

from taskwire.model.actions import Button
from taskwire.model.changes import Story
from taskwire.model.ids import ChannelId, LinkId, UserId, from_ms, moment_of, ts_of
from taskwire.model.links import Bond, Link, LinkEnd
from taskwire.model.messages import Block, Message
from taskwire.model.mrkdwn import escape_mrkdwn
from taskwire.model.phases import Observation, Phase
from taskwire.words import blocks
from taskwire.words.blocks import (
    FACES,
    Face,
    ago,
    at,
    button,
    escaped,
    line,
    one_line,
    own,
    plain,
    said,
    when,
)

PROMPT = 300
# A longer address does not belong in a text that a phone shows.
SHOWN_URL = 300

# Why Coder shows no tasks: it does not answer, does not take our token, or is one that has none.
Silence = Literal["away", "refused", "no_tasks"]
_SILENCES: dict[Silence, str] = {
    "away": "does not answer me",
    "refused": "refuses my token",
    "no_tasks": "has no Tasks any more",
}

_CREATING = Face("hourglass_flowing_sand", "Creating…")
_ENDED = {
    "gone": FACES[Phase.GONE],
    "detached": Face("link", "Detached"),
    "failed": Face("warning", "Not created"),
}
_NOT_ATTACHED = Face("warning", "Not attached")
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
    """What a card needs to know beside its link."""

    coder_url: str
    unreachable_since_ms: int | None = None
    silence: Silence = "away"


def card(
    link: Link, *, coder_url: str, unreachable_since_ms: int | None = None, silence: Silence = "away"
) -> Message:
    """Say how a link's task stands, or stood; `silence` is why that is not known any better."""
    outside = _Outside(coder_url, unreachable_since_ms, silence)
    hint = _hint(link)
    drawn = [*_present(link, outside), *_buttons(link, coder_url)]
    if hint:
        drawn.append(blocks.context("hint", [own(hint)]))
    return Message(text=_text(link, hint, outside), blocks=tuple(drawn))


def status(link: Link, *, coder_url: str, permalink: str = "") -> Message:
    """Say the same to one person who asked, with the way to the thread."""
    outside = _Outside(coder_url)
    first = [button(Button.OPEN_THREAD, "Open thread", url=permalink)] if blocks.web_url(permalink) else []
    drawn = [*_present(link, outside), *_buttons(link, coder_url, first)]
    hint = "" if link.id or ending_of(link) else _no_thread(link.bond.name)
    if hint:
        drawn.append(blocks.context("hint", [own(hint)]))
    return Message(text=_text(link, hint, outside), blocks=tuple(drawn))


def unlinked(seen: Observation, story: Story) -> Link:
    """Make what a card needs of a task that has no thread; its id is empty, so nothing on it acts."""
    bond = Bond(
        id=LinkId(""),
        channel=ChannelId(""),
        made_at=ts_of(seen.created_at),
        asked_by=UserId(""),
        owner_id=seen.owner_id,
        owner_name=seen.owner_name,
        prompt=seen.prompt,
        name=seen.name,
        title=seen.title,
        template=seen.template,
        task_id=seen.task_id,
    )
    return Link(bond=bond, story=story, seen=seen)


def name_of(link: Link) -> str:
    """Call the task what people call it; before it has a name, by the beginning of its prompt."""
    return one_line(link.title, blocks.TITLE) or one_line(link.bond.prompt, 60) or "New task"


def ending_of(link: Link) -> LinkEnd | None:
    """Say how the link has ended, if it has; what vanished has, before that is written down."""
    return "gone" if link.ended is None and link.story.phase is Phase.GONE else link.ended


def page_of(link: Link, coder_url: str) -> str:
    """Address the task's page in Coder; nothing where there is none, or no longer."""
    if ending_of(link) == "gone":
        return ""
    owner = link.bond.owner_name or (link.seen.owner_name if link.seen else "")
    return blocks.task_url(coder_url, owner, link.bond.task_id)


def face_of(link: Link) -> Face:
    """Say in a word how the link stands."""
    ending = ending_of(link)
    if ending == "failed" and link.bond.task_id is not None:
        return _NOT_ATTACHED
    if ending is not None:
        return _ENDED[ending]
    if link.bond.task_id is None:
        return _CREATING
    phase, word = link.story.phase, one_line(link.story.word, 40)
    if phase is Phase.OTHER and word:
        return Face(FACES[phase].emoji, f"Coder calls it “{word}”")
    return FACES[phase]


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
    prompt = link.bond.prompt.strip()
    if prompt and prompt != link.title:
        drawn.append(blocks.quoted("prompt", prompt, PROMPT))
    return drawn


def _report(link: Link) -> str:
    """The agent's latest report, where it still speaks of the present."""
    report = link.story.present_report
    is_shown = ending_of(link) is None and link.story.phase in _REPORTING
    return one_line(report.message, blocks.REPORT) if is_shown and report is not None else ""


def _facts(link: Link) -> list[Block]:
    bond, seen = link.bond, link.seen
    owner = bond.owner_name or (seen.owner_name if seen else "")
    template = bond.template or (seen.template if seen else "")
    made = f"{template} ({bond.preset})" if template and bond.preset else template
    started = seen.created_at if seen else moment_of(bond.made_at)
    facts = [plain(text, 100) for text in (owner, made) if text.strip()]
    facts.append(own(f"started {ago(started)}" if bond.task_id else f"asked for {ago(started)}"))
    if _report(link) and link.story.present_report is not None:
        facts.append(own(f"last report {ago(link.story.present_report.at)}"))
    if link.is_muted and ending_of(link) is None:
        facts.append(own("muted: calls nobody"))
    return facts


def _notes(link: Link, outside: _Outside) -> list[str]:
    """What has to be explained, if anything."""
    ending = ending_of(link)
    if ending == "failed":
        return [_not_made(link)]
    if ending is not None:
        return [_LAST_WORDS.get(ending, _detached(link.bond.name))]
    story = link.story
    notes = [_PHASE_NOTES[story.phase]] if story.phase in _PHASE_NOTES and link.bond.task_id else []
    if story.error_ms is not None and story.phase is not Phase.BROKEN:
        notes.append(_waited_out(story))
    if story.unreachable_ms is not None:
        lost = when(from_ms(story.unreachable_ms))
        notes.append(f"Agent not reachable (first noticed: {lost}). Often it comes back by itself.")
    # Where it rests, the hint says what a reply does, and the thread how many wait.
    if link.hold is not None and story.phase not in (Phase.PAUSING, Phase.PAUSED):
        notes.append(
            "A pause was asked for here. Replies from before it wait; a new reply resumes the task and takes "
            "them along."
        )
    if outside.unreachable_since_ms is not None:
        moment = when(from_ms(outside.unreachable_since_ms))
        what = _SILENCES[outside.silence]
        notes.append(f":warning: Coder {what} (first noticed: {moment}). What you see here is from before.")
    return notes


_PHASE_NOTES = {
    Phase.UNCLEAR: "Coder does not say how its workspace stands. I keep looking.",
    Phase.BROKEN: "Coder reports an error with its workspace. *Retry* starts it again.",
    Phase.OTHER: "I do not know this word, so I show it as it is and keep looking.",
}


def _waited_out(story: Story) -> str:
    until = at(from_ms(story.grace_ends_ms)) if story.grace_ends_ms else ""
    if story.phase is Phase.STARTING and until:
        return (
            "Coder reports an error. While a workspace starts that may pass, so I wait until "
            f"{until} before I call it broken."
        )
    then = f"at {until}" if until else "in a moment"
    return (
        "Coder reports an error for this task. It may pass; "
        f"if it is still there {then}, I say so in the thread."
    )


def _not_made(link: Link) -> str:
    if link.bond.task_id is not None:
        return f"This task got no thread here. {link.failure}".strip()
    return f"Coder did not make this task. {link.failure} `/task create` starts another.".replace("  ", " ")


def _detached(name: str) -> str:
    again = f" `/task attach {escaped(name, 40)}` gives it one again." if name else ""
    return f"This thread is no longer the task's; the task itself was left alone.{again}"


def _no_thread(name: str) -> str:
    return (
        f"It has no thread. `/task attach {escaped(name, 40)}` gives it one in the channel where you type it."
    )


def _hint(link: Link) -> str:
    if ending_of(link) is not None:
        return ""
    if link.bond.task_id is None:
        return "You can reply in this thread already; the agent gets your words as soon as it is up."
    return _HINTS.get(link.story.phase, _HINT)


def _buttons(link: Link, coder_url: str, first: list[Block] | None = None) -> list[Block]:
    """The few that make sense now: what opens a page, what steers, and apart from these the last resorts."""
    steps = [*(first or ()), *_pages(link, coder_url)]
    apart: list[Block] = []
    if link.id and ending_of(link) is None and link.bond.task_id:
        steps += _steering(link)
        mute = (Button.UNMUTE, "Unmute") if link.is_muted else (Button.MUTE, "Mute")
        apart = [button(*mute, link.id), button(Button.DELETE, "Delete", link.id, style="danger")]
    return blocks.rows("buttons", steps, apart)


def _pages(link: Link, coder_url: str) -> list[Block]:
    report, page = link.story.last_report, page_of(link, coder_url)
    url = blocks.web_url(report.uri) if report else ""
    pages = [blocks.reported(url, is_result=link.story.phase is Phase.DONE)] if url else []
    if page:
        pages.append(button(Button.OPEN_CODER, "Open in Coder", url=page))
    return pages


def _steering(link: Link) -> list[Block]:
    phase, made = link.story.phase, []
    if link.story.has_reported or phase in _REPORTING:
        made.append(button(Button.LOGS, "Logs", link.id))
    if phase is Phase.PAUSED:
        made.append(button(Button.RESUME, "Resume", link.id, style="primary"))
        made.append(button(Button.EDIT, "Edit prompt", link.id))
    elif phase is Phase.BROKEN:
        made.append(button(Button.RETRY, "Retry", link.id, style="primary"))
    elif link.story.status == "active":
        made.append(button(Button.PAUSE, "Pause", link.id))
    return made


def _text(link: Link, hint: str, outside: _Outside) -> str:
    """The card for whoever sees no blocks."""
    bond, story = link.bond, link.story
    told = [f"{escaped(face_of(link).label, 60)}: {blocks.sentence(escaped(name_of(link), blocks.TITLE))}"]
    told.append(blocks.sentence(escaped(_report(link), blocks.REPORT)))
    if bond.task_id is None and bond.prompt.strip() != link.title:
        told.append(f"Asked for: {blocks.sentence(escaped(bond.prompt, 100))}")
    told += _notes(link, outside)
    told += [f"Owner: {escaped(bond.owner_name, 100)}."] if bond.owner_name else []
    told += [f"Template: {escaped(bond.template, 100)}."] if bond.template else []
    told.append(hint)
    pages = (
        blocks.web_url(story.last_report.uri) if story.last_report else "",
        page_of(link, outside.coder_url),
    )
    told += [escape_mrkdwn(page) for page in pages if len(page) <= SHOWN_URL]
    return " ".join(part for part in told if part)
