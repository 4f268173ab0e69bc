"""Names that a person may give a new task: whether one is free, and which one like it is."""

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NotFound
from taskwire.model.errors import UserError
from taskwire.model.naming import near
from taskwire.words import refusals

FREE_NAMES = 8


async def require_free(coder: CoderClient, owner: str, name: str) -> None:
    """Raise UserError, with a name that is free, if the owner has a task of this name."""
    if not await _is_free(coder, owner, name):
        raise UserError(*await name_taken(coder, owner, name))


async def name_taken(coder: CoderClient, owner: str, name: str) -> refusals.Refusal:
    """That the name is taken, and one like it that no task has, if there is one at hand."""
    for number in range(2, 2 + FREE_NAMES):
        if await _is_free(coder, owner, near(name, number)):
            return refusals.name_taken(name, near(name, number))
    return refusals.name_taken(name, "")


async def _is_free(coder: CoderClient, owner: str, name: str) -> bool:
    try:
        await coder.get_task(f"{owner}/{name}")
    except NotFound:
        return True
    return False
