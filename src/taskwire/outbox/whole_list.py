"""Requests Coder's list of all tasks, with the service account.

The list contains every prompt, also of tasks that people create in Coder itself. So it can become too long to
be read. Then it is not requested again for some minutes, because each request would cost Coder and this
process as much as a list that can be read. `polling/owner_lists.py` polls the linked tasks meanwhile.
"""

from taskwire.coder.errors import TooLong
from taskwire.dependencies import Dependencies

# How long Coder is not asked for the whole list after it was too long, in ms.
LONG_LIST_TTL_MS = 600_000
_NOTE = "list_too_long"


async def list_all_tasks(deps: Dependencies) -> bytes:
    """Return the list of all tasks. Raise TooLong if it is too long now, or was so some minutes ago."""
    if await is_list_too_long(deps):
        raise TooLong("list tasks", "too long some minutes ago")
    try:
        return await deps.service_coder.list_tasks_raw()
    except TooLong:
        await deps.notes.keep("1", _NOTE, ttl_ms=LONG_LIST_TTL_MS)
        raise


async def is_list_too_long(deps: Dependencies) -> bool:
    """Return whether the list was too long some minutes ago."""
    return await deps.notes.find(_NOTE) is not None
