"""What doctor makes of what it was told: the store, the clocks, the scopes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis.exceptions import RedisError

from taskwire.findings import (
    Finding,
    judge_clocks,
    judge_letters,
    judge_scopes,
    judge_sentinels,
    judge_store,
)
from taskwire.slack import manifest
from taskwire.store.connection import StoreHealth
from taskwire.store.letters import Letter
from taskwire.store.sentinels import Seen

GOOD = StoreHealth("redis", "7.2.4", "id", "master", appends=True, fsync="always", eviction="noeviction")


@pytest.mark.parametrize(
    ("health", "found"),
    [
        (
            GOOD,
            [
                "ok It is Redis 7.2.4 at redis://host:6379.",
                "ok Everything is written down.",
                "ok Nothing is thrown away.",
            ],
        ),
        (
            StoreHealth(
                "valkey", "8.1.1", "id", "slave", appends=True, fsync="everysec", eviction="noeviction"
            ),
            [
                "wrong It is a replica, which cannot be written to. Set REDIS_URL to its primary.",
                "ok Everything is written down. A crash of the store's machine may lose a second.",
                "ok Nothing is thrown away.",
            ],
        ),
        (
            StoreHealth("redis", "6.2.1", "id", "master", appends=True, fsync="no", eviction="volatile-ttl"),
            [
                "ok It is Redis 6.2.1 at redis://host:6379.",
                "note A crash of the store's machine may lose half a minute. "
                "Set appendfsync everysec, or always.",
                "wrong When its memory is full the store throws data away (maxmemory-policy volatile-ttl). "
                "Set maxmemory-policy noeviction in its configuration.",
            ],
        ),
        (
            StoreHealth("redis", None, None, None, appends=None, fsync=None, eviction=None),
            [
                "ok It is Redis at redis://host:6379.",
                "note The store does not tell; it should have appendonly yes.",
                "note The store does not tell; it should have maxmemory-policy noeviction.",
            ],
        ),
    ],
)
def test_a_store_is_judged_by_what_it_may_lose(health: StoreHealth, found: list[str]) -> None:
    """What a managed one does not tell is worth knowing, and no fault."""
    assert [_said(finding) for finding in judge_store(health, "redis://host:6379")] == found


@pytest.mark.parametrize(
    ("used", "most", "said"),
    [
        (None, None, []),
        (900, 0, []),
        (899, 1000, []),
        (
            931,
            1000,
            [
                "wrong It uses 93% of the memory that it may have. One that is full takes nothing. "
                "Raise maxmemory in its configuration."
            ],
        ),
    ],
)
def test_a_store_that_is_almost_full_is_told(used: int | None, most: int | None, said: list[str]) -> None:
    """Where nothing is thrown away, nothing more is taken in the end."""
    found = judge_store(replace(GOOD, used_bytes=used, most_bytes=most), "redis://host:6379")

    assert [_said(finding) for finding in found if finding.name == "Memory"] == said


@pytest.mark.parametrize(
    ("replicas", "copies", "said"),
    [
        (0, 0, []),
        (2, 1, ["ok What is accepted is in 1 of them first; there are 2."]),
        (
            1,
            2,
            [
                "wrong What is accepted is in 2 of them first; there are 1. "
                "Nothing can be accepted now: start the replicas, and look into their logs."
            ],
        ),
        (
            1,
            0,
            [
                "note A failover may lose what was accepted in the moment before it. Set "
                "min-replicas-to-write 1 and min-replicas-max-lag 10 on the store's servers, each of them."
            ],
        ),
    ],
)
def test_replicas_are_judged_by_what_a_failover_loses(replicas: int, copies: int, said: list[str]) -> None:
    """Where there are none there is none to fail over to."""
    found = judge_store(replace(GOOD, replicas=replicas, copies=copies), "redis://host:6379")

    assert [_said(finding) for finding in found[3:]] == said


ONE, OTHER = Seen(("10.0.0.1", 6379), 3, is_down=False), Seen(("10.0.0.2", 6379), 4, is_down=False)
LOST = RedisError("no answer in time")


@pytest.mark.parametrize(
    ("seen", "errors", "said"),
    [
        ([ONE, ONE, ONE], [], "ok 3 of 3 answer, and know the master at 10.0.0.1:6379."),
        (
            [ONE, ONE],
            [LOST],
            "note 2 of 3 answer, and know the master at 10.0.0.1:6379. "
            "Start the others, or take them out of REDIS_URL.",
        ),
        (
            [ONE],
            [],
            "note 1 of 1 answer, and know the master at 10.0.0.1:6379. "
            "Name at least three, so that one of them may be away.",
        ),
        (
            [ONE],
            [LOST, LOST],
            "wrong 1 of 3 answer, and know the master at 10.0.0.1:6379. "
            "Too few to choose another master: start the others.",
        ),
        (
            [ONE, OTHER, OTHER],
            [],
            "wrong 3 of 3 answer, and know the master at 10.0.0.1:6379 or 10.0.0.2:6379. "
            "They do not agree: look into their logs.",
        ),
    ],
)
def test_sentinels_are_judged_by_what_they_know(
    seen: list[Seen], errors: list[RedisError], said: str
) -> None:
    """Enough of them, and of one mind."""
    assert _said(judge_sentinels(seen, errors)) == said


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        ({}, "note There is none to compare this machine's with."),
        ({"Slack's": 4.9, "Coder's": -4.9}, "ok This machine's agrees with Slack's, Coder's."),
        (
            {"Slack's": 42.3, "Coder's": 0.1, "the store's": -7.0},
            "wrong This machine's clock is 42 s ahead of Slack's, 7 s behind the store's. "
            "Let this machine's clock be set by the network (NTP), and look at the others too.",
        ),
    ],
)
def test_clocks_are_compared(ahead: dict[str, float], said: str) -> None:
    """A Date header has whole seconds: a few of them apart mean nothing."""
    assert _said(judge_clocks(ahead)) == said


@pytest.mark.parametrize(
    ("granted", "said"),
    [
        (frozenset(manifest.SCOPES), "ok All are there, and no others."),
        (
            frozenset({*manifest.SCOPES, "pins:write"}),
            "note All are there. Taskwire has no use for pins:write.",
        ),
        (
            frozenset(manifest.SCOPES) - {"commands"},
            "wrong The Slack app lacks commands. Put what `taskwire manifest` prints into the app's page App "
            "Manifest, then install it again.",
        ),
        (None, "note Slack does not tell which scopes the bot token has."),
    ],
)
def test_scopes_are_compared_with_the_manifest(granted: frozenset[str] | None, said: str) -> None:
    """What is missing fails in front of a person; what is too much is worth knowing."""
    assert _said(judge_scopes(granted)) == said


def _said(finding: Finding) -> str:
    return f"{finding.state} {finding.says} {finding.hint}".strip()


def test_what_was_given_up_is_counted_and_the_newest_told() -> None:
    """With what to do: it need not be lost."""
    newest = Letter("3f9a", datetime(2026, 11, 25, 15, 4, tzinfo=UTC), "tell", "fix-the-login", "no answer.")

    assert _said(judge_letters(2, newest)) == (
        "wrong 2 jobs were given up, the newest on 2026-11-25 at 15:04 UTC: tell, because no answer. "
        "Who waited for one has been told. `taskwire doctor --letters` lists them; with `--resend` they are "
        "sent again, with `--forget` forgotten."
    )
    assert _said(judge_letters(0, None)) == "ok Nothing was given up."
