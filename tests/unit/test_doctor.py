"""How `taskwire doctor` judges the store, the clocks and the scopes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis.exceptions import RedisError

from taskwire.doctor.findings import (
    Finding,
    judge_arrivals,
    judge_clocks,
    judge_dead_letters,
    judge_disk,
    judge_emails,
    judge_scopes,
    judge_sentinels,
    judge_store,
    judge_versions,
)
from taskwire.domain.ids import UserId
from taskwire.queue.dead_letters import DeadLetter
from taskwire.queue.formats import StrandedQueue
from taskwire.redis.connection import StoreHealth
from taskwire.redis.sentinels import SentinelView
from taskwire.slack import manifest
from taskwire.slack.models import Profile

GOOD = StoreHealth(
    "redis", "7.2.4", "id", "master", is_append_only=True, fsync="always", eviction_policy="noeviction"
)


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
            replace(GOOD, engine="valkey", version="8.1.1", role="slave", fsync="everysec"),
            [
                "wrong It is a replica, which cannot be written to. Set REDIS_URL to its primary.",
                "ok Everything is written down. A crash of the store's machine may lose a second.",
                "ok Nothing is thrown away.",
            ],
        ),
        (
            replace(GOOD, version="6.2.1", fsync="no", eviction_policy="volatile-ttl"),
            [
                "ok It is Redis 6.2.1 at redis://host:6379.",
                "note A crash of the store's machine may lose half a minute. "
                "Set appendfsync everysec, or always.",
                "wrong When its memory is full the store throws data away (maxmemory-policy volatile-ttl). "
                "Set maxmemory-policy noeviction in its configuration.",
            ],
        ),
        (
            replace(GOOD, fsync=None),
            [
                "ok It is Redis 7.2.4 at redis://host:6379.",
                "note appendfsync cannot be read; with everysec a crash of the store's machine may lose a "
                "second.",
                "ok Nothing is thrown away.",
            ],
        ),
        (
            StoreHealth("redis", None, None, None, is_append_only=None, fsync=None, eviction_policy=None),
            [
                "ok It is Redis at redis://host:6379.",
                "note The store does not tell; it should have appendonly yes.",
                "note The store does not tell; it should have maxmemory-policy noeviction.",
            ],
        ),
    ],
)
def test_a_store_is_judged_by_what_it_may_lose(health: StoreHealth, found: list[str]) -> None:
    """Doctor judges a store by the data that the store may lose. If a managed store does not reveal a
    setting, doctor reports a note and no error."""
    assert [_said(finding) for finding in judge_store(health, "redis://host:6379")] == found


def test_a_managed_store_that_writes_nothing_down_is_worth_a_note() -> None:
    """The store has no append-only file. For a managed store, doctor reports this risk as a note and not as
    an error, because the customer may not be able to change it."""
    own = replace(GOOD, is_append_only=False, fsync="everysec")
    managed = replace(GOOD, is_append_only=False, fsync=None)

    found = [judge_store(each, "redis://host:6379")[1] for each in (own, managed)]

    assert [_said(finding) for finding in found] == [
        "wrong The store does not write down what it is given: its restart would lose threads and work. "
        "Set appendonly yes in its configuration.",
        "note The store does not write down what it is given: its restart would lose threads and work since "
        "its last copy, if it makes copies. Turn on append-only files where the service offers them, or take "
        "one that does.",
    ]


@pytest.mark.parametrize(
    ("free", "total", "said"),
    [
        (5_000_000_000, 100_000_000_000, "ok 5.0 GB of 100.0 GB are free at /data."),
        (900_000_000, 1_000_000_000, "ok 0.9 GB of 1.0 GB are free at /data."),
        (
            2_000_000_000,
            100_000_000_000,
            "wrong Only 2.0 GB of 100.0 GB are free at /data. When it is full, nothing is taken any more. "
            "Make room there, or set TASKWIRE_DATA_DIR to another disk.",
        ),
        (
            150_000_000,
            1_000_000_000,
            "wrong Only 0.1 GB of 1.0 GB are free at /data. When it is full, nothing is taken any more. "
            "Make room there, or set TASKWIRE_DATA_DIR to another disk.",
        ),
    ],
)
def test_a_disk_that_is_almost_full_is_told(free: int, total: int, said: str) -> None:
    """Doctor reports a disk that is almost full, because the embedded store writes everything to disk before
    it answers."""
    assert _said(judge_disk(free, total, "/data")) == said


def test_what_came_from_slack_is_told_by_when() -> None:
    """Doctor says when each kind of delivery last came, and names the kinds that never came."""
    at = datetime(2026, 11, 25, 15, 4, tzinfo=UTC)

    assert _said(judge_arrivals({"command": at, "message": at, "click": at, "edit": at})) == (
        "ok The last that came, by UTC: command on 2026-11-25 at 15:04, message on 2026-11-25 at 15:04, "
        "press of a button on 2026-11-25 at 15:04."
    )
    assert _said(judge_arrivals({"command": at, "click": at})).startswith(
        "note Not one message has come so far. Slack does not tell why. While Taskwire runs, type "
    )


ALICE = Profile(id=UserId("U1"), name="alice", email="alice@example.com")


@pytest.mark.parametrize(
    ("profiles", "state"),
    [
        ([], "note"),
        ([ALICE.model_copy(update={"is_bot": True})], "note"),
        ([ALICE.model_copy(update={"email": None})], "wrong"),
        ([ALICE.model_copy(update={"email": None}), ALICE], "ok"),
    ],
)
def test_addresses_that_nobody_shows_are_told(profiles: list[Profile], state: str) -> None:
    """Doctor reports an error only if no person has an e-mail address, because then a setting in Slack is
    wrong. That some people have none is normal. If Slack lists no person, doctor reports a note."""
    assert judge_emails(profiles).state == state


def test_work_that_waits_for_a_newer_version_is_told() -> None:
    """Jobs wait for a newer version of Taskwire. Doctor says which version to start, and when the bot will
    give up the first of these jobs."""
    at_ms = int(datetime(2026, 11, 25, 15, 4, tzinfo=UTC).timestamp() * 1000)

    assert _said(judge_versions([])) == "ok This version can read everything that waits."
    assert _said(
        judge_versions([StrandedQueue("a", "1", 0, at_ms + 1), StrandedQueue("b", "2", 0, at_ms)])
    ) == (
        "wrong 2 queues wait for another version of Taskwire: I can't read their next jobs. Start "
        "the newest version that has run here, or a newer one, by 2026-11-25 at 15:04 UTC, "
        "or I'll give the jobs up."
    )


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
    """Doctor reports a store whose memory is almost full. Without eviction, a full store accepts no more
    writes."""
    found = judge_store(replace(GOOD, used_bytes=used, max_bytes=most), "redis://host:6379")

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
    """Doctor says whether a failover to a replica would lose accepted writes, and whether enough replicas
    run. Without replicas it says nothing, because no failover is possible."""
    found = judge_store(replace(GOOD, replicas=replicas, required_replicas=copies), "redis://host:6379")

    assert [_said(finding) for finding in found[3:]] == said


ONE, OTHER = (
    SentinelView(("10.0.0.1", 6379), 3, is_down=False),
    SentinelView(("10.0.0.2", 6379), 4, is_down=False),
)
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
    seen: list[SentinelView], errors: list[RedisError], said: str
) -> None:
    """Doctor reports an error if too few Sentinels answer for a failover, or if they name different
    primaries. It reports a note if some do not answer, or if there are fewer than three."""
    assert _said(judge_sentinels(seen, errors)) == said


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        ({}, "note Not checked, since neither Coder nor the store answered."),
        ({"Slack's": 4.9, "Coder's": -4.9}, "ok This machine's agrees with Slack's, Coder's."),
        (
            {"Slack's": 42.3, "Coder's": 0.1, "the store's": -7.0},
            "wrong This machine's clock is 42 s ahead of Slack's, 7 s behind the store's. "
            "Let this machine's clock be set by the network (NTP), and look at the others too.",
        ),
    ],
)
def test_clocks_are_compared(ahead: dict[str, float], said: str) -> None:
    """Doctor compares clocks by Date headers, which have whole seconds. It accepts a difference of a few
    seconds."""
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
    """Doctor reports a missing scope of the Slack app as an error, and an extra scope as a note. If Slack
    does not name the scopes (None), doctor reports a note."""
    assert _said(judge_scopes(granted)) == said


def _said(finding: Finding) -> str:
    return f"{finding.state} {finding.says} {finding.hint}".strip()


def test_what_was_given_up_is_counted_and_the_newest_told() -> None:
    """Doctor counts the jobs that were given up, and says how to send them again."""
    newest = DeadLetter(
        "3f9a", datetime(2026, 11, 25, 15, 4, tzinfo=UTC), "post_notice", "fix-the-login", "no answer."
    )

    assert _said(judge_dead_letters(2, newest)) == (
        "wrong 2 jobs were given up, the newest on 2026-11-25 at 15:04 UTC: post_notice, because no answer. "
        "Who waited for one has been told. `taskwire doctor --dead-letters` lists them; with `--resend` they "
        "are sent again, with `--forget` forgotten."
    )
    assert _said(judge_dead_letters(0, None)) == "ok Nothing was given up."
