"""Messages about people who take part in another person's task.

Most functions return one message, and their docstrings tell what the message says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import Block, Button, Message, json_length
from taskwire.messages.blocks import (
    TEXT_LENGTH,
    button,
    button_rows,
    context,
    cut,
    emoji_piece,
    escape_line,
    format_moment,
    format_time,
    line,
    mrkdwn,
    one_line,
    quote_block,
    safe_web_url,
    section,
    text_piece,
    title_piece,
)
from taskwire.messages.cards import get_name, get_owner_name
from taskwire.messages.refusals import Refusal
from taskwire.messages.shapes import CHOICES_BLOCK_ID, bold_title, question, statement, typed_verb

# In characters of JSON. The owner must see the whole reply before passing it on. Slack refuses blocks that
# have about 13,000 characters together, and has refused some with 11,341 characters of text (bolt-js#2509,
# #2867). A Home tab has at most 250,000 bytes, and shows several replies.
PASSED_TEXT_LENGTH, HOME_TEXT_LENGTH, _LISTED_TEXT_LENGTH = 8_000, 2_900, 600

_NEVER_CALLED = "you chose not to be called."


def _settings_button() -> Block:
    return button(Button.PREFERENCES, "Settings", "own")


def watching(link: Link, *, quiet_until: datetime | None = None, is_never_called: bool = False) -> Message:
    """Say that the task's notices call the person from now on, and offer to end that.

    `quiet_until` is when the person's present quiet hours end. `is_never_called` is true if the person's own
    settings turn all calls off.
    """
    words = f"I call you when {bold_title(link)} needs somebody, is done or fails."
    change: list[Block] = []
    if is_never_called:
        words, change = f"You watch {bold_title(link)}, but {_NEVER_CALLED}", [_settings_button()]
    elif link.is_muted:
        words += " It is muted now, so nobody is called."
    elif quiet_until is not None:
        words += f" You have quiet hours until {format_time(quiet_until)}, so I'll call you after them."
    return question(words, "", [*change, button(Button.UNWATCH, "Stop watching", link.id)])


def not_watching(link: Link) -> Message:
    """Say that the person does not watch the task."""
    return statement(f"You don't watch {bold_title(link)}.")


def owner_watches(link: Link, *, is_never_called: bool = False) -> Message:
    """Tell the owner that they need not watch the task, and whether its notices call them.

    `is_never_called` is true if the owner's own settings turn all calls off.
    """
    if is_never_called:
        words = f"{bold_title(link)} is yours, but {_NEVER_CALLED}"
        return question(words, "", [_settings_button()])
    if link.is_muted:
        words = f"{bold_title(link)} is yours, but it is muted: I call nobody."
        return question(words, "", [button(Button.UNMUTE, "Unmute", link.id)])
    words = f"{bold_title(link)} is yours, so I call you anyway."
    return question(words, "", [button(Button.MUTE, "Mute", link.id)])


def too_many_watch(link: Link, most: int) -> Message:
    """Say that `most` people watch the task already, so this person cannot watch it."""
    return statement(
        f"{most} people already watch {bold_title(link)}, which is the limit. Try again when one of them "
        "stops."
    )


def list_people(names: Sequence[str], groups: Sequence[str], *, is_for_all: bool) -> str:
    """Join the names of people and the ids of user groups, as mrkdwn.

    If everybody sees the message (`is_for_all`), show only the number of groups, because a group's token
    would notify all members.
    """
    shown = [escape_line(name, 60) or "somebody" for name in names]
    if is_for_all:
        shown += ["a user group" if len(groups) == 1 else f"{len(groups)} user groups"] if groups else []
    else:
        shown += [f"<!subteam^{group}>" for group in groups]
    *first, last = shown or [""]
    return f"{', '.join(first)} and {last}" if first else last


def who_may_steer(
    link: Link,
    shared_with: str,
    *,
    whom: str,
    is_own: bool,
    is_open: bool = False,
    is_in_thread: bool,
    ended: str = "",
    kept: str = "",
) -> Message:
    """Say who may steer the task: its owner, and the people with whom it is shared.

    `whom` is the name of one of these people, for an example. `is_own` is true if the reader is the owner. If
    `is_open`, the channel's settings let everybody in the channel steer. `ended` are the people whose share
    the reader has just ended. `kept` are those who may steer the task anyway, for example as members of its
    channel.
    """
    title, words = bold_title(link), []
    if ended:
        words.append(f"{ended} can no longer steer {title}.")
    if kept:
        words.append(f"{kept} can still steer {title} without a share.")
    can = "can" if words else f"can steer {title}, but not delete, detach or share it"
    if shared_with:
        several = f" for {escape_line(whom, 60)}" if whom and whom != shared_with else ""
        unshare = typed_verb("unshare", link, _at(whom), is_in_thread=is_in_thread)
        words.append(f"{shared_with} {'still ' if words else ''}{can}. {unshare} ends that{several}.")
    elif is_open:
        words.append(f"Everybody in <#{link.record.channel}> {can}.")
    elif words:
        words.append(
            "" if kept else f"Only {_you_or_owner(link, is_own=is_own)} and Taskwire administrators can."
        )
    else:
        share = typed_verb("share", link, "@who", is_in_thread=is_in_thread)
        who = f"{_you_or_owner(link, is_own=is_own)} and Taskwire administrators"
        words.append(f"Only {who} can steer {title}. {share} shares it.")
    return statement(" ".join(words).strip())


def _you_or_owner(link: Link, *, is_own: bool) -> str:
    return "you" if is_own else escape_line(get_owner_name(link), 60) or "its owner"


def _at(name: str) -> str:
    """Return a person's name as it is typed after `/task unshare`, or `@who` without a name."""
    return f"@{escape_line(name.replace('`', ''), 60) or 'who'}"


