"""Messages about input for the agent: whether a reply has arrived, why it waits, and questions about it.

Most functions here return one message, and their docstrings tell what the message says. `text` and `texts`
are the texts of the replies that the message is about. `job_id` is the id of the reply's job. The value of a
button contains the link's id and `job_id`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from taskwire.domain.errors import UserError
from taskwire.domain.lifecycle.links import Link, LinkEnd
from taskwire.domain.parsing.bare_words import is_stop
from taskwire.domain.queueing.jobs import Reply
from taskwire.domain.text.message import Block, Button, Message
from taskwire.messages import refusals
from taskwire.messages.accounts import FORGOTTEN_ACCOUNT
from taskwire.messages.blocks import (
    CODE_LENGTH,
    TEXT_LENGTH,
    button,
    button_rows,
    code_block,
    cut,
    end_sentence,
    escape_line,
    format_moment,
    one_line,
    quote_block,
    section,
)
from taskwire.messages.refusals import coder_said
from taskwire.messages.shapes import (
    CHOICES_BLOCK_ID,
    QUOTE_LENGTH,
    bold_title,
    question,
    replies_wait,
    statement,
)

# The reasons why a thread no longer leads to a task.
_ENDINGS: dict[LinkEnd, str] = {
    "gone": "the task is no longer in Coder",
    "detached": "this thread was detached",
    "failed": "the task was never created",
}


def reply_delivered_late(text: str) -> Message:
    """Say that a reply was delivered after another reply that was written later."""
    words = "Slack delivered this reply late, so the agent got it after a newer one."
    return _notice_about(words, text)


def reply_delivered_twice(text: str) -> Message:
    """Say that the agent got a reply twice."""
    words = "I was interrupted here, and the agent got this twice. Tell it to ignore one."
    return _notice_about(words, text)


def reply_maybe_delivered_twice(text: str) -> Message:
    """Say that the agent may have got a reply twice, because the log that would show this is gone."""
    words = (
        "I was interrupted here, and the agent's log was deleted, so it may have got this twice. If that "
        "matters, ask the agent."
    )
    return _notice_about(words, text)


def reply_edited_late(text: str) -> Message:
    """Say that a reply was edited after the agent got it. `text` is the edited text."""
    words = "The agent did not get this edit: it already has the old text. To correct it, write a new reply."
    return _notice_about(words, text) if text.strip() else statement(words)


def reply_deleted_late(author: str) -> Message:
    """Say that a reply was deleted after the agent got it. `author` is a name; empty if not known."""
    which = f"the deleted reply of {escape_line(author, 80)}" if author else "the deleted reply"
    return statement(f"The agent already has {which}. To correct that, write a new reply.")


def unknown_reply_edited(text: str) -> Message:
    """Say that a reply was edited, and that nobody knows whether the agent has the earlier text."""
    words = "The agent may have the old text. *Send again* above sends the new text:"
    return _notice_about(words, text)


def unknown_reply_deleted(author: str) -> Message:
    """Say that a reply was deleted, and that nobody knows whether the agent has the reply."""
    which = f"the deleted reply of {escape_line(author, 80)}" if author else "the deleted reply"
    return statement(f"Not sure whether the agent got {which}. I won't send it again.")


def _notice_about(words: str, text: str) -> Message:
    return Message(
        text=cut(words, TEXT_LENGTH),
        blocks=(section("about", words), quote_block("text", text, QUOTE_LENGTH)),
    )


def _button_value(link: Link, job_id: str) -> str:
    return f"{link.id} {job_id}"


def ask_whether_it_arrived(link: Link, job_id: str, text: str) -> Message:
    """Ask whether a reply arrived, because Coder's answer was lost and the agent's log does not show it."""
    return _ask_arrived_or_not(link, job_id, text, "Did the agent get this? Coder's answer was lost.")


def ask_after_data_loss(link: Link, job_id: str, text: str) -> Message:
    """Ask whether a reply arrived, because Redis has lost the record of the delivery."""
    why = "Did the agent get this? My data store lost the result."
    return _ask_arrived_or_not(link, job_id, text, why)


def _ask_arrived_or_not(link: Link, job_id: str, text: str, why: str) -> Message:
    words = f"{why} Later replies wait."
    value = _button_value(link, job_id)
    choices = [
        button(Button.ARRIVED, "Yes", value),
        button(Button.SEND_AGAIN, "Send again", value),
    ]
    return question(words, text, choices)


def ask_about_old_reply(link: Link, job_id: str, text: str) -> Message:
    """Ask whether to send a reply that the bot found more than an hour late, because the bot was away."""
    words = "This was written more than an hour ago, while I was away. Send it now? Later replies wait."
    value = _button_value(link, job_id)
    choices = [
        button(Button.SEND_STILL, "Send it", value, style="primary"),
        button(Button.DROP_INPUT, "Don't send", value),
    ]
    return question(words, text, choices)


def ask_about_refused_files(link: Link, job_id: str, names: Sequence[str], text: str) -> Message:
    """Ask whether to send a reply without the files (`names`) that the agent cannot get."""
    value = _button_value(link, job_id)
    choices = [
        button(Button.SEND_AS_IT_IS, "Send without them", value),
        button(Button.DROP_INPUT, "Don't send", value),
    ]
    them = "it" if len(names) == 1 else "them"
    words = f"{_cannot_take_files(names)} Send the reply without {them}? Later replies wait."
    return question(words, text, choices)


def nothing_to_send(names: Sequence[str]) -> Message:
    """Say that no part of a reply can go to the agent. `names` are the names of its files; may be empty."""
    if names:
        return statement(f"{_cannot_take_files(names)} Nothing was sent.")
    return statement(
        "There was nothing in this reply that the agent could get. Write a few words and try again."
    )


def too_many_replies() -> Message:
    """Say that a reply was not accepted, because too many replies wait: of all people, or of its author."""
    return statement(
        "Too many replies already wait for the agent, so the newer ones, with :warning:, were not delivered. "
        "Write them again later."
    )


def too_many_unchecked() -> Message:
    """Tell a person that a reply was not accepted, because too many replies wait for a check."""
    return statement(
        "Too many replies wait here, so I can't accept this one or newer ones now. Write them again later."
    )


def too_many_changes() -> Message:
    """Tell a person that an edit was not accepted, because too many of their edits wait."""
    return statement(
        "Too many edits and deletions wait here, so I can't accept this one or newer ones now. Edit "
        "the reply again later. If you deleted it, write a new reply that corrects it."
    )


def too_many_requests_in_thread() -> Message:
    """Say that a request was not accepted, because too many requests wait already in this thread."""
    return statement(
        "Too many requests wait in this thread, so I did not accept the newer ones, with :warning:. Try "
        "again in a few minutes."
    )


def _cannot_take_files(names: Sequence[str]) -> str:
    what = "this file" if len(names) == 1 else "these files"
    return f"The agent can get only text files of up to 100 kB, so not {what}: {_list_names(names)}."


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(f"`{escape_line(name.replace('`', ''), 60)}`" for name in names)


def reply_not_delivered(link: Link, job_id: str, why: str, text: str) -> Message:
    """Say that Coder refused a reply, and offer to try again. `why` is Coder's text."""
    return _ask_to_try_again(link, job_id, f"This reply was not delivered. {coder_said(why)}", text)


