"""Replies of unknown outcome, for stories about what happens to such replies."""

from taskwire_sandbox.coder import SandboxTask

from .people import Thread
from .waiting import a_waiting_agent
from .world import World

QUESTION = (
    "Did the agent get this? Coder's answer was lost. Later replies wait.\n> use main\n[Yes] [Send again]"
)
# An input can take effect until 65 seconds after its call began.
LANDING_SECONDS = 66
# For this number of seconds, the bot tries to read a log that cannot be read.
UNREADABLE_SECONDS = 130


async def reply_of_unknown_outcome(world: World) -> tuple[Thread, SandboxTask, str]:
    """Let Alice write a reply whose outcome is unknown to the bot, and let time pass until the bot has asked
    about it. Return the thread, the task and the reply's ts."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message")
    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)
    # Many posts were due at once, so the channel's limit delayed some of them.
    await world.passes(seconds=5)
    return thread, task, reply


def without_notices(thread: Thread) -> list[str]:
    """Return the bot's new messages, without notices that say *Needs you*. The bot posts such notices only
    because much time passes in these stories."""
    return [said for said in thread.new_messages() if "Needs you" not in said]
