"""Notices: new messages in a thread about a change that people may have to know.

If an agent has stopped, the notice begins with the agent's question or first sentence, and then shows the
answer. Other notices say what happened, and may show the end of the build's log. Every notice says what to do
next, and mentions only the people in `calls`, whom the caller chooses.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from taskwire.domain.lifecycle.events import Notice, NoticeKind
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.text.agent_questions import Choice, read_answer
from taskwire.domain.text.markdown import Node
from taskwire.domain.text.message import FROM_NOTICE, AgentOutput, Block, Button, Message
from taskwire.domain.text.mrkdwn import break_emoji, escape_mrkdwn
from taskwire.messages import blocks
from taskwire.messages.answer_blocks import answer_block
from taskwire.messages.blocks import (
    PHASE_LABELS,
    PhaseLabel,
    button,
    escape_line,
    line,
    mrkdwn,
    one_line,
    section,
    text_piece,
)
from taskwire.messages.cards import SHOWN_URL_LENGTH, get_name, get_owner_name, get_page_url
from taskwire.messages.reply_words import fit_reply_words

BUILD_LOG_LENGTH = 2_800
# In characters. A button of this length fits one line of a phone that is 360 pixels wide.
CHOICE_LENGTH = 32
# These notices are posted when the agent stops working, and show what it wrote.
OF_TURNS: frozenset[NoticeKind] = frozenset({"needs_input", "completed", "failed"})
# These notices begin with text that the agent wrote.
_WITH_AGENTS_WORDS = OF_TURNS | {"reminder"}

_LABELS: dict[NoticeKind, PhaseLabel] = {
    "needs_input": PHASE_LABELS[Phase.NEEDS_YOU],
    "completed": PHASE_LABELS[Phase.DONE],
    "failed": PHASE_LABELS[Phase.FAILED],
    "error": PHASE_LABELS[Phase.BROKEN],
    "paused": PHASE_LABELS[Phase.PAUSED],
    "resumed": PhaseLabel("arrow_forward", "Resumed"),
    "stuck": PhaseLabel("hourglass", "Stuck"),
    "gone": PHASE_LABELS[Phase.GONE],
    "reminder": PhaseLabel("alarm_clock", "Still needs you"),
}
_NEXT: dict[NoticeKind, str] = {
    "needs_input": "Reply here to go on.",
    "completed": "Reply here if there is more to do.",
    "failed": "Reply here to tell the agent how to go on.",
    "error": ("*Retry* starts the workspace again. If that fails, show this to a Coder administrator."),
    "paused": "Nothing is lost: a reply resumes it.",
    "resumed": "Reply here to talk to the agent.",
    "stuck": "Look at *Logs*, or *Stop* the task.",
    "reminder": "Reply here, or let me remind you later.",
    "gone": "No agent gets replies here now.",
}
# The text for channels in which a reply does not resume a task.
_PAUSED_WITH_REPLIES_WAITING = "Nothing is lost. *Resume* starts it again. Replies wait until then."
_AGENT_CRASHED = "The agent crashed. Its workspace is running."
_RESTART_HINT = "*Retry* stops the workspace and starts it again."
_STOP_FAILED = "Coder could not stop its workspace, and won't try again by itself."
_STOP_FAILED_HINT = (
    "*Retry* starts the workspace again, so that the agent can go on; then it can be stopped once more."
)
# Coder's reasons for a build that Coder's own timer started, as notifications and builds spell them.
_IDLE_REASONS = frozenset({"idle timeout", "task_auto_pause", "autostop"})
_DORMANT_REASONS = frozenset({"dormancy"})


class _NoticeContent(NamedTuple):
    """The texts and URLs of a notice. `page` is the task's page in Coder, `reported` is the agent's link.

    `has_agents_words` is true if the notice begins with the agent's question or first sentence.
    """

    title: str
    face: PhaseLabel
    what: str
    follow: str
    page: str
    reported: str
    waiting_reply_job: str = ""
    answer: tuple[Node, ...] = ()
    has_agents_words: bool = False


def notice(
    link: Link,
    notice: Notice,
    *,
    coder_url: str,
    forges: Collection[str] = (),
    written: AgentOutput | None = None,
    key: str = "",
    build_log: str = "",
    is_build_well: bool = False,
    is_stop: bool = False,
    pause_reason: str = "",
    is_resumed_by_reply: bool = True,
    by_name: str = "",
    calls: tuple[str, ...] = (),
) -> Message:
    """Make the message about a change of a task.

    `written` is the agent's output. The values of the notice's buttons contain `key`, which identifies the
    notice. `is_build_well` is true if there is an error although the workspace's latest build succeeded.
    `is_stop` is true if the error began while the workspace was being stopped. `pause_reason` is Coder's
    reason for a pause. `by_name` is the name of `notice.person`, shown without a mention. `calls` are the
    people and user groups to mention.
    """
    written = written or AgentOutput()
    answer = read_answer(written.answer, written.full_text)
    what, follow = _what_happened(notice, pause_reason, one_line(by_name, 80)), _NEXT[notice.kind]
    if notice.kind == "error" and (is_build_well or is_stop):
        what, follow = (_AGENT_CRASHED, _RESTART_HINT) if is_build_well else (_STOP_FAILED, _STOP_FAILED_HINT)
    if notice.kind == "paused" and not is_resumed_by_reply:
        follow = _PAUSED_WITH_REPLIES_WAITING
    elif notice.kind in ("stuck", "reminder"):
        follow = _follow_overdue(link, notice)
    follow = fit_reply_words("Choose, or reply here." if answer.choices else follow, link)
    content = _NoticeContent(
        title=get_name(link),
        face=get_notice_label(notice),
        what=one_line(answer.headline, blocks.REPORT_LENGTH) or what,
        follow=follow,
        page="" if notice.kind == "gone" else get_page_url(link, coder_url),
        reported=blocks.safe_web_url(notice.report.uri) if notice.report else "",
        waiting_reply_job=notice.waiting_reply_job,
        answer=answer.body,
        has_agents_words=notice.kind in _WITH_AGENTS_WORDS,
    )
    layout = [_headline(content, calls)]
    layout += [] if content.has_agents_words else [line("what", [text_piece(content.what)])]
    layout += _output_blocks(content, written)
    layout += _step_blocks(written, f"{link.id} {key}")
    layout += _build_log_blocks(build_log)
    layout.append(section("next", content.follow))
    layout += _choice_row(answer.choices, f"{link.id} {key}")
    layout += blocks.button_rows(
        "buttons", _buttons(link, notice.kind, content, (coder_url, forges), written)
    )
    return Message(text=_text(content, calls), blocks=tuple(layout))


def describe_notice(notice: Notice, written: AgentOutput) -> str:
    """Return a notice as one line: the agent's question or first sentence, or what happened."""
    headline = read_answer(written.answer, written.full_text).headline
    return _close_line(one_line(headline, blocks.REPORT_LENGTH)) or _what_happened(notice, "", "")


