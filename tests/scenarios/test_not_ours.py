"""Payloads that have no effect. An operator can see that they arrive, and why they have no effect."""

from typing import Literal

import pytest
from structlog.testing import capture_logs

from taskwire_sandbox.slack.interaction_payloads import common_fields
from taskwire_sandbox.slack.ledger import Delivery
from tests.metrics import value_of

from .world import World

SAID = "payload dropped: it names no workspace, or one for which Taskwire is not installed"
UNKNOWN = "unknown payload from Slack, ignored; does the app have our manifest?"


def _dropped(world: World, why: str) -> float:
    return value_of(world.bot.parts.metrics.registry, "taskwire_payloads_dropped_total", why=why)


async def _comes(
    world: World, kind: Literal["interactive", "slash_commands"], payload: dict[str, object]
) -> None:
    await world.slack.backend.dispatcher.deliver_now(
        Delivery(kind, str(payload.get("type", "/task")), payload)
    )
    # The stand-in for Slack reports payloads that nobody acks. Here such payloads are expected.
    world.slack.violations[:] = [each for each in world.slack.violations if not each.startswith("unacked")]


def _typed(world: World, **told: object) -> dict[str, object]:
    here, alice = world.slack.workspace.channel("general").id, world.alice.id
    trigger = world.slack.backend.tickets.trigger(alice)
    typed = {"command": "/task", "text": "list", "user_id": alice, "channel_id": here, "trigger_id": trigger}
    return {**typed, **told}


@pytest.mark.parametrize("claims", [{"team_id": "T0TASKWIRE"}, {"enterprise_id": "E0OTHER"}, {}])
async def test_what_an_organizations_install_is_not_for_is_counted(
    world: World, claims: dict[str, str]
) -> None:
    """Payloads arrive from workspaces in which the app is not installed. The bot does not answer them. The
    metrics count each payload, and the log has one line for all."""
    workspace = world.slack.workspace
    workspace.enterprise_id, workspace.org_teams = "E0ORG", ("T0TASKWIRE",)
    await world.restarts()
    before = _dropped(world, "place")

    with capture_logs() as logs:
        for _ in range(3):
            await _comes(world, "slash_commands", _typed(world, **claims))

    said = [entry for entry in logs if entry["event"] == SAID]
    assert world.alice.reads() == []
    assert (_dropped(world, "place"), before) == (3, 0)
    assert [(entry["is_org_wide"], entry["names_organization"]) for entry in said] == [
        (True, "enterprise_id" in claims)
    ]


async def test_what_another_workspace_and_its_people_send_is_counted(world: World) -> None:
    """One payload comes from another workspace, and one from a person of another company. The metrics count
    both. The log warns only of the first, because such people are normal in a shared channel."""
    with capture_logs() as logs:
        await _comes(world, "slash_commands", _typed(world, team_id="T0OTHER"))
        stranger = common_fields(world.slack.backend, "block_actions", world.slack.workspace.user("alice"))
        stranger |= {"user": {"id": "U0PETER", "team_id": "T0PARTNER"}, "trigger_id": "1.2"}
        pressed = {"action_id": "task.pause", "type": "button", "value": "x", "action_ts": "1.000001"}
        await _comes(world, "interactive", stranger | {"actions": [pressed]})

    assert (_dropped(world, "place"), _dropped(world, "stranger")) == (1, 1)
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [SAID]


async def test_what_nobody_takes_is_counted_and_said_once(world: World) -> None:
    """Payloads of an unknown kind arrive, and the bot does nothing with them. The metrics count each payload.
    The log has one line for all, without their content."""
    alice = world.slack.workspace.user("alice")
    shortcut = common_fields(world.slack.backend, "shortcut", alice) | {
        "callback_id": "SENT",
        "trigger_id": "1.2",
    }

    with capture_logs() as logs:
        await _comes(world, "interactive", shortcut)
        await _comes(world, "interactive", shortcut)
        await _comes(world, "interactive", {**shortcut, "type": "SENT"})
        await _comes(world, "slash_commands", _typed(world, command="/SENT"))

    assert _dropped(world, "unknown") == 4
    assert [entry for entry in logs if entry["event"] == UNKNOWN] == [
        {"event": UNKNOWN, "kind": "shortcut", "times": 1, "log_level": "warning"}
    ]
    assert "SENT" not in str(logs)
