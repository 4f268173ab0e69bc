"""Private answers: a slow answer delays no other answer, and none is lost when a process stops.

An answer that another process shows reaches only a person who may still read it.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from taskwire.domain.queueing.queues import QueueName
from taskwire.queue.rate_limiter import RateLimiter
from taskwire.telemetry import Metrics
from taskwire.worker import Worker
from taskwire_sandbox.slack import Call
from taskwire_sandbox.slack.faults import CallFault

from .test_connect import OFFER
from .test_notices_to_administrators import direct_messages
from .versions import drop, record_newer_version, rewrite_jobs_as_newer
from .world import World

NONE = "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form."
NOTHING = "There is no task `nothing` that you can see here. `/task list` shows the ones you can see."
MANY = 16
REST_SECONDS = 600.0


class Held:
    """Holds back the first `count` answers that the bot sends to response URLs."""

    def __init__(self, world: World, count: int) -> None:
        self._left = count
        self.count = 0
        self._goes_on = asyncio.Event()
        world.slack.on_call = self._hold

    async def _hold(self, phase: str, call: Call) -> None:
        if phase == "before" and call.method == "response_url" and self._left:
            self._left -= 1
            self.count += 1
            await self._goes_on.wait()

    def go_on(self) -> None:
        """Release the held answers."""
        self._goes_on.set()


async def test_slow_answers_hold_up_no_other(world: World) -> None:
    """Slack does not take the bot's many answers to Alice for a while. Bob still gets his answers
    meanwhile."""
    held = Held(world, MANY)
    for number in range(MANY):
        await world.slack.command(world.alice.id, "general", "/task", "templates")
        if number % 10 == 9:
            # A person may ask ten questions a minute.
            world.clock.passes(61)
    await world.until(lambda: held.count == MANY, "as many as there were places stand still")

    await world.slack.command(world.bob.id, "general", "/task", "list")
    await world.slack.command(world.bob.id, "general", "/task", "pause nothing")
    await world.until(lambda: len(world.slack.ephemerals("bob")) == 2, "both are answered")

    assert not world.slack.ephemerals("alice")
    held.go_on()
    await world.settles()
    assert len(world.alice.reads()) == MANY
    assert len(world.bob.reads()) == 2


async def test_a_stop_hands_over_what_is_not_shown_yet(world: World) -> None:
    """Two answers wait because Slack limits the bot, and the bot stops. After the restart, the next process
    sends each answer once."""
    await RateLimiter(world.connections, world.keys, world.clock, Metrics()).block(
        "response_url", REST_SECONDS
    )
    await world.slack.command(world.alice.id, "general", "/task", "pause nothing")
    await world.slack.command(world.bob.id, "general", "/task", "list")
    parts = world.bot.parts
    await world.until(lambda: parts.private_answers.count == 2 and parts.background.is_idle, "both wait")
    await world.stops()
    shown = world.slack.ephemerals("alice") + world.slack.ephemerals("bob")

    world.clock.passes(REST_SECONDS)
    await world.starts()
    await world.settles()

    assert not shown
    assert world.alice.reads() == [NOTHING]
    assert world.bob.reads() == [NONE]


async def test_what_is_asked_while_a_process_ends_is_answered_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person types a command while the bot's process is stopping. The process still accepts the command,
    and the next process sends the answer."""
    asked: list[object] = []

    async def note_clean_stop(self: Worker) -> None:
        await as_it_is(self)
        asked.append(await world.slack.command(world.bob.id, "general", "/task", "list"))

    as_it_is = Worker.note_clean_stop
    with monkeypatch.context() as patched:
        patched.setattr(Worker, "note_clean_stop", note_clean_stop)
        await world.restarts()
    await RateLimiter(world.connections, world.keys, world.clock, Metrics()).block(
        "response_url", REST_SECONDS
    )
    await world.stops()
    shown = world.slack.ephemerals("bob")

    world.clock.passes(REST_SECONDS)
    await world.starts()
    await world.settles()

    assert len(asked) == 1
    assert not shown
    assert world.bob.reads() == [NONE]


async def test_what_was_asked_too_long_ago_is_not_shown_as_if_it_were_new(world: World) -> None:
    """The bot was stopped for an hour while an answer waited. The answer describes an earlier state, and the
    person has probably asked again. So the bot drops the answer."""
    await RateLimiter(world.connections, world.keys, world.clock, Metrics()).block(
        "response_url", REST_SECONDS
    )
    await world.slack.command(world.alice.id, "general", "/task", "pause nothing")
    await world.until(lambda: world.bot.parts.private_answers.count == 1, "it waits")
    await world.stops()

    world.clock.passes(3_600)
    await world.starts()
    await world.settles()

    assert not world.slack.ephemerals("alice")


async def _left(world: World) -> None:
    """Remove Bob from the private channel in which he has asked."""
    world.slack.workspace.channel("hidden").members.remove(world.bob.id)


async def _deactivated(world: World) -> None:
    world.slack.workspace.user("bob").deleted = True


async def _guest(world: World) -> None:
    world.slack.workspace.user("bob").is_restricted = True


