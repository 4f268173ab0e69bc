"""Short answers to people: what was done, what waits and why, what was asked.

A refusal is a pair, what is wrong and what to do next, for a `UserError`; `refusal` makes a message of it.
Refusals that concern names and choices stand in `refusals`.
"""

from taskwire.model.actions import Button
from taskwire.model.errors import UserError
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.words.blocks import TEXT, button, code, cut, escaped, quoted, section, sentence
from taskwire.words.shapes import question, statement, title

# All blocks of a message together fail at about 13,000 characters.
QUOTED_INPUT = 9_000


def refusal(error: UserError) -> Message:
    """Say what is wrong and what to do next."""
    return statement(str(error))


def _has_thread(link: Link) -> bool:
    return link.bond.thread_ts is not None


def _typed(verb: str, link: Link) -> str:
    return f"`/task {verb} {escaped(link.bond.name, 60)}`"


# Creating


def another_one(prompt: str, key: str) -> Message:
    """The same was asked for a moment ago."""
    words = "You started exactly this task here less than two minutes ago. Another one?"
    return question(words, prompt, [button(Button.CREATE_ANOTHER, "Create another", key, style="primary")])


def not_created(why: str) -> Message:
    """The task could not be created; nothing is left of it."""
    return statement(f"The task was not created. {why}")


def not_attached(why: str) -> Message:
    """The task got no thread."""
    return statement(f"The task got no thread. {why}")


def may_be_posted(code_word: str, channel: str, *, is_attached: bool = False) -> Message:
    """The card may have been posted, and nobody can look any more."""
    where = _conversation(channel)
    left = "got no thread from me" if is_attached else "was not created"
    return statement(
        f"I can't tell whether I posted a card in {where}: Slack's answer was lost, and now I can't look "
        f"there ({escaped(code_word, 60)}). The task {left}. If you see its card there, it leads to nothing."
    )


def _conversation(channel: str) -> str:
    return f"<#{channel}>" if channel.startswith("C") else "this conversation"


def cannot_post(code_word: str, channel: str = "", *, is_attached: bool = False) -> Message:
    """The card cannot be posted where it should stand."""
    where = _conversation(channel)
    reasons = {
        "not_in_channel": f"I'm not in {where}. Invite me there with `/invite @Taskwire`, then try again.",
        "channel_not_found": "I can't see this conversation. If it is a private channel, invite me with "
        "`/invite @Taskwire`; in a direct message with somebody else, use a channel instead.",
        "is_archived": f"The channel {where} is archived. Use another one.",
    }
    why = reasons.get(
        code_word, f"Slack does not let me post there ({escaped(code_word, 60)}). Use another channel."
    )
    return not_attached(why) if is_attached else statement(f"Nothing was created. {why}")


def thread_closed(link: Link, code_word: str) -> Message:
    """Nothing can be said in a task's thread any more."""
    where = f"<#{link.bond.channel}>" if link.bond.channel.startswith("C") else "its conversation"
    why = {
        "is_archived": f"{where} is archived",
        "not_in_channel": f"I was removed from {where}",
        "channel_not_found": f"I was removed from {where}, or it was deleted",
    }.get(code_word, f"Slack does not let me post in {where} ({escaped(code_word, 60)})")
    name = escaped(link.bond.name, 60)
    return statement(
        f"I can't write in the thread of {title(link)} any more: {why}. The agent goes on all the same. "
        "When I may write there again, I say there what it missed. "
        f"`/task detach {name}`, then `/task attach {name}` elsewhere gives it a new thread."
    )


# Replies by command, verbs


def act_too_old(verb: str) -> Message:
    """A verb was found after the bot had been away for long."""
    return statement(
        f"`!{verb}` was written while I was away, more than an hour ago, so I did nothing. "
        "Write it again if it still holds."
    )


def quoted_input(author: str, text: str) -> Message:
    """Words that came by `/task send`, shown in the thread before the agent gets them."""
    is_long = len(text) > QUOTED_INPUT
    beginning = f" (the beginning; the agent gets all {len(text):,} characters)" if is_long else ""
    words = f"{escaped(author, 80)} says{beginning}:"
    return Message(
        text=cut(f"{words} {escaped(text, 3_000)}", TEXT),
        blocks=(section("author", words), quoted("text", text, QUOTED_INPUT)),
    )


