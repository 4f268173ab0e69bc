"""Short answers to a person: what was done, what waits and why, and questions.

Most functions here return one message, and their docstrings tell what the message says. Names and texts from
outside are escaped. `refusal` turns a `UserError` into a message. The texts of these errors are in
`refusals`.
"""

from collections.abc import Sequence
from typing import Literal

from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.grammar import get_word
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.text.message import Block, Button, Message
from taskwire.messages.blocks import (
    REPORT_LENGTH,
    TEXT_LENGTH,
    begin_sentence,
    button,
    button_rows,
    cut,
    end_sentence,
    escape_line,
    quote_block,
    section,
)
from taskwire.messages.inputs import attach_button
from taskwire.messages.person_settings_form import describe_settings
from taskwire.messages.reply_words import fit_reply_words
from taskwire.messages.settings_form import name_place
from taskwire.messages.shapes import bold_title, question, statement

# In characters. Slack refuses a message whose blocks have more than about 13,000 together.
QUOTED_INPUT = 9_000


def refusal(error: UserError) -> Message:
    """Show a `UserError`: what is wrong, and what to do next."""
    return statement(str(error))


def _has_thread(link: Link) -> bool:
    return link.record.thread_ts is not None


def _command_for(verb: str, link: Link) -> str:
    return f"`/task {verb} {escape_line(link.record.name, 60)}`"


def ask_to_create_another(prompt: str, key: str) -> Message:
    """Ask a person who asked for the same task less than two minutes ago whether to create another one.

    `key` is the value of the button. The request is stored under this key.
    """
    words = "You just created this task. Another one?"
    return question(words, prompt, [button(Button.CREATE_ANOTHER, "Create another", key, style="primary")])


def creating_another(prompt: str) -> Message:
    """Say that another task with the same prompt is being created. This replaces `ask_to_create_another`."""
    return question("Creating another one.", prompt, [])


def offer_task(prompt: str, key: str) -> Message:
    """Offer to start a task with the text of a direct message. The buttons contain the request's key."""
    create = button(Button.CREATE, "Create", key, style="primary")
    return question("Create a task with this?", prompt, [create, *_other_ways(key)])


def offer_task_or_answer(link: Link, prompt: str, key: str) -> Message:
    """Like `offer_task`, but the task of `link` waits for an answer, and the text may be meant as one.

    The person was called about that task by a direct message.
    """
    words = (
        f"Nothing was sent to {bold_title(link)}. Choose *Answer* to reply to it, or create a task with this?"
    )
    answer = button(Button.ANSWER, "Answer", link.id, style="primary")
    create = button(Button.CREATE, "Create", key)
    return question(words, prompt, [answer, create, *_other_ways(key)])


def _other_ways(key: str) -> list[Block]:
    return [button(Button.CHANGE_REQUEST, "Change", key), button(Button.OWN_TASKS, "My tasks", "mine")]


def creating_offered(prompt: str) -> Message:
    """Say that the task is being created. This replaces `offer_task`."""
    return question("You chose *Create*:", prompt, [])


def thread_without_task() -> Message:
    """Say, after the shortcut `Send to its task`, that the message's thread has no task."""
    return statement("This thread has no task. *Make a task of this*, in the same menu, creates one.")


def agent_has_message() -> Message:
    """Say, after the shortcut `Send to its task`, that the agent has the message already."""
    return statement("The agent has this message, or gets it when it is ready.")


def picked_not_sent(*, is_gone: bool) -> Message:
    """Say, after the shortcut `Send to its task`, that the message is not as the person saw it any more."""
    if is_gone:
        return statement("I can't read that message in its thread any more, so nothing was sent.")
    return statement(
        "That message was changed after you used *Send to its task*, so nothing was sent. Use it again to "
        "send the message as it is now."
    )


def thread_given(author: str, count: int) -> Message:
    """Say in the thread that a person gave the agent the thread's earlier messages."""
    messages = "1 earlier message" if count == 1 else f"{count} earlier messages"
    return statement(f"{escape_line(author, 80)} gives the agent {messages} of this thread as context.")


def replies_read(*, is_mention_only: bool) -> Message:
    """Say which replies go to the agent from now on, after a person has changed this on the card."""
    if is_mention_only:
        return statement("Only replies that mention me go to the agent now.")
    return statement("Every reply in this thread goes to the agent now.")


