"""Refusals: pairs of what is wrong and what to do next, the two arguments of a `UserError`.

Each function returns one such pair. The second text is empty if nothing can be done. If Slack refuses a
channel, the texts are in `messages/answers.py` (`cannot_post_card`, `thread_closed`).
"""

from collections.abc import Sequence
from typing import Literal

from taskwire.domain.ids import from_ms
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.masking.secret_patterns import MASK
from taskwire.domain.parsing.grammar import get_word
from taskwire.messages.blocks import (
    REPORT_LENGTH,
    bold_name,
    end_sentence,
    escape_line,
    format_age,
    format_moment,
    one_line,
)
from taskwire.messages.cards import get_name, get_owner_name

Refusal = tuple[str, str]

ACCOUNT_ENDED = "Coder refuses my token for your account. `/task connect` connects it again."
NOT_FOR_BOTS = ("Only people can steer tasks.", "")
NOT_FOR_STRANGERS = (
    "Taskwire works for members of this Slack only.",
    "Ask a member to do it.",
)
NOT_IN_A_GROUP = (
    "Only members of some user groups can use Taskwire.",
    "Ask a Taskwire administrator to let you in.",
)
NOT_IN_THIS_CHANNEL = (
    "Taskwire does not work in this channel.",
    "Write to me directly, or ask a Taskwire administrator for a channel in which it works.",
)
NOT_FOR_GUESTS = ("Guests in this Slack cannot use Taskwire.", "Ask a full member to do it.")