def sent_to_thread(link: Link) -> Message:
    """The words of `/task send` are in the thread."""
    return statement(
        f"Your words are in the thread of {title(link)}; the mark on them says when the agent has them."
    )


# Pause, resume, edit, delete, detach, mute


def pausing(link: Link) -> Message:
    """The workspace is stopping."""
    again = (
        "A reply in its thread, or *Resume*, starts"
        if _has_thread(link)
        else f"{_typed('resume', link)} starts"
    )
    return statement(f"Pausing {title(link)}. {again} it again.")


def paused_since(link: Link) -> Message:
    """Somebody paused after this person had resumed."""
    return statement(f"{title(link)} was paused after you asked for that, so it stays paused.")


def overtaken(link: Link, verb: str) -> Message:
    """The opposite has been done since."""
    since = "started" if verb == "pause" else "stopped"
    return statement(
        f"{title(link)} has been {since} since you asked me to {verb} it, so I left it as it is."
    )


def already_paused(link: Link) -> Message:
    """There is nothing to pause."""
    again = "A reply in its thread" if _has_thread(link) else _typed("resume", link)
    return statement(f"{title(link)} is paused already. {again} starts it again.")


def resuming(link: Link) -> Message:
    """The workspace is starting."""
    after = (
        "The thread hears when it is back"
        if _has_thread(link)
        else f"{_typed('status', link)} says how it stands"
    )
    return statement(f"Starting {title(link)} again. {after}.")


def already_running(link: Link) -> Message:
    """There is nothing to resume."""
    return statement(f"{title(link)} is running already.")


def waiting_for_build(link: Link, verb: str) -> Message:
    """A start or stop is under way and must end first."""
    return statement(
        f"The workspace of {title(link)} is just starting or stopping. "
        f"I'll {verb} it as soon as that is over."
    )


def edited(link: Link) -> Message:
    """The prompt is replaced."""
    return statement(f"{title(link)} has its new prompt. The agent reads it when the task is resumed.")


def pause_to_edit(link: Link, key: str) -> Message:
    """Coder takes a new prompt only while the task is paused."""
    words = (
        f"{title(link)} is running, and Coder changes the prompt of a paused task only. "
        "Pause it and change it then?"
    )
    return question(words, "", [button(Button.PAUSE_TO_EDIT, "Pause, then change it", key)])


def edit_button(link: Link) -> Message:
    """A message cannot open a dialog; a button can."""
    words = f"Coder takes a new prompt for {title(link)} while the task is paused."
    return question(words, "", [button(Button.EDIT, "Edit prompt", link.id)])


def delete_button(link: Link) -> Message:
    """A message cannot open a dialog; a button can."""
    words = f"Deleting {title(link)} removes its workspace and everything in it that was not pushed."
    return question(words, "", [button(Button.DELETE, "Delete…", link.id, style="danger")])


def deleted(link: Link) -> Message:
    """The task is deleted; whoever asked does not see its thread."""
    return statement(f"{title(link)} is deleted.")


def detached(link: Link) -> Message:
    """The link is ended on request."""
    name = escaped(link.bond.name, 60)
    return statement(
        f"This thread is detached: the task itself is left alone, and I say no more about it here. "
        f"`/task attach {name}` gives it a new thread."
    )


def muted(link: Link, *, is_muted: bool) -> Message:
    """Calls are off, or on again."""
    if is_muted:
        return statement(
            f"{title(link)} mentions nobody any more; its messages still come. "
            "*Unmute* or `!unmute` in its thread undoes this."
        )
    return statement(f"{title(link)} calls people again when it needs them.")


def already_attached(link: Link, permalink: str) -> Message:
    """The task has a thread, at this address if the bot may still write there."""
    if permalink:
        return statement(f"{title(link)} has a thread already: <{permalink}>")
    return statement(
        f"{title(link)} has a thread already, but I can't write in it any more. {_typed('detach', link)}, "
        f"then {_typed('attach', link)} gives it a new one."
    )


