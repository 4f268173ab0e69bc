"""Threads that have lost their root: the card is posted anew, and what was to be said follows it there.

How the card is posted is told in `show`.
"""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, later
from taskwire.bridge.saying import draw
from taskwire.model.jobs import card
from taskwire.model.links import Link
from taskwire.store.steps import Step

# The new place is looked for as long as this, and so often.
MOVE_MS = 60_000
MOVE_SECONDS = 3.0


async def follow(doors: Doors, hand: Hand, link: Link) -> Ending | None:
    """Have the card posted anew and wait for that; None if it did not help.

    It takes as long as Slack stays away, or has no room for cards: only once it was drawn it has not helped.
    """
    memory = doors.memory
    since = await memory.find("moving", link.id)
    is_over = since is not None and hand.now_ms - int(since) > MOVE_MS
    if is_over and not await doors.links.list_jobs(card(link.id)):
        return None
    if since is None:
        await memory.keep(str(hand.now_ms), "moving", link.id, ttl_ms=10 * MOVE_MS)
    hand.settled()
    # One that is about to post the card must not be passed, each time that this looks for the new thread.
    step = draw(link.id, doors.writes.no_field(Step(), link.id, "drawn"), is_news=False)
    return later(MOVE_SECONDS, step=step)
