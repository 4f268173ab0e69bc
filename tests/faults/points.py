"""Points of a flow, what can go wrong at each, and what is planned for whom.

Two things that go wrong are the same if they leave the same world and the same bot, and then one of them is
tried: of deaths between which nothing was written (`traces`), and where a call only reads, of what is told
apart by whether it was carried out.
"""

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a call is for the proof; how it is called, and by whom, says nothing of that."""

    TAKE = "a take"
    BEGIN = "a begin"
    END = "an end"
    CLAIM = "a claim"
    SWEEP = "what a poll writes"
    SCRIPT = "another script"
    READ = "a read of Redis"
    WRITE = "a write to Redis"
    OUTSIDE_READ = "a read outside"
    # Just made again, or shown at most once: no attempt begins before it, and nothing is in doubt after it.
    OUTSIDE_LIGHT = "a write outside that may be made twice, or not at all"
    OUTSIDE_WRITE = "a write outside"


class Call(NamedTuple):
    """A call by its name: what it is, and of the calls that make a turn what the turn is about."""

    name: str
    kind: Kind
    turn: str = ""


class Point(NamedTuple):
    """One call of a flow, to the outside or to Redis, and the how-manieth of that name."""

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
        """Whether the process dies of it."""
        return self in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)

    @property
    def is_slow(self) -> bool:
        """Whether the bot has to wait, in real time, until it gives up."""
        return self is Fault.SILENT


_OUTSIDE = (Kind.OUTSIDE_READ, Kind.OUTSIDE_LIGHT, Kind.OUTSIDE_WRITE)
# By Redis's own names. What does not stand here is taken for a write, and a few more deaths are tried.
_READS_OF_REDIS = frozenset({"EXISTS", "GET", "HGET", "HGETALL", "HLEN", "HMGET", "LLEN", "LRANGE", "MGET"})
_READS_OF_REDIS |= {"PTTL", "SISMEMBER", "SMEMBERS", "TTL", "XRANGE", "ZCARD", "ZRANGE", "ZSCORE"}
# By Slack's own names. What does not stand here fails the proof.
_SLACK = {
    "auth.teams.list": Kind.OUTSIDE_READ,
    "chat.getPermalink": Kind.OUTSIDE_READ,
    "conversations.history": Kind.OUTSIDE_READ,
    "conversations.info": Kind.OUTSIDE_READ,
    "conversations.replies": Kind.OUTSIDE_READ,
    "files.info": Kind.OUTSIDE_READ,
    "usergroups.users.list": Kind.OUTSIDE_READ,
    "users.conversations": Kind.OUTSIDE_READ,
    "users.info": Kind.OUTSIDE_READ,
    "users.list": Kind.OUTSIDE_READ,
    "users.lookupByEmail": Kind.OUTSIDE_READ,
    "chat.postEphemeral": Kind.OUTSIDE_LIGHT,
    "chat.update": Kind.OUTSIDE_LIGHT,
    "reactions.add": Kind.OUTSIDE_LIGHT,
    "reactions.remove": Kind.OUTSIDE_LIGHT,
    "response_url": Kind.OUTSIDE_LIGHT,
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


def call_of_redis(verb: str, key: str) -> Call:
    """A plain command on a kind of key."""
    return Call(f"{verb} {key}".strip(), Kind.READ if verb in _READS_OF_REDIS else Kind.WRITE)


def call_of_slack(method: str) -> Call | None:
    """A call of a method of Slack's; None if nobody has said here whether it writes."""
    kind = _SLACK.get(method)
    return Call(f"slack {method}", kind) if kind is not None else None


def call_of_coder(route: str, verb: str) -> Call:
    """A request to Coder: a GET only reads."""
    return Call(f"coder {route}", Kind.OUTSIDE_READ if verb == "GET" else Kind.OUTSIDE_WRITE)


def is_outside(point: Point) -> bool:
    """Whether a point is a call to Slack or Coder."""
    return point.call.kind in _OUTSIDE


def is_read(point: Point) -> bool:
    """Whether a call changes nothing; of a script that is not asked."""
    return point.call.kind in (Kind.READ, Kind.OUTSIDE_READ)


def faults_of(point: Point) -> tuple[Fault, ...]:
    """Everything that can go wrong at a point."""
    return OF_OUTSIDE if is_outside(point) else OF_REDIS


def is_same(point: Point, fault: Fault) -> bool:
    """Whether something else that goes wrong with a read is the same, since there is nothing to carry out."""
    # Slack and Coder are not reached at all if they are cut off before, which is told from no answer.
    is_cut = fault is Fault.CUT_BEFORE and not is_outside(point)
    return is_read(point) and (is_cut or fault is Fault.FAILED_DONE)


class Aim(NamedTuple):
    """What is to go wrong with one going through a flow, and then with what recovers from it."""

    point: Point
    fault: Fault
    again: "Aim | None" = None
    # Whether that can only be told to be theirs, or only happen, while nobody else goes.
    is_alone: bool = False
    # Whether that point has come each time; if not, it is tried all the same, and may not come about.
    is_sure: bool = True

    def __str__(self) -> str:
        return f"{self.point}: {self.fault.value}" + (f"; then {self.again}" if self.again else "")
