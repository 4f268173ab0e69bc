"""Problems of Taskwire's own account or store, in words for operators.

Administrators get these texts in Slack. `/readyz` and `taskwire doctor` print them too, so they have no
mrkdwn.
"""

from collections.abc import Sequence
from datetime import datetime

from taskwire.messages.refusals import Refusal

TOKEN_REFUSED = (
    "Coder refuses CODER_SESSION_TOKEN.",
    "Make a new token, from an account with the role Owner.",
)
NO_READABLE_VERSION = (
    "My data store has jobs of another version of Taskwire, which I cannot read. I waited a week for that "
    "version, then gave the jobs up and told the people who waited. `taskwire doctor --dead-letters` lists "
    "the jobs; a newer version can send them again."
)
NO_TASKS = ("Coder has no Tasks feature.", "Taskwire needs Coder 2.28 to 2.36.")


def account_not_owner(username: str) -> Refusal:
    """Say that our Coder account lacks the role Owner."""
    return (
        f"The Coder account {username} lacks the role Owner, so it cannot act for other people.",
        "Ask a Coder administrator to give it that role.",
    )


def account_rights_unknown(username: str) -> Refusal:
    """Say that our Coder account lacks the role Owner, and that Coder does not show its other rights."""
    return (
        (
            f"The Coder account {username} lacks the role Owner, and this Coder does not show the account's "
            "other rights."
        ),
        "Ask a Coder administrator to give it that role.",
    )


def account_lacks_rights(username: str, missing: Sequence[str], features: Sequence[str]) -> Refusal:
    """Say which rights our Coder account lacks, what does not work without them, and which role has them."""
    in_organization = [right for right in missing if right != "user:read"]
    wanted = ["the role User Admin"] if "user:read" in missing else []
    wanted += [f"a role with {', '.join(in_organization)} in its organization"] if in_organization else []
    return (
        f"The Coder account {username} has too few rights. {_cannot(missing, features)}",
        f"Give it {' and '.join(wanted)}, or the role Owner.",
    )


def account_without_agents(username: str) -> Refusal:
    """Say that Coder does not let accounts with the role Owner talk to other people's agents."""
    return (
        f"The Coder account {username} can see tasks, but not write to agents, so no agent gets a reply.",
        "Start Coder without CODER_DISABLE_OWNER_WORKSPACE_ACCESS.",
    )


def token_lacks_scopes(missing: Sequence[str], features: Sequence[str]) -> Refusal:
    """Say that our token lacks these scopes, and what Taskwire cannot do without them."""
    return (
        f"The token in CODER_SESSION_TOKEN has too few scopes. {_cannot(missing, features)}",
        "Make a new token with the scopes in the README, from an account with the role Owner.",
    )


def _cannot(missing: Sequence[str], features: Sequence[str]) -> str:
    several = "do this: " if features[1:] else ""
    return f"Without {', '.join(missing)}, Taskwire can't {several}{'; '.join(features)}."


def token_expires(at: datetime) -> Refusal:
    """Say when Taskwire's own token for Coder expires."""
    return (
        f"The token in CODER_SESSION_TOKEN ends on {at:%Y-%m-%d at %H:%M} UTC.",
        "Make a new one before that, and start me with it.",
    )


def new_token_refused() -> str:
    """Say that Coder refuses the token that was written into its file, so the present token stays in use."""
    return (
        "Coder refuses the new token in CODER_SESSION_TOKEN_FILE, so I keep using the old one. "
        "Write a token of an account with the role Owner into the file."
    )


def service_token_refused() -> str:
    """Say that Coder refuses the token, so that Taskwire sees no task."""
    return (
        "Coder refuses CODER_SESSION_TOKEN, so I see no task and can do nothing in Coder. "
        "Make a new token from an account with the role Owner, and start me with it."
    )


def coder_not_answering(why: str) -> str:
    """Say that Coder does not answer."""
    return f"I can't reach Coder: {why}."


def jobs_wait_for_version(count: int, until: datetime) -> str:
    """Say that this version cannot read the first job of `count` queues, and gives it up at `until`."""
    queues, jobs = (
        ("1 queue waits", "its next job") if count == 1 else (f"{count} queues wait", "their next jobs")
    )
    return (
        f"{queues} for another version of Taskwire: I can't read {jobs}. Start the newest version "
        f"that has run here, or a newer one, by {until:%Y-%m-%d at %H:%M} UTC, or I'll give "
        f"{'the job' if count == 1 else 'the jobs'} up."
    )


def jobs_wait_for_key(count: int, until: datetime) -> str:
    """Say that the first job of `count` queues needs a missing key, and is given up at `until`."""
    queues, jobs = ("1 queue waits", "job") if count == 1 else (f"{count} queues wait", "jobs")
    return (
        f"{queues} for a key: the next {jobs} cannot be read without it. Put the key back into "
        f"TASKWIRE_SECRET_KEYS, behind the others, by {until:%Y-%m-%d at %H:%M} UTC, or I'll give the "
        f"{jobs} up."
    )


def data_loss(since: datetime) -> str:
    """Say that Redis has lost the writes after `since`, for example because a backup was restored."""
    return (
        f"My data store (Redis) was reset to {since:%Y-%m-%d at %H:%M} UTC. Before I repeat work from "
        "after that time, I'll check if it was done. If I'm silent in a thread that began later, write a "
        "reply there: I'll find its task. Mutes set after that time are lost: I call people again."
    )


def tasks_vanished(count: int, linked: int) -> str:
    """Say that `count` of `linked` tasks with a thread vanished at once, more than people usually delete."""
    return (
        f"{count} of {linked} tasks with a thread {'is' if count == 1 else 'are'} missing from Coder's list: "
        "has the account of CODER_SESSION_TOKEN lost rights? Give them back within a day, or I'll "
        f"count the missing {'task' if count == 1 else 'tasks'} as deleted."
    )


def list_too_long(owner: str, size: int) -> str:
    """Say that Coder's list of all tasks is too long to be read, and what works meanwhile.

    `owner` is the name in Coder of the owner with the longest list, empty if it is not known. `size` is the
    length of this list in bytes; 0 if it is too long too.
    """
    longest = ""
    if owner:
        megabytes = f", with {max(1, size // 1_000_000)} MB" if size else ""
        longest = f" Of the people whose tasks have threads, {owner} has the longest list{megabytes}."
    return (
        "Coder's list of tasks is longer than 64 MB, because there are many tasks or long prompts. I watch "
        "the tasks that have threads, but more slowly, and `list` shows only these."
        f"{longest} Delete tasks in Coder that nobody needs."
    )


def channel_read_by_outsiders(channel: str) -> str:
    """Say that people of another company can read a channel that has threads of tasks."""
    return (
        f"The channel {channel} is shared with another company and has threads of tasks: people of that "
        "company can read what agents say there. I told the tasks' owners. To allow this, add the channel to "
        "TASKWIRE_SHARED_CHANNELS."
    )
