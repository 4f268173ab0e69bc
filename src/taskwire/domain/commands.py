"""Parses the text after `/task` into a typed command.

The text is as Slack sends it: escaped, with people and links as tokens. Text for an agent stays as it was
typed. A refusal quotes the person's text escaped for mrkdwn. Other modules decide who may run a command, and
which task a name means.

If the first word is not a verb, the form for a new task opens with the whole text in it. So no sentence
starts a task by mistake. But a word that is nearly a verb is refused with a suggestion, if it is alone or if
arguments of that verb follow. For example, `paus fix-login` suggests `/task pause fix-login`. A verb with
wrong arguments is refused with its usage.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from taskwire.domain.agent_text import AgentText, sanitize_for_agent
from taskwire.domain.errors import UserError
from taskwire.domain.grammar import (
    CREATE_OPTIONS,
    SUGGESTED_FILTERS,
    VERBS,
    VERBS_OF_OTHER_TOOLS,
    CommandOption,
    ThreadVerb,
    Verb,
    find_nearest,
    find_thread_verb,
    find_verb,
)
from taskwire.domain.ids import UserId
from taskwire.domain.mrkdwn import break_mentions, escape_mrkdwn, get_link_address, is_blank, to_visible_text
from taskwire.domain.options import QUOTES, asks_for_help, first_word, take_options, take_options_around

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TASK_URL = re.compile(r"https?://([^/?#\s]+)(?:/[^?#\s]*?)?/(?:tasks/|@)([^/?#\s]+)/([^/?#\s]+)")
_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|([^<>]*))?>")
# Coder's own rule for task names. "new" is taken by a page of Coder's.
_NEW_NAME = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
_LIST_OPTIONS = (CommandOption("owner", "whose tasks"), CommandOption("page", "which page"))


class ListFilter(StrEnum):
    """Which tasks `list` shows: all that the person may see, their own, or those that wait for them.

    Other filters are a phase as cards show it, or one of Coder's statuses.
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
class TaskName:
    """A task as a person names it: by name or its beginning, by id, or by a link, whose host is `host`."""

    name: str = ""
    owner: str = ""
    id: str = ""
    host: str = ""

    @classmethod
    def parse(cls, text: str) -> "TaskName":
        """Parse NAME, OWNER/NAME, an id, or a link to the task. Raise UserError for anything else."""
        # Slack turns an address into a link, and an owner's name after an @ into a mention.
        is_link = text.startswith("<") and text.endswith(">")
        plain = (get_link_address(text) if is_link else to_visible_text(text)).strip(QUOTES)
        if found := _TASK_URL.match(plain):
            return cls._of(found[3], found[2], found[1])
        owner, slash, name = plain.rpartition("/")
        owner = owner.removeprefix("@")
        if (slash and not _OWNER.fullmatch(owner)) or not _NAME.fullmatch(name):
            raise UserError(
                f"`{_quote(to_visible_text(text))}` is no task's name.",
                "Give its name, `owner/name`, its id, or a link to it in Coder; `/task list` shows them.",
            )
        return cls._of(name, owner, "")

    @classmethod
    def _of(cls, name: str, owner: str, host: str) -> "TaskName":
        low = name.lower()
        is_id = _UUID.fullmatch(low) is not None
        return cls("" if is_id else low, owner.lower(), low if is_id else "", host.lower())

    def __str__(self) -> str:
        """Return the name as a person would type it: NAME or OWNER/NAME, with the id if there is no name."""
        return "/".join(part for part in (self.owner, self.name or self.id) if part)


@dataclass(frozen=True)
class SlackPerson:
    """A person whom the command mentions. `name` is the name in the mention; it may be empty."""

    id: UserId
    name: str = ""


@dataclass(frozen=True)
class Create:
    """Start a task with this prompt.

    `trailing_options` is the text at the end of the command that was read as options.
    """

    prompt: AgentText
    template: str | None = None
    preset: str | None = None
    name: str | None = None
    organization: str | None = None
    trailing_options: str = ""


@dataclass(frozen=True)
class OpenForm:
    """Open the form for a new task, with this text as the prompt and with the options that were given."""

    text: str = ""
    template: str | None = None
    preset: str | None = None
    name: str | None = None
    organization: str | None = None