def reply_needs_forgotten_account(link: Link, job_id: str, text: str) -> Message:
    """Say that the person whose account a reply needs was forgotten, and offer to try again."""
    return _ask_to_try_again(link, job_id, f"This reply was not delivered. {FORGOTTEN_ACCOUNT}", text)


def reply_access_denied(link: Link, job_id: str, text: str) -> Message:
    """Say that Coder does not let our account talk to agents, and offer to try again."""
    why = " ".join(refusals.agent_access_denied(link.title))
    return _ask_to_try_again(link, job_id, f"This reply was not delivered. {why}", text)


def task_not_resumed(why: str, link: Link, job_id: str, texts: Sequence[str]) -> Message:
    """Say that these replies were not delivered, because Coder refused to resume the paused task.

    `why` is Coder's text. A button tries again.
    """
    words = f"{_not_delivered(texts)}: I could not resume the task. {coder_said(why)}"
    return _ask_to_try_again(link, job_id, words, _join_texts(texts))


def delivery_given_up(link: Link, job_id: str, why: str, texts: Sequence[str]) -> Message:
    """Say that the bot has stopped trying to deliver these replies, and offer to try again."""
    words = end_sentence(f"{_not_delivered(texts)}: {escape_line(why, 300)}")
    return _ask_to_try_again(link, job_id, words, _join_texts(texts))