# The end of a refusal to save a channel's settings, if the person changed their own in the same dialog.
OWN_SETTINGS_SAVED = "Your own settings are saved."


def settings_saved(channel: ChannelId, own: PersonSettings | None = None) -> Message:
    """Say that the settings of a channel were saved, and perhaps the person's `own` settings too."""
    words = f"Saved the settings of {name_place(channel)}"
    return statement(f"{words}, and your own. {describe_settings(own)}" if own else f"{words}.")


def settings_unchanged() -> Message:
    """Say to a person who saved the dialog of the settings that they had changed nothing in it."""
    return statement("Nothing changed.")


def channel_may_steer(by_name: str, *, is_everybody: bool) -> Message:
    """Tell a channel that everybody in it may steer its new tasks, or that this has ended.

    The end of that right holds for all tasks, because nobody must keep it by accident.
    """
    who = escape_line(by_name, 80) or "Somebody"
    now = "everybody here can steer new tasks. Older tasks stay as they are"
    if not is_everybody:
        now = "only a task's owner, people it is shared with, and administrators can steer it"
    words = f"{who} has changed the settings of this channel: from now on, {now}."
    return question(words, "", [_settings_button()])


def own_settings_saved(settings: PersonSettings) -> Message:
    """Say to a person how notices reach this person from now on: by a mention or by a direct message."""
    return statement(f"Saved. {describe_settings(settings)}")


def offer_settings() -> Message:
    """Offer the dialog with the channel's settings to a person who asked for it by a message."""
    return question("Open the settings?", "", [_settings_button()])


def _settings_button() -> Block:
    return button(Button.SETTINGS, "Settings", "settings")


def files_not_given(names: Sequence[str]) -> Message:
    """Say that the agent did not get these files: they are not text, too large, or unreadable."""
    shown = ", ".join(escape_line(name, 60) for name in names[:5])
    return statement(f"Not sent: {shown}. The agent can get only text files of up to 100 kB.")


def options_after_prompt(typed: str) -> Message:
    """Say, with a new task, that the end of its prompt was read as options, and how to avoid this."""
    shown = escape_line(typed.replace("`", "'"), 200)
    return statement(f"Read as options: `{shown}`. If you meant it as text, write `/task create -- …`.")


def task_not_created(why: str) -> Message:
    """Say that the task was not created, and why."""
    return statement(f"The task was not created. {why}")


def task_not_attached(why: str) -> Message:
    """Say that the task got no thread, and why."""
    return statement(f"The task got no thread here. {why}")


def card_may_be_posted(channel: str, *, is_attached: bool = False) -> Message:
    """Say that nobody knows whether the card was posted."""
    where = _conversation(channel)
    left = "got no thread" if is_attached else "was not created"
    return statement(
        f"I may have posted a card in {where}: Slack's answer was lost, and I can't look there now. The "
        f"task {left}. Ask again, and ignore that card if you see it."
    )


def _conversation(channel: str) -> str:
    return f"<#{channel}>" if channel.startswith("C") else "this conversation"


def cannot_post_card(code_word: str, channel: str = "", *, is_attached: bool = False) -> Message:
    """Say that the card cannot be posted in this channel, and what the person can do.

    `code_word` is Slack's error code. If `is_attached` is true, the task existed already, and only its thread
    is missing.
    """
    where = _conversation(channel)
    reasons = {
        "not_in_channel": (f"I'm not in {where}", "Invite me with `/invite @Taskwire`, then try again."),
        "channel_not_found": (
            "I can't see this conversation",
            "If it is a private channel, invite me with `/invite @Taskwire`. Otherwise, use a channel.",
        ),
        "is_archived": (f"The channel {where} is archived", "Use another one."),
    }
    why, hint = reasons.get(code_word, ("Slack does not let me post there", "Use another channel."))
    left = "the task got no thread" if is_attached else "nothing was created"
    return statement(f"{why}, so {left}. {hint}")


