"""Refusals for a person or a channel with as many tasks as the settings allow, for an agent with as many
waiting replies as Taskwire allows, and for a prompt, a reply or Coder's list of tasks that is too long."""

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import Message
from taskwire.messages.refusals import Refusal
from taskwire.messages.shapes import bold_title, statement


def too_many_tasks(most: int, minutes: int) -> Refusal:
    """Say that the person has started `most` tasks within an hour, and can go on in `minutes` minutes."""
    return (
        f"You have created {_count(most, 'task')} within an hour, the limit for one person.",
        f"You can create the next one in {_count(minutes, 'minute')}. Nothing was created.",
    )


def too_many_failed(most: int, seconds: int) -> Refusal:
    """Say that `most` tasks of the person could not be created, and that they can go on in `seconds`."""
    return (
        f"In the last minute, {_count(most, 'task')} of yours could not be created, so I take no more now.",
        f"You can try again in {_count(seconds, 'second')}. Nothing was created.",
    )


def too_many_running(most: int) -> Refusal:
    """Say that `most` tasks of the person run, and what makes room for the next one."""
    return (
        f"You have {_count(most, 'task')} with a running workspace, the limit for one person.",
        "Nothing was created. Stop or delete one, then ask again.",
    )


def channel_too_many_tasks(channel: str, most: int, minutes: int) -> Refusal:
    """Say that the channel had `most` new tasks within an hour, and can go on in `minutes` minutes."""
    return (
        f"<#{channel}> has had {_count(most, 'new task')} within an hour, the limit for one channel.",
        f"You can create the next one in {_count(minutes, 'minute')}. Nothing was created.",
    )


def channel_too_many_running(channel: str, most: int) -> Refusal:
    """Say that `most` tasks run in the channel, and what makes room for the next one."""
    return (
        f"<#{channel}> has {_count(most, 'task')} with a running workspace, the limit for one channel.",
        "Nothing was created. When one of them is paused or deleted, ask again.",
    )


def channel_has_no_room(channel: str, most: int) -> Refusal:
    """Say that `most` tasks run in the channel, so that no other running task can be attached there."""
    return (
        f"<#{channel}> has {_count(most, 'task')} with a running workspace, the limit for one channel.",
        "Nothing was attached. When one of them is paused or deleted, ask again.",
    )


def too_many_replies_wait() -> Refusal:
    """Say that a reply by a command, a dialog or a shortcut was not accepted, because too many wait."""
    return (
        "Too many replies already wait for the agent, so this one was not delivered.",
        "Send it again later.",
    )


def not_resumed(link: Link, why: str) -> Refusal:
    """Say that a task is not resumed, because too many other tasks run. `why` says whose tasks."""
    return (
        f"{bold_title(link)} stays paused: {why}.",
        "When one of them is paused or deleted, resume this one.",
    )


def owner_runs_too_many(most: int) -> str:
    """Say, as a part of a sentence, that `most` tasks of the owner run."""
    return f"its owner has {_count(most, 'task')} with a running workspace, the limit for one person"


def channel_runs_too_many(most: int) -> str:
    """Say, as a part of a sentence, that `most` tasks run in the channel."""
    return f"its channel has {_count(most, 'task')} with a running workspace, the limit for one channel"


def reply_waits_for_room(why: str) -> str:
    """Say, as a part of a sentence, why a reply cannot resume its paused task, and when to try again."""
    return f"the task stays paused, because {why}. Try again when one of them is paused or deleted"


def input_too_long(most: int) -> Refusal:
    """Say that a prompt or a reply has more than `most` characters, all of it together."""
    return (
        f"That is too long: an agent gets at most {most:,} characters at once, text files included.",
        "Nothing was done. Leave something out, or post a link to it.",
    )


def reply_too_long(most: int) -> Message:
    """Say that a reply has more than `most` characters with its files, so it was not sent."""
    return statement(
        f"This reply was not delivered. It is too long: an agent gets at most {most:,} characters at once, "
        "text files included. Leave something out, or post a link to it."
    )


def list_too_long_to_search() -> Refusal:
    """Say that a task can be found only by its whole name, because Coder's list is too long to be read."""
    return (
        "Coder's list of tasks is too long for me to search.",
        "Write the task's whole name as `owner/name`, or write in its thread.",
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
