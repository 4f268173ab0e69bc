"""Short answers to people: what was done, what waits and why, what was asked.

A refusal is a pair, what is wrong and what to do next, for a `UserError`; `refusal` makes a message of it.
Refusals that concern names and choices stand in `refusals`.
"""

from collections.abc import Sequence

from taskwire.model.actions import Button
from taskwire.model.errors import UserError
from taskwire.model.links import Link
from taskwire.model.messages import Block, Message
from taskwire.words.blocks import TEXT, button, code, cut, escaped, quoted, rows, section
from taskwire.words.cards import name_of

QUOTE = 300
# All blocks of a message together fail at about 13,000 characters.
QUOTED_INPUT = 9_000
ASKED = "ask"


def refusal(error: UserError) -> Message:
    """Say what is wrong and what to do next."""
    return _plain(str(error))


def _plain(words: str) -> Message:
    return Message(text=cut(words, TEXT), blocks=(section("answer", cut(words, 3_000)),))


def _question(words: str, text: str, buttons: Sequence[Block]) -> Message:
    """A question about a text: our words, the text, the choices."""
    shown = [section("question", words)]
    if text.strip():
        shown.append(quoted("text", text, QUOTE))
    return Message(text=cut(words, TEXT), blocks=(*shown, *rows(ASKED, buttons)))


def _title(link: Link) -> str:
    return f"*{escaped(name_of(link), 80)}*"


def _has_thread(link: Link) -> bool:
    return link.bond.thread_ts is not None


def _typed(verb: str, link: Link) -> str:
    return f"`/task {verb} {escaped(link.bond.name, 60)}`"


# Creating


def another_one(prompt: str, key: str) -> Message:
    """The same was asked for a moment ago."""
    words = "You started exactly this task here less than two minutes ago. Another one?"
    return _question(words, prompt, [button(Button.CREATE_ANOTHER, "Create another", key, style="primary")])


def not_created(why: str) -> Message:
    """The task could not be created; nothing is left of it."""
    return _plain(f"The task was not created. {why}")


def not_attached(why: str) -> Message:
    """The task got no thread."""
    return _plain(f"The task got no thread. {why}")


def cannot_post(code_word: str, channel: str = "", *, is_attached: bool = False) -> Message:
    """The card cannot be posted where it should stand."""
    where = f"<#{channel}>" if channel.startswith("C") else "this conversation"
    reasons = {
        "not_in_channel": f"I'm not in {where}. Invite me there with `/invite @Taskwire`, then try again.",
        "channel_not_found": "I can't see this conversation. If it is a private channel, invite me with "
        "`/invite @Taskwire`; in a direct message with somebody else, use a channel instead.",
        "is_archived": f"The channel {where} is archived. Use another one.",
    }
    why = reasons.get(
        code_word, f"Slack does not let me post there ({escaped(code_word, 60)}). Use another channel."
    )
    return not_attached(why) if is_attached else _plain(f"Nothing was created. {why}")


# Replies


def delivered_late(text: str) -> Message:
    """It was delivered after something that had been written later."""
    words = "Slack brought me this reply late: the agent got it after one that was written later."
    return _about(words, text)


def delivered_twice(text: str) -> Message:
    """The agent may have got it twice; nobody can take it back."""
    words = "I was interrupted while delivering this, and the agent got it twice. Tell it if that matters."
    return _about(words, text)


def edited_late(text: str) -> Message:
    """A reply was edited after the agent had it."""
    words = "This edit came after the agent had the reply: it knows the earlier words. Reply to correct it."
    return _about(words, text) if text.strip() else _plain(words)


def deleted_late() -> Message:
    """A reply was deleted after the agent had it."""
    return _plain("The agent had a reply before it was deleted here. Reply to tell it otherwise.")


def _about(words: str, text: str) -> Message:
    return Message(text=cut(words, TEXT), blocks=(section("about", words), quoted("text", text, QUOTE)))


def _value(link: Link, job_id: str) -> str:
    return f"{link.id} {job_id}"


def input_in_doubt(link: Link, job_id: str, text: str) -> Message:
    """Whether the agent got it cannot be known."""
    words = (
        "I can't tell whether the agent got this: the answer was lost, and its log does not say. "
        "Later replies wait until you decide."
    )
    value = _value(link, job_id)
    choices = [
        button(Button.ARRIVED, "It arrived", value),
        button(Button.SEND_AGAIN, "Send again", value),
    ]
    return _question(words, text, choices)