def thread_closed(link: Link, code_word: str) -> Message:
    """Tell the task's owner that the bot can no longer post in the thread.

    `code_word` is Slack's error code.
    """
    where = f"<#{link.record.channel}>" if link.record.channel.startswith("C") else "its conversation"
    why = {
        "is_archived": f"{where} is archived",
        "not_in_channel": f"I was removed from {where}",
        "channel_not_found": f"I was removed from {where}, or it was deleted",
    }.get(code_word, f"Slack does not let me post in {where}")
    name = escape_line(link.record.name, 60)
    return statement(
        f"I can't write in the thread of {bold_title(link)} any more: {why}. The agent goes on. "
        f"`/task attach {name}` in another channel moves the task."
    )


def thread_read_by_outsiders(link: Link) -> Message:
    """Tell the task's owner that people of another company can now read the thread."""
    name = escape_line(link.record.name, 60)
    return statement(
        f"People of another company are in <#{link.record.channel}> now. They can read what the agent of "
        f"{bold_title(link)} says, but not write to it. `/task attach {name}` in another channel moves the "
        "task."
    )


def verb_too_old(verb: str) -> Message:
    """Say that a command such as `!stop` was ignored, because the bot found it more than an hour late."""
    return statement(
        f"`!{get_word(verb)}` was written more than an hour ago, while I was away, so I did nothing. "
        "Write it again if you still want it."
    )


def quoted_input(author: str, text: str, act: Literal["says", "chose"] = "says") -> Message:
    """Show in the thread the text that a person sends with `/task send`, or the answer that a person chose.

    `author` is the person's name.
    """
    is_long = len(text) > QUOTED_INPUT
    beginning = f" (the beginning; the agent gets all {len(text):,} characters)" if is_long else ""
    words = f"{escape_line(author, 80)} {act}{beginning}:"
    return Message(
        text=cut(f"{words} {escape_line(text, 3_000)}", TEXT_LENGTH),
        blocks=(section("author", words), quote_block("text", text, QUOTED_INPUT)),
    )


def input_shown_in_thread(link: Link) -> Message:
    """Tell the author of `/task send` that the text is shown in the thread."""
    return statement(
        f"Posted in the thread of {bold_title(link)}. The reaction there shows when the agent has it."
    )


def input_to_be_confirmed(link: Link) -> Message:
    """Tell the author of `/task send` that the bot asks for a confirmation in the thread.

    The bot asks because the text begins with `!`.
    """
    return statement(
        "Not sent yet: agents run what begins with `!` as a shell command. I'm asking you in the "
        f"thread of {bold_title(link)} what you mean."
    )


def task_is_pausing(link: Link, *, is_resumed_by_reply: bool = True) -> Message:
    """Say that the workspace is stopping, and how to start it again."""
    return statement(f"Pausing {bold_title(link)}. {_how_to_resume(link, is_resumed_by_reply)}")


def _how_to_resume(link: Link, is_resumed_by_reply: bool) -> str:
    if _has_thread(link) and not is_resumed_by_reply:
        return "Replies wait until somebody resumes it."
    if _has_thread(link):
        return fit_reply_words("A reply in its thread resumes it.", link)
    return f"{_command_for('resume', link)} resumes it."


def task_paused_meanwhile(link: Link) -> Message:
    """Say that the task stays paused, because somebody paused it after this person's request to resume it."""
    return statement(f"{bold_title(link)} was paused after you asked to resume it, so it stays paused.")


def opposite_done_meanwhile(link: Link, verb: str) -> Message:
    """Say that nothing was done, because somebody started or stopped the workspace after this request.

    `verb` is the person's request: `pause` or `resume`.
    """
    since = "resumed" if verb == "pause" else "paused"
    return statement(
        f"{bold_title(link)} was {since} after you asked to {get_word(verb)} it, so I did nothing."
    )


def task_already_paused(link: Link, *, is_resumed_by_reply: bool = True) -> Message:
    """Say that the task is paused already."""
    return statement(f"{bold_title(link)} is already paused. {_how_to_resume(link, is_resumed_by_reply)}")


def task_is_resuming(link: Link, held_count: int = 0) -> Message:
    """Say that the workspace is starting. `held_count` is how many held replies go to the agent then."""
    follow = "" if _has_thread(link) else f" {_command_for('status', link)} says what it is doing."
    return statement(f"Resuming {bold_title(link)}.{follow}{_say_sent(held_count, also=' also')}")


