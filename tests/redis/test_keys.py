"""Keys: one slot a workspace, and an end for each, or a reason."""

import pytest
from redis.crc import key_slot

from taskwire.redis.keys import PERMANENT, Keys

KEYS = Keys("T0TEAM")


@pytest.mark.parametrize(
    "key",
    [
        KEYS.named("ready"),
        KEYS.link("L1"),
        KEYS.link("L1", "taken"),
        KEYS.named("queue", "to_thread:L1", "order"),
    ],
)
def test_all_keys_of_a_workspace_live_in_one_slot(key: str) -> None:
    """A script may touch any of them."""
    assert key_slot(key.encode()) == key_slot(b"{T0TEAM}")


def test_two_workspaces_share_no_key() -> None:
    """Several may use one Redis."""
    assert KEYS.named("ready") != Keys("T0OTHER").named("ready")


def test_two_installations_in_one_workspace_share_no_key() -> None:
    """Each has a word of its own before the workspace."""
    assert Keys("T0TEAM", "staging").named("ready") == "staging:{T0TEAM}:ready"
    assert not KEYS.is_permanent(Keys("T0TEAM", "staging").named("ready"))


@pytest.mark.parametrize(
    "key",
    ["ready", "wakeups", "link:L1", "link:L1:taken", "queue:to_thread:L1:order", "held:L1", "thread:C1:1.0"],
)
def test_what_stays_is_known(key: str) -> None:
    """And says why."""
    assert KEYS.is_permanent(KEYS.named(key))


@pytest.mark.parametrize(
    "key",
    [
        "claim:event:Ev1",
        "parked:C1:1.0",
        "rate:chat.update",
        "notes:person:U1",
        "readying",
        "polling:default",
        "dead_letters",
    ],
)
def test_everything_else_has_to_end(key: str) -> None:
    """A world of the scenarios looks at each."""
    assert not KEYS.is_permanent(KEYS.named(key))


def test_another_workspaces_keys_are_not_ours_to_keep() -> None:
    """The prefix counts."""
    assert not KEYS.is_permanent(Keys("T0OTHER").named("ready"))


def test_every_reason_is_one() -> None:
    """A list of exceptions needs its reasons beside it."""
    assert all(len(reason) > 20 for reason in PERMANENT.values())
