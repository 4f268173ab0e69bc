"""The settings are narrowed while the answer to a question waits: no answer appears in a channel that is no
longer allowed."""

from taskwire.queue.rate_limiter import RateLimiter
from taskwire.telemetry import Metrics

from .test_allowed_lists import NOT_HERE, only_in
from .test_connect import pastes
from .test_waiting_for_account import waits
from .waiting import a_busy_agent
from .world import CARD_SECONDS, World


async def test_a_question_that_waits_for_an_account_is_not_answered_there(personal: World) -> None:
    """Carol asks for a log, and has to connect an account first. Before she does, the settings exclude the
    channel. Then she reads only that Taskwire does not work there."""
    thread, task = await a_busy_agent(personal)
    carol = personal.person("carol")
    await personal.slack.join(carol.id, "general")
    personal.slack.add_channel("random", ["alice", "carol"])
    await personal.alice.types(f"/task share {task.name} <@{carol.id}>")
    await carol.types("/task logs fix-the-login")
    asked = carol.reads()
    await only_in(personal, "random")

    await carol.types("/task connect", "random")
    carol.reads()
    await pastes(personal, carol, personal.coder.add_token("carol"))
    await personal.passes(CARD_SECONDS)

    assert asked == [waits("`/task logs fix-the-login`")]
    assert carol.reads() == ["Connected: you are *carol* in Coder.\n[Disconnect]", NOT_HERE]
    personal.alice.reads()
    personal.alice.hears()
    carol.hears()
    thread.new_messages()


async def test_an_answer_that_a_stopped_process_hands_over_is_not_shown_there(world: World) -> None:
    """Two answers wait for Slack when the bot stops. The settings of the next process exclude the channel, so
    it shows neither of them."""
    thread, _ = await a_busy_agent(world)
    world.slack.add_channel("random", ["alice", "bob"])
    await RateLimiter(world.connections, world.keys, world.clock, Metrics()).block("response_url", 600.0)
    await world.slack.command(world.bob.id, "general", "/task", "status fix-the-login")
    await world.slack.command(world.bob.id, "general", "/task", "list")
    parts = world.bot.parts
    await world.until(
        lambda: parts.private_answers.count == 2 and parts.background.is_idle, "two answers wait"
    )
    await world.stops()
    world.clock.passes(600.0)
    random = world.slack.workspace.channel("random").id
    world.settings = world.settings.model_copy(update={"allowed_channels": (random,)})

    await world.starts()
    await world.settles()

    assert world.bob.reads() == []
    thread.new_messages()