def only_owner(link: Link, value: str = "", chosen: str = "") -> Message:
    """Tell the author of a reply that it does not go to the agent.

    If `value` is not empty, offer to ask the owner: it is the value of the button. If the person has pressed
    a choice and has written no reply, `chosen` is that choice.
    """
    owner = get_owner_name(link)
    what = "choice" if chosen else "reply"
    words = f"The agent did not get your {what}: you can't steer this task."
    if not value:
        return statement(words)
    label = f"Ask {one_line(owner, 40) or 'the owner'} to pass it on"
    return question(words, chosen, [button(Button.ASK_OWNER, label, value)])


def was_asked(link: Link) -> Message:
    """Tell the author of a reply that the owner was asked to pass it on."""
    return statement(f"{escape_line(get_owner_name(link), 60) or 'The owner'} was asked to pass it on.")


def too_many_asked(link: Link, most: int) -> Refusal:
    """Say to the author of a reply that the owner has to decide about `most` of their replies already."""
    owner = escape_line(get_owner_name(link), 60) or "The owner"
    return (
        f"{owner} still has to decide about {most} of your replies, so I did not ask about this one.",
        "Press the button again later.",
    )


def stays_between_people(author: str) -> Refusal:
    """Say that a message was not sent, because `author` has marked it as not for the agent."""
    named = escape_line(author, 60) or "its author"
    return (
        "Nothing was sent: this message begins with `//` or `!aside`, so it stays between people.",
        f"Ask {named} to write it again without the mark.",
    )


def was_decided(by_name: str, *, was_passed: bool, is_choice: bool = False) -> Message:
    """Tell the author of a reply what `by_name`, the owner or an administrator, has decided about it.

    `is_choice` is true if the author has pressed a choice instead of writing.
    """
    who = escape_line(by_name, 60) or "The owner"
    if not was_passed:
        return statement(f"{who} didn't pass it on.")
    where = "" if is_choice else " The reaction on your reply shows when the agent has it."
    return statement(f"{who} passed it on.{where}")


def may_steer_now(*, is_stop: bool = False) -> Message:
    """Tell the author of a reply that it goes to the agent, because the author may steer the task now.

    If `is_stop`, the reply is only `stop`. It then stops the task.
    """
    what = "your `stop` stops it" if is_stop else "your reply goes to its agent"
    return statement(f"You can steer this task now: {what}.")


def nothing_to_pass_on() -> Message:
    """Tell the author of a reply that the owner cannot pass it on: it was deleted or is not for the agent."""
    return statement("Your reply was deleted, or is not for the agent any more. There is nothing to pass on.")