# Logs


def logs(title: str, text: str, *, is_cut: bool) -> Message:
    """The end of what the agent wrote."""
    if not text.strip():
        return statement(f"*{escaped(title, 80)}* has written nothing yet.")
    end = "The end of the log" if is_cut else "The log"
    words = f"{end} of *{escaped(title, 80)}*:"
    return Message(
        text=cut(f"{words}\n{escaped(text, 3_000)}", TEXT), blocks=(section("log", words), code("text", text))
    )


def log_follows(link: Link) -> Message:
    """The whole log comes as a file."""
    return statement(f"The whole log of {title(link)} follows as a file.")


def log_sent(title: str) -> Message:
    """The whole log went to the person's direct messages."""
    return statement(f"The whole log of *{escaped(title, 80)}* is in your direct messages with me.")


# At the door


def in_doubt_command() -> str:
    """Redis did not say whether it took a command."""
    return (
        "I can't tell whether I took this: my store did not answer. Look for its card before you repeat it."
    )


def store_away() -> str:
    """Redis cannot be reached, so nothing was taken."""
    return (
        "I could not take this: my store cannot be reached. Nothing was done; please try again in a minute."
    )


def too_much_waits() -> str:
    """More was asked for, by this person or in this thread, than is kept."""
    return (
        "So much that was asked for still waits that I did not take this one. "
        "Please try again in a few minutes."
    )


def trouble(sign: str) -> Message:
    """Something nobody expected; the reference finds the log line."""
    return statement(
        "Something went wrong on my side, and nothing was done. If it stays, give your administrator "
        f"this reference: `{sign}`."
    )


def dialog_failed() -> Message:
    """Slack did not open the dialog in time."""
    return statement("Slack did not let me open the dialog in time. Nothing was done; please try again.")


# Why a job was given up.
KILLED = "I was stopped in the middle of it again and again"
FAILED_FOR_A_DAY = "it did not succeed in a day"
REFUSED_FOR_A_WEEK = "my account was refused for a week"
# These say nothing of the one job that was tried.
SHARED_REASONS = (FAILED_FOR_A_DAY, REFUSED_FOR_A_WEEK)


def wrong_with_me(sign: str) -> str:
    """The same job surprised me time and again."""
    return f"something is wrong with me (reference {sign})"


def gave_up(wished: str, why: str, *, is_in_doubt: bool) -> Message:
    """A job was given up, whose purpose is named as `waiting.wish` does."""
    doubt = "I could not find out whether it happened, so please look before you ask again. "
    return statement(
        f"I gave up {wished}: {sentence(escaped(why, 300))} {doubt if is_in_doubt else ''}"
        "Your administrator can see it with `taskwire doctor`."
    )


def coder_away() -> Message:
    """Coder cannot be asked just now."""
    return statement("Coder does not answer me right now. Please try again in a minute.")


def token_refused() -> Message:
    """Coder refuses the bot's own token."""
    return statement(
        "Coder refuses my token, so I can do nothing there. Please tell whoever runs Taskwire: "
        "`taskwire doctor` says what to do."
    )


def never_posted(*, is_attached: bool) -> Message:
    """The card could not be posted."""
    left = "The task got no thread." if is_attached else "Nothing was created."
    return statement(f"I could not post the card for an hour, so I stopped trying. {left}")


def no_tasks() -> Message:
    """This Coder has no Tasks."""
    return statement(
        "This Coder has no Tasks, so I can do nothing there. Please tell whoever runs Taskwire: "
        "`taskwire doctor` says more."
    )


def slack_away() -> Message:
    """Slack did not do its part."""
    return statement("Slack did not do what I asked of it just now. Please try again in a minute.")


def mention_not_yet() -> Message:
    """Mentions come later."""
    return statement("I can't start a task from a mention yet. Type `/task create …` in the channel instead.")


def direct_not_yet() -> Message:
    """Direct messages come later."""
    return statement(
        "I can't start a task from a message here yet. Type `/task create …` instead, here or in a channel."
    )


def not_available(what: str) -> Message:
    """A verb that this version does not have."""
    return statement(f"I can't do that yet. {what}")
