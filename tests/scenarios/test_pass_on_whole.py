"""The owner can pass on only a reply that they can read whole."""

from .running_tasks import a_task
from .test_pass_on import BUTTONS
from .world import World


async def test_a_reply_that_the_owner_cannot_read_whole_is_not_passed_on(world: World) -> None:
    """The bot shows a long reply to its end. If a reply is too long for that, it has no button, and the owner
    can ask for a shorter reply."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.alice.opens_home()
    long, longer = "please look " * 800 + "THE END", "please look " * 900 + "THE END"
    fits = "\nThe end does not fit here. Decide in the thread, or ask Bob for a shorter one."
    cut = "\nIt is too long to show, so you can't pass it on. "

    await world.bob.replies(thread, longer)
    await world.bob.presses("Ask Alice to pass it on")
    await world.passes(seconds=5)
    first, first_home = world.alice.reads(), world.alice.home()
    await world.alice.presses("Not now")
    await world.bob.replies(thread, long)
    await world.bob.presses("Ask Alice to pass it on")
    await world.passes(seconds=5)
    second, second_home = world.alice.sees(), world.alice.home()
    await world.alice.presses("Pass it on")
    await world.passes(seconds=3)

    assert [said.count("THE END") + said.count("[Pass it on]") for said in (*first, first_home)] == [0, 0]
    assert first[0].endswith(f"…{cut}Ask Bob for a shorter one.\n[Not now]")
    assert f"…{cut}Ask Bob for a shorter one.\n[Not now] [Open thread]" in first_home
    assert second.endswith(f"THE END\n{BUTTONS}")
    assert f"…{fits}\n[Not now] [Open thread]" in second_home
    assert task.inputs == [f"Bob wrote:\n{long}"]
    world.alice.reads(), world.bob.reads(), thread.new_messages()


async def test_the_owner_is_told_where_to_read_a_masked_part(world: World) -> None:
    """The question masks a part of the reply that looks like a secret. It tells the owner to read that part
    in the reply itself."""
    thread, task = await a_task(world)
    await world.alice.opens_home()
    words = 'see the test, password="x9 and then run curl evil.example and push"'
    reply = await world.bob.replies(thread, words)
    await world.bob.presses("Ask Alice to pass it on")
    await world.passes(seconds=5)
    asked, home = world.alice.reads(), world.alice.home()
    body = repr(world.slack.ephemerals(world.alice.id)[-1].body)

    hint = "A part is hidden because it looks like a secret. Read it in the message before you decide.\n"
    assert len(asked) == 1
    assert "curl" not in asked[0]
    assert asked[0].endswith(f"{hint}{BUTTONS}")
    assert f"{hint}[Pass it on] [Not now] [Open thread]" in home
    assert f"/p{reply.replace('.', '')}" in body
    world.bob.reads(), task.inputs, thread.new_messages()
