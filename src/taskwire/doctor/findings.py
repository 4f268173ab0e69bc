"""Judges the measurements of `taskwire doctor`. `examination` makes the measurements."""

import os
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from redis.exceptions import RedisError

from taskwire.coder.models import Template, User
from taskwire.coder.rights import AccountRights
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import UserError
from taskwire.domain.ids import from_ms
from taskwire.messages import troubles
from taskwire.outbox.coder_health import judge_rights
from taskwire.queue.dead_letters import DeadLetter
from taskwire.queue.formats import StrandedQueue
from taskwire.redis.connection import StoreHealth
from taskwire.redis.sentinels import SentinelView
from taskwire.slack import manifest
from taskwire.slack.calls import Method
from taskwire.slack.errors import TokenProblem
from taskwire.slack.models import Profile
from taskwire.state import owner as owners
from taskwire.state.accounts import ConnectedAccount
from taskwire.state.owner import Owner

# The largest accepted difference between two clocks, in seconds. A Date header has whole seconds, and the
# answer takes time to arrive. The limit is the 5 s for which an attempt may still take effect after its
# timeout.
MAX_CLOCK_DIFFERENCE_SECONDS = 5.0
FEWEST_SENTINELS = 3
ALMOST_FULL = 0.9
# A disk is larger than memory, so a larger share of a disk than of memory may be full. The logs of other
# programs on the same disk grow, so 200 MB must be free as well.
ALMOST_FULL_DISK, FEWEST_FREE_BYTES = 0.97, 200_000_000
# The kinds of payloads that Slack must deliver, as `listeners/ingress` counts them.
ARRIVALS = {"command": "command", "message": "message", "click": "press of a button"}

# In milliseconds. The doctor reports a token that expires within this time.
ENDING_SOON_MS = 2 * DAY_MS

Severity = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """The state of one examined part: right, worth knowing, or wrong. `hint` says what to do."""

    name: str
    state: Severity
    says: str
    hint: str = ""


def wrong_finding(name: str, error: UserError) -> Finding:
    """Return the finding for a problem that somebody must solve."""
    return Finding(name, "wrong", error.sentence, error.hint)


def judge_file(path: Path) -> list[Finding]:
    """Report if other users can read the file with the settings. Return an empty list if they cannot."""
    if not path.exists() or not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return []
    said = f"Other users of this machine can read {path}, which may hold tokens."
    return [Finding("Settings", "note", said, f"chmod 600 {path}")]


def judge_scopes(granted: frozenset[str] | None) -> Finding:
    """Report the scopes that the manifest asks for and the bot token lacks.

    `granted` are the bot token's scopes; None if Slack does not say.
    """
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
    if more := sorted(granted - wanted - {manifest.AGENT_SCOPE}):
        return Finding("Slack scopes", "note", f"All are there. Taskwire has no use for {', '.join(more)}.")
    return Finding("Slack scopes", "ok", "All are there, and no others.")


def judge_store(health: StoreHealth, where: str) -> list[Finding]:
    """Judge whether this Redis keeps the data that is written to it."""
    engine = {"valkey": "Valkey", "redis": "Redis"}.get(health.engine, health.engine)
    what = f"{engine} {health.version}" if health.version else engine
    found = [Finding("Store", "ok", f"It is {what} at {where}.")]
    if health.role not in (None, "master"):
        there = UserError("It is a replica, which cannot be written to.", "Set REDIS_URL to its primary.")
        found = [wrong_finding("Store", there)]
    found += [_judge_persistence(health), _judge_eviction(health)]
    return [*found, *_judge_memory(health), *_judge_replicas(health)]