def _close_line(headline: str) -> str:
    """Return a headline for a text without the list that it leads to, so that it does not end in a colon."""
    return f"{headline[:-1]}…" if headline.endswith(":") else headline


def get_notice_label(notice: Notice) -> PhaseLabel:
    """Return the emoji and the word with which a notice begins."""
    return PhaseLabel("alarm_clock", "Still needs somebody") if notice.fallback else _LABELS[notice.kind]


def person_line(
    link: Link, notice: Notice, by_name: str, *, is_resumed_by_reply: bool = True, is_resuming: bool = False
) -> Message:
    """Make the single line about a pause or a resume that a person asked for.

    `is_resuming` is true if somebody has asked for the resume before the line about the pause was posted.
    """
    if notice.kind == "paused":
        follow = " A reply resumes it." if is_resumed_by_reply else " Replies wait until somebody resumes it."
        follow = fit_reply_words(follow, link)
        return _line(_LABELS["paused"].emoji, f"{get_pause_words(by_name)}.{'' if is_resuming else follow}")
    who = f" by {escape_line(by_name, 80)}" if by_name else ""
    return _line(_LABELS["resumed"].emoji, f"Resumed{who}.")


def get_pause_words(name: str) -> str:
    """Return who has paused a task, as mrkdwn without a full stop. `name` may be empty."""
    return f"Paused by {escape_line(name, 80)}" if name else "Paused"


def get_pause_end_words(paused_by: str, resumed_by: str) -> str:
    """Return who has paused a task, and who has resumed it. The names may be empty."""
    if paused_by and paused_by == resumed_by:
        return f"Paused and resumed by {escape_line(paused_by, 80)}"
    resumed = f"resumed by {escape_line(resumed_by, 80)}" if resumed_by else "then resumed"
    return f"{get_pause_words(paused_by)}, {resumed}"


def pause_ended(paused_by: str, resumed_by: str) -> Message:
    """Return the line that replaces the line about a pause after the task was resumed.

    The names may be empty.
    """
    return _line(_LABELS["resumed"].emoji, f"{get_pause_end_words(paused_by, resumed_by)}.")


