"""What a command to Redis is called in the proof: the same in every run, whoever it is about.

A script is called by its module and its own name there, which its text tells when it is loaded; a turn's
calls also by the kind of list and of work; a plain command by its name and the kind of its key. So a new
script or command has a name by itself. What the bot does on nobody's behalf is in `ITS_OWN`, with the reason.
"""

import hashlib
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass

from taskwire import store

from .wire import Words

# What belongs to no flow, and why a fault there is no point of one.
ITS_OWN = {
    "BRPOP": "a wait for a word; a lost one costs a second, and nothing is written",
    "PING": "asks whether a connection lives; nothing is written",
    "SELECT": "makes a connection; the command behind it fails with it",
    "CLIENT": "as SELECT",
    "INFO": "asks which server this is, every two seconds, whatever goes on",
    "SCRIPT": "loads a script once a server; the call behind it fails with it",
    "ZCARD": "a metric, every two seconds",
    "CONFIG": "asks how many copies a promise needs, every two seconds; nothing is written",
    "rewinds.look": "looks whether Redis went back, every two seconds",
    "depths.look": "a metric, as ZCARD",
    "pace.wait auth.test": "asks at birth who the bot is, for nobody",
    "sweeps.claim": "a lease: who has it and dies lets it lapse, and the next tick sweeps",
    "sweeps.keep": "the same lease, after a sweep",
}
# Calls of which a process makes one at a time, for everybody: one that stands still holds up all flows.
_SERIAL = ("queue.take", "links.come", "sweeps.", "MGET gone:")


@dataclass(frozen=True)
class Named:
    """A command by its name; `text` is where names of people, places and links may stand.

    `is_shared`: those that come together go together, so one that stands still holds up the others.
    """

    name: str
    text: str
    is_serial: bool = False
    is_shared: bool = False
    is_own: bool = False
    is_take: bool = False


def _scripts() -> Iterator[tuple[str, str]]:
    """How each script ends, and what it is called."""
    for module in pkgutil.iter_modules(store.__path__):
        known = vars(importlib.import_module(f"taskwire.store.{module.name}"))
        for name, body in known.items():
            if isinstance(body, str) and re.fullmatch("_[A-Z][A-Z_]*", name):
                yield body, f"{module.name}.{name.strip('_').lower()}"


class Namer:
    """Names commands; remembers what a turn is about, from its taking to its end."""

    def __init__(self) -> None:
        self._known = list(_scripts())
        self._scripts: dict[bytes, str] = {}
        self._turns: dict[str, str] = {}
        self._begun: set[str] = set()

    def name(self, command: Words) -> Named:
        """Name a command that has not been answered yet; a take is nobody's before it has been."""
        verb = command[0].decode().upper()
        if verb == "EVALSHA":
            return self._script(command)
        if verb == "SCRIPT":
            self._load(command[2])
        text = b" ".join(command[1:]).decode(errors="replace")
        key = _kind(command[1].decode(errors="replace")) if len(command) > 1 else ""
        name = f"{verb} {key}".strip()
        is_own = verb in ITS_OWN or name in ITS_OWN
        return Named(name, text, is_serial=name.startswith(_SERIAL), is_own=is_own)

    def _load(self, body: bytes) -> None:
        sha = hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
        text = body.decode()
        called = [name for end, name in self._known if text.endswith(end)]
        self._scripts[sha] = called[0] if called else f"script {sha.decode()[:8]}"

    def _script(self, command: Words) -> Named:
        words = [word.decode(errors="replace") for word in command[6:]]
        script = self._scripts[command[1]]
        text = " ".join(words)
        match script:
            case "queue.take":
                return Named(script, "", is_serial=True, is_own=True, is_take=True)
            case "queue.begin":
                return self._begin(words, text)
            case "queue.end":
                return Named(f"{script} {self._turns.get(words[1], '?')} {words[4]}", text)
            case "queue.append":
                operation = json.loads(words[0])[0]
                return Named(f"{script} {operation[0]} {_kind(operation[1])}", text)
            case "pace.wait" | "pace.rest":
                name = f"{script} {words[0]}"
                return Named(name, text, is_own=name in ITS_OWN)
            case "claims.accept" | "claims.accept_in_thread":
                return Named(f"{script} {_kind(words[0])}", text, is_shared=True)
            case _:
                is_serial = script.startswith(_SERIAL)
                return Named(script, text, is_serial=is_serial, is_own=script in ITS_OWN)

    def _begin(self, words: list[str], text: str) -> Named:
        name, token = f"queue.begin {self._turns.get(words[1], '?')}", words[1]
        # An attempt that is kept up begins again and again while its call is under way: a lease.
        is_own = token in self._begun
        self._begun.add(token)
        return Named(name, text, is_own=is_own)

    def taken(self, command: Words, answer: object) -> Named | None:
        """Name a take by the job that it handed out, if it did."""
        if not isinstance(answer, list) or len(answer) < 4:
            return None
        listed, _, body = (part.decode(errors="replace") for part in answer[1:4])
        about = _about(listed, body)
        self._turns[command[6].decode()] = about
        return Named(f"queue.take {about}", f"{listed} {body}", is_serial=True, is_take=True)

    def to_be_taken(self, listed: str, body: str) -> Named:
        """Name a take by the job that it is about to hand out."""
        return Named(f"queue.take {_about(listed, body)}", f"{listed} {body}", is_serial=True, is_take=True)


def _about(listed: str, body: str) -> str:
    """What a turn is about: the kind of list, the kind of work, and which of its kind."""
    work = json.loads(body)["work"]
    kind = work.get("verb") or work.get("event", {}).get("event") or work.get("notice", {}).get("kind")
    return f"{listed.partition(':')[0]}:{work['kind']}" + (f":{kind}" if kind else "")


def _kind(key: str) -> str:
    """What kind of key this is: its parts, but for those that say whose it is."""
    parts = re.sub(r"^tw:\{[^}]*\}:", "", key).split(":")
    return ":".join(part if re.fullmatch(r"[a-z_]+(-[a-z_]+)*", part) else "*" for part in parts)