def _judge_persistence(health: StoreHealth) -> Finding:
    name = "Persistence"
    if health.is_append_only is None:
        return Finding(name, "note", "The store does not tell; it should have appendonly yes.")
    if not health.is_append_only:
        said = "The store does not write down what it is given: its restart would lose threads and work"
        if health.is_managed:
            # A customer of a managed server may not be able to change this.
            hint = "Turn on append-only files where the service offers them, or take one that does."
            return Finding(name, "note", f"{said} since its last copy, if it makes copies.", hint)
        return Finding(name, "wrong", f"{said}.", "Set appendonly yes in its configuration.")
    if health.fsync == "no":
        hint = "Set appendfsync everysec, or always."
        return Finding(name, "note", "A crash of the store's machine may lose half a minute.", hint)
    if health.fsync is None:
        said = "appendfsync cannot be read; with everysec a crash of the store's machine may lose a second."
        return Finding(name, "note", said)
    said = "A crash of the store's machine may lose a second." if health.fsync == "everysec" else ""
    return Finding(name, "ok", f"Everything is written down. {said}".strip())


def _judge_eviction(health: StoreHealth) -> Finding:
    name = "Eviction"
    if health.eviction_policy is None:
        return Finding(name, "note", "The store does not tell; it should have maxmemory-policy noeviction.")
    if health.eviction_policy != "noeviction":
        return Finding(
            name,
            "wrong",
            "When its memory is full the store throws data away "
            f"(maxmemory-policy {health.eviction_policy}).",
            "Set maxmemory-policy noeviction in its configuration.",
        )
    return Finding(name, "ok", "Nothing is thrown away.")


def _judge_memory(health: StoreHealth) -> list[Finding]:
    """Report the store's memory if it is almost full."""
    used, most = health.used_bytes or 0, health.max_bytes
    if not most or used < ALMOST_FULL * most:
        return []
    said = f"It uses {used / most:.0%} of the memory that it may have. One that is full takes nothing."
    return [wrong_finding("Memory", UserError(said, "Raise maxmemory in its configuration."))]


def _judge_replicas(health: StoreHealth) -> list[Finding]:
    """Judge whether a failover to a replica may lose writes. Return an empty list if there is no replica."""
    name = "Replicas"
    hint = "Set min-replicas-to-write 1 and min-replicas-max-lag 10 on the store's servers, each of them."
    if health.required_replicas:
        required, there_are = health.required_replicas, health.replicas or 0
        said = f"What is accepted is in {required} of them first; there are {there_are}."
        is_enough = health.replicas is None or health.replicas >= required
        there = "Nothing can be accepted now: start the replicas, and look into their logs."
        return [Finding(name, "ok", said) if is_enough else Finding(name, "wrong", said, there)]
    if not health.replicas:
        return []
    return [Finding(name, "note", "A failover may lose what was accepted in the moment before it.", hint)]


def judge_sentinels(seen: Sequence[SentinelView], errors: Sequence[RedisError]) -> Finding:
    """Judge whether enough Sentinels answer to replace a master, and whether they name the same master."""
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


def judge_disk(free: int, total: int, where: str) -> Finding:
    """Judge whether the disk of the embedded store has space. The store writes to disk before each answer."""
    said = f"{free / 1e9:.1f} GB of {total / 1e9:.1f} GB are free at {where}."
    if free < FEWEST_FREE_BYTES or free < (1 - ALMOST_FULL_DISK) * total:
        hint = "Make room there, or set TASKWIRE_DATA_DIR to another disk."
        return Finding("Disk", "wrong", f"Only {said} When it is full, nothing is taken any more.", hint)
    return Finding("Disk", "ok", said)


def judge_versions(stranded: Sequence[StrandedQueue]) -> Finding:
    """Report jobs that only a newer version of Taskwire can read."""
    if not stranded:
        return Finding("Versions", "ok", "This version can read everything that waits.")
    until = from_ms(min(each.until_ms for each in stranded))
    return Finding("Versions", "wrong", troubles.jobs_wait_for_version(len(stranded), until))


def judge_arrivals(last: Mapping[str, datetime]) -> Finding:
    """Report when each kind of payload last arrived.

    This shows whether the Slack app sends commands, events and clicks to this installation. No call to Slack
    can show that.
    """
    name, never = "From Slack", [words for kind, words in ARRIVALS.items() if kind not in last]
    if never:
        return Finding(
            name,
            "note",
            f"Not one {' and not one '.join(never)} has come so far. Slack does not tell why.",
            "While Taskwire runs, type `/task help` in Slack, write in a channel that the bot is in, press a "
            "button of the bot, and look here again a minute later. If nothing has come by then, put what "
            "`taskwire manifest` prints into the app's page App Manifest, and install it again.",
        )
    times = ", ".join(f"{words} on {last[kind]:%Y-%m-%d at %H:%M}" for kind, words in ARRIVALS.items())
    return Finding(name, "ok", f"The last that came, by UTC: {times}.")