def _list_names(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(f"`{escape_line(name, 60)}`" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _offer_names(names: Sequence[str]) -> str:
    """Join names with `or`. If there are more than eight names, list eight and the number of the rest."""
    return _join_with_or(names) if len(names) <= 8 else _list_names(names)


def _join_with_or(names: Sequence[str]) -> str:
    *first, last = [f"`{escape_line(name, 60)}`" for name in names]
    return f"{', '.join(first)} or {last}" if first else last


def no_email() -> Refusal:
    """Say that the person's Slack profile has no confirmed e-mail address."""
    return (
        "I don't know who you are in Coder: your Slack profile has no confirmed e-mail address.",
        "Add one, or ask a Slack administrator.",
    )


def no_account(email: str, count: int) -> Refusal:
    """Say that no Coder user has this e-mail address, or that `count` users have it."""
    shown = escape_line(email, 80)
    if count:
        return (f"{count} Coder users have the address {shown}.", "Ask a Coder administrator to fix that.")
    return (
        f"No Coder user has your address {shown}.",
        "Sign in to Coder once with it, or ask a Coder administrator to add you.",
    )


def own_account_lacks_rights() -> Refusal:
    """Say that Taskwire's own Coder account lacks the role that it needs."""
    return (
        "My Coder account lacks rights, so I can't see your tasks.",
        "Tell a Taskwire administrator: `taskwire doctor` says what to do.",
    )


def account_suspended(email: str) -> Refusal:
    """Say that the person's Coder account is suspended."""
    return (f"Your Coder account ({escape_line(email, 80)}) is suspended.", "Ask a Coder administrator.")


def not_connected() -> Refusal:
    """Say that the person is no Coder user yet, and how to become one."""
    return ("I don't know who you are in Coder.", "`/task connect` connects your account.")


def connect_again() -> Refusal:
    """Say that Coder refuses the token of the person's account, and how to replace it."""
    return ("Coder refuses my token for your account.", "`/task connect` connects it again.")


def pasted_token_lost() -> Refusal:
    """Say that the pasted token cannot be read any more."""
    return ("I can't read your token any more.", "Paste it again: `/task connect`.")


def not_authorized() -> Refusal:
    """Say that Coder gave no tokens after the person's sign-in on Coder's page."""
    return ("Coder did not let me connect your account.", "`/task connect` begins again.")


def nothing_to_confirm() -> Refusal:
    """Say that no account waits for the number that the browser shows."""
    return ("I am not waiting for a number.", "`/task connect` begins again.")


def wrong_number(tries_left: int) -> Refusal:
    """Say that the typed number is not the number that the browser shows."""
    what = "The numbers differ."
    if not tries_left:
        return (f"{what} The account is not connected.", "`/task connect` begins again.")
    return (what, "Press *Enter the number* again.")


def account_taken(username: str, name: str) -> Refusal:
    """Say that another person has connected this Coder account. `name` is that person's name in Slack."""
    holder = escape_line(name, 80) or "Somebody else"
    return (
        f"{holder} has connected the Coder account *{escape_line(username, 60)}*.",
        "Only one person can connect it. Ask them to type `/task disconnect`.",
    )


def account_changed() -> Refusal:
    """Say that the person's Coder account has changed since the request for the task."""
    return ("Your Coder account has changed since you asked for this task.", "Ask again.")


def only_administrators(what: Literal["see who did what", "run the doctor"]) -> Refusal:
    """Say that only Taskwire's administrators may use this command."""
    return (f"Only Taskwire administrators can {what}.", "Ask one of them.")


def nothing_to_export() -> Refusal:
    """Say that no entry of the audit trail fits the filter."""
    return ("No entry fits that, so there is no file.", "`/task audit` shows what there is.")


def not_mentioned(text: str, command: str, *, is_known: bool) -> Refusal:
    """Say that a name in `/task share` fits nobody or, if `is_known` is true, several people.

    `command` is what the person types again, such as `!share @`, as code.
    """
    name = escape_line(text.replace("`", ""), 60)
    why = f"Several people have the name `{name}`" if is_known else f"I don't know who `{name}` is"
    return (f"{why}, so nothing was changed.", f"Type {command} and choose from the list that Slack shows.")


def cannot_share_with(name: str, why: str = "") -> Refusal:
    """Say that the task was not shared, because one of the named people can never steer a task.

    `why` is the reason. If it is empty, the reason is that the person has no Coder account.
    """
    shown = escape_line(name, 60) or "Somebody of them"
    why = why or "No Coder account has the e-mail address that they use in Slack."
    return (f"{shown} can't steer a task. {why}", "Nothing was shared.")


# The task was not shared, because one of the named user groups does not exist.
NO_SUCH_GROUP: Refusal = ("There is no such user group in this Slack.", "Nothing was shared.")


def too_many_shares(link: Link, most: int, command: str) -> Refusal:
    """Say that the task was not shared, because it would be shared with more than `most` people and groups.

    `command` is what the person types to end a share, as code.
    """
    return (
        f"{bold_name(get_name(link))} can be shared with at most {most} people and groups.",
        f"Nothing was changed. End other shares first with {command}.",
    )


def no_dialog_from_message(verb: str, name: str) -> Refusal:
    """Say that a message cannot open the dialog of this command, and what to type instead."""
    return ("Nothing was done.", f"Type `/task {verb} {escape_line(name, 60)}`: it asks you first.")


def no_earlier_messages() -> Refusal:
    """Say that the thread has no messages before the card."""
    return ("There are no earlier messages in this thread.", "")


def thread_has_task() -> Refusal:
    """Say that the thread has just got a task, so it cannot get another one."""
    return ("This thread has a task already.", "Mention me here again, and its agent gets your message.")


def message_thread_has_task() -> Refusal:
    """Say that a message cannot become a task, because its thread has one."""
    return (
        "This thread has a task already.",
        "*Send to its task*, in the menu of the message, gives the message to its agent.",
    )


def message_unreadable() -> Refusal:
    """Say that a message cannot become a task, because the bot cannot read it."""
    return (
        "I can't read that message, so nothing was created.",
        "It was deleted, or I am not in its channel.",
    )


def message_changed() -> Refusal:
    """Say that a message does not become a task, because it was edited after the reaction."""
    return (
        "That message was edited after your reaction, so nothing was created.",
        "To make a task of it, remove your reaction and add it again.",
    )


def message_without_text() -> Refusal:
    """Say that a message cannot become a task, because it has no text."""
    return (
        "That message has no text that an agent could get, so nothing was created.",
        "Reply to it: mention @Taskwire and say what to do.",
    )


def earlier_messages_unreadable() -> Refusal:
    """Say that the messages that the agent should get as context cannot be read."""
    return (
        "I can't read that thread, so nothing was created.",
        "Invite me there, or create the task without the thread.",
    )


def shared_channel(channel: str, what: str) -> Refusal:
    """Say that people of another company can read the channel, so nothing was done.

    `what` is the act as a participle: `created` or `attached`.
    """
    return (
        (
            f"<#{channel}> is shared with another company, which could read what the agent writes, so "
            f"nothing was {what}."
        ),
        "Use another channel, or ask a Taskwire administrator to allow this one.",
    )


def not_in_channel(channel: str, what: str) -> Refusal:
    """Say that the person or the bot is not in the channel, so nothing was done.

    `what` is the act as a participle: `created` or `attached`.
    """
    return (
        f"We must both be in <#{channel}>, so nothing was {what}.",
        "Join it and invite me, or use another channel.",
    )


def no_such_task(name: str, near: Sequence[str]) -> Refusal:
    """Say that the person can see no task of this name. `near` are similar names."""
    offered = f"Did you mean {_join_with_or(near)}?" if near else "`/task list` shows the ones you can see."
    return (f"There is no task `{escape_line(name, 80)}` that you can see here.", offered)


def task_gone(title: str) -> Refusal:
    """Say that the task is no longer in Coder."""
    return (f"{bold_name(title)} is no longer in Coder.", "`/task list` shows the tasks you can see.")


def no_such_id() -> Refusal:
    """Say that the person can see no task with the given id."""
    return (
        "There is no such task that you can see here. It may have been deleted.",
        "`/task list` shows the ones you can see.",
    )


def several_tasks(name: str, names: Sequence[str]) -> Refusal:
    """Say that several tasks match the name that was typed. `names` are the names of these tasks."""
    return (
        f"`{escape_line(name, 80)}` fits several tasks: {_list_names(names)}.",
        "Type more of the name.",
    )


def no_such_title(title: str, near: Sequence[str] = ()) -> Refusal:
    """Say that no task has the title that was typed. `near` are the names of tasks that may be meant."""
    offered = f"Did you mean {_join_with_or(near)}?" if near else "`/task list` shows the ones you can see."
    return (f"No task that you can see here fits `{escape_line(title.replace('`', ''), 80)}`.", offered)


def name_taken(name: str, free: str) -> Refusal:
    """Say that a task or workspace already has this name. `free` is an unused name; it may be empty."""
    offered = f"This one is free: `name={free}`." if free else "Try another one."
    return (f"The name `{escape_line(name, 60)}` is taken in Coder.", offered)


def unknown_template(wanted: str, near: Sequence[str], names: Sequence[str]) -> Refusal:
    """Say that no template for tasks has this name. `near` are similar names, `names` are all names."""
    shown = escape_line(wanted, 60)
    if near:
        return (
            f"There is no template `{shown}` for tasks, so nothing was created.",
            f"Did you mean {_join_with_or(near)}?",
        )
    return (
        f"There is no template `{shown}` for tasks, so nothing was created. Choose {_offer_names(names)}.",
        "",
    )


def unknown_preset(template: str, wanted: str, near: Sequence[str], names: Sequence[str]) -> Refusal:
    """Say that the template has no preset of this name. `near` are similar names, `names` are all names."""
    named = f"`{escape_line(template, 60)}`"
    if not names:
        return (f"The template {named} has no presets, so nothing was created.", "Leave `preset=` out.")
    offered = f"Did you mean {_join_with_or(near)}?" if near else f"Choose {_offer_names(names)}."
    return (
        f"The template {named} has no preset `{escape_line(wanted, 60)}`, so nothing was created.",
        offered,
    )


def template_ambiguous(names: Sequence[str]) -> Refusal:
    """Say that there are several templates, and that the person has to choose one of them (`names`)."""
    return (
        f"Which template? Nothing was created. Choose {_offer_names(names)}.",
        f"For example: `/task create template={escape_line(names[0], 60)} …`.",
    )


def organization_ambiguous(wanted: str, organizations: Sequence[str]) -> Refusal:
    """Say that several organizations have a template named `wanted`."""
    return (
        f"Several organizations have a template `{escape_line(wanted, 60)}`: {_list_names(organizations)}.",
        f"Add `org={escape_line(organizations[0], 60)}`, for example.",
    )


def no_templates() -> Refusal:
    """Say that Coder has no template for tasks."""
    return (
        "Coder has no template for tasks, so nothing was created.",
        "Ask a Coder administrator for one.",
    )


def unknown_organization(wanted: str, near: Sequence[str], names: Sequence[str]) -> Refusal:
    """Say that no organization of this name has templates. `near` and `names` are names to choose from."""
    offered = f"Did you mean {_join_with_or(near)}?" if near else f"Choose {_offer_names(names)}."
    shown = escape_line(wanted, 60)
    return (f"There is no organization `{shown}` with templates for tasks, so nothing was created.", offered)


def channel_template_missing() -> Refusal:
    """Say that Coder does not show the person the template that was set for the channel."""
    return (
        "The template of this channel is no longer in Coder, or you can't use it, so nothing was created.",
        "Name another one (`template=NAME`), or choose one for everybody here in `/task settings`.",
    )


def fallback_not_there(name: str) -> Refusal:
    """Say that the person who was chosen as fallback cannot be called, and why."""
    who = escape_line(name, 80) or "The person whom you chose"
    return (f"{who} is not in this channel, or is a guest, so nothing was changed.", "Choose somebody else.")


def default_template_missing(default: str, names: Sequence[str]) -> Refusal:
    """Say that Coder does not have the default template of the settings. `names` are all templates."""
    return (
        f"The default template `{escape_line(default, 60)}` is not in Coder, so nothing was created.",
        f"Name one yourself: `template={escape_line(names[0], 60)}`, for example.",
    )


def cannot_listen(setting: str, address: str, why: str) -> Refusal:
    """Say that the program cannot listen on an address. `setting` is the name of the setting to change."""
    return (
        f"Taskwire cannot listen on {address}: {why}.",
        f"Set {setting} to an address and port that are free here.",
    )


def coder_said(why: str) -> str:
    """Return a sentence that quotes Coder's reason for a refusal."""
    return f"Coder said: {end_sentence(escape_line(why, 500))}"


CREATE_FAILED = "Coder answered with errors for 15 minutes. A Coder administrator can find out why."
CODER_NEVER_ANSWERED = "Coder did not answer for an hour, so I stopped trying."
TASK_GONE = "The task is no longer in Coder."


def task_has_thread(permalink: str) -> str:
    """Say that the task has a thread already, because another person attached the task first."""
    return f"It already has a thread: <{permalink}>" if permalink else "It already has a thread."


def attach_in_progress(name: str) -> Refusal:
    """Say that another person has just asked for a thread for this task."""
    return (f"`{escape_line(name, 60)}` is getting a thread right now.", "`/task list` shows it in a moment.")


_ENDED = {"gone": "is no longer in Coder", "detached": "has left its thread", "failed": "was never created"}


def link_ended(link: Link | None) -> Refusal:
    """Say that the thread no longer leads to a task."""
    words = "That thread has no task any more"
    if link is not None and link.end_reason is not None:
        words = f"{bold_name(get_name(link))} {_ENDED[link.end_reason]}"
    return (f"{words}.", "`/task list` shows the tasks you can see.")


def task_not_created_yet(link: Link) -> Refusal:
    """Say that Coder has not created the task yet."""
    return (f"{bold_name(get_name(link))} is still being created.", "Try again in a few seconds.")


def task_has_no_thread(verb: str, name: str) -> Refusal:
    """Say that the task has no thread, and that a command needs one."""
    shown = escape_line(name, 60)
    make = f"Make one first: `/task attach {shown}`."
    match verb:
        case "detach":
            return (f"`{shown}` has no thread in Slack.", "There is nothing to detach.")
        case "mute" | "unmute":
            return (f"`{shown}` has no thread in Slack, so I call nobody about it.", "")
        case "unshare":
            return (f"`{shown}` has no thread in Slack, so it is shared with nobody.", "")
        case "share":
            return (f"`{shown}` has no thread in Slack, so it can't be shared.", make)
        case _:
            return (f"`{shown}` has no thread to show your reply in.", make)


def coder_refused(verb: str, link: Link, why: str) -> Refusal:
    """Say that Coder refused an act on the task. `verb` is the act. `why` is Coder's own text."""
    return (f"I could not {get_word(verb)} {bold_name(get_name(link))}. {coder_said(why)}", "")


def prompt_is_command() -> Refusal:
    """Say that a prompt may not begin with `!`, because agents would run it as a shell command."""
    return (
        "A prompt cannot begin with `!`: agents run the rest as a shell command.",
        "Nothing was done. Put a word first.",
    )


def prompt_is_masked(link: Link) -> Refusal:
    """Say that a text with masked secrets did not replace a prompt, because the secrets would be lost."""
    owner = escape_line(get_owner_name(link), 60) or "its owner"
    return (
        f"Nothing was changed: `{MASK}` hides a secret, and the secret would be lost.",
        f"Write the secret there, leave that part out, or ask {owner} to edit the prompt.",
    )


def button_expired() -> Refusal:
    """Say that a button is too old, because the button's data is no longer stored."""
    return ("This button is too old.", "Write your request again.")


def steps_too_old() -> Refusal:
    """Say that a notice is too old to show its steps, because the steps are no longer stored."""
    return ("These steps are too old to show.", "`!logs full` sends you the whole log.")


def agent_got_nothing(link: Link) -> Refusal:
    """Say that the agent got nothing, because the bot cannot write in the task's thread any more."""
    name = escape_line(link.record.name, 60)
    return (
        f"I can't write in the thread of {bold_name(get_name(link))} any more, so its agent got nothing.",
        f"Invite me to its channel, or type `/task attach {name}` in another channel: that moves the task.",
    )


def agent_unreachable(title: str) -> Refusal:
    """Say that the log cannot be read, because Coder cannot reach the agent."""
    return (
        f"Coder can't reach the agent of {bold_name(title)} right now, so I can't read its log.",
        "Try again in a minute.",
    )


def agent_lost(link: Link) -> Refusal:
    """Say that the log cannot be read, because Coder had lost the agent when the bot last looked."""
    report, since_ms = link.state.last_report, link.state.unreachable_since_ms
    since = (
        f"has not been reachable since {format_moment(from_ms(since_ms))}"
        if link.id and since_ms
        else "is not reachable"
    )
    last = f"Its last report was {format_age(report.at)}" if report else "It has reported nothing so far"
    said = (
        f": “{escape_line(one_line(report.message, REPORT_LENGTH), REPORT_LENGTH)}”."
        if report and report.message
        else "."
    )
    return (
        (f"The agent of {bold_name(get_name(link))} {since}, so I can't read its log. {last}{said}"),
        "Try again when the agent is back, or press *Retry* on the task's card.",
    )


def agent_access_denied(title: str) -> Refusal:
    """Say that Coder shows Taskwire's account the task, but not the task's agent."""
    return (
        f"My account in Coder can see {bold_name(title)}, but not write to its agent.",
        "A Coder administrator can change that; `taskwire doctor` says how.",
    )


def person_has_no_account(person: str) -> Refusal:
    """Say that the person named in a filter has no Coder account. `person` is a Slack user id."""
    return (f"I don't know the Coder account of <@{person}>.", "Use their Coder name: `owner=NAME`.")


def build_never_ends(link: Link) -> Refusal:
    """Say that the workspace has been starting or stopping for too long."""
    return (
        f"The workspace of {bold_name(get_name(link))} has been starting or stopping for minutes.",
        "Look at it in Coder, then try again.",
    )


def logs_unavailable(title: str) -> Refusal:
    """Say that Coder shows no log, because the workspace is broken or its state is not known."""
    return (
        f"Coder shows no log of {bold_name(title)} now.",
        "Try again when the task runs or is paused.",
    )


def log_too_long(title: str) -> Refusal:
    """Say that the log is too long to be read."""
    return (f"The log of {bold_name(title)} is too long to read here.", "Open the task in Coder.")


def log_empty(title: str) -> Refusal:
    """Say that the agent has written nothing yet."""
    return (f"The agent of {bold_name(title)} has written nothing yet.", "Try again while it runs.")