def task_already_running(link: Link, held_count: int = 0) -> Message:
    """Say that the task is running already. `held_count` is how many held replies go to the agent now."""
    return statement(f"{bold_title(link)} is already running.{_say_sent(held_count)}")


def _say_sent(held_count: int, also: str = "") -> str:
    if not held_count:
        return ""
    waiting = "reply that waits" if held_count == 1 else f"{held_count} replies that wait"
    return f" I'll{also} send the {waiting}."


def task_waits_for_build(link: Link, verb: str) -> Message:
    """Say that the bot will stop, resume or delete the task when the workspace has started or stopped.

    `verb` is the bot's next act.
    """
    return statement(
        f"The workspace of {bold_title(link)} is starting or stopping. I'll {get_word(verb)} the task "
        "after that."
    )


def workspace_is_restarting(link: Link) -> Message:
    """Say that the workspace is being stopped and then started, because its agent cannot be reached."""
    return statement(f"Retrying {bold_title(link)}.")


def prompt_replaced(link: Link) -> Message:
    """Say that the prompt of a paused task was replaced."""
    return statement(f"{bold_title(link)} has a new prompt. The agent reads it when the task is resumed.")


def ask_to_pause_for_edit(link: Link, key: str) -> Message:
    """Ask whether to stop the task, because Coder changes a prompt only while the task is paused.

    `key` is the value of the button: the link's id, a blank, and the key under which the new prompt is
    stored.
    """
    words = f"The prompt of {bold_title(link)} can change only while the task is paused. Stop the task now?"
    return question(words, "", [button(Button.PAUSE_TO_EDIT, "Stop and edit", key)])


def offer_edit_dialog(link: Link) -> Message:
    """Offer a button that opens the dialog for a new prompt. Slack opens a dialog only after a click."""
    words = f"Edit the prompt of {bold_title(link)}?"
    return question(words, "", [button(Button.EDIT, "Edit prompt", link.id)])


def offer_delete_dialog(link: Link) -> Message:
    """Offer a button that opens the dialog for deletion. Slack opens a dialog only after a click."""
    words = f"Delete {bold_title(link)}? Its workspace is deleted too, with everything that was not pushed."
    return question(words, "", [button(Button.DELETE, "Delete…", link.id, style="danger")])


def task_deleted(link: Link) -> Message:
    """Say that the task was deleted, to a person who asked for it outside its thread."""
    return statement(f"{bold_title(link)} is deleted.")


def thread_detached(link: Link) -> Message:
    """Say in the thread that a person has detached the thread from its task.

    A result of the agent that waits for its turn to be posted is in this message.
    """
    words = "Detached: replies here no longer reach the agent. The task itself stays as it is."
    reports = [each.report for each in link.state.waiting_results if each.report is not None]
    last = escape_line(reports[-1].message, REPORT_LENGTH) if reports else ""
    if last:
        words = f"{words} The agent's last result before that: {end_sentence(last)}"
    return question(words, "", [attach_button(link)])


def task_detached(link: Link) -> Message:
    """Say that the task has no thread any more, to the person who named the task in a command."""
    return statement(
        f"Detached {bold_title(link)}. The task itself stays as it is. {_command_for('attach', link)} gives "
        "it a new thread."
    )


def mute_changed(link: Link, *, is_muted: bool) -> Message:
    """Say that nobody is called about the task any more, or that people are called again."""
    if is_muted:
        words = (
            f"Muted: I call nobody about {bold_title(link)}, not even its watchers. Its messages still come."
        )
        return question(words, "", [button(Button.UNMUTE, "Undo", link.id)])
    return statement(f"Unmuted: I call people about {bold_title(link)} again.")


def task_already_attached(link: Link, permalink: str) -> Message:
    """Say that the task has a thread already. `permalink` is its URL; empty if the bot cannot post there."""
    if permalink:
        return statement(f"{bold_title(link)} already has a thread: <{permalink}>")
    return statement(
        f"{bold_title(link)} already has a thread, but I can't write there any more. To move it: "
        f"{_command_for('detach', link)}, then {_command_for('attach', link)}."
    )


def too_many_requests(most: int = 10) -> Message:
    """Say that the person has made more than `most` requests in a minute."""
    return statement(
        f"I take {most} requests a minute, so I skipped the rest. Try again in a minute. The agents still "
        "get replies."
    )


