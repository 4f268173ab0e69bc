"""Defines points and faults. A point is one call of a flow. A fault is what goes wrong at a point. An aim is
the fault that is planned for an actor.

Two faults are equal if they leave the same state in the bot and outside it. Only one of several equal faults
is tried. Kills with no write between them are equal. Failed reads of one job with no write between them are
equal too (`traces`). Faults of a read are equal if they differ only in whether the read was executed.
"""

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """How the proof treats a call. The kind does not depend on the name of the script or command."""

    TAKE = "a take"
    BEGIN = "a begin"
    END = "an end"
    CLAIM = "a claim"
    SWEEP = "what a poll writes"
    # Asks the rate limiter whether a call may be made now. If this question fails, the call is made anyway,
    # so no handler sees the failure.
    PACE = "a question to the rate limiter"
    # Writes a cached value. The bot can read the value from its source again at any time.
    CACHE = "a write of something known outside"
    SCRIPT = "another script"
    READ = "a read of Redis"
    WRITE = "a write to Redis"
    OUTSIDE_READ = "a read outside"
    # The bot simply repeats such a call, or the call may be lost. The call is no attempt, so its outcome is
    # never recorded as unknown.
    OUTSIDE_LIGHT = "a write outside that may be made twice, or not at all"
    OUTSIDE_WRITE = "a write outside"


class Call(NamedTuple):
    """A call: its name and its kind. If the call belongs to a lease, `lease` is the kind of the lease's queue
    and work."""

    name: str
    kind: Kind
    lease: str = ""


class Point(NamedTuple):
    """One call of a flow to Redis, Slack or Coder. `number` is its number among the calls with the same
    name."""

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
        """Return whether the fault kills the process."""
        return self in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)

    @property
    def is_slow(self) -> bool:
        """Return whether the bot has to wait for a timeout in real time."""
        return self is Fault.SILENT


_OUTSIDE = (Kind.OUTSIDE_READ, Kind.OUTSIDE_LIGHT, Kind.OUTSIDE_WRITE)
# The commands of Redis that only read. Any other command counts as a write, so the proof tries a few more
# kills for it.
_READS_OF_REDIS = frozenset({"EXISTS", "GET", "HGET", "HGETALL", "HLEN", "HMGET", "LLEN", "LRANGE", "MGET"})
_READS_OF_REDIS |= {"PTTL", "SISMEMBER", "SMEMBERS", "TTL", "XRANGE", "ZCARD", "ZRANGE", "ZSCORE"}
# The methods of Slack, each with its kind. If the bot calls a method that is missing here, the proof fails.
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


# The keys of cached values begin with one of these parts. Any other key counts as a write, so the proof tries
# a few more faults for it.
_CACHES = ("cached:", "notes:name:")


def call_of_write(name: str, key: str) -> Call:
    """Return the call of a script that writes one key. `name` is the script's name, `key` the kind of the
    key."""
    return Call(f"{name} {key}", Kind.CACHE if key.startswith(_CACHES) else Kind.SCRIPT)


def call_of_redis(verb: str, key: str) -> Call:
    """Return the call of a plain command. `verb` is the command, `key` the kind of its key."""
    return Call(f"{verb} {key}".strip(), Kind.READ if verb in _READS_OF_REDIS else Kind.WRITE)


def call_of_slack(method: str) -> Call | None:
    """Return the call of a Slack method, or None if `_SLACK` does not list the method."""
    kind = _SLACK.get(method)
    return Call(f"slack {method}", kind) if kind is not None else None


def call_of_coder(route: str, verb: str) -> Call:
    """Return the call of a request to Coder. `verb` is the HTTP method; only a GET counts as a read."""
    return Call(f"coder {route}", Kind.OUTSIDE_READ if verb == "GET" else Kind.OUTSIDE_WRITE)


def is_outside(point: Point) -> bool:
    """Return whether a point is a call to Slack or Coder."""
    return point.call.kind in _OUTSIDE


def is_read(point: Point) -> bool:
    """Return whether a call makes no lasting change: a read, a write of a cached value, or a question to the
    rate limiter."""
    return point.call.kind in (Kind.READ, Kind.CACHE, Kind.PACE, Kind.OUTSIDE_READ)


def fails_in_handler(point: Point) -> bool:
    """Return whether a failure of the call has no other effect than an error in the handler.

    No handler catches an error of Redis (`test_no_handler_catches_an_error_of_redis`). It therefore does not
    matter which of several such calls fails.
    """
    return point.call.kind in (Kind.READ, Kind.CACHE)


def faults_of(point: Point) -> tuple[Fault, ...]:
    """Return all faults that can happen at a point."""
    return OF_OUTSIDE if is_outside(point) else OF_REDIS


def is_same(point: Point, fault: Fault) -> bool:
    """Return whether `fault` has the same effect as another fault of this point, so that only the other one
    is tried. This holds for reads: a read has no effect, so it does not matter whether it was executed."""
    # For Slack and Coder, a cut before the call is a refused connection. The bot does not treat a refused
    # connection as it treats a lost answer.
    is_cut = fault is Fault.CUT_BEFORE and not is_outside(point)
    return is_read(point) and (is_cut or fault is Fault.FAILED_DONE)


class Aim(NamedTuple):
    """The fault that is planned for one run of a flow, and possibly a second fault in the recovery."""

    point: Point
    fault: Fault
    again: "Aim | None" = None
    # Whether no other actor may run during the fault. Otherwise the point could not be recognized or would
    # not come.
    is_alone: bool = False
    # Whether the point came in every rehearsal. If it did not, it may not come in the run either.
    is_sure: bool = True

    def __str__(self) -> str:
        return f"{self.point}: {self.fault.value}" + (f"; then {self.again}" if self.again else "")