def still_send(link: Link, job_id: str, text: str) -> Message:
    """An old reply was found after the bot had been away."""
    words = "This was written while I was away, more than an hour ago. Still send it? Later replies wait."
    value = _value(link, job_id)
    choices = [
        button(Button.SEND_STILL, "Send it", value, style="primary"),
        button(Button.DROP_INPUT, "Leave it", value),
    ]
    return _question(words, text, choices)


def refused_files(link: Link, job_id: str, names: Sequence[str], text: str) -> Message:
    """Some of a reply's files cannot go to the agent."""
    value = _value(link, job_id)
    choices = [
        button(Button.SEND_AS_IT_IS, "Send without them", value),
        button(Button.DROP_INPUT, "Don't send", value),
    ]
    return _question(f"{_cannot_take(names)} This reply and later ones wait for your word.", text, choices)


def nothing_to_send(names: Sequence[str]) -> Message:
    """Nothing of a reply can go to the agent."""
    if names:
        return _plain(f"{_cannot_take(names)} There was nothing else in the reply, so nothing was sent.")
    return _plain(
        "There was nothing in this reply that the agent could get. Write a few words and try again."
    )


def _cannot_take(names: Sequence[str]) -> str:
    what = "this file" if len(names) == 1 else "these files"
    shown = ", ".join(f"`{escaped(name, 60)}`" for name in names)
    return f"The agent only gets text files of up to 100 kB, not {what}: {shown}."


def not_a_verb(nearest: Sequence[str], value: str, text: str) -> Message:
    """A reply begins with `!` and is no verb."""
    offered = " or ".join(f"`{word}`" for word in nearest)
    meant = f" Did you mean {offered}?" if offered else " `!help` lists the verbs."
    words = f"This was not sent: agents take a leading `!` for a shell command.{meant}"
    return _question(words, text, [button(Button.SEND_AS_IT_IS, "Send it as it is", value)])


def not_delivered(link: Link, job_id: str, why: str, text: str) -> Message:
    """Coder refused an input."""
    return _try_again(link, job_id, f"This reply was not delivered. Coder said: {escaped(why, 300)}", text)


def delivery_given_up(link: Link, job_id: str, why: str, text: str) -> Message:
    """An input was tried until there was no point in it any more."""
    return _try_again(link, job_id, f"This reply was not delivered: {escaped(why, 300)}.", text)


def waited_too_long(link: Link, job_id: str, text: str) -> Message:
    """The agent was not ready for a day."""
    words = "This reply was not delivered: it waited a whole day for the agent, so I stopped trying."
    return _try_again(link, job_id, words, text)


def _try_again(link: Link, job_id: str, words: str, text: str) -> Message:
    return _question(words, text, [button(Button.SEND_AGAIN, "Try again", _value(link, job_id))])


def broken_first(link: Link, job_id: str, text: str) -> Message:
    """The workspace is broken, so nothing can be delivered."""
    words = "This reply was not delivered: the workspace is broken. Retry it, then send the reply again."
    choices = [
        button(Button.RETRY, "Retry the workspace", link.id),
        button(Button.SEND_AGAIN, "Send the reply again", _value(link, job_id)),
    ]
    return _question(words, text, choices)


def nobody_said(text: str, *, is_in_doubt: bool) -> Message:
    """A question about a reply was not answered for a week."""
    if is_in_doubt:
        return _about("Nobody told me for a week whether the agent got this, so I leave it at that.", text)
    return _about("Nobody decided on this reply for a week, so it was not sent.", text)


def link_ended(link: Link) -> Message:
    """The thread leads to no task any more."""
    why = {
        "gone": "its task is no longer in Coder",
        "detached": "it was detached from its task",
        "failed": "its task was never created",
    }[link.ended or "gone"]
    return _plain(f"Nobody gets replies in this thread now: {why}. `/task create …` starts a new one.")


def reply_not_theirs(link: Link) -> Message:
    """Somebody who may not steer wrote in the thread."""
    return _plain(
        f"Your replies here stay between people: only {_owner(link)} can talk to the agent of "
        f"{_title(link)}. They can pass your words on."
    )


def reply_refused(error: UserError) -> Message:
    """Somebody who may not use the bot, or cannot be recognised, wrote in the thread."""
    return _plain(f"Your replies here do not reach the agent. {error}")


def act_too_old(verb: str) -> Message:
    """A verb was found after the bot had been away for long."""
    return _plain(
        f"`!{verb}` was written while I was away, more than an hour ago, so I did nothing. "
        "Write it again if it still holds."
    )