@dataclass(frozen=True)
class AskedFile:
    """A text file of a reply that a task's owner is asked to pass on. `size` is in bytes.

    Its content is shown if it is short. Otherwise `text` is empty, and `url` leads to the file, if the owner
    can open it. `may_differ` is true if not all of the content is shown and its author can still edit it:
    then the owner could read another text in Slack than the agent gets.
    """

    name: str
    size: int
    text: str = ""
    url: str = ""
    may_differ: bool = False


@dataclass(frozen=True)
class AskedLine:
    """A teammate's reply that a task's owner is asked to pass on.

    `name` is the author's name. `files` are the names of the reply's files, and `contents` are those files
    that the agent gets. `job_id` is the id of the reply's job. `permalink` leads to the task's thread. If
    `is_hidden` is true, a part of the text or of a file is masked, and `message_url` leads to the message.
    `shown_hash` is the hash of what this question shows. `is_stop` is true if the reply is only `stop` or a
    similar word: to pass it on stops the task.
    """

    link: Link
    job_id: str
    name: str
    text: str
    files: Sequence[str] = ()
    contents: Sequence[AskedFile] = ()
    permalink: str = ""
    is_hidden: bool = False
    message_url: str = ""
    shown_hash: str = ""
    is_stop: bool = False

    @property
    def value(self) -> str:
        """The value of the buttons that decide about the reply."""
        return f"{self.link.id} {self.job_id} {self.shown_hash}".rstrip()

    def list_editable(self) -> list[str]:
        """List the files of which not all is shown, and that their author can still edit in Slack."""
        return [one_line(file.name, 60) for file in self.contents if file.may_differ]


def owner_was_asked(link: Link, author: str) -> Message:
    """Tell the owner, in a direct message, that a teammate asks in the thread to pass a reply on."""
    words = f"{escape_line(author, 60) or 'Somebody'} asks you to pass a reply on to the agent of"
    return statement(f"{words} {bold_title(link)}. `/task` shows the reply, with the buttons for it.")


def ask_owner(asked: AskedLine, *, is_changed: bool = False) -> Message:
    """Ask the owner to pass on a reply. There is no button for it if the owner cannot read the whole reply.

    `is_changed` is true if the author has changed the reply since the owner was asked.
    """
    shown = escape_line(asked.name, 60) or "Somebody"
    named = _list_files(asked.files)
    having = f" with {named}" if named else ""
    words = f"{shown} asks you to pass this on to the agent of {bold_title(asked.link)}{having}:"
    if asked.is_stop:
        words = f"{shown} asks you to stop {bold_title(asked.link)}:"
    if is_changed:
        what = f"the reply to the agent of {bold_title(asked.link)}"
        words = f"{shown} has edited {what}, so nothing has been sent yet. Pass this on{having}?"
    value = asked.value
    choices, more = [button(Button.NOT_NOW, "Not now", value)], list[Block]()
    if _is_readable(asked, PASSED_TEXT_LENGTH):
        always = f"Always let {one_line(asked.name, 40) or 'them'} steer this"
        choices = [_pass_button(asked), button(Button.ALWAYS_LET, always, value), *choices]
        now = "stops it now, too" if asked.is_stop else "sends this reply too"
        rights = f"*Always let…* {now}. From then on, {shown} can reply, edit the prompt, stop and resume."
        more = [context("always", [mrkdwn(rights)])]
    is_whole = _length(asked) <= PASSED_TEXT_LENGTH
    quoted = quote_block("text", asked.text, PASSED_TEXT_LENGTH if is_whole else HOME_TEXT_LENGTH)
    hint, row = _hint("unread", asked, PASSED_TEXT_LENGTH), button_rows(CHOICES_BLOCK_ID, choices)
    files = _files_block("files", asked) if is_whole else []
    blocks = (section("question", words), quoted, *files, *hint, *row, *more)
    return Message(text=cut(words, TEXT_LENGTH), blocks=blocks)