@dataclass(frozen=True)
class List:
    """Show tasks. `owner` is a mentioned person, the name of a Coder user, or None for any owner."""

    filter: ListFilter = ListFilter.ALL
    owner: SlackPerson | str | None = None
    page: int = 1


@dataclass(frozen=True)
class Status:
    """Show one task's card."""

    name: TaskName


@dataclass(frozen=True)
class Logs:
    """Show the agent's latest output. If `full`, send the whole log instead."""

    name: TaskName
    full: bool = False


@dataclass(frozen=True)
class Send:
    """Send the agent this text."""

    name: TaskName
    text: AgentText


@dataclass(frozen=True)
class Pause:
    """Stop the task's workspace."""

    name: TaskName


@dataclass(frozen=True)
class Resume:
    """Start the task's workspace."""

    name: TaskName


@dataclass(frozen=True)
class Delete:
    """Ask whether to delete the task."""

    name: TaskName


@dataclass(frozen=True)
class Edit:
    """Replace the prompt of a paused task with this text."""

    name: TaskName
    text: AgentText


@dataclass(frozen=True)
class Attach:
    """Give the task a thread in this channel."""

    name: TaskName


@dataclass(frozen=True)
class Detach:
    """End the task's link."""

    name: TaskName


@dataclass(frozen=True)
class Mute:
    """Mention nobody in the task's notices."""

    name: TaskName


@dataclass(frozen=True)
class Unmute:
    """Mention people in the task's notices again."""

    name: TaskName


@dataclass(frozen=True)
class Templates:
    """Show the templates that this person may use."""


@dataclass(frozen=True)
class Help:
    """Show all commands, or the help of one verb."""

    verb: str | None = None


SingleTaskCommand = Status | Pause | Resume | Delete | Attach | Detach | Mute | Unmute
Command = Create | OpenForm | List | SingleTaskCommand | Logs | Send | Edit | Templates | Help


def parse(text: str) -> Command:
    """Parse the text after `/task`, as Slack sent it.

    Raise UserError for a wrong or unsupported command, and for a word that is nearly a verb.
    """
    text = text.strip()
    word, rest = first_word(text)
    if not word or asks_for_help(word):
        return Help()
    verb = find_verb(word)
    if verb is None:
        _refuse_thread_verb(word, rest)
        _refuse_typo(word, rest)
        return OpenForm(to_visible_text(text))
    if verb.unsupported_hint:
        raise UserError(
            f"`{verb.name}` ({verb.meaning}) is not part of this version yet.", verb.unsupported_hint
        )
    return _PARSERS[verb.name](rest, verb)


def _parse_create(rest: str, _: Verb) -> Command:
    if asks_for_help(rest):
        return Help("create")
    around = take_options_around(rest, CREATE_OPTIONS)
    given = {name: to_visible_text(value) for name, value in around.given.items()}
    prompt, behind = (
        sanitize_for_agent(to_visible_text(around.text)),
        to_visible_text(around.trailing_options),
    )
    name = given.get("name")
    if name is not None:
        try:
            check_new_name(name)
        except UserError as error:
            raise explain_trailing_options(error, behind) from None
    if is_blank(prompt):
        return OpenForm("", given.get("template"), given.get("preset"), name, given.get("org"))
    return Create(prompt, given.get("template"), given.get("preset"), name, given.get("org"), behind)


def explain_trailing_options(error: UserError, behind: str) -> UserError:
    """Return the error with a hint that `behind`, the end of the prompt, was read as options.

    The person may have meant it as a part of the prompt. If `behind` is empty, return the error unchanged.
    """
    if not behind:
        return error
    return UserError(
        str(error),
        f"I took `{_quote(behind, 200)}` at the end for options. If it is part of your text, put `--` before "
        "the text.",
    )


def check_new_name(name: str) -> None:
    """Raise UserError if Coder would refuse this name for a new task."""
    if not _NEW_NAME.fullmatch(name) or len(name) > 32 or name.lower() == "new":
        raise UserError(
            f"Coder does not take `{_quote(name)}` as a name.",
            "A name has letters and digits with single hyphens between them, at most 32 in all, "
            "and may not be the word “new”.",
        )


