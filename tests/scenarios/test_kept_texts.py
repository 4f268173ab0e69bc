"""What a person writes is stored while the bot asks about it. Nobody can fill Redis with such texts."""

import pytest
from redis.exceptions import RedisError

from taskwire.actions.task_actions import MOST_KEPT_EDITS
from taskwire.state.notes import Notes
from taskwire.tasks.asked_words import MOST_ASKED_WORDS
from taskwire.tasks.offered_commands import MOST_KEPT_OFFERS

from .many_tasks import start_threads
from .people import Person
from .waiting import a_busy_agent
from .world import CARD_SECONDS, World

TOO_MANY = (
    "Too many of your messages here begin with `!` and are no commands, so I did not keep this one. Write it "
    "again without the `!`."
)


async def _count(world: World, kind: str) -> int:
    """Count the stored notes of one kind."""
    keys = world.connections.commands.scan_iter(world.keys.named("notes", kind, "*"))
    return len([key async for key in keys])


async def test_the_words_of_a_refused_person_are_not_stored(world: World) -> None:
    """A guest, a person without a Coder account and a teammate without rights write a message that begins
    with `!` and is no command. They are refused, and the message is not stored."""
    thread, _ = await a_busy_agent(world)
    guest = world.person("guest", in_coder=False, is_restricted=True)
    people: list[Person] = [guest, world.person("mal", in_coder=False), world.bob]
    for person in people:
        await world.slack.join(person.id, thread.channel)
        await person.replies(thread, "!important and a long text")

    assert await _count(world, "reply") == 0
    assert [len(person.reads()) for person in people] == [1, 1, 1]


async def test_too_many_words_of_one_person_are_refused(world: World) -> None:
    """Alice writes many messages in her own thread that begin with `!` and are no commands. Twenty are
    stored until she decides about them."""
    thread, _ = await a_busy_agent(world)
    for number in range(MOST_ASKED_WORDS + 2):
        await world.passes(seconds=7)
        await world.alice.replies(thread, f"!important{number}")

    told = world.alice.reads()

    assert told[-2:] == [TOO_MANY, TOO_MANY]
    assert TOO_MANY not in told[:-2]
    assert await _count(world, "reply") == MOST_ASKED_WORDS


async def test_the_newest_offered_commands_of_a_person_are_stored(world: World) -> None:
    """Alice types commands whose name fits several tasks. The bot offers each of them as a button, and stores
    the commands of its newest answers."""
    threads = await start_threads(world, 2, world.alice, prefix="alice")
    await world.polls()
    await world.passes(CARD_SECONDS)
    for number in range(MOST_KEPT_OFFERS + 3):
        await world.alice.types(f"/task send alice add test {number}")

    assert len(world.alice.reads()) == MOST_KEPT_OFFERS + 3
    assert await _count(world, "offered_commands") == MOST_KEPT_OFFERS
    for thread in threads:
        thread.new_messages()


async def test_the_newest_prompts_of_a_running_task_are_stored(world: World) -> None:
    """Alice changes the prompt of her running task again and again. The bot offers to stop it each time, and
    stores the newest prompts."""
    _, task = await a_busy_agent(world)
    for number in range(MOST_KEPT_EDITS + 3):
        await world.alice.types(f"/task edit {task.name} fix number {number}")

    assert len(world.alice.reads()) == MOST_KEPT_EDITS + 3
    assert await _count(world, "edit") == MOST_KEPT_EDITS


async def test_a_mistyped_command_is_answered_while_redis_shows_no_older_offers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis does not answer the question about Alice's older offers, but takes writes again. Slack gets its
    answer, and the button works."""
    _, task = await a_busy_agent(world)

    async def is_away(*_: object) -> list[str]:
        raise RedisError

    monkeypatch.setattr(Notes, "list_counted", is_away)
    await world.alice.types(f"/task stpo {task.name}")
    monkeypatch.undo()
    offered = world.alice.reads()
    await world.alice.presses("Stop")

    assert offered == [f"Stop *{task.name}*?\n[Stop]"]
    assert task.status == "paused"
    world.alice.reads()
