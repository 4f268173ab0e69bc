"""Answers to a person who asks for an agent's output: its last answer and steps, or its log."""

from collections.abc import Sequence
from datetime import datetime

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
# In characters. The most text of the steps that is shown below an answer. Slack limits the size of all blocks
# of a message together.
_STEPS_BELOW = 3_000


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
        layout.append(section("steps", count_steps(output)))
        layout.append(code_block("steps.text", cut_beginning(output.steps_text, _STEPS_BELOW)))
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


def steps_sent(title: str) -> Message:
    """Say that the bot has sent the steps as a file, because they are too long for a message."""
    return statement(f"The steps of {bold_name(title)} are in your direct messages with me.")


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