def _owner(link: Link) -> str:
    return f"its owner, {escaped(link.bond.owner_name, 60)}," if link.bond.owner_name else "its owner"


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
    return _plain(
        f"Your words are in the thread of {_title(link)}; the mark on them says when the agent has them."
    )


# Pause, resume, edit, delete, detach, mute


def pausing(link: Link) -> Message:
    """The workspace is stopping."""
    again = (
        "A reply in its thread, or *Resume*, starts"
        if _has_thread(link)
        else f"{_typed('resume', link)} starts"
    )
    return _plain(f"Pausing {_title(link)}. {again} it again.")


def paused_holding(link: Link, count: int, *, is_paused: bool) -> Message:
    """The workspace is stopping or has stopped, and replies wait."""
    replies = "one reply waits" if count == 1 else f"{count} replies wait"
    words = f"{'Paused' if is_paused else 'Pausing'}, and {replies} until you say what to do."
    choices = [
        button(Button.RESUME_AND_SEND, "Resume and send", link.id),
        button(Button.DROP_HELD, "Drop them" if count > 1 else "Drop it", link.id),
    ]
    return _question(words, "", choices)


def paused_since(link: Link) -> Message:
    """Somebody paused after this person had resumed."""
    return _plain(f"{_title(link)} was paused after you asked for that, so it stays paused.")


def already_paused(link: Link) -> Message:
    """There is nothing to pause."""
    again = "A reply in its thread" if _has_thread(link) else _typed("resume", link)
    return _plain(f"{_title(link)} is paused already. {again} starts it again.")


def resuming(link: Link) -> Message:
    """The workspace is starting."""
    after = (
        "The thread hears when it is back"
        if _has_thread(link)
        else f"{_typed('status', link)} says how it stands"
    )
    return _plain(f"Starting {_title(link)} again. {after}.")


def already_running(link: Link) -> Message:
    """There is nothing to resume."""
    return _plain(f"{_title(link)} is running already.")


def waiting_for_build(link: Link, verb: str) -> Message:
    """A start or stop is under way and must end first."""
    return _plain(
        f"The workspace of {_title(link)} is just starting or stopping. "
        f"I'll {verb} it as soon as that is over."
    )


def edited(link: Link) -> Message:
    """The prompt is replaced."""
    return _plain(f"{_title(link)} has its new prompt. The agent reads it when the task is resumed.")


def pause_to_edit(link: Link, key: str) -> Message:
    """Coder takes a new prompt only while the task is paused."""
    words = (
        f"{_title(link)} is running, and Coder changes the prompt of a paused task only. "
        "Pause it and change it then?"
    )
    return _question(words, "", [button(Button.PAUSE_TO_EDIT, "Pause, then change it", key)])


def edit_button(link: Link) -> Message:
    """A message cannot open a dialog; a button can."""
    words = f"Coder takes a new prompt for {_title(link)} while the task is paused."
    return _question(words, "", [button(Button.EDIT, "Edit prompt", link.id)])


def delete_button(link: Link) -> Message:
    """A message cannot open a dialog; a button can."""
    words = f"Deleting {_title(link)} removes its workspace and everything in it that was not pushed."
    return _question(words, "", [button(Button.DELETE, "Delete…", link.id, style="danger")])


def deleted(link: Link) -> Message:
    """The task is deleted; whoever asked does not see its thread."""
    return _plain(f"{_title(link)} is deleted.")


def given_back(texts: Sequence[str]) -> Message:
    """What waited is given back with its texts."""
    words = (
        "One reply had not reached the agent:"
        if len(texts) == 1
        else f"{len(texts)} replies had not reached the agent:"
    )
    return Message(text=words, blocks=(section("given-back", words), code("texts", "\n\n".join(texts))))


def dropped(texts: Sequence[str]) -> Message:
    """What a pause held is dropped, with its texts."""
    words = "Dropped one reply:" if len(texts) == 1 else f"Dropped {len(texts)} replies:"
    return Message(text=words, blocks=(section("dropped", words), code("texts", "\n\n".join(texts))))


def nothing_held(link: Link) -> Message:
    """Nothing waits any more."""
    return _plain(f"Nothing waits in {_title(link)} any more.")


def already_decided() -> Message:
    """Somebody has decided already."""
    return _plain("That has been decided already.")


def detached(link: Link) -> Message:
    """The link is ended on request."""
    name = escaped(link.bond.name, 60)
    return _plain(
        f"This thread is detached: the task goes on in Coder, and I say no more about it here. "
        f"`/task attach {name}` brings it back."
    )


