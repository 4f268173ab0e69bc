"""Answers to a person who asks for an agent's output: its last answer and steps, or its log."""

from collections.abc import Sequence
from datetime import datetime

from taskwire.domain.text import agent_screens
from taskwire.domain.text.markdown import parse
from taskwire.domain.text.message import AgentOutput, Block, Button, Message
from taskwire.domain.text.mrkdwn import break_emoji
from taskwire.messages.answer_blocks import answer_block
from taskwire.messages.blocks import (
    TEXT_LENGTH,
    bold_name,
    button,
    button_rows,
    code_block,
    context,
    cut,
    cut_beginning,
    escape_line,
    format_age,
    mrkdwn,
    section,
)
from taskwire.messages.notices import count_steps
from taskwire.messages.shapes import statement

# In characters. Longer steps are sent as a file.
LONGEST_SHOWN_STEPS = 6_000
# In characters. The most text of the steps that is shown below an answer, or if a file has all of them. Slack
# limits the size of all blocks of a message together.
_LAST_STEPS = 3_000


def last_output(
    title: str,
    output: AgentOutput,
    snapshot_at: datetime | None = None,
    *,
    is_snapshot: bool = False,
    whole: str = "`!logs full`",
) -> Message:
    """Show an agent's last answer and its steps. If there is no answer, show the end of the agent's output.

    If `is_snapshot` is true, Coder stored this output when the task was paused. `snapshot_at` is the time of
    the pause; None if it is not known. `whole` is what the person types to get the whole log, as code.
    """
    written = output.answer or output.text
    if not written.strip() and not output.steps_text:
        return statement(f"The agent of {bold_name(title)} has written nothing yet.")
    words = f"What the agent of {bold_name(title)} wrote last{_age(snapshot_at, is_snapshot=is_snapshot)}:"
    layout = [section("log", words), *_answer_blocks(output)]
    if output.full_text:
        layout.append(context("whole", [mrkdwn(f"That is not all of it. {whole} sends you the whole log.")]))
    if output.steps_text:
        shown = _keep_last_steps(output.steps_text)
        layout.append(section("steps", count_steps(output, last=_count_last(output.steps_text, shown))))
        layout.append(code_block("steps.text", shown))
    text = f"{words}\n{break_emoji(escape_line(written, 3_000))}".strip()
    return Message(text=cut(text, TEXT_LENGTH), blocks=tuple(layout))


def _answer_blocks(output: AgentOutput) -> Sequence[Block]:
    if output.answer:
        return [answer_block("prose", parse(output.answer))]
    return [code_block("text", output.text)] if output.text.strip() else []


def steps(title: str, text: str) -> Message:
    """Show what an agent did before its answer."""
    words = f"What the agent of {bold_name(title)} did:"
    return Message(text=words, blocks=(section("steps", words), code_block("text", text)))


def steps_sent(title: str, text: str) -> Message:
    """Show what an agent did last before its answer, and say that the bot has sent all of it as a file.

    The steps are too long for a message. People want to read the newest.
    """
    shown = _keep_last_steps(text)
    count = _count_last(text, shown)
    part = f" ({count} of {_count_marks(text)} steps)" if count > 1 else ""
    words = f"What the agent of {bold_name(title)} did last{part}:"
    where = "All steps are in your direct messages with me."
    layout = (section("steps", words), code_block("text", shown), context("whole", [mrkdwn(where)]))
    return Message(text=words, blocks=layout)


def _keep_last_steps(text: str) -> str:
    """Keep the end of the steps. If they are cut, begin with a whole step, unless a step is very long."""
    kept = cut_beginning(text, _LAST_STEPS)
    part, mark, whole = kept.partition(f"\n{agent_screens.STEP_MARK}")
    is_short = kept != text and mark and len(part) < _LAST_STEPS // 2
    return f"…{mark}{whole}" if is_short else kept


def _count_last(text: str, shown: str) -> int:
    """Return how many steps of the text are shown; 0 if all are, or if they have no marks to be counted."""
    return _count_marks(shown) if shown != text else 0


def _count_marks(text: str) -> int:
    return sum(line.startswith(agent_screens.STEP_MARK) for line in text.split("\n"))


def log_sent(title: str, snapshot_at: datetime | None = None, *, is_snapshot: bool = False) -> Message:
    """Say that the bot has sent the log as a file.

    If `is_snapshot` is true, Coder stored this log when the task was paused. `snapshot_at` is the time of the
    pause; None if it is not known.
    """
    whole = "The log" if is_snapshot else "The whole log"
    age = _age(snapshot_at, is_snapshot=is_snapshot)
    return statement(
        f"{whole} of {bold_name(title)}{age}{',' if is_snapshot else ''} is in your direct messages with me."
    )


def add_file_button(message: Message, url: str) -> Message:
    """Add a button that opens the file at `url`. If `url` is empty, return the message unchanged."""
    buttons = [button(Button.OPEN_LINK, "Open the file", url=url)] if url else []
    return message.model_copy(update={"blocks": (*message.blocks, *button_rows("file", buttons))})


def _age(snapshot_at: datetime | None, *, is_snapshot: bool) -> str:
    """Return words that say when Coder stored the log at a pause; empty if `is_snapshot` is false."""
    if not is_snapshot:
        return ""
    when = f" {format_age(snapshot_at)}" if snapshot_at is not None else ""
    return f", up to the pause{when}"
