"""Names the bot's commands to Redis for the proof. A command has the same name in every run and for every
actor.

A script is named by its head (`heads`). Calls of a lease are named by their role, the kind of queue and the
kind of work. A plain command is named by its verb and the kind of its key. A new script or command therefore
needs no entry in this file. `ITS_OWN` lists calls that belong to no actor, with reasons. If a call cannot be
named, the proof fails.
"""

import json
import re
from dataclasses import dataclass

from taskwire.domain.queueing.queues import get_kind

from . import heads
from .heads import Head, NoHead
from .points import Call, Kind, call_of_redis, call_of_write
from .wire import Words

# Commands that redis-py sends by itself.
_OF_THE_CLIENT = {
    "PING": "asks whether a connection is alive; nothing is written",
    "SELECT": "makes a connection; the command behind it fails with it",
    "CLIENT": "as SELECT",
    "SCRIPT": "loads a script once a server; the call behind it fails with it",
}
# Calls that belong to no flow, and why a fault in them is no point of a flow. An entry that no longer matches
# any call must be removed. Such an entry may hide that its calls have a new name.
ITS_OWN = {
    "BRPOP": "a wait for a word; a lost one costs a second, and nothing is written",
    "ZCARD": "a metric, every two seconds",
    "TIME": "asks for Redis's clock, once a minute; nothing is written",
    "CONFIG": "asks how many copies a promise needs, every two seconds; nothing is written",
    "data_loss.look": "looks whether Redis went back, every two seconds",
    "formats.note": "says which version is here, every two seconds, and asks which others are",
    "self_test.try": "tries at birth whether this user may do what is done later",
    "EVAL": "the same, on no key at all",
    "trial:": "the same on keys of its own: what flows do later",
    "HGETALL fence": "asks at birth whether the store was moved; nothing is written",
    "heartbeat.beat": "says that somebody listens, every two seconds",
    "heartbeat.read": "asks at birth for how long nobody has listened; nothing is written",
    "heartbeat.gap": "asks at birth whether another has noted the gap; a claim that is left lapses",
    "heartbeat.record_backfill": "the same, once it is noted: that a silence over HTTP has been read",
    "rate_limiter.take_place auth.test": "asks at birth who the bot is, for nobody",
    "polls.claim": "a lease: who has it and dies lets it lapse, and the next tick polls",
    "polls.renew": "the same lease, after a poll",
}
# Plain reads that serve all flows and that a process makes one at a time. Scripts say in their heads that
# they are serial. The read in this list comes only after a kill.
SERIAL = {"MGET gone_task:*": "which of the tasks that a poll has listed have ended here before"}
_SERIAL_ROLES = frozenset({"takes", "polls", "serial"})


@dataclass(frozen=True)
class Named:
    """A named command. `text` is the part of the command that can contain names of people, places and links.

    `is_serial`: no flow makes progress while this command is held. `is_shared`: the bot may send several such
    commands at once, so if one of them is held, all of them are held.
    """

    call: Call
    text: str
    token: str = ""
    is_serial: bool = False
    is_shared: bool = False
    is_own: bool = False
    is_take: bool = False
    # Only for a take (the call that acquires a lease): whether the take treats all queues alike.
    ignores_priority: bool = False
    is_observation: bool = False