def pause_told(paused_by: str) -> Message:
    """Return the line about a pause without saying how to resume the task. `paused_by` may be empty."""
    return _line(_LABELS["paused"].emoji, f"{get_pause_words(paused_by)}.")


def _line(emoji: str, words: str) -> Message:
    return Message(text=words, blocks=(section("line", f":{emoji}: {words}"),))


def task_found_again(link: Link, *, coder_url: str) -> Message:
    """Say that a task that was reported as gone is in Coder again."""
    content = _NoticeContent(
        title=get_name(link),
        face=PhaseLabel("leftwards_arrow_with_hook", "Back"),
        what="Coder shows this task again.",
        follow="Its agent gets replies here as before.",
        page=get_page_url(link.model_copy(update={"end_reason": None}), coder_url),
        reported="",
    )
    layout = [
        _headline(content, ()),
        line("what", [text_piece(content.what)]),
        section("next", content.follow),
    ]
    return Message(text=_text(content, ()), blocks=tuple(layout))


def alert(sentence: str) -> Message:
    """Tell an administrator about a problem that only administrators can solve."""
    said_once = f":warning: {escape_mrkdwn(sentence)}"
    return Message(text=said_once, blocks=(section("alert", said_once),))


def _what_happened(notice: Notice, pause_reason: str, by_name: str) -> str:
    """Return what happened, in one or two sentences. Text from people and agents in them is not escaped."""
    report = one_line(notice.report.message, blocks.REPORT_LENGTH) if notice.report else ""
    match notice.kind:
        case "needs_input":
            return report or "The agent stopped and said nothing."
        case "completed":
            return report or "The agent says that it is done."
        case "failed":
            return report or "The agent says that it failed."
        case "error":
            return "The workspace is broken, so the agent can't work."
        case "paused":
            return _why_paused(pause_reason)
        case "resumed":
            return "The workspace is running."
        case "stuck":
            return f"Nothing has changed for {blocks.format_duration(notice.lasted_ms)}."
        case "gone":
            return _describe_deletion(notice, by_name)
        case "reminder":
            return report or "The agent needs a reply."


def _follow_overdue(link: Link, notice: Notice) -> str:
    """Say since when a question is open, or since when nothing has changed, and what to do."""
    lasted = blocks.format_duration(notice.lasted_ms)
    if notice.fallback:
        owner = escape_line(get_owner_name(link), 80) or "Its owner"
        return f"{owner} has not answered for {lasted}. Reply here, or ask them."
    if notice.kind == "reminder":
        return f"The agent has waited for {lasted}. {_NEXT['reminder']}"
    if link.state.status != "active":
        return "Coder does not say what the workspace is doing. Look at it in Coder."
    return _NEXT["stuck"]


def _describe_deletion(notice: Notice, by_name: str) -> str:
    if notice.person is None:
        return "The task is no longer in Coder."
    return f"{by_name} deleted it." if by_name else "It was deleted from here."


def _why_paused(reason: str) -> str:
    if reason in _IDLE_REASONS:
        return "Nothing happened for a while, so Coder stopped its workspace."
    if reason in _DORMANT_REASONS:
        return "It was not used for a long time, so Coder stopped its workspace."
    return "The workspace was stopped in Coder."


def _headline(content: _NoticeContent, calls: tuple[str, ...]) -> Block:
    pieces: list[Block] = []
    for called in calls:
        pieces += [blocks.mention_piece(called), text_piece(" ")]
    pieces += [blocks.emoji_piece(content.face.emoji), text_piece(" ")]
    if content.has_agents_words:
        pieces.append(text_piece(break_emoji(content.what), is_bold=True))
    else:
        pieces += [
            text_piece(f"{content.face.label}: ", is_bold=True),
            blocks.title_piece(content.title, content.page),
        ]
    return line("headline", pieces)


def _output_blocks(content: _NoticeContent, written: AgentOutput) -> list[Block]:
    """Make the blocks for the agent's output, and for a note that says where the rest of the output is."""
    layout: list[Block] = []
    if content.answer:
        layout.append(answer_block("prose", content.answer))
    elif not written.answer and written.text.strip():
        layout.append(blocks.code_block("excerpt", written.text.strip("\n")))
    where = _where_rest_is(written)
    return [*layout, blocks.context("excerpt.whole", [mrkdwn(where)])] if where else layout


def _choice_row(choices: Sequence[Choice], value: str) -> list[Block]:
    """Make a row with one button for each choice. `value` is the beginning of the buttons' values.

    A long choice is shortened to one line of a phone. The answer above shows the whole choice.
    """
    made = [
        button(Button.CHOOSE, one_line(choice.label, CHOICE_LENGTH), f"{value}:{number}")
        | {"action_id": f"{Button.CHOOSE.value}.{number}"}
        for number, choice in enumerate(choices)
    ]
    return [{"type": "actions", "block_id": "choices", "elements": [*made]}] if made else []


