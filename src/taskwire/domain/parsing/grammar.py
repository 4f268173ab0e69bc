"""Tables of the verbs and options that people may type after `/task` and in threads.

The help is made from these tables. `commands` and `replies` use the tables to parse. This module parses
nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

VerbArguments = Literal["nothing", "name", "name and full", "name and text", "filter", "prompt", "verb"]


class ListFilter(StrEnum):
    """The filters of `list`: three groups of tasks, Coder's statuses, and the phases that cards show.

    `all` means all tasks that the person may see. `mine` means the person's own tasks and those that are
    shared with the person. `needs-me` means the tasks that wait for the person.
    """

    MINE = "mine"
    ALL = "all"
    NEEDS_ME = "needs-me"
    PENDING = "pending"
    INITIALIZING = "initializing"
    ACTIVE = "active"
    PAUSED = "paused"
    ERROR = "error"
    STARTING = "starting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verb:
    """A verb of `/task`. The list of all verbs leaves out the verbs for administrators (`is_for_admins`)."""

    name: str
    usage: str
    meaning: str
    example: str
    arguments: VerbArguments = "nothing"
    synonyms: tuple[str, ...] = ()
    is_for_admins: bool = False

    @property
    def word(self) -> str:
        """The word that people type. For the verb `pause` people type `stop`."""
        return self.usage.partition(" ")[0]

    @property
    def other_words(self) -> tuple[str, ...]:
        """The other words that people may type for this verb."""
        return tuple(word for word in (self.name, *self.synonyms) if word != self.word)


@dataclass(frozen=True)
class CommandOption:
    """An option of `/task create`, written `name=VALUE`, `--name VALUE` or `--name=VALUE`."""

    name: str
    meaning: str
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class ThreadVerb:
    """A verb in a task's thread, written `!name` or after a mention of the bot.

    `button` is the label of the entry of the card's menu that has the same effect.
    """

    name: str
    usage: str
    meaning: str
    argument: Literal["none", "full", "text", "people"] = "none"
    button: str = ""
    synonyms: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """The word that people type, without the `!`."""
        return self.usage.removeprefix("!").partition(" ")[0]


VERBS = (
    Verb(
        "create",
        "create [options] PROMPT",
        "create a task here; without a prompt it opens the form",
        "/task create name=fix-login fix the login redirect",
        "prompt",
        ("new", "run"),
    ),
    Verb(
        "list",
        "list [mine|all|needs-me|working|done|failed|paused] [owner=NAME]",
        "tasks that you can see; `needs-me` shows only those that need you",
        "/task list needs-me",
        "filter",
    ),
    Verb("status", "status NAME", "what a task is doing now", "/task status fix-login", "name"),
    Verb(
        "logs",
        "logs NAME [full]",
        "what its agent wrote last; `full` sends you the whole log",
        "/task logs fix-login full",
        "name and full",
    ),
    Verb(
        "send",
        "send NAME TEXT",
        "tell its agent something, as a reply in its thread does",
        "/task send fix-login please add a test",
        "name and text",
    ),
    Verb(
        "pause",
        "stop NAME",
        "stop its workspace and keep everything; the task is paused",
        "/task stop fix-login",
        "name",
        ("stop", "cancel"),
    ),
    Verb("resume", "resume NAME", "start it again", "/task resume fix-login", "name"),
    Verb(
        "delete", "delete NAME", "remove it and its workspace; asks first", "/task delete fix-login", "name"
    ),
    Verb(
        "edit",
        "edit NAME TEXT",
        "give a paused task another prompt",
        "/task edit fix-login fix the logout redirect",
        "name and text",
    ),
    Verb("attach", "attach NAME", "give an existing task a thread here", "/task attach fix-login", "name"),
    Verb("detach", "detach NAME", "unlink its thread; keep the task", "/task detach fix-login", "name"),
    Verb(
        "mute",
        "mute NAME",
        "call nobody any more; its messages still come",
        "/task mute fix-login",
        "name",
    ),
    Verb(
        "unmute",
        "unmute NAME",
        "call people again when it needs them",
        "/task unmute fix-login",
        "name",
    ),
    Verb(
        "share",
        "share NAME @who…",
        "let people or user groups steer it; without a name it says who can",
        "/task share fix-login @bob",
        "name and text",
    ),
    Verb(
        "unshare",
        "unshare NAME @who…",
        "end their right to steer it",
        "/task unshare fix-login @bob",
        "name and text",
    ),
    Verb("templates", "templates", "templates you can use, with their presets", "/task templates"),
    Verb(
        "help",
        "help [COMMAND]",
        "more about one command; `/task help` alone shows this page",
        "/task help create",
        "verb",
    ),
    Verb(
        "connect",
        "connect",
        "connect your own Coder account",
        "/task connect",
    ),
    Verb(
        "disconnect",
        "disconnect",
        "disconnect your own Coder account",
        "/task disconnect",
    ),
    Verb(
        "settings",
        "settings",
        "this channel's settings, and your own",
        "/task settings",
    ),
    Verb(
        "audit",
        "audit [export] [who=@person] [task=NAME] [verb=VERB] [since=7d]",
        "who did what, for administrators; `export` sends it as a file",
        "/task audit since=7d",
        is_for_admins=True,
    ),
    Verb(
        "doctor",
        "doctor",
        "what is wrong, and what to do, for administrators",
        "/task doctor",
        is_for_admins=True,
    ),
)

CREATE_OPTIONS = (
    CommandOption("template", "the template to use"),
    CommandOption("preset", "one of the template's presets"),
    CommandOption("name", "the task's name"),
    CommandOption("org", "the Coder organization", ("organization", "organisation")),
)

THREAD_VERBS = (
    ThreadVerb("status", "!status", "what the task is doing now"),
    ThreadVerb("logs", "!logs [full]", "what its agent wrote last; `full` sends you the whole log", "full"),
    ThreadVerb(
        "pause",
        "!stop",
        "stop its workspace and keep everything; the task is paused. `stop` alone does the same",
        synonyms=("stop",),
    ),
    ThreadVerb("resume", "!resume", "start it again"),
    ThreadVerb("edit", "!edit TEXT", "give the paused task another prompt", "text"),
    ThreadVerb("delete", "!delete", "remove the task and its workspace; asks first"),
    ThreadVerb("detach", "!detach", "unlink this thread; keep the task"),
    ThreadVerb("mute", "!mute", "call nobody any more; its messages still come", button="Mute"),
    ThreadVerb("unmute", "!unmute", "call people again when it needs them", button="Unmute"),
    ThreadVerb("follow", "!follow", "show for ten minutes what its agent writes"),
    ThreadVerb("unfollow", "!unfollow", "stop showing it"),
    ThreadVerb("watch", "!watch", "be called when it needs somebody, is done or fails", button="Watch"),
    ThreadVerb("unwatch", "!unwatch", "stop being called"),
    ThreadVerb("share", "!share @who…", "let people or user groups steer it", "people", "Share"),
    ThreadVerb("unshare", "!unshare @who…", "end their right to steer it", "people"),
    ThreadVerb("help", "!help", "what you can type in this thread"),
)

# The filters that help offers for `list`. Coder's statuses are accepted too.
SUGGESTED_FILTERS = ("mine", "all", "needs-me", "working", "done", "failed", "paused")

# Verbs of other tools, and our verb to suggest for each.
VERBS_OF_OTHER_TOOLS = {
    "ls": "list",
    "show": "status",
    "log": "logs",
    "tail": "logs",
    "halt": "pause",
    "abort": "pause",
    "kill": "pause",
    "wait": "pause",
    "start": "resume",
    "continue": "resume",
    "retry": "resume",
    "restart": "resume",
    "rerun": "resume",
    "rm": "delete",
    "remove": "delete",
    "destroy": "delete",
}

# Words for a list that people type as a verb, and the filter of `list` that each means.
LISTS_WITHOUT_VERB = {
    "mine": ListFilter.MINE,
    "my": ListFilter.MINE,
    "running": ListFilter.WORKING,
    "working": ListFilter.WORKING,
}


def find_verb(word: str) -> Verb | None:
    """Return the verb with this name or synonym, in upper or lower case; None if there is none.

    Phones begin a text with a capital letter.
    """
    low = word.lower()
    return next((verb for verb in VERBS if low == verb.name or low in verb.synonyms), None)


def get_word(verb: str) -> str:
    """Return the word that people type for a verb."""
    found = find_verb(verb) or find_thread_verb(verb)
    return found.word if found is not None else verb


def find_thread_verb(word: str) -> ThreadVerb | None:
    """Return the verb of the thread with this name or synonym; None if there is none.

    The word may be in upper or lower case.
    """
    low = word.lower()
    return next((verb for verb in THREAD_VERBS if low == verb.name or low in verb.synonyms), None)


def find_nearest(word: str, known: Iterable[str], slips: int | None = None) -> tuple[str, ...]:
    """Find at most three known words that a mistyped word may mean, the nearest first.

    `slips` is the highest number of wrong letters. The default is one for a word of up to five letters, and
    two for a longer word. A word also matches if it is the beginning of a known word.
    """
    low = word.lower()
    slips = slips or (1 if len(low) <= 5 else 2)
    scored = sorted((_edit_distance(low, name.lower(), slips), name) for name in known)
    close = [name for distance, name in scored if distance <= slips]
    begun = [name for _, name in scored if len(low) >= 3 and name.lower().startswith(low)]
    return tuple(dict.fromkeys(close + begun))[:3]


def _edit_distance(one: str, other: str, enough: int) -> int:
    """Count the letters to add, remove, change or swap to turn one word into the other word.

    If the lengths differ by more than `enough`, return `enough + 1` at once.
    """
    if abs(len(one) - len(other)) > enough:
        return enough + 1
    before: list[int] = []
    above = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, opposite in enumerate(other, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != opposite))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == opposite:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
