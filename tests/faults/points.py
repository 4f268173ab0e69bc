"""The points of a flow, what can go wrong at each, and what is planned for an actor.

Two faults are the same if they leave the same state outside and the same bot. Then only one of them is tried.
This holds for deaths with no write between them and for reads of one job that fail with no write between them
(`traces`), and for faults of a read that differ only in whether it was executed.
"""

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a call means for the proof. Its name and its caller do not matter."""

    TAKE = "a take"
    BEGIN = "a begin"
    END = "an end"
    CLAIM = "a claim"
    SWEEP = "what a poll writes"
    # Whether a call may be made now. Its failure never reaches a handler: the call is made all the same.
    PACE = "a question to the rate limiter"
    # What can be looked up again at any time.
    CACHE = "a write of something known outside"
    SCRIPT = "another script"
    READ = "a read of Redis"
    WRITE = "a write to Redis"
    OUTSIDE_READ = "a read outside"
    # A call that is simply made again, or that may be lost. No attempt begins before it, so its outcome is
    # never unknown.
    OUTSIDE_LIGHT = "a write outside that may be made twice, or not at all"
    OUTSIDE_WRITE = "a write outside"


class Call(NamedTuple):
    """A call by its name, its kind, and, if it belongs to a lease, what the lease is about."""

    name: str
    kind: Kind
    lease: str = ""


class Point(NamedTuple):
    """One call of a flow, to the outside or to Redis. `number` counts the calls with the same name."""

    call: Call
    number: int

    def __str__(self) -> str:
        return f"{self.call.name} #{self.number}"


class Fault(Enum):
    """What goes wrong at a point."""

    KILLED_BEFORE = "killed before it"
    KILLED_AFTER = "killed after it, before its answer"
    ANSWER_LOST = "done, and the connection cut in place of the answer"
    CUT_BEFORE = "the connection cut before it"
    LIMITED = "429 with Retry-After"
    FAILED = "500, not done"
    FAILED_DONE = "500, done all the same"
    SILENT = "done, and never answered"

    @property
    def is_kill(self) -> bool:
        """Return whether the process is killed."""
        return self in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)

    @property
    def is_slow(self) -> bool:
        """Return whether the bot has to wait for a timeout in real time."""
        return self is Fault.SILENT


_OUTSIDE = (Kind.OUTSIDE_READ, Kind.OUTSIDE_LIGHT, Kind.OUTSIDE_WRITE)
# Redis's command names. A command that is not here counts as a write, so a few more deaths are tried.
_READS_OF_REDIS = frozenset({"EXISTS", "GET", "HGET", "HGETALL", "HLEN", "HMGET", "LLEN", "LRANGE", "MGET"})
_READS_OF_REDIS |= {"PTTL", "SISMEMBER", "SMEMBERS", "TTL", "XRANGE", "ZCARD", "ZRANGE", "ZSCORE"}
# Slack's method names. A method that is not here fails the proof.
_SLACK = {
    "auth.teams.list": Kind.OUTSIDE_READ,
    "chat.getPermalink": Kind.OUTSIDE_READ,
    "conversations.history": Kind.OUTSIDE_READ,
    "conversations.info": Kind.OUTSIDE_READ,
    "conversations.replies": Kind.OUTSIDE_READ,
    "files.info": Kind.OUTSIDE_READ,
    "usergroups.list": Kind.OUTSIDE_READ,
    "usergroups.users.list": Kind.OUTSIDE_READ,
    "users.conversations": Kind.OUTSIDE_READ,
    "users.info": Kind.OUTSIDE_READ,
    "users.list": Kind.OUTSIDE_READ,
    "users.lookupByEmail": Kind.OUTSIDE_READ,
    "agents.sessions.setStatus": Kind.OUTSIDE_LIGHT,
    "chat.postEphemeral": Kind.OUTSIDE_LIGHT,
    "chat.unfurl": Kind.OUTSIDE_LIGHT,
    "chat.update": Kind.OUTSIDE_LIGHT,
    "reactions.add": Kind.OUTSIDE_LIGHT,
    "reactions.remove": Kind.OUTSIDE_LIGHT,
    "response_url": Kind.OUTSIDE_LIGHT,
    "views.publish": Kind.OUTSIDE_LIGHT,
    "chat.delete": Kind.OUTSIDE_WRITE,
    "chat.postMessage": Kind.OUTSIDE_WRITE,
    "conversations.open": Kind.OUTSIDE_WRITE,
    "files.completeUploadExternal": Kind.OUTSIDE_WRITE,
    "files.getUploadURLExternal": Kind.OUTSIDE_WRITE,
    "upload": Kind.OUTSIDE_WRITE,
    "views.open": Kind.OUTSIDE_WRITE,
    "views.update": Kind.OUTSIDE_WRITE,
}
OF_REDIS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.ANSWER_LOST, Fault.CUT_BEFORE, Fault.SILENT)
OF_OUTSIDE = tuple(Fault)


# The first parts of keys for what can be looked up again. A key that is not here counts as a write, so a few
# more faults are tried.
_CACHES = ("cached:", "notes:name:")


def call_of_write(name: str, key: str) -> Call:
    """Return the call for a script that writes a kind of key."""
    return Call(f"{name} {key}", Kind.CACHE if key.startswith(_CACHES) else Kind.SCRIPT)


def call_of_redis(verb: str, key: str) -> Call:
    """Return the call for a plain command on a kind of key."""
    return Call(f"{verb} {key}".strip(), Kind.READ if verb in _READS_OF_REDIS else Kind.WRITE)


def call_of_slack(method: str) -> Call | None:
    """Return the call for a method of Slack, or None if `_SLACK` does not list it."""
    kind = _SLACK.get(method)
    return Call(f"slack {method}", kind) if kind is not None else None


def call_of_coder(route: str, verb: str) -> Call:
    """Return the call for a request to Coder. Only a GET counts as a read."""
    return Call(f"coder {route}", Kind.OUTSIDE_READ if verb == "GET" else Kind.OUTSIDE_WRITE)


def is_outside(point: Point) -> bool:
    """Return whether a point is a call to Slack or Coder."""
    return point.call.kind in _OUTSIDE


def is_read(point: Point) -> bool:
    """Return whether a call changes nothing that lasts: a read, a cache, or the rate limiter."""
    return point.call.kind in (Kind.READ, Kind.CACHE, Kind.PACE, Kind.OUTSIDE_READ)


def fails_in_handler(point: Point) -> bool:
    """Return whether a failure leaves nothing but an error in the handler.

    No handler catches an error of Redis (`test_no_handler_catches_an_error_of_redis`), so it does not matter
    which read failed.
    """
    return point.call.kind in (Kind.READ, Kind.CACHE)


def faults_of(point: Point) -> tuple[Fault, ...]:
    """Return everything that can go wrong at a point."""
    return OF_OUTSIDE if is_outside(point) else OF_REDIS


def is_same(point: Point, fault: Fault) -> bool:
    """Return whether another fault of a read is the same, because a read has no effect."""
    # For Slack and Coder, a cut before the call is a refused connection, which the bot tells apart from a
    # lost answer.
    is_cut = fault is Fault.CUT_BEFORE and not is_outside(point)
    return is_read(point) and (is_cut or fault is Fault.FAILED_DONE)


class Aim(NamedTuple):
    """What is to go wrong in one run of a flow, and then in the recovery from it."""

    point: Point
    fault: Fault
    again: "Aim | None" = None
    # Whether the fault can be recognized, or can happen, only while no other actor runs.
    is_alone: bool = False
    # Whether the point came in every rehearsal. If not, the fault is tried but may not be met.
    is_sure: bool = True

    def __str__(self) -> str:
        return f"{self.point}: {self.fault.value}" + (f"; then {self.again}" if self.again else "")
