"""Refusals of acts on another person's task: what is refused, and who can help.

Each function returns a pair of texts, as in `refusals.py`.
"""

from typing import Literal

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import ActVerb
from taskwire.messages.blocks import bold_name, escape_line
from taskwire.messages.cards import get_name, get_owner_name
from taskwire.messages.refusals import Refusal

# What a person may not do to another person's task.
RefusedAct = Literal[ActVerb, "decide", "snooze", "pass_on"]
# How a person can get back the Coder account that they had: not at all, by connecting it, or also by
# disconnecting the present one, because the former one is then found by e-mail.
WayBack = Literal["none", "connect", "disconnect"]
_WHAT_IS_REFUSED: dict[RefusedAct, str] = {
    "send": "reply to its agent",
    "pause": "stop it",
    "resume": "resume it",
    "delete": "delete it",
    "edit": "edit its prompt",
    "attach": "give it a thread",
    "detach": "detach it",
    "mute": "mute it",
    "unmute": "unmute it",
    "follow": "follow its agent",
    "unfollow": "unfollow its agent",
    "watch": "watch it",
    "unwatch": "stop watching it",
    "share": "share it",
    "unshare": "change who steers it",
    "give_thread": "show its agent the thread",
    "read_replies": "let its agent read every reply",
    "read_mentions": "limit its agent to replies with a mention",
    "decide": "decide about replies to it",
    "snooze": "delay its reminder",
    "pass_on": "pass replies on to its agent",
}
# Acts that only the owner may do, even if the task is shared.
_NEVER_SHARED: frozenset[RefusedAct] = frozenset(
    {"attach", "delete", "detach", "share", "unshare", "read_mentions"}
)


def not_owner(link: Link, act: RefusedAct, own_name: str = "") -> Refusal:
    """Say that the person may not do `act` to another person's task, and who can help.

    `own_name` is the person's name in Slack.
    """
    owner = escape_line(get_owner_name(link), 60)
    belongs = f"belongs to {owner}" if owner else "is not yours"
    sentence = f"{bold_name(get_name(link))} {belongs}, so you can't {_WHAT_IS_REFUSED[act]}."
    owner = owner or "its owner"
    if act in _NEVER_SHARED or link.record.owner_slack is None:
        return (sentence, f"Ask {owner}, or a Taskwire administrator.")
    if act == "send" and link.record.thread is not None:
        write = "mention me" if link.is_mention_only else "write"
        sentence = sentence.removesuffix(".") + " yourself."
        return (sentence, f"If you {write} in its thread, you can ask {owner} to pass your reply on.")
    shared_with = escape_line(own_name.replace("`", ""), 60) or "you"
    can_let = f"{owner[:1].upper()}{owner[1:]} can let you, with `!share @{shared_with}` in its thread."
    if act == "pause" and link.record.thread is not None:
        stop = "@Taskwire stop" if link.is_mention_only else "stop"
        can_let += f" Or write `{stop}` there and ask {owner} to pass it on."
    return (sentence, can_let)


def owner_cannot_act(link: Link, act: RefusedAct) -> Refusal:
    """Say that the person may not do `act`, because the task's owner may not use the bot themselves."""
    owner = escape_line(get_owner_name(link), 60) or "somebody"
    belongs = f"{bold_name(get_name(link))} belongs to {owner}, who can't use Taskwire now"
    return (f"{belongs}, so you can't {_WHAT_IS_REFUSED[act]}.", "Ask a Taskwire administrator.")


def owner_cannot_let_in(link: Link) -> Refusal:
    """Say that the task cannot be shared now, because its owner may not use the bot or lost the account."""
    owner = escape_line(get_owner_name(link), 60) or "somebody"
    belongs = f"{bold_name(get_name(link))} belongs to {owner}, who can't use Taskwire now"
    return (f"{belongs}, so nobody else can steer it.", "Share it once they can.")


def thread_of_another(link: Link) -> Refusal:
    """Say that a reply was not sent: another person has the task's thread where its owner can't read it."""
    again, task = escape_line(link.record.name or "NAME", 40), bold_name(get_name(link))
    return (
        f"The thread of {task} is in a channel that you can't read, so nothing was sent.",
        f"`/task attach {again}` gives the task a thread here.",
    )


def not_owner_in_coder(link: Link, way_back: WayBack) -> Refusal:
    """Say that the task is not the person's any more, because the person has another Coder account now.

    `way_back` is how the person can get the former account back.
    """
    owner = escape_line(link.record.owner_name, 60)
    connect = f"Connect {f'*{owner}*' if owner else 'that account'} with `/task connect`"
    steps: dict[WayBack, str] = {
        "none": "Ask a Taskwire administrator.",
        "connect": f"{connect}, or ask a Taskwire administrator.",
        "disconnect": f"{connect}, or type `/task disconnect`: I then find "
        "your account by your Slack e-mail address again.",
    }
    belongs = f"In Coder, {bold_name(get_name(link))} belongs to {owner or 'somebody else'}"
    return (f"{belongs}, and that is not your account any more.", steps[way_back])


def not_owner_to_attach(name: str) -> Refusal:
    """Say that only the task's owner and administrators may give it a thread."""
    return (
        f"`{escape_line(name, 60)}` is not your task.",
        "Only its owner and Taskwire administrators can attach it.",
    )


def not_in_channel_with_settings(channel: str) -> Refusal:
    """Say that the person or the bot is not in the channel, so the person can't change its settings."""
    return (f"We must both be in <#{channel}> to change its settings.", "Join it and invite me.")


def channel_not_told(channel: str) -> Refusal:
    """Say that not everybody may steer in a channel where the bot cannot say so, so nothing was saved."""
    return (
        f"I can't post in <#{channel}>, so I can't say there that everybody can steer.",
        "The channel's settings were not saved. Invite me with `/invite @Taskwire`, then save again.",
    )