def agent_never_ready(link: Link, job_id: str, texts: Sequence[str]) -> Message:
    """Say that the agent accepted no reply for a day, and offer to try again."""
    words = f"{_not_delivered(texts)}: for a day, the agent was never ready."
    return _ask_to_try_again(link, job_id, words, _join_texts(texts))


def replies_wait_for_agent(link: Link) -> Message:
    """Say that replies have waited for a while, because Coder cannot reach the agent."""
    return _replies_wait(
        f"Coder can't reach the agent of {bold_title(link)}. If this takes long, write `!stop`, then "
        "`!resume`"
    )


def replies_wait_for_coder(link: Link) -> Message:
    """Say that replies have waited for a while, because Coder does not say if the agent accepts input."""
    return _replies_wait(
        f"Coder does not say whether the agent of {bold_title(link)} is ready. A Coder administrator can "
        "find out why"
    )


def _replies_wait(why: str) -> Message:
    return statement(f"Replies wait: {why}. I'll try to send them for a day; you need not write them again.")


def _not_delivered(texts: Sequence[str]) -> str:
    few = "This reply was" if len(texts) == 1 else f"These {len(texts)} replies were"
    return f"{few} not delivered"


def _join_texts(texts: Sequence[str]) -> str:
    """Join the texts for a quotation. If there are several texts, cut each to one line of 100 characters."""
    return "\n".join(one_line(text, 100) if len(texts) > 1 else text for text in texts)


def _ask_to_try_again(link: Link, job_id: str, words: str, text: str) -> Message:
    return question(words, text, [button(Button.SEND_AGAIN, "Try again", _button_value(link, job_id))])


def workspace_broken(link: Link, job_id: str, texts: Sequence[str]) -> Message:
    """Say that the workspace is broken. Offer to restart the workspace and then send these replies."""
    words = f"{_not_delivered(texts)}: the workspace is broken."
    choices = [button(Button.RETRY_AND_SEND, "Retry and send", _button_value(link, job_id), style="primary")]
    return question(words, _join_texts(texts), choices)


ClosingReason = Literal[
    "deleted", "edited", "dropped", "ended", "ended_unsent", "late", "newer", "empty", "unsent", "decided"
]
_CLOSING_REASONS: dict[ClosingReason, str] = {
    "deleted": "the reply was deleted",
    "edited": "the reply was edited",
    "dropped": "the reply was dropped",
    "late": "nobody answered for a week",
    "empty": "nothing waits any more",
    "decided": "somebody decided",
}


# Replaces an older message of a detached thread if a newer message has its buttons.
DETACHED_ABOVE = "This thread is detached. A newer message below says more."


def question_closed(why: ClosingReason) -> str:
    """Return the text that replaces the buttons of a question that no longer needs an answer."""
    if why == "newer":
        return "I asked again below."
    if why == "ended":
        return "Closed: this thread has no task any more."
    if why == "ended_unsent":
        return "Closed: this thread has no task any more, and this reply was not sent."
    if why == "unsent":
        return "Tried again, but not sent. The reason is below."
    return f"Closed: {_CLOSING_REASONS[why]}."


def replies_tried_again(sent: int, tried: int, outcome: str, why: ClosingReason) -> str:
    """Return the text that replaces a question after its replies were tried again.

    `tried` is the number of the replies, and `sent` is the number of those that were delivered. `outcome` is
    the text if all were delivered. `why` is the reason if there is one reply and it was not delivered.
    """
    if sent == tried:
        return outcome
    if sent:
        return f"Sent {sent} of {tried}. The reactions show which."
    return question_closed(why) if tried == 1 else f"None of the {tried} was sent."


def question_expired(text: str, *, is_outcome_unknown: bool) -> Message:
    """Say that a question about a reply was not answered for a week.

    If `is_outcome_unknown` is true, the question was whether the reply arrived. Otherwise it was whether to
    send the reply.
    """
    if is_outcome_unknown:
        return _notice_about("Closed: nobody said within a week whether the agent got this.", text)
    return _notice_about("Nobody answered for a week, so this reply was not sent.", text)