def _parse_list(rest: str, verb: Verb) -> Command:
    given: dict[str, str] = {}
    words: list[str] = []
    while rest:
        more, rest = take_options(rest, _LIST_OPTIONS, has_text=False)
        if more.keys() & given.keys():
            raise UserError(f"`{min(more.keys() & given.keys())}` is given twice.", "Keep one of the two.")
        given |= more
        word, rest = first_word(rest)
        words += [to_visible_text(word).lower().removeprefix("--")] if word else []
    chosen = _parse_filter(words, verb)
    owner = _parse_owner(given["owner"]) if "owner" in given else None
    if owner is not None and chosen is ListFilter.MINE:
        raise UserError("`mine` and `owner=` ask for different tasks.", "Keep one of the two.")
    return List(chosen, owner, _parse_page(given.get("page", "1")))


def _parse_filter(words: list[str], verb: Verb) -> ListFilter:
    asked = "-".join(words).replace("_", "-")
    if not asked:
        return ListFilter.ALL
    if asked in ("needs-you", "needsyou"):
        return ListFilter.NEEDS_ME
    for known in ListFilter:
        if asked.replace("-", "") == known.value.replace("-", ""):
            return known
    if len(words) > 1:
        raise _make_usage_error(verb, " ".join(words))
    close = find_nearest(asked, list(ListFilter))
    offered = (
        f"Did you mean {_join_with_or(close)}?" if close else f"Choose one: {', '.join(SUGGESTED_FILTERS)}."
    )
    raise UserError(f"I have no list `{_quote(asked)}`.", offered)


def _parse_owner(value: str) -> SlackPerson | str:
    if picked := _PERSON.fullmatch(value):
        return SlackPerson(UserId(picked[1]), picked[2] or "")
    return to_visible_text(value).removeprefix("@")


def _parse_page(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}", value):
        raise UserError(f"`{_quote(to_visible_text(value))}` is no page.", "Write `page=2` for the second.")
    return int(value)


def _single_task_parser(make: Callable[[TaskName], SingleTaskCommand]) -> Callable[[str, Verb], Command]:
    def read(rest: str, verb: Verb) -> Command:
        name, more = _take_name(rest, verb)
        if more:
            raise _make_usage_error(verb, rest)
        return make(TaskName.parse(name))

    return read


def _parse_logs(rest: str, verb: Verb) -> Command:
    name, more = _take_name(rest, verb)
    if more.lower().lstrip("-\u2014\u2013") not in ("", "full"):
        raise _make_usage_error(verb, rest)
    return Logs(TaskName.parse(name), full=bool(more))


def _text_parser(make: type[Send] | type[Edit]) -> Callable[[str, Verb], Command]:
    def read(rest: str, verb: Verb) -> Command:
        name, more = _take_name(rest, verb)
        task, text = TaskName.parse(name), sanitize_for_agent(to_visible_text(more))
        if is_blank(text):
            raise UserError(f"`{verb.name}` needs a text after the name.", f"For example `{verb.example}`.")
        return make(task, text)

    return read


def _take_name(rest: str, verb: Verb) -> tuple[str, str]:
    name, more = first_word(rest)
    if not name:
        raise UserError("Which task?", f"Write `/task {verb.usage}`; `/task list` shows the names.")
    return name, more


def _parse_templates(rest: str, verb: Verb) -> Command:
    if rest:
        raise _make_usage_error(verb, rest)
    return Templates()


def _parse_help(rest: str, verb: Verb) -> Command:
    word, more = first_word(rest.removeprefix("/task").lstrip())
    bare = word.lstrip("!/")
    known = find_verb(bare) or find_thread_verb(bare)
    if more:
        raise _make_usage_error(verb, rest)
    if word and known is None:
        close = find_nearest(word, _list_verb_names())
        offered = f"Did you mean {_join_with_or(close)}?" if close else "`/task help` lists them."
        raise UserError(f"There is no verb `{_quote(to_visible_text(word))}`.", offered)
    return Help(known.name if known else None)


def _make_usage_error(verb: Verb, rest: str) -> UserError:
    prompt = _quote(to_visible_text(f"{verb.name} {rest}"), 200)
    return UserError(
        f"`{verb.name}` does not take all of that: it is `/task {verb.usage}`.",
        f"To start a task with these words: `/task create {prompt}`.",
    )