async def _suspended(world: World) -> None:
    world.coder.suspend("bob")


async def _out_of_the_group(world: World) -> None:
    [group] = world.slack.workspace.groups.values()
    group.members.remove(world.bob.id)


async def _removed(world: World) -> None:
    """Let Bob have no account in Coder any more."""
    world.coder.user("bob").email = "nobody@example.com"


async def _nothing(world: World) -> None:
    """Let Bob keep all his rights."""


async def _stops_before_answering_bob(world: World, channel: str, words: str) -> None:
    """Let Bob type a command while Slack's rate limits let no answer through, and stop the bot."""
    await RateLimiter(world.connections, world.keys, world.clock, Metrics()).block(
        "response_url", REST_SECONDS
    )
    await world.slack.command(world.bob.id, channel, "/task", words)
    parts = world.bot.parts
    await world.until(lambda: parts.private_answers.count == 1 and parts.background.is_idle, "it waits")
    await world.stops()


Loss = Callable[[World], Awaitable[None]]
LOSSES: tuple[Loss, ...] = (_left, _deactivated, _guest, _suspended, _removed, _out_of_the_group)
DROPPED = "person may not read a handed over private answer any more, dropped"


@pytest.mark.parametrize("loses", [*LOSSES, _nothing])
async def test_an_answer_is_handed_over_only_to_a_person_who_may_still_read_it(
    world: World, loses: Loss
) -> None:
    """Bob asks for a log in a private channel, and the bot stops before it can answer. He loses what lets him
    read the answer. So the next process drops it, and logs that."""
    group = world.slack.add_group("platform-team", ["alice", "bob"])
    await world.restarts(allowed_groups=(group.id,))
    world.slack.add_channel("hidden", ["alice", "bob"], kind="private")
    thread = await world.alice.runs("/task create the secret plan", "hidden")
    task = world.task("the-secret-plan")
    task.says("secret words")
    task.becomes("working", "On it")
    await world.polls()
    await _stops_before_answering_bob(world, "hidden", "logs the-secret-plan")

    await loses(world)
    world.clock.passes(REST_SECONDS)
    await world.ages(seconds=10)
    await world.starts()
    await world.settles()

    is_shown = loses is _nothing
    assert ["secret words" in said for said in world.bob.reads()] == [True] * is_shown
    assert any(DROPPED in line for line in world.logged) is not is_shown
    thread.new_messages()


async def test_a_person_who_has_yet_to_connect_an_account_is_answered_by_the_next_process(
    world: World,
) -> None:
    """Bob has connected no account, and the bot stops before it can ask him to. The next process asks him."""
    await world.restarts(accounts="personal", coder_session_token=None)
    await _stops_before_answering_bob(world, "general", "connect")

    world.clock.passes(REST_SECONDS)
    await world.starts()
    await world.settles()

    assert world.bob.reads() == [OFFER]


async def test_an_answer_waits_while_slack_does_not_say_who_may_read_it(world: World) -> None:
    """The bot stops before it can answer Bob. The next process cannot ask Slack who Bob is. It answers him
    when it can."""
    await RateLimiter(world.connections, world.keys, world.clock, Metrics()).block(
        "response_url", REST_SECONDS
    )
    await world.slack.command(world.bob.id, "general", "/task", "list")
    parts = world.bot.parts
    await world.until(lambda: parts.private_answers.count == 1 and parts.background.is_idle, "it waits")
    await world.stops()
    world.slack.faults.add("users.info", CallFault.SERVER_ERROR, times=None)

    world.clock.passes(REST_SECONDS)
    await world.ages(seconds=10)
    await world.starts()
    await world.settles()
    shown = world.slack.ephemerals("bob")
    world.slack.faults.clear()
    for _ in range(3):
        await world.passes(seconds=30)

    assert not shown
    assert world.bob.reads() == [NONE]


async def test_an_answer_that_only_another_version_can_show_stands_before_nothing(world: World) -> None:
    """Only a newer version of the bot can read a stored answer, so it waits. The person's later commands and
    the bot's alerts do not wait behind it."""
    await RateLimiter(world.connections, world.keys, world.clock, Metrics()).block(
        "response_url", REST_SECONDS
    )
    await world.slack.command(world.alice.id, "general", "/task", "pause nothing")
    await world.until(lambda: world.bot.parts.private_answers.count == 1, "it waits")
    await world.stops()
    ((handed_over, (job,)),) = (await world.jobs()).items()
    await rewrite_jobs_as_newer(world, QueueName(handed_over))
    await record_newer_version(world)
    world.clock.passes(REST_SECONDS)
    world.settings = world.settings.model_copy(update={"admins": (world.alice.id,)})
    await world.starts()

    await world.alice.runs("/task create fix the login")
    await world.bot.parts.alerts.warn("trouble", "Something is wrong.")
    await world.settles()

    assert direct_messages(world, "alice") == [":warning: Something is wrong."]
    assert not world.slack.ephemerals("alice")
    await drop(world, QueueName(handed_over), job)