def reply_without_task(link: Link) -> Message:
    """Say that a reply reached no agent, because the thread no longer leads to a task."""
    if link.moved_to:
        return task_has_other_thread(link.moved_to)
    name = escape_line(link.record.name, 60)
    new_task = _new_task_button()
    if link.end_reason == "detached" and name:
        attach = f"`/task attach {name}` gives its task a new one."
        words = f"Not delivered: this thread is detached. {attach}"
        return question(words, "", [attach_button(link), new_task])
    why = _ENDINGS[link.end_reason or "gone"]
    return question(f"Not delivered: {why}.", "", [new_task])


def _new_task_button() -> Block:
    return button(Button.NEW_TASK, "New task", "new")


def attach_button(link: Link) -> Block:
    """Return the button that gives a task a new thread after its old thread was detached."""
    return button(Button.ATTACH, "Attach again", str(link.record.task_id))


def attached_again(where: str) -> str:
    """Return the text that replaces *Attach again*. `where` is the permalink of the task's new thread."""
    return f"The task has a <{where}|new thread>. Replies here reach no agent."


def thread_found_again(*, is_mention_only: bool) -> Message:
    """Say that Redis had lost the thread, and that the bot has found the thread's task again."""
    gets = "replies that mention me" if is_mention_only else "your replies"
    return statement(f"I had lost this thread's task and found it again. The agent gets {gets}.")


def thread_unknown() -> Message:
    """Say that the bot has no data about this thread any more, although the bot posted the card."""
    return statement(
        "Not delivered: I no longer know this thread. `/task attach NAME` gives its task a new one."
    )


def task_has_other_thread(where: str) -> Message:
    """Say that the task has another thread. `where` is the other thread's permalink, which may be empty."""
    another = f"<{where}|another thread>" if where else "another thread"
    return statement(f"Not delivered: this task now has {another}.")


def thread_task_gone() -> Message:
    """Say that the task of this thread is no longer in Coder."""
    return question(f"Not delivered: {_ENDINGS['gone']}.", "", [_new_task_button()])


def reply_refused(error: UserError) -> Message:
    """Say that the author may not use the bot, or is not known in Coder. `error` has the reason."""
    return statement(f"The agent does not get your replies here. {error}")


def undelivered_replies_returned(texts: Sequence[str]) -> Message:
    """Show the texts of replies that the agent did not get, because the thread has lost its task."""
    which = "this reply" if len(texts) == 1 else f"these {len(texts)} replies"
    return _with_texts("given-back", f"The agent did not get {which}", texts)


def unknown_replies_returned(texts: Sequence[str]) -> Message:
    """Show the texts of replies of unknown outcome, because the thread has lost its task."""
    which = "this reply" if len(texts) == 1 else "these replies"
    return _with_texts("never-known", f"Not sure whether the agent got {which}", texts)


def held_replies_dropped(texts: Sequence[str]) -> Message:
    """Show the texts of the replies that waited during a pause and were dropped."""
    return _with_texts(
        "dropped", "Dropped 1 reply" if len(texts) == 1 else f"Dropped {len(texts)} replies", texts
    )


def join_for_file(texts: Sequence[str]) -> str:
    """Join all texts for a file. Return an empty string if the texts fit into a message."""
    joined = "\n\n".join(texts)
    return joined if len(joined) > CODE_LENGTH else ""


def _with_texts(block_id: str, words: str, texts: Sequence[str]) -> Message:
    words += " (this is the end, the file below has the whole text):" if join_for_file(texts) else ":"
    return Message(text=words, blocks=(section(block_id, words), code_block("texts", "\n\n".join(texts))))


def ask_about_held_replies(link: Link, count: int, what: str) -> Message:
    """Ask what to do with the replies that wait while the task is paused.

    `count` is the number of these replies. `what` names the event as mrkdwn, for example `Pausing`.
    """
    choices = [
        button(Button.RESUME_AND_SEND, "Resume and send", link.id),
        button(Button.DROP_HELD, "Drop them" if count > 1 else "Drop the reply", link.id),
    ]
    if link.hold is not None and link.hold.reply_id:
        choices.append(_stop_as_text_button(link, link.hold.reply_id))
    return question(f"{what}. {replies_wait(count)}.", "", choices)


def offer_stop_as_text(answer: Message, link: Link, job_id: str) -> Message:
    """Add a button for a person who wrote only `stop` and meant it as text for the agent."""
    row = button_rows(CHOICES_BLOCK_ID, [_stop_as_text_button(link, job_id)])
    return answer.model_copy(update={"blocks": (*answer.blocks, *row)})