def get_asked_rows(block_id: str, asked: AskedLine, *, is_short: bool = False) -> list[Block]:
    """Show a reply that the owner is asked to pass on, with the buttons that decide.

    A long text is cut. In a list of tasks (`is_short`), less of it is shown than in the Home tab. A reply
    whose text is cut cannot be passed on here, because the owner must read the whole reply.
    """
    thread = safe_web_url(asked.permalink)
    title = title_piece(one_line(get_name(asked.link), 60), thread)
    first = [emoji_piece("speech_balloon"), text_piece(" "), title, text_piece(f" · {_what_is_asked(asked)}")]
    longest = _LISTED_TEXT_LENGTH if is_short else HOME_TEXT_LENGTH
    shown = [line(block_id, first), quote_block(f"{block_id}.text", asked.text, longest)]
    if is_short and (asked.contents or longest < _length(asked)) and _length(asked) <= HOME_TEXT_LENGTH:
        words = "The whole reply and its buttons: in my Home tab."
        return [*shown, context(f"{block_id}.more", [mrkdwn(words)])]
    value = asked.value
    row = [_pass_button(asked)] if _is_readable(asked, longest) else []
    row.append(button(Button.NOT_NOW, "Not now", value))
    row += [button(Button.OPEN_THREAD, "Open thread", url=thread)] if thread else []
    shown += _files_block(f"{block_id}.files", asked) if _length(asked) <= longest else []
    return [*shown, *_hint(f"{block_id}.hint", asked, longest), *button_rows(f"{block_id}.do", row)]


def _pass_button(asked: AskedLine) -> Block:
    label = "Stop it" if asked.is_stop else "Pass it on"
    return button(Button.SEND_THEIRS, label, asked.value, style="primary")


def _files_block(block_id: str, asked: AskedLine) -> list[Block]:
    """Show the files that the agent gets: the content of short ones, and links to the others."""
    parts: list[Block] = []
    for file in asked.contents:
        name, url = one_line(file.name, 60) or "file", safe_web_url(file.url)
        if file.text:
            parts.append({"type": "rich_text_section", "elements": [text_piece(f"{name}:")]})
            parts.append({"type": "rich_text_preformatted", "elements": [text_piece(file.text)]})
            continue
        size = f"{file.size:,} bytes" if file.size < 1_000 else f"{file.size / 1_000:,.0f} kB"
        shown: Block = {"type": "link", "url": url, "text": name} if url else text_piece(name)
        rest = f" ({size})" + (": the agent gets it whole, so read it before you decide." if url else "")
        parts.append({"type": "rich_text_section", "elements": [shown, text_piece(rest)]})
    return [{"type": "rich_text", "block_id": block_id, "elements": [*parts]}] if parts else []


def _length(asked: AskedLine) -> int:
    """Return the length, in JSON, of the text and of the files that are shown."""
    return json_length(asked.text) + sum(json_length(file.text) for file in asked.contents)


def _is_readable(asked: AskedLine, longest: int) -> bool:
    """Return whether the owner can read all that the agent would get: here, or by a link that is shown."""
    can_read = not asked.is_hidden or bool(safe_web_url(asked.message_url))
    is_shown = not _list_unreadable(asked) and not asked.list_editable()
    return _length(asked) <= longest and can_read and is_shown


def _list_unreadable(asked: AskedLine) -> list[str]:
    """List the files that are not shown and that the owner cannot open."""
    return [
        one_line(file.name, 60) for file in asked.contents if not file.text and not safe_web_url(file.url)
    ]


def _hint(block_id: str, asked: AskedLine, longest: int) -> list[Block]:
    """Return a line that says which part of the reply is not shown, and what to do; none if all is shown."""
    author, url = one_line(asked.name, 60) or "its author", safe_web_url(asked.message_url)
    length = _length(asked)
    if length > PASSED_TEXT_LENGTH:
        words = f"It is too long to show, so you can't pass it on. Ask {author} for a shorter one."
        return [line(block_id, [text_piece(words)])]
    if length > longest:
        words = f"The end does not fit here. Decide in the thread, or ask {author} for a shorter one."
        return [line(block_id, [text_piece(words)])]
    if editable := asked.list_editable():
        words = (
            f"I can't show all of {', '.join(editable)}, and {author} can still edit it, so you can't "
            "pass it on. Ask for the part that matters, as a reply."
        )
        return [line(block_id, [text_piece(words)])]
    if unreadable := _list_unreadable(asked):
        words = (
            f"You can't open {', '.join(unreadable)}, so you can't pass it on. Ask {author} to paste its "
            "text."
        )
        return [line(block_id, [text_piece(words)])]
    if not asked.is_hidden:
        return []
    words = "A part looks like a secret and is hidden here."
    if not url:
        words = (
            f"{words} I have no link to the message, so you can't read all of it and can't pass it on. Ask "
            f"{author} to leave that part out."
        )
        return [line(block_id, [text_piece(words)])]
    link: Block = {"type": "link", "url": url, "text": "the message"}
    return [line(block_id, [text_piece(f"{words} Read "), link, text_piece(" before you decide.")])]


