"""Slack's agent surface: the state that Slack shows for a task, and Slack's own button that stops the
agent."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire_sandbox.slack import CallFault

from .waiting import PROMPT
from .world import Thread, World, new_world

PAUSING = "Pausing *Fix the login*. A reply in its thread resumes it."


@pytest.fixture
async def surface(tmp_path: Path, empty_store_url: str) -> AsyncIterator[World]:
    """Provide a world whose Slack app is declared as an agent."""
    async with new_world(tmp_path, store_url=empty_store_url, is_agent=True) as made:
        yield made


def _shown(world: World, thread: Thread) -> str:
    return world.slack.session_status(thread.channel, thread.ts)


def _calls(world: World) -> list[str]:
    return [call.outcome for call in world.slack.calls if call.method == "agents.sessions.setStatus"]


async def _a_working_agent(world: World) -> Thread:
    thread = await world.alice.runs(f"/task create {PROMPT}")
    await world.polls()
    world.task("fix-the-login").becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=4)
    return thread


async def test_slack_shows_what_the_agent_does(surface: World) -> None:
    """Slack shows that the agent works, waits for a person, has finished its turn, or has no task any
    more."""
    thread, shown = await _a_working_agent(surface), []
    task = surface.task("fix-the-login")

    shown.append(_shown(surface, thread))
    task.becomes("idle", "Which branch?")
    await surface.polls()
    await surface.passes(seconds=21)
    await surface.passes(seconds=4)
    shown.append(_shown(surface, thread))
    await surface.alice.replies(thread, "main")
    task.becomes("working", "Using main")
    await surface.polls()
    await surface.passes(seconds=4)
    shown.append(_shown(surface, thread))
    task.becomes("complete", "Opened PR #12")
    await surface.polls()
    await surface.passes(seconds=4)
    shown.append(_shown(surface, thread))
    await surface.alice.types("/task detach fix-the-login")
    await surface.passes(seconds=4)
    shown.append(_shown(surface, thread))

    assert shown == ["processing", "suspended", "processing", "active", "closed"]
    assert surface.slack.backend.sessions[thread.channel, thread.ts].title == "Fix the login"
    surface.alice.reads()
    thread.new_messages()


async def test_slacks_own_stop_is_the_cards_stop(surface: World) -> None:
    """A person presses Slack's own stop button. They get the same answer as after *Stop* on the card, and
    Slack removes its button."""
    thread = await _a_working_agent(surface)

    await surface.slack.stop_session(surface.alice.id, thread.channel, thread.ts)
    await surface.passes(seconds=5)

    assert surface.task("fix-the-login").status == "paused"
    assert surface.alice.reads() == [PAUSING]
    assert _shown(surface, thread) == "active"
    thread.new_messages()


async def test_slacks_own_stop_is_refused_to_somebody_who_may_not_steer(surface: World) -> None:
    """Slack shows its stop button to everybody. If Bob, who may not steer, presses it, the agent goes on, and
    the bot tells Bob whom to ask."""
    thread = await _a_working_agent(surface)

    await surface.slack.stop_session(surface.bob.id, thread.channel, thread.ts)
    await surface.settles()

    assert surface.task("fix-the-login").status == "active"
    assert surface.bob.reads() == [
        "*Fix the login* belongs to Alice, so you can't stop it. "
        "Alice can let you, with `!share @Bob` in its thread. "
        "Or write `stop` there and ask Alice to pass it on."
    ]
    surface.task("fix-the-login").becomes("complete", "Done")
    await surface.polls()
    await surface.passes(seconds=4)
    thread.new_messages()


async def test_slack_is_told_again_before_it_forgets_that_an_agent_works(surface: World) -> None:
    """Slack forgets the state "working" after an hour, but an agent may work longer. So the bot sends the
    state again before the hour ends."""
    thread = await _a_working_agent(surface)

    for _ in range(5):
        await surface.passes(seconds=1_800)
        assert _shown(surface, thread) == "processing"
    surface.task("fix-the-login").becomes("complete", "Done")
    await surface.polls()
    await surface.passes(seconds=4)

    assert (_shown(surface, thread), len(_calls(surface))) == ("active", 4)
    thread.new_messages()


async def test_a_workspace_without_the_surface_loses_nothing(surface: World) -> None:
    """A workspace does not have the agent surface, so Slack refuses the first call that sets an agent's
    state. The bot tells nobody, and tries such a call again only after a day."""
    method, code = "agents.sessions.setStatus", "feature_not_enabled"
    surface.slack.faults.add(method, CallFault.ERROR, times=None, error=code)

    thread = await _a_working_agent(surface)
    surface.task("fix-the-login").becomes("complete", "Opened PR #12")
    await surface.polls()
    await surface.passes(seconds=4)

    assert len(_calls(surface)) == 1
    assert thread.card().startswith("Done: Fix the login. Opened PR #12.")
    thread.new_messages()


async def test_an_app_that_is_no_agent_never_asks(world: World) -> None:
    """The app is not declared as an agent, which the bot reads from its granted scopes. The bot makes no call
    that sets an agent's state."""
    thread = await _a_working_agent(world)

    assert (_calls(world), _shown(world, thread)) == ([], "")