def offer_to_stop(link: Link, job_id: str) -> Message:
    """Offer to stop the task, to a person who wrote only `pause` to the task's agent."""
    words = "I'm sending `pause` to the agent as your reply. Do you want to stop the task?"
    return question(words, "", [button(Button.PAUSE, "Stop the task", _button_value(link, job_id))])


def _stop_as_text_button(link: Link, job_id: str) -> Block:
    return button(Button.SEND_AS_IT_IS, "I meant it as text", _button_value(link, job_id))


PAUSING, PAUSED = "Pausing", "Paused"
HELD_DROPPED = "Paused. What waited was dropped."
HELD_SENT = "Resumed. The agent gets the waiting replies."
HELD_SENT_WITH_NEWER = "The agent gets the waiting replies, then the new reply."
NOTHING_HELD = "Nothing waits any more."
DECIDED_ARRIVED = "Decided: the agent got it."
DECIDED_UNSENT = "Not sent."
INPUT_TOO_OLD = "Too old: I no longer have the text. Write it again if you still want to send it."
PROMPT_EDITED = "The prompt was edited."


def workspace_restarted(by_name: str) -> str:
    """Return the text that replaces a notice's hint when the workspace was started again.

    `by_name` is the name of the person who started the workspace; it may be empty.
    """
    return f"Retried by {escape_line(by_name, 80)}." if by_name else "Retried."


def question_answered(author: str, passed_on_by: str = "") -> str:
    """Return the text that replaces an agent's choices after the answer of `author`.

    `passed_on_by` is the name of the person who has passed the answer on. The answer itself is a message of
    the thread, so it is not repeated here.
    """
    passed = f", passed on by {escape_line(passed_on_by, 60)}" if passed_on_by else ""
    return f"Answered by {escape_line(author, 80)}{passed}." if author else "Answered in a reply."


STUCK_ENDED = "No longer stuck."
CHOICE_PASSED = "The agent went on without an answer."


def reminder_snoozed(by_name: str, until: datetime) -> str:
    """Return the text that replaces the buttons of a reminder after `by_name` has snoozed the reminder."""
    return f"{escape_line(by_name, 80) or 'Somebody'}: no reminder until {format_moment(until)}."


def choice_too_late(remark: str = "") -> Message:
    """Say that the question was answered already. Quote the remark of the person who chose too late."""
    if not remark:
        return statement("This was already answered.")
    return _with_texts("too-late", "This was already answered, so your reply was not sent", (remark,))


class SendingTexts(NamedTuple):
    """Texts that replace a question: `now` while a reply is being sent, `then` after the delivery."""

    now: str
    then: str


def describe_sending(reply: Reply, count: int, *, is_without_first: bool = False) -> SendingTexts:
    """Return the texts that replace a question when a person has decided to send its `count` replies.

    `reply` is the first of these replies, as it was when the question was asked. `is_without_first` is true
    if that reply was deleted since.
    """
    if is_without_first:
        how = "again, without what was deleted"
    elif count > 1:
        how = f"all {count} again"
    elif reply.question == "files":
        how = f"without {_list_names(reply.unreadable_files)}"
    elif reply.question == "stale":
        how = "after all"
    elif not reply.question and (reply.text.startswith("!") or is_stop(reply.text)):
        how = "as text"
    else:
        how = "again"
    if count > 1:
        return SendingTexts(f"Sending {how}.", f"Sent {how}.")
    return SendingTexts(f"Sending it {how}.", f"Sent {how}.")


def offer_edit_while_running(link: Link) -> Message:
    """Offer a button to edit the prompt of a task. Say that the task must be paused for that."""
    words = f"The prompt of {bold_title(link)} can change only while the task is paused. "
    words += "Write the new prompt; then I'll ask whether to stop the task."
    return question(words, "", [button(Button.EDIT, "Edit prompt", link.id)])


def nothing_held(link: Link) -> Message:
    """Say that no reply waits any more, to a person who has decided about waiting replies."""
    return statement(f"No reply waits in {bold_title(link)} any more.")


def decision_too_late(link: Link) -> str:
    """Return the text that replaces a question when its thread is no longer linked to a task."""
    return f"Not delivered: {_ENDINGS[link.end_reason or 'gone']}."


def already_decided() -> Message:
    """Say, after a press of a button, that another person has decided already."""
    return statement("Somebody already decided this.")
