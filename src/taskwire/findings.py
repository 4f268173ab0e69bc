"""Findings: what `taskwire doctor` makes of what it was told.

These only judge; what they are told is asked for in `doctor`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from redis.exceptions import RedisError

from taskwire.model.errors import UserError
from taskwire.slack import manifest
from taskwire.slack.calls import Method
from taskwire.slack.errors import TokenProblem
from taskwire.store.connection import StoreHealth
from taskwire.store.letters import Letter
from taskwire.store.sentinels import Seen

# A Date header has whole seconds, and the answer travels; an attempt may land 5 s after its time-out.
MOST_SECONDS_APART = 5.0
FEWEST_SENTINELS = 3
ALMOST_FULL = 0.9

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """How one thing stands: right, right but worth knowing, or wrong; `hint` is what to do."""

    name: str
    state: State
    says: str
    hint: str = ""


def wrong(name: str, error: UserError) -> Finding:
    """What somebody has to mend."""
    return Finding(name, "wrong", error.sentence, error.hint)


def judge_scopes(granted: frozenset[str] | None) -> Finding:
    """Compare what the bot token may do with the manifest."""
    if granted is None:
        return Finding("Slack scopes", "note", "Slack does not tell which scopes the bot token has.")
    wanted = frozenset(manifest.SCOPES)
    if lacking := sorted(wanted - granted):
        return Finding(
            "Slack scopes",
            "wrong",
            f"The Slack app lacks {', '.join(lacking)}.",
            "Put what `taskwire manifest` prints into the app's page App Manifest, then install it again.",
        )
    if more := sorted(granted - wanted):
        return Finding("Slack scopes", "note", f"All are there. Taskwire has no use for {', '.join(more)}.")
    return Finding("Slack scopes", "ok", "All are there, and no others.")


def judge_store(health: StoreHealth, where: str) -> list[Finding]:
    """Say whether the Redis at this place keeps what it is given."""
    engine = {"valkey": "Valkey", "redis": "Redis"}.get(health.engine, health.engine)
    what = f"{engine} {health.version}" if health.version else engine
    found = [Finding("Store", "ok", f"It is {what} at {where}.")]
    if health.role not in (None, "master"):
        there = UserError("It is a replica, which cannot be written to.", "Set REDIS_URL to its primary.")
        found = [wrong("Store", there)]
    found += [_judge_persistence(health), _judge_eviction(health)]
    return [*found, *_judge_memory(health), *_judge_copies(health)]


def _judge_persistence(health: StoreHealth) -> Finding:
    name = "Persistence"
    if health.appends is None:
        return Finding(name, "note", "The store does not tell; it should have appendonly yes.")
    if not health.appends:
        return Finding(
            name,
            "wrong",
            "The store does not write down what it is given: its restart would lose threads and work.",
            "Set appendonly yes in its configuration.",
        )
    if health.fsync == "no":
        hint = "Set appendfsync everysec, or always."
        return Finding(name, "note", "A crash of the store's machine may lose half a minute.", hint)
    said = "A crash of the store's machine may lose a second." if health.fsync == "everysec" else ""
    return Finding(name, "ok", f"Everything is written down. {said}".strip())


def _judge_eviction(health: StoreHealth) -> Finding:
    name = "Eviction"
    if health.eviction is None:
        return Finding(name, "note", "The store does not tell; it should have maxmemory-policy noeviction.")
    if health.eviction != "noeviction":
        return Finding(
            name,
            "wrong",
            f"When its memory is full the store throws data away (maxmemory-policy {health.eviction}).",
            "Set maxmemory-policy noeviction in its configuration.",
        )
    return Finding(name, "ok", "Nothing is thrown away.")


def _judge_memory(health: StoreHealth) -> list[Finding]:
    """Say that it is almost full, while there is time."""
    used, most = health.used_bytes or 0, health.most_bytes
    if not most or used < ALMOST_FULL * most:
        return []
    said = f"It uses {used / most:.0%} of the memory that it may have. One that is full takes nothing."
    return [wrong("Memory", UserError(said, "Raise maxmemory in its configuration."))]


def _judge_copies(health: StoreHealth) -> list[Finding]:
    """Say what a failover may lose, where there is a replica to fail over to."""
    name = "Replicas"
    hint = "Set min-replicas-to-write 1 and min-replicas-max-lag 10 on the store's servers, each of them."
    if health.copies:
        said = f"What is accepted is in {health.copies} of them first; there are {health.replicas or 0}."
        is_enough = health.replicas is None or health.replicas >= health.copies
        there = "Nothing can be accepted now: start the replicas, and look into their logs."
        return [Finding(name, "ok", said) if is_enough else Finding(name, "wrong", said, there)]
    if not health.replicas:
        return []
    return [Finding(name, "note", "A failover may lose what was accepted in the moment before it.", hint)]


def judge_sentinels(seen: Sequence[Seen], errors: Sequence[RedisError]) -> Finding:
    """Say whether there are enough sentinels to replace a master, and whether they agree on one."""
    name, count = "Sentinels", len(seen) + len(errors)
    masters = {f"{host}:{port}" for host, port in (one.master for one in seen)}
    said = f"{len(seen)} of {count} answer, and know the master at {' or '.join(sorted(masters))}."
    if len(masters) > 1:
        return Finding(name, "wrong", said, "They do not agree: look into their logs.")
    if len(seen) <= count // 2:
        return Finding(name, "wrong", said, "Too few to choose another master: start the others.")
    if errors:
        return Finding(name, "note", said, "Start the others, or take them out of REDIS_URL.")
    if count < FEWEST_SENTINELS:
        return Finding(name, "note", said, "Name at least three, so that one of them may be away.")
    return Finding(name, "ok", said)


def judge_clocks(ahead: Mapping[str, float]) -> Finding:
    """Compare this machine's clock with others'; `ahead` is by how many seconds it is ahead of each."""
    if not ahead:
        return Finding("Clocks", "note", "There is none to compare this machine's with.")
    apart = {whose: seconds for whose, seconds in ahead.items() if abs(seconds) > MOST_SECONDS_APART}
    if apart:
        said = ", ".join(
            f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} {whose}"
            for whose, seconds in apart.items()
        )
        hint = "Let this machine's clock be set by the network (NTP), and look at the others too."
        return Finding("Clocks", "wrong", f"This machine's clock is {said}.", hint)
    return Finding("Clocks", "ok", f"This machine's agrees with {', '.join(ahead)}.")


def judge_letters(count: int, newest: Letter | None) -> Finding:
    """Say what was given up."""
    if not count or newest is None:
        return Finding("Dead letters", "ok", "Nothing was given up.")
    jobs = "1 job was" if count == 1 else f"{count} jobs were"
    when = f"{newest.at:%Y-%m-%d at %H:%M} UTC"
    return Finding(
        "Dead letters",
        "wrong",
        f"{jobs} given up, the newest on {when}: {newest.kind}, because {newest.why.rstrip('.')}.",
        "Who waited for one has been told. `taskwire doctor --letters` lists them; with `--resend` they are "
        "sent again, with `--forget` forgotten.",
    )


def refused(problem: TokenProblem) -> UserError:
    """Say which of Slack's tokens is refused, and where a good one is."""
    if problem.method == Method.OPEN_SOCKET:
        return UserError(
            f"Slack refuses SLACK_APP_TOKEN ({problem.code}).",
            "Make one in your Slack app, Basic Information, App-Level Tokens, with connections:write.",
        )
    return UserError(
        f"Slack refuses SLACK_BOT_TOKEN ({problem.code}).",
        "Copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.",
    )