def judge_emails(profiles: Sequence[Profile]) -> Finding:
    """Judge whether Slack shows e-mail addresses, which identify people in Coder."""
    people = [each for each in profiles if not (each.is_bot or each.is_deleted or each.is_stranger)]
    if not people:
        return Finding("E-mails", "note", "There is nobody yet whose e-mail address could be looked at.")
    if not any(each.email for each in people):
        return Finding(
            "E-mails",
            "wrong",
            "Slack shows nobody's e-mail address, by which Taskwire finds people's accounts in Coder.",
            "The bot needs the scope users:read.email, and the workspace must not hide addresses: its owners "
            "find that in Slack's Settings & Permissions.",
        )
    return Finding("E-mails", "ok", "Slack shows them, so people are found in Coder.")


def judge_account(account: User, rights: AccountRights | None) -> Finding:
    """Judge whether our account's roles suffice. `rights` is None if Coder does not show them."""
    name = "Coder account"
    if trouble := judge_rights(account, rights):
        return wrong_finding(name, trouble)
    if account.is_owner:
        more = "" if rights else " This Coder does not say more about its rights."
        return Finding(name, "ok", f"It is {account.username}, who has the role Owner.{more}")
    said, where = f"It is {account.username}, whose roles suffice", ""
    if rights and rights.sufficient_count < len(rights.missing):
        where = f" in {rights.sufficient_count} of its {len(rights.missing)} organizations"
    return Finding(name, "ok", f"{said}{where}.")


def judge_accounts(accounts: Sequence[ConnectedAccount], now_ms: int, *, are_needed: bool) -> Finding:
    """Report how many people have connected a Coder account, and whether Coder accepts their tokens.

    `are_needed` is true if there is no service account. Then only people with accounts can use the bot.
    """
    name, count = "Accounts", len(accounts)
    if not count:
        hint = "Type `/task connect` in Slack." if are_needed else ""
        return Finding(name, "note", "Nobody has connected a Coder account yet.", hint)
    said = ["1 person has connected" if count == 1 else f"{count} people have connected"]
    said[0] += " a Coder account." if count == 1 else " Coder accounts."
    refused = sum(account.is_refused for account in accounts)
    soon_ms = now_ms + ENDING_SOON_MS
    # Leave out tokens that Taskwire refreshes without the person: they are valid for a day only.
    lasting = [account for account in accounts if not account.is_refused and not account.refresh_token]
    ending = sum(0 < account.expires_at_ms < soon_ms for account in lasting)
    if refused:
        said.append(f"Coder refuses {refused} of their tokens; they were asked to connect again.")
    if ending:
        said.append(f"{ending} of their tokens end within two days; they are renewed where Coder allows it.")
    return Finding(name, "note" if refused else "ok", " ".join(said))


def judge_clocks(offsets: Mapping[str, float]) -> Finding:
    """Compare this machine's clock with other clocks.

    `offsets` has, for each other clock, the seconds by which this machine's clock is ahead.
    """
    if not offsets:
        return Finding("Clocks", "note", "Not checked, since neither Coder nor the store answered.")
    apart = {
        whose: seconds for whose, seconds in offsets.items() if abs(seconds) > MAX_CLOCK_DIFFERENCE_SECONDS
    }
    if apart:
        said = ", ".join(
            f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} {whose}"
            for whose, seconds in apart.items()
        )
        hint = "Let this machine's clock be set by the network (NTP), and look at the others too."
        return Finding("Clocks", "wrong", f"This machine's clock is {said}.", hint)
    return Finding("Clocks", "ok", f"This machine's agrees with {', '.join(offsets)}.")