def muted(link: Link, *, is_muted: bool) -> Message:
    """Calls are off, or on again."""
    if is_muted:
        return _plain(
            f"Nobody is called for {_title(link)} any more. Messages go on; `!unmute` brings the calls back."
        )
    return _plain(f"{_title(link)} calls people again when it needs them.")


def already_attached(link: Link, permalink: str) -> Message:
    """The task has a thread."""
    return _plain(f"{_title(link)} has a thread already: {permalink}")


# Logs


def logs(title: str, text: str, *, is_cut: bool) -> Message:
    """The end of what the agent wrote."""
    if not text.strip():
        return _plain(f"*{escaped(title, 80)}* has written nothing yet.")
    end = "The end of the log" if is_cut else "The log"
    words = f"{end} of *{escaped(title, 80)}*:"
    return Message(
        text=cut(f"{words}\n{escaped(text, 3_000)}", TEXT), blocks=(section("log", words), code("text", text))
    )


def log_follows(link: Link) -> Message:
    """The whole log comes as a file."""
    return _plain(f"The whole log of {_title(link)} follows as a file.")


def no_logs_now(link: Link) -> Message:
    """Coder shows no log in this state."""
    return _plain(
        f"Coder shows no log of {_title(link)} while its workspace is in this state. Try again when it is up."
    )


def agent_away(link: Link) -> Message:
    """Coder cannot reach the agent."""
    return _plain(f"Coder cannot reach the agent of {_title(link)} right now. Please try again in a minute.")


def log_sent(title: str) -> Message:
    """The whole log went to the person's direct messages."""
    return _plain(f"The whole log of *{escaped(title, 80)}* is in your direct messages with me.")


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


def trouble(sign: str) -> Message:
    """Something nobody expected; the reference finds the log line."""
    return _plain(
        "Something went wrong on my side, and nothing was done. If it stays, give your administrator "
        f"this reference: `{sign}`."
    )


def too_late() -> Message:
    """What a button was about is not known any more."""
    return _plain("That button is too old: I no longer know what it was about. Please ask again.")


def dialog_failed() -> Message:
    """Slack did not open the dialog in time."""
    return _plain("Slack did not let me open the dialog in time. Nothing was done; please try again.")


def gave_up(what: str, why: str) -> Message:
    """A job was given up."""
    return _plain(
        f"I could not {what}, and stopped trying: {why}. "
        "Your administrator can see it with `taskwire doctor`."
    )


def coder_away() -> Message:
    """Coder cannot be asked just now."""
    return _plain("Coder does not answer me right now, so I can't say. Please try again in a minute.")


def token_refused() -> Message:
    """Coder refuses the bot's own token."""
    return _plain(
        "Coder refuses my token, so I can do nothing there. Please tell whoever runs Taskwire: "
        "`taskwire doctor` says what to do."
    )


def waits_for_coder() -> Message:
    """Coder is away, and what was asked waits."""
    return _plain(
        "Coder does not answer me right now, so this waits. I try again for up to an hour; "
        "there is no need to repeat it."
    )


def never_posted() -> Message:
    """The card could not be posted."""
    return _plain("I could not post the card for an hour, so I stopped trying. Nothing was created.")


def waits_for_token() -> Message:
    """Coder refuses the bot's own token, and what was asked waits."""
    return _plain(
        "Coder refuses my token, so this waits. I try again for up to an hour. Please tell whoever runs "
        "Taskwire: `taskwire doctor` says what to do."
    )


def never_answered() -> Message:
    """Coder stayed away."""
    return _plain(
        "Coder did not answer me for an hour, so I stopped trying. Please ask again when it is back."
    )


def no_tasks() -> Message:
    """This Coder has no Tasks."""
    return _plain(
        "This Coder has no Tasks, so I can do nothing there. Please tell whoever runs Taskwire: "
        "`taskwire doctor` says more."
    )


def slack_away() -> Message:
    """Slack did not do its part."""
    return _plain("Slack did not do what I asked of it just now. Please try again in a minute.")


def mention_not_yet() -> Message:
    """Mentions come later."""
    return _plain("I can't start a task from a mention yet. Type `/task create …` in the channel instead.")


def direct_not_yet() -> Message:
    """Direct messages come later."""
    return _plain(
        "I can't start a task from a message here yet. Type `/task create …` instead, here or in a channel."
    )


def not_available(what: str) -> Message:
    """A verb that this version does not have."""
    return _plain(f"I can't do that yet. {what}")
