"""Troubles: what is wrong with the account that acts for all, in words for whoever runs Taskwire.

Administrators get them in Slack; `/readyz` and `taskwire doctor` say the same. So nothing here is mrkdwn.
"""

from datetime import datetime

from taskwire.words.refusals import Refusal

TOKEN_REFUSED = ("Coder refuses CODER_SESSION_TOKEN.", "Make a new one, with an account of role Owner.")
NO_TASKS = ("This Coder has no Tasks.", "They are part of Coder 2.28 to 2.36, and of the 2.34 support line.")


def no_owner(username: str) -> Refusal:
    """The account lacks the role Owner."""
    return (
        f"The Coder account {username} lacks the role Owner, so it cannot act for other people.",
        "Let an administrator of Coder give it that role.",
    )


def token_ends(at: datetime) -> Refusal:
    """The token ends soon."""
    return (
        f"The token in CODER_SESSION_TOKEN ends on {at:%Y-%m-%d at %H:%M} UTC.",
        "Make a new one before that and start Taskwire with it.",
    )


def blind() -> str:
    """Coder refuses the token while tasks are watched."""
    return (
        "Coder refuses CODER_SESSION_TOKEN, so I see no task and can do nothing in Coder. "
        "Make a new token with an account of role Owner, and start me with it."
    )


def coder_is_away(why: str) -> str:
    """Coder does not answer."""
    return f"Coder cannot be asked: {why}."


def rewound(since: datetime) -> str:
    """Redis holds less than it held: an older copy was restored."""
    return (
        f"My store (Redis) came back as it was on {since:%Y-%m-%d at %H:%M} UTC. What I did after that I "
        "look for before I do it again. The thread of a task that was made after that I may not know any "
        "more: write a reply in it, and I look for its task. What was muted after that calls people again."
    )


def vanished(count: int, linked: int) -> str:
    """More linked tasks than people delete were gone at once."""
    return (
        f"{count} of {linked} linked tasks vanished from Coder's list at once: has the account of "
        "CODER_SESSION_TOKEN lost rights? Their threads are left as they are; after a day I take the "
        "tasks for deleted."
    )