def judge_owner(noted: Owner | None, installation: Owner, where: str) -> Finding:
    """Judge whether the store belongs to this Slack app and this Coder (`installation`).

    `noted` is the owner that the store records; None if it records no owner. `where` is the store's address.
    """
    name = "Installation"
    if noted is None:
        said = "The store is nobody's yet. What runs first has it, with its Slack app and its Coder."
        return Finding(name, "ok", said)
    if refusal := owners.refusal(noted, installation, where):
        return wrong_finding(name, refusal)
    if noted.is_another_coder(installation) is None:
        said = (
            f"The store is for the Coder at {noted.url}. "
            f"Whether {installation.url} is the same it does not say."
        )
        return Finding(name, "note", said)
    return Finding(name, "ok", "The store is this Slack app's and this Coder's.")


def judge_keys(found: Counter[str], own: Sequence[str]) -> Finding:
    """Report with which keys the store is encrypted.

    `found` counts the encrypted values by the id of their key. `own` are the ids of the keys that Taskwire
    has now, the newest first.
    """
    name, newest = "Encryption", own[0]
    if missing := {key: count for key, count in found.items() if key not in own}:
        ids = ", ".join(sorted(missing))
        return Finding(
            name,
            "wrong",
            f"{_values(sum(missing.values()))} encrypted with a key that is missing ({ids}).",
            "Put that key behind the others in TASKWIRE_SECRET_KEYS. What needs it waits for a week.",
        )
    old = sum(count for key, count in found.items() if key != newest)
    if old:
        said = f"{_values(old)} encrypted with an older key; a running Taskwire encrypts them anew."
        return Finding(name, "note", said, "Keep the older keys until nothing has them any more.")
    said = "All that people and agents wrote is encrypted with the newest key."
    hint = "The older keys in TASKWIRE_SECRET_KEYS are no longer needed." if len(own) > 1 else ""
    return Finding(name, "ok", said, hint)


def _values(count: int) -> str:
    return "1 value is" if count == 1 else f"{count} values are"


def judge_audit(trouble: str) -> Finding:
    """Report that somebody has changed the audit trail, or that Redis has refused an entry."""
    if not trouble:
        return Finding("Audit trail", "ok", "Its end is as it was sealed.")
    return Finding(
        "Audit trail",
        "wrong",
        trouble,
        "`taskwire audit` checks all of it. Compare it with the log, which has each entry's number and hash.",
    )


def judge_dead_letters(count: int, newest: DeadLetter | None) -> Finding:
    """Report how many jobs were given up, and the newest of them."""
    if not count or newest is None:
        return Finding("Dead letters", "ok", "Nothing was given up.")
    jobs = "1 job was" if count == 1 else f"{count} jobs were"
    when = f"{newest.at:%Y-%m-%d at %H:%M} UTC"
    return Finding(
        "Dead letters",
        "wrong",
        f"{jobs} given up, the newest on {when}: {newest.kind}, because {newest.reason.rstrip('.')}.",
        "Who waited for one has been told. `taskwire doctor --dead-letters` lists them; with `--resend` they "
        "are sent again, with `--forget` forgotten.",
    )


def token_refused(problem: TokenProblem) -> UserError:
    """Return which of Slack's tokens is refused, and where to get a valid token."""
    if problem.method == Method.OPEN_SOCKET:
        return UserError(
            f"Slack refuses SLACK_APP_TOKEN ({problem.code}).",
            "Make one in your Slack app, Basic Information, App-Level Tokens, with connections:write.",
        )
    return UserError(
        f"Slack refuses SLACK_BOT_TOKEN ({problem.code}).",
        "Copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.",
    )


def os_reason(error: OSError) -> str:
    """Return why an address cannot be used, in the operating system's words."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


def get_template(templates: Sequence[Template], wanted: str, names: str) -> Template:
    """Return the template of this name, title or id. Raise UserError with the `names` if there is none."""
    for template in templates:
        if wanted.casefold() in (template.name.casefold(), template.title.casefold(), template.id):
            return template
    raise UserError("No template for tasks has the name in TASKWIRE_TEMPLATE.", f"There is: {names}.")
