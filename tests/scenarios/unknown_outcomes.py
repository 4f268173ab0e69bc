"""Replies of which nobody knows whether the agent has them, for stories about what becomes of them."""

from taskwire_sandbox.coder import PuppetTask

from .people import Thread
from .waiting import a_waiting_agent
from .world import World

QUESTION = (
    "I can't tell whether the agent got this: the answer was lost, and its log does not say. "
    "Later replies wait until you decide.\n> use main\n[It arrived] [Send again]"
)
# An input can land until a minute after it was begun, and five seconds more.
LANDED = 66
# A log that cannot be read is waited for two minutes more.
UNREADABLE = 130


async def reply_of_unknown_outcome(world: World) -> tuple[Thread, PuppetTask, str]:
    """A reply of which nobody knows whether the agent got it."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message")
    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDED)
    # So much was due at once that the channel's pace kept some of it back.
    await world.passes(seconds=5)
    return thread, task, reply


def without_notices(thread: Thread) -> list[str]:
    """What the bot has said here, without that the agent needs somebody, which so much time brings."""
    return [said for said in thread.new_messages() if "Needs you" not in said]
