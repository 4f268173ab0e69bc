"""The addresses of threads in Slack. The address of a thread does not change, so it is stored for a day."""

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.slack.errors import ChannelProblem, MessageGone


async def find_permalink(deps: Dependencies, record: LinkRecord) -> str:
    """Return the address of a link's thread.

    Return an empty text if the link has no thread, or if Slack does not show the thread to the bot.
    """
    channel, ts = record.channel, record.thread_ts
    if ts is None:
        return ""
    known = await deps.notes.find("permalink", channel, ts)
    if known is not None:
        return known
    try:
        address = await deps.slack.get_permalink(channel, ts)
    except (ChannelProblem, MessageGone):
        return ""
    await deps.notes.keep(address, "permalink", channel, ts, ttl_ms=DAY_MS)
    return address
