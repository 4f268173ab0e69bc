"""Direct messages that notify a person: about one notice, and the summary after quiet hours. Also the answer
to what a person writes below such a message."""

from collections.abc import Sequence
from typing import cast

from taskwire.domain.lifecycle.events import Notice
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import AgentOutput, Block, Button, Message
from taskwire.domain.text.mrkdwn import break_emoji
from taskwire.messages import blocks
from taskwire.messages.blocks import button, end_sentence, escape_line, line, section, text_piece
from taskwire.messages.cards import get_name
from taskwire.messages.notices import describe_notice, get_notice_label
from taskwire.messages.shapes import statement
from taskwire.messages.task_lists import Hosts, TaskLine, get_task_text, task_row

# The summary lists at most this many tasks of each kind.
MOST_SUMMARIZED = 10
# After these notices, the agent waits for a reply.
ANSWERABLE = frozenset({"needs_input", "failed", "reminder"})
_BUTTONS = "buttons"


def call(link: Link, notice: Notice, written: AgentOutput, *, is_steerer: bool = False) -> Message:
    """Tell a person about a notice, in one sentence that says the same as the notice.

    If the agent waits and `is_steerer` is true, a button opens the dialog for a reply. `add_thread_button`
    adds a button that leads to the notice.
    """
    face, what, title = get_notice_label(notice), describe_notice(notice, written), get_name(link)
    text = f"{face.label}: {end_sentence(escape_line(title, blocks.TITLE_LENGTH))} "
    text += end_sentence(break_emoji(escape_line(what, blocks.REPORT_LENGTH + 60)))
    pieces = [blocks.emoji_piece(face.emoji), text_piece(f" {face.label}: ", is_bold=True)]
    pieces.append(text_piece(title, is_bold=True))
    answer = _answer_row(link) if is_steerer and notice.kind in ANSWERABLE else []
    lines = (line("headline", pieces), line("what", [text_piece(break_emoji(what))]))
    return Message(text=text, blocks=(*lines, *answer))


def _answer_row(link: Link) -> list[Block]:
    return blocks.button_rows(_BUTTONS, [button(Button.ANSWER, "Answer", link.id, style="primary")])


def add_thread_button(message: Message, address: str) -> Message:
    """Add, after the message's buttons, one that opens the thread. Without an address, add nothing."""
    url = blocks.safe_web_url(address)
    if not url:
        return message
    *rest, last = message.blocks
    has_row = last["block_id"] == _BUTTONS
    earlier = cast("list[Block]", last["elements"]) if has_row else []
    row = blocks.button_rows(_BUTTONS, [*earlier, button(Button.OPEN_THREAD, "Open thread", url=url)])
    return Message(text=message.text, blocks=(*(rest if has_row else message.blocks), *row))


def no_agent_reads_here(where: str, link: Link | None = None) -> Message:
    """Say in a thread of direct messages that no agent gets what the person writes there.

    `where` is the permalink of the task's thread; empty if the thread's first message is about no task that
    the person may read. `link` is given if the person may reply to that task's agent.
    """
    words = "Your reply was not sent: no agent gets replies in this thread. "
    if not where:
        return statement(words + "Write in a task's thread, or send me a new direct message.")
    if link is None:
        return add_thread_button(statement(words + "Write in the task's thread instead."), where)
    told = statement(words + "*Answer* opens a box for it.")
    return add_thread_button(told.model_copy(update={"blocks": (*told.blocks, *_answer_row(link))}), where)


def summary(needs: Sequence[TaskLine], finished: Sequence[TaskLine], hosts: Hosts) -> Message:
    """List, after a person's quiet hours, the tasks that need the person and those that have finished."""
    words = "During your quiet hours:"
    layout: list[Block] = [section("summary", words)]
    lines = [words]
    for name, heading, tasks in (("needs", "Needs you", needs), ("finished", "Finished", finished)):
        layout += [section(name, f"*{heading}*")] if tasks else []
        for number, task in enumerate(tasks[:MOST_SUMMARIZED]):
            layout.append(task_row(f"{name}.{number}", task, hosts))
            lines.append(get_task_text(task))
        hidden = len(tasks) - MOST_SUMMARIZED
        if hidden > 0:
            lines.append(f"{hidden} more: `/task list`")
            layout.append(section(f"{name}.more", lines[-1]))
    return Message(text=blocks.join_lines(lines), blocks=tuple(layout))