def add_share_button(message: Message, key: str) -> Message:
    """Add a button to a private answer that shows it to everybody. The answer is stored under `key`."""
    show = button_rows("show", [button(Button.SHOW_ANSWER, "Show to everybody", key)])
    return message.model_copy(update={"blocks": (*message.blocks, *show)})


def answer_shared() -> Message:
    """Say that everybody can see the answer now. This message replaces the private answer."""
    return statement("Shown to everybody in the thread.")


def command_outcome_unknown() -> str:
    """Say that nobody knows whether a command was stored, because Redis did not answer."""
    return (
        "I may have lost this request: my data store did not answer. Check the result before you ask again."
    )


def store_unreachable() -> str:
    """Say that nothing was accepted, because Redis cannot be reached."""
    return "I can't reach my data store, so nothing was done. Try again in a minute."


def written_by_other_version() -> Message:
    """Say that an answer needs data that another version of Taskwire stored and this version cannot read."""
    return statement("I can't read this: another version of Taskwire wrote it. Ask a Taskwire administrator.")


def too_many_jobs_waiting() -> str:
    """Say that a request was not accepted, because too many requests of this person or thread still wait."""
    return "You have too many requests waiting, so I did not accept this one. Try again in a few minutes."


def unexpected_error(reference: str) -> Message:
    """Say that an unexpected error occurred. Operators find the line in the log by `reference`."""
    return statement(
        "Something went wrong on my side, and nothing was done. If it happens again, give a Taskwire "
        f"administrator this reference: `{reference}`."
    )


def dialog_failed() -> Message:
    """Say that Slack did not open the dialog in time."""
    return statement("Slack did not open the dialog in time. Nothing was done; try again.")


# Reasons why a job is given up.
PROCESS_KILLED = "I was stopped in the middle of it again and again"
FAILED_FOR_A_DAY = "every try failed for a day"
REFUSED_FOR_A_WEEK = "Slack or Coder refused my account for a week"
NOT_CONNECTED_FOR_A_WEEK = "you connected no Coder account within a week"
WHY_NO_VERSION_READ_IT = "another version of Taskwire stored it, and that version did not run for a week"
# If a reply is given up for one of these reasons, the later replies of its thread are given up too.
SHARED_REASONS = frozenset({FAILED_FOR_A_DAY, REFUSED_FOR_A_WEEK})


def internal_error(reference: str) -> str:
    """Return the reason for giving up a job after an unexpected error. `reference` is also in the log."""
    return f"something went wrong on my side (reference {reference})"


def job_given_up(request: str, why: str, *, is_outcome_unknown: bool) -> Message:
    """Say that a job was given up. `request` describes the job, for example `stopping *Fix the login*`."""
    failed, doubt = (
        ("may have failed", "Check the result before you ask again. ")
        if is_outcome_unknown
        else ("failed", "")
    )
    return statement(
        f"{begin_sentence(request)} {failed}: {end_sentence(escape_line(why, 300))} {doubt}"
        "`taskwire doctor` tells Taskwire administrators more."
    )


def coder_unreachable() -> Message:
    """Say that Coder does not answer at the moment."""
    return statement("Coder is not answering. Try again in a minute.")


def token_refused() -> Message:
    """Say that Coder refuses the bot's own token."""
    return statement(
        "Coder refuses my token, so I can do nothing in Coder. Tell a Taskwire administrator: "
        "`taskwire doctor` says what to do."
    )


def card_never_posted(*, is_attached: bool) -> Message:
    """Say that the card could not be posted for an hour. If `is_attached` is true, the task exists."""
    left = "the task got no thread" if is_attached else "nothing was created"
    return statement(f"I could not post the card for an hour, so {left}. Ask again.")


def coder_has_no_tasks() -> Message:
    """Say that this version of Coder does not have the feature Tasks."""
    return statement(
        "Coder has no Tasks feature, so I can do nothing. Tell a Taskwire administrator: "
        "`taskwire doctor` says more."
    )


def slack_rate_limited() -> Message:
    """Say that Slack's rate limits left no room for the answer in time."""
    return statement("Slack is slowing me down. Try again in a few minutes.")


def slack_failed() -> Message:
    """Say that a call to Slack failed, and that the person can try again."""
    return statement("Slack refused that. Try again in a minute.")