def _step_blocks(written: AgentOutput, value: str) -> list[Block]:
    """Make a block with the number of the agent's steps and a button that shows them; none without steps."""
    if not written.steps_text:
        return []
    words = section("steps", count_steps(written))
    return [{**words, "accessory": button(Button.STEPS, "Show steps", value)}]


def count_steps(written: AgentOutput, *, last: int = 0) -> str:
    """Return the number of a turn's steps and of the tests in its last run: `9 steps · 127 tests passed`.

    If only the `last` steps are shown, say so.
    """
    passed, failed = written.tests_passed, written.tests_failed
    parts = ["1 step" if written.step_count == 1 else f"{written.step_count} steps"]
    if 1 < last < written.step_count:
        parts = [f"The last {last} of {written.step_count} steps"]
    if failed:
        parts.append(f"{failed} of {passed + failed} tests failed")
    elif passed:
        parts.append("1 test passed" if passed == 1 else f"{passed} tests passed")
    return " · ".join(parts)


def _build_log_blocks(build_log: str) -> list[Block]:
    """Make the blocks that show the end of the build's log; none if the log is empty."""
    if not build_log.strip():
        return []
    tail = blocks.cut_beginning(build_log.strip("\n"), BUILD_LOG_LENGTH)
    return [
        blocks.context("build.name", [mrkdwn("The end of the build's log:")]),
        blocks.code_block("build", tail),
    ]


def _where_rest_is(written: AgentOutput) -> str:
    if written.answer:
        return "This is the beginning. The file in this thread has all of it." if written.full_text else ""
    if written.full_text:
        return "This is the end of what it wrote; the file in this thread has all of it."
    is_too_long = len(written.text) > blocks.CODE_LENGTH
    return "This is the end of what it wrote; `!logs full` sends you all of it." if is_too_long else ""


def _buttons(
    link: Link,
    kind: NoticeKind,
    content: _NoticeContent,
    known: tuple[str, Collection[str]],
    written: AgentOutput,
) -> list[Block]:
    made: list[Block] = []
    if content.reported:
        is_result = kind == "completed"
        made.append(blocks.report_button(content.reported, *known, is_result=is_result, link=link.id))
    if kind == "reminder":
        made.append(button(Button.ANSWER, "Answer", link.id, style="primary"))
        made.append(button(Button.SNOOZE_HOUR, "Remind me in 1 h", link.id))
        made.append(button(Button.SNOOZE_TOMORROW, "Remind me tomorrow", link.id))
    if kind == "stuck" and link.state.status == "active":
        made.append(button(Button.PAUSE, "Stop", link.id))
        made.append(button(Button.LOGS, "Logs", link.id))
    if content.waiting_reply_job:
        value = f"{link.id} {FROM_NOTICE}{content.waiting_reply_job}"
        made.append(button(Button.RETRY_AND_SEND, "Retry and send", value, style="primary"))
    if kind == "error":
        made.append(
            button(Button.RETRY, "Retry", link.id, style="" if content.waiting_reply_job else "primary")
        )
    if kind == "gone":
        made.append(button(Button.NEW_TASK, "New task", "new"))
    if kind == "paused":
        made.append(button(Button.RESUME, "Resume", link.id))
        made.append(button(Button.EDIT, "Edit prompt", link.id))
    if content.page:
        made.append(button(Button.OPEN_CODER, "Open in Coder", url=content.page))
    if kind in ("needs_input", "failed") and not written.answer:
        made.append(button(Button.LOGS, "Logs", link.id))
    return made


def _text(content: _NoticeContent, calls: tuple[str, ...]) -> str:
    """Write the notice as plain text, for phones and for clients that show no blocks."""
    parts = [blocks.mention(called) for called in calls]
    headed = f"{content.face.label}: {blocks.end_sentence(escape_line(content.title, blocks.TITLE_LENGTH))}"
    what = break_emoji(escape_line(_close_line(content.what), blocks.REPORT_LENGTH + 60))
    what = blocks.end_sentence(what)
    # A push notification begins with the words that matter most.
    parts += [f"{what}\n{headed}"] if content.has_agents_words else [headed, what]
    parts.append(content.follow)
    parts += [escape_mrkdwn(content.reported)] if 0 < len(content.reported) <= SHOWN_URL_LENGTH else []
    return " ".join(parts)