def _refuse_thread_verb(word: str, rest: str) -> None:
    """Raise UserError if the text is a verb that only threads have, alone or with one task's name after it.

    With any other text after it, the word is the beginning of a sentence and is accepted.
    """
    verb = find_thread_verb(word.removeprefix("!"))
    if verb is None or not (not rest or _is_name(rest)):
        return
    raise UserError(
        f"`{verb.name}` belongs in the task's thread{_describe_thread_verb(verb)} Nothing was done."
    )


def _describe_thread_verb(verb: ThreadVerb) -> str:
    if verb.unsupported_hint:
        return f", and is not part of this version yet. {verb.unsupported_hint}"
    pressed = f", or press *{verb.button}* on its card" if verb.button else ""
    return f": write `!{verb.name}` there{pressed}."


def _refuse_typo(word: str, rest: str) -> None:
    meant = [verb for verb in _find_likely_verbs(word) if _is_likely_command(verb, rest, word)]
    if not meant:
        return
    behind = _quote(to_visible_text(rest), 200)
    offers = [f"`/task {f'{verb.name} {behind}'.strip()}`" for verb in meant]
    raise UserError(
        f"`{_quote(to_visible_text(word))}` is no command; nothing was done.",
        f"Did you mean {' or '.join(offers)}? To start a task with these words, put `create` before them.",
    )


def _find_likely_verbs(word: str) -> list[Verb]:
    low = word.lower()
    names = (
        (VERBS_OF_OTHER_TOOLS[low],) if low in VERBS_OF_OTHER_TOOLS else find_nearest(low, _list_verb_names())
    )
    return [verb for verb in map(find_verb, names) if verb is not None]


def _is_likely_command(verb: Verb, rest: str, word: str) -> bool:
    """Whether `rest` looks like arguments of the verb, and not like the rest of a sentence.

    `word` is the first word as the person typed it.
    """
    name, more = first_word(rest)
    if not rest:
        return len(word) > 1
    if verb.arguments in ("name", "name and full"):
        is_whole = not more or (more.lower() == "full" and verb.arguments == "name and full")
        return is_whole and (
            _is_task_like(name) or (word.lower() not in VERBS_OF_OTHER_TOOLS and _is_name(name))
        )
    if verb.arguments == "name and text":
        return _is_task_like(name)
    if verb.arguments == "filter":
        return all(map(_is_filter, rest.lower().split()))
    if verb.arguments == "prompt":
        return len(word) >= 5 and find_nearest(word, [verb.name], slips=1) != ()
    return verb.arguments == "verb" and not more and find_verb(name) is not None


def _is_filter(word: str) -> bool:
    return word.startswith(("owner=", "page=")) or word in set(ListFilter)


def _is_name(word: str) -> bool:
    return _NAME.fullmatch(word) is not None or _is_task_like(word)


def _is_task_like(word: str) -> bool:
    """Whether a word is probably a task's name and not a word of a sentence: it has a hyphen or an owner."""
    try:
        name = TaskName.parse(word)
    except UserError:
        return False
    return "-" in (name.name or name.id) or bool(name.owner)


def _list_verb_names() -> list[str]:
    return [name for verb in VERBS for name in (verb.name, *verb.synonyms) if len(name) > 3]


def _join_with_or(words: tuple[str, ...]) -> str:
    return " or ".join(f"`{word}`" for word in words)


def _quote(text: str, limit: int = 60) -> str:
    """Shorten and escape a person's text, so that it can be shown between backticks."""
    flat = " ".join(text.replace("`", "'").split())
    return escape_mrkdwn(break_mentions(flat if len(flat) <= limit else flat[: limit - 1] + "…"))


_PARSERS: dict[str, Callable[[str, Verb], Command]] = {
    "create": _parse_create,
    "list": _parse_list,
    "status": _single_task_parser(Status),
    "logs": _parse_logs,
    "send": _text_parser(Send),
    "pause": _single_task_parser(Pause),
    "resume": _single_task_parser(Resume),
    "delete": _single_task_parser(Delete),
    "edit": _text_parser(Edit),
    "attach": _single_task_parser(Attach),
    "detach": _single_task_parser(Detach),
    "mute": _single_task_parser(Mute),
    "unmute": _single_task_parser(Unmute),
    "templates": _parse_templates,
    "help": _parse_help,
}