class Namer:
    """Names commands. From the start of a lease to its end, the namer remembers the lease's queue and
    work."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        # The entries of `ITS_OWN` and `SERIAL` that a call has matched.
        self.met: set[str] = set()
        self._heads: dict[bytes, Head] = {}
        self._leases: dict[str, str] = {}
        self._begun: set[str] = set()

    def name(self, command: Words) -> Named:
        """Return a command with its name, before Redis answers it. A take (the call that acquires a lease)
        belongs to no actor yet, because only its answer names a job."""
        verb = command[0].decode().upper()
        try:
            match verb:
                case "EVALSHA":
                    return self._script(self._head(command[1]), _words(command))
                case "EVAL" if command[2] != b"0":
                    return self._written(heads.read(command[1].decode()), command)
                case "SCRIPT":
                    self._load(command[2])
        except NoHead as blind:
            self.report_problem(str(blind))
            return Named(Call(str(blind), Kind.SCRIPT), "", is_own=True)
        return self._plain(verb, command)

    def report_problem(self, text: str) -> None:
        """Add a reason why the proof cannot recognize a call to `problems`, unless it is there already."""
        if text not in self.problems:
            self.problems.append(text)

    def _plain(self, verb: str, command: Words) -> Named:
        text = b" ".join(command[1:]).decode(errors="replace")
        key = _kind(command[1].decode(errors="replace")) if len(command) > 1 and verb != "EVAL" else ""
        call = call_of_redis(verb, key)
        is_own = verb in _OF_THE_CLIENT or self._is_own(verb, call.name, f"{key.partition(':')[0]}:")
        is_serial = call.name in SERIAL
        if is_serial:
            self.met.add(call.name)
        return Named(call, text, is_serial=is_serial, is_own=is_own)

    def _is_own(self, *names: str) -> bool:
        found = ITS_OWN.keys() & set(names)
        self.met |= found
        return bool(found)

    def _load(self, body: bytes) -> None:
        self._heads[heads.sha_of(body)] = heads.read(body.decode())

    def _head(self, sha: bytes) -> Head:
        if sha not in self._heads:
            raise NoHead(f"script {sha.decode()[:8]} was called, and its text was not seen")
        return self._heads[sha]

    def _script(self, head: Head, given: list[str]) -> Named:
        words = head.read(given)
        # The first two words are the keys' prefix and the time.
        text = " ".join(given[2:])
        for role in ("takes", "begins", "ends"):
            if role in head.roles:
                return self._name_lease_call(role, words, text)
        name, kind, is_own = head.name, Kind.SCRIPT, False
        if "claims" in head.roles:
            name, kind = f"{name} {_kind(words['claim'])}", Kind.CLAIM
        elif "polls" in head.roles:
            kind = Kind.SWEEP
        elif "paces" in head.roles:
            name, kind = f"{name} {words['method']}", Kind.PACE
        elif "writes" in head.roles:
            operation, first, *_ = json.loads(words["batch"])[0]
            name = f"{name} {operation} {_kind(first)}"
        is_own = self._is_own(name)
        return Named(
            Call(name, kind),
            text,
            is_serial=bool(head.roles & _SERIAL_ROLES),
            is_shared="claims" in head.roles,
            is_own=is_own,
            is_observation="observes" in head.roles,
        )

    def _written(self, head: Head, command: Words) -> Named:
        """Return the name of a write that sends the script's text with the call (EVAL). The name has the kind
        of the script's only key."""
        given = [word.decode(errors="replace") for word in command[3:]]
        head.read(given[int(command[2]) :])
        return Named(call_of_write(head.name, _kind(given[0])), " ".join(given))

    def _name_lease_call(self, role: str, words: dict[str, str], text: str) -> Named:
        token = words["token"]
        if role == "takes":
            ignores_priority = words["ignores_priority"] == "1"
            call = Call("take", Kind.TAKE)
            return Named(
                call, "", token, is_serial=True, is_own=True, is_take=True, ignores_priority=ignores_priority
            )
        lease = self._leases.get(token, "")
        if not lease:
            self.report_problem(f"a lease {role} that was never taken: its token is {token!r}")
        if role == "ends":
            return Named(Call(f"end {lease} {words['kind']}", Kind.END, lease), text, token)
        # While the call of an attempt is under way, further begins renew the attempt. Only the first begin is
        # a point.
        is_own = token in self._begun
        self._begun.add(token)
        return Named(Call(f"begin {lease}", Kind.BEGIN, lease), text, token, is_own=is_own)

    def taken(self, command: Words, answer: object) -> Named | None:
        """Return a take with the name of the job that it acquired, or None if it found no job. Remember the
        lease."""
        head = self._head(command[1])
        handed = head.read_answer(answer)
        if handed is None:
            return None
        token = head.read(_words(command))["token"]
        named = self.name_job_of_acquire(handed["queue"], handed["job"], token)
        self._leases[token] = named.call.lease
        return named

    def name_job_of_acquire(self, listed: str, body: str, token: str = "") -> Named:
        """Return a take with the name of the job that it acquires, or would acquire now. `listed` is the
        queue's name, `body` the job as JSON."""
        lease = self._about(listed, body)
        call = Call(f"take {lease}", Kind.TAKE, lease)
        return Named(call, f"{listed} {body}", token, is_serial=True, is_take=True)

    def _about(self, listed: str, body: str) -> str:
        """Return what a lease is about: the kind of its queue, the kind of its job's work, and the verb,
        event or kind of notice if the work has one."""
        work = json.loads(body).get("work", {})
        if "kind" not in work:
            self.report_problem(f"a job does not say of which kind it is: {body[:200]}")
        kind = work.get("verb") or work.get("event", {}).get("event") or work.get("notice", {}).get("kind")
        return f"{get_kind(listed)}:{work.get('kind')}" + (f":{kind}" if kind else "")


def _words(command: Words) -> list[str]:
    """Return the arguments of a script call, without its keys."""
    return [word.decode(errors="replace") for word in command[3 + int(command[2]) :]]


def _kind(key: str) -> str:
    """Return the kind of a key: the key with `*` in place of each part that is an id."""
    parts = re.sub(r"^[^{]*\{[^}]*\}:", "", key).split(":")
    return ":".join(part if re.fullmatch(r"[a-z_]+(-[a-z_]+)*", part) else "*" for part in parts)
