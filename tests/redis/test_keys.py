"""All keys of a workspace are in one slot, and each key expires or has a reason to stay."""

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
    """All keys of a workspace are in one slot of Redis, so that a script may use any of them."""
    assert key_slot(key.encode()) == key_slot(b"{T0TEAM}")


def test_two_workspaces_share_no_key() -> None:
    """Two workspaces on one Redis share no key."""
    assert KEYS.named("ready") != Keys("T0OTHER").named("ready")


def test_two_installations_in_one_workspace_share_no_key() -> None:
    """Two installations in one workspace share no key. Each has its own prefix before the workspace."""
    assert Keys("T0TEAM", "staging").named("ready") == "staging:{T0TEAM}:ready"
    assert not KEYS.is_permanent(Keys("T0TEAM", "staging").named("ready"))


@pytest.mark.parametrize(
    "key",
    ["ready", "wakeups", "link:L1", "link:L1:taken", "queue:to_thread:L1:order", "held:L1", "thread:C1:1.0"],
)
def test_what_stays_is_known(key: str) -> None:
    """Each key that has no time to live is on the list of permanent keys."""
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
    """A key that is not on the list of permanent keys must have a time to live. The scenarios check this for
    each key."""
    assert not KEYS.is_permanent(KEYS.named(key))


def test_another_workspaces_keys_are_not_ours_to_keep() -> None:
    """A key of another workspace does not count as a permanent key of this workspace."""
    assert not KEYS.is_permanent(Keys("T0OTHER").named("ready"))


def test_every_reason_is_one() -> None:
    """The list of permanent keys has a reason for each key, written as a sentence."""
    assert all(len(reason) > 20 for reason in PERMANENT.values())
