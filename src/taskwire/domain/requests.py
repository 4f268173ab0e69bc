"""Turns a command that changes something into the work of a job.

A command comes from `/task` or from a message to the bot. Questions and dialogs are no jobs.
"""

from taskwire.domain import commands
from taskwire.domain.commands import Command
from taskwire.domain.jobs import (
    ActRequested,
    CreateRequested,
)
from taskwire.domain.requester import Requester


def make_work(requester: Requester, command: Command) -> CreateRequested | ActRequested:
    """Return the work of a command that changes something; TypeError for a question."""
    match command:
        case commands.Create():
            return CreateRequested(
                requester=requester,
                prompt=command.prompt,
                template=command.template,
                preset=command.preset,
                name=command.name,
                organization=command.organization,
                trailing_options=command.trailing_options,
            )
        case commands.Send():
            return ActRequested(requester=requester, verb="send", name=str(command.name), text=command.text)
        case commands.Edit():
            return ActRequested(requester=requester, verb="edit", name=str(command.name), text=command.text)
        case commands.Pause():
            return ActRequested(requester=requester, verb="pause", name=str(command.name))
        case commands.Resume():
            return ActRequested(requester=requester, verb="resume", name=str(command.name))
        case commands.Attach():
            return ActRequested(requester=requester, verb="attach", name=str(command.name))
        case commands.Detach():
            return ActRequested(requester=requester, verb="detach", name=str(command.name))
        case commands.Mute():
            return ActRequested(requester=requester, verb="mute", name=str(command.name))
        case commands.Unmute():
            return ActRequested(requester=requester, verb="unmute", name=str(command.name))
        case _:
            raise TypeError(f"{type(command).__name__} is no act")
