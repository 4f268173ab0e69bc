"""The whole story, from `/task create` to the agent's answer in the thread."""

from .world import World


async def test_a_task_is_created_asks_and_gets_its_answer(world: World) -> None:
    """A person creates a task. The bot mentions them when the agent asks, sends their reply, and posts the
    end once."""
    thread = await world.alice.runs("/task create fix the login redirect")
    task = world.task("fix-the-login-redirect")
    await world.polls()
    task.becomes("working", "Reading the code")
    await world.polls()

    task.says("Which branch should I use?")
    task.becomes("idle", "Waiting for a branch")
    await world.polls()
    await world.passes(seconds=25)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Which branch should I use?\n"
        "Needs you: Fix the login redirect. Reply here to go on."
    ]

    reply = await world.alice.replies(thread, "use main")

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]

    task.says("Done: the redirect keeps the query now.")
    task.becomes("complete", "Opened PR #12", "https://github.com/acme/app/pull/12")
    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Done: the redirect keeps the query now.\nDone: Fix the login redirect. "
        "Reply here if there is more to do. <https://github.com/acme/app/pull/12>\n"
        "[View pull request]"
    ]

    await world.passes(seconds=5)
    await world.polls()
    await world.passes(seconds=60)

    assert thread.card().startswith("Done: Fix the login redirect. Opened PR #12.")


async def test_a_task_that_is_done_is_announced_once(world: World) -> None:
    """The thread is told of the end once, however often Coder is polled."""
    thread = await world.alice.runs("/task create fix the login redirect")
    await world.polls()
    world.task("fix-the-login-redirect").becomes("complete", "Opened PR #12")

    await world.polls(times=3)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\n"
        "Done: Fix the login redirect. Reply here if there is more to do."
    ]
