"""Turns a command that changes something into the work of a job.

A command comes from `/task` or from a message to the bot. Questions and dialogs do not become jobs.
"""

from typing import Literal

from taskwire.domain.parsing import commands
from taskwire.domain.parsing.commands import Command
from taskwire.domain.queueing.jobs import ActRequested, ActVerb, CreateRequested
from taskwire.domain.queueing.queues import FIRST_IN_INTAKE
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester

# The verbs of commands that have only a task's name.
_VERBS: dict[type[object], ActVerb] = {
    commands.Pause: "pause",
    commands.Resume: "resume",
    commands.Attach: "attach",
    commands.Detach: "detach",
    commands.Mute: "mute",
    commands.Unmute: "unmute",
}


def make_work(requester: Requester, command: Command) -> CreateRequested | ActRequested:
    """Return the work of a command that changes something. Raise TypeError if the command only asks."""
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
        case commands.Share():
            verb: ActVerb = "unshare" if isinstance(command, commands.Unshare) else "share"
            return ActRequested(
                requester=requester,
                verb=verb,
                name=str(command.name),
                text=command.other_text,
                who=command.who,
            )
        case _ if type(command) in _VERBS:
            name = str(getattr(command, "name", ""))
            return ActRequested(requester=requester, verb=_VERBS[type(command)], name=name)
        case _:
            raise TypeError(f"{type(command).__name__} is no act")


def intake_score(work: Work) -> int | Literal["next"]:
    """Return the score of a request in its person's queue `intake`. "next" means behind all others.

    The end of a share runs before all other requests, because they may wait for Coder and the end need not
    wait.
    """
    return FIRST_IN_INTAKE if isinstance(work, ActRequested) and work.verb == "unshare" else "next"