def get_asked_text(asked: AskedLine) -> str:
    """Return one line about a reply that the owner is asked to pass on, for clients that show no blocks."""
    title, words = escape_line(get_name(asked.link), 60), escape_line(asked.text, 100)
    return f"•  {title}: {escape_line(_what_is_asked(asked), 200)}: {words}"


def _what_is_asked(asked: AskedLine) -> str:
    files = f" with {', '.join(one_line(file, 60) for file in asked.files)}" if asked.files else ""
    what = "stop this task" if asked.is_stop else f"pass this on{files}"
    return f"{one_line(asked.name, 60) or 'Somebody'} asks you to {what}"


def passed_on(
    link: Link,
    name: str,
    *,
    is_always: bool,
    is_in_thread: bool,
    is_choice: bool = False,
    is_stop: bool = False,
) -> Message:
    """Tell the owner that a reply goes to the agent. With `is_always`, the author may steer from now on.

    `is_choice` is true if the author has pressed a choice instead of writing. `is_stop` is true if the reply
    was only `stop`, so that the task stops and the agent gets nothing.
    """
    shown = escape_line(name, 60) or "Somebody"
    where = "in the thread" if is_choice else f"on {shown}'s reply"
    words = f"Passed on. The reaction {where} shows when the agent has it."
    words = "Passed on: the task stops." if is_stop else words
    if is_always:
        unshare = typed_verb("unshare", link, _at(name), is_in_thread=is_in_thread)
        words += f" From now on {shown} can steer the task; {unshare} ends that."
    return statement(words)


def not_passed_on() -> Message:
    """Tell the owner that the reply was not passed on, as the owner has chosen."""
    return statement("Not passed on.")


def taken_back(name: str) -> Message:
    """Tell the owner that the reply was deleted or is not for the agent any more."""
    return statement(f"{escape_line(name, 60) or 'Its author'} took it back, so nothing was sent.")


def settled_already() -> Message:
    """Say that the reply can no longer be decided about, because it is no longer stored."""
    return statement("This button is too old: I no longer have the reply. Ask its author to write it again.")


def decided_before(name: str, at: datetime, *, was_passed: bool) -> Message:
    """Say who has decided about the reply, and when. `name` is `You` for the person's own decision."""
    who, when = escape_line(name, 60) or "Somebody", format_moment(at)
    decided = "passed this on" if was_passed else "did not pass this on"
    return statement(f"{who} {decided} ({when}).")


def files_not_shown(files: Sequence[str]) -> Refusal:
    """Tell the author of a reply that it can't be passed on, because its files can't be shown whole."""
    return (
        f"I can't show all of {_list_files(files)}, and you can still edit it, so it can't be passed on.",
        "Write the part that matters as a reply.",
    )


def files_of_others(author: str, files: Sequence[str]) -> Refusal:
    """Say that a message was not sent, because `author` shares `files` in it that others can change."""
    named, it = escape_line(author, 60), "them" if len(files) > 1 else "it"
    return (
        f"Nothing was sent: somebody other than {named} may have changed {_list_files(files)}.",
        f"Share {it} in a reply of your own.",
    )


def files_changed(name: str, files: Sequence[str]) -> Message:
    """Say that files were changed after another person passed a reply on, so nothing was sent."""
    author = escape_line(name, 60) or "Somebody"
    return statement(
        f"Nothing was sent: {author} changed {_list_files(files)} before the agent could get it. "
        "*Send to its task* in the message's menu sends the reply as it is now."
    )


def shared_files_changed(files: Sequence[str]) -> Refusal:
    """Say that a message does not become a task, because somebody has changed the files in it."""
    words = f"Somebody changed {_list_files(files)} after you shared it, so nothing was created."
    return (words, "Write it again.")


def _list_files(files: Sequence[str]) -> str:
    return ", ".join(f"`{escape_line(file.replace('`', ''), 60)}`" for file in files)


def edited_after_passing_on(name: str, text: str) -> Message:
    """Say that a reply was changed after another person sent it to the agent. `text` is the new text."""
    words = f"The agent gets {escape_line(name, 60)}'s old text. This new one is not sent:"
    return question(words, text, [])
