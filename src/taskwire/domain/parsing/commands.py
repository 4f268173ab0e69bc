"""Parses the text after `/task` into a typed command.

The text is as Slack sends it: escaped, with people and links as tokens. Text for an agent stays as it was
typed. A refusal quotes the person's text escaped for mrkdwn. Other modules decide who may run a command, and
which task a name means.

If the first word is not a verb, the form for a new task opens with the whole text in it. So no sentence
starts a task by mistake. But if `near_misses` finds that the word is nearly a verb, nothing is done, and the
error offers the commands that were probably meant. A verb with wrong arguments is refused in the same way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.parsing.audit_command import Audit, parse_audit
from taskwire.domain.parsing.grammar import (
    CREATE_OPTIONS,
    CommandOption,
    ListFilter,
    ThreadVerb,
    Verb,
    find_nearest,
    find_thread_verb,
    find_verb,
)
from taskwire.domain.parsing.naming import NAME_LENGTH, suggest_name
from taskwire.domain.parsing.near_misses import (
    LONGEST_TYPED_TITLE,
    NameMissing,
    is_likely_task_name,
    missing_text,
    offer_filters,
    offer_help,
    offer_name,
    offer_options,
    offer_prompt,
    raise_if_near_verb,
)
from taskwire.domain.parsing.options import (
    DOUBLE_QUOTES,
    UnknownOption,
    asks_for_help,
    first_word,
    take_options,
    take_options_around,
)
from taskwire.domain.parsing.task_names import TaskName, is_task_name
from taskwire.domain.text.agent_text import AgentText, sanitize_for_agent
from taskwire.domain.text.mrkdwn import (
    is_blank,
    quote_typed,
    take_people,
    to_visible_text,
)

_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|([^<>]*))?>")
# Coder's own rule for task names. A task cannot be called "new", because another page of Coder has the
# address that the task's page would have.
_NEW_NAME = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
# A title in double quotes. It may contain spaces.
_QUOTED_TITLE = re.compile(rf"[{DOUBLE_QUOTES}]([^{DOUBLE_QUOTES}]+)[{DOUBLE_QUOTES}](?=\s|$)")
_LIST_OPTIONS = (CommandOption("owner", "whose tasks"), CommandOption("page", "which page"))


@dataclass(frozen=True)
class SlackPerson:
    """A person whom the command mentions. `name` is the name in the mention, which may be empty."""

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
    """Open the form for a new task, filled with this prompt and these options."""

    text: str = ""
    template: str | None = None
    preset: str | None = None
    name: str | None = None
    organization: str | None = None


@dataclass(frozen=True)
class Overview:
    """Show the tasks that wait for this person, and the tasks that run."""


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
    """Show the agent's latest output. If `full` is true, send the whole log instead."""

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
    """Ask the person to confirm that the task is to be deleted."""

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
class Share:
    """Share the task with these people and user groups. If there are none, say with whom it is shared."""

    name: TaskName
    who: tuple[str, ...]
    other_text: AgentText


@dataclass(frozen=True)
class Unshare(Share):
    """End the sharing of the task with these people and user groups."""


@dataclass(frozen=True)
class Templates:
    """Show the templates that this person may use."""


@dataclass(frozen=True)
class Doctor:
    """Show administrators the problems of this deployment."""


@dataclass(frozen=True)
class OpenSettings:
    """Open the dialog with the settings of the channel."""


@dataclass(frozen=True)
class Connect:
    """Offer to connect the person's own Coder account."""


@dataclass(frozen=True)
class Disconnect:
    """Disconnect the person's own Coder account."""


@dataclass(frozen=True)
class Help:
    """Show all commands, or the help of one verb."""

    verb: str | None = None


SingleTaskCommand = Status | Pause | Resume | Delete | Attach | Detach | Mute | Unmute
Command = (
    Create
    | OpenForm
    | Overview
    | List
    | SingleTaskCommand
    | Logs
    | Send
    | Edit
    | Share
    | Templates
    | Audit
    | Doctor
    | OpenSettings
    | Connect
    | Disconnect
    | Help
)


def parse(text: str) -> Command:
    """Parse the text after `/task`, as Slack sent it.

    Raise UserError for a wrong or unsupported command, and for a word that is nearly a verb.
    """
    text = text.strip()
    word, rest = first_word(text)
    if not word:
        return Overview()
    if asks_for_help(word):
        return Help()
    verb = find_verb(word)
    if verb is None:
        _refuse_thread_verb(word, rest)
        raise_if_near_verb(word, rest)
        return OpenForm(to_visible_text(text))
    try:
        return _PARSERS[verb.name](rest, verb)
    except _WrongArguments:
        usage = " ".join([word.lower(), *verb.usage.split(" ")[1:]])
        raise offer_prompt(
            f"`{word.lower()}` works like this: `/task {usage}`. Or did you want to create a task with this "
            "text?",
            text,
            verb,
            rest,
        ) from None


class _WrongArguments(Exception):
    """The words after a verb cannot be its arguments."""


def _parse_create(rest: str, _: Verb) -> Command:
    if asks_for_help(rest):
        return Help("create")
    try:
        around = take_options_around(rest, CREATE_OPTIONS)
    except UnknownOption as error:
        raise offer_options("create", rest, error) from None
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
            raise offer_name(error, given, prompt, rest, around.trailing_options) from None
    if is_blank(prompt):
        return OpenForm("", given.get("template"), given.get("preset"), name, given.get("org"))
    return Create(prompt, given.get("template"), given.get("preset"), name, given.get("org"), behind)


def explain_trailing_options(error: UserError, behind: str) -> UserError:
    """Return the error, with a hint that the end of the prompt, `behind`, was read as options.

    The person may have meant this end as a part of the prompt. If `behind` is empty, return the error
    unchanged.
    """
    if not behind:
        return error
    return UserError(
        str(error),
        reason=error.reason,
        hint=f"If `{quote_typed(behind, 200)}` is part of your text, put `--` before the text.",
    )


def check_new_name(name: str) -> None:
    """Raise UserError if Coder would refuse this name for a new task."""
    if _NEW_NAME.fullmatch(name) and len(name) <= NAME_LENGTH and name.lower() != "new":
        return
    if near := suggest_name(name):
        raise UserError(f"Names look like `{near}`.")
    raise UserError(
        "A name has letters from a to z, digits, and single hyphens between them, at most 32 in all."
    )


def _parse_list(rest: str, _: Verb) -> Command:
    given: dict[str, str] = {}
    words: list[str] = []
    typed = rest
    while rest:
        try:
            more, rest = take_options(rest, _LIST_OPTIONS)
        except UnknownOption as error:
            raise offer_options("list", typed, error) from None
        if more.keys() & given.keys():
            raise UserError(f"`{min(more.keys() & given.keys())}` is given twice.", "Keep one of the two.")
        given |= more
        word, rest = first_word(rest)
        words += [to_visible_text(word).lower().removeprefix("--")] if word else []
    chosen = _parse_filter(words)
    owner = _parse_owner(given["owner"]) if "owner" in given else None
    if owner is not None and chosen is ListFilter.MINE:
        raise UserError("`mine` and `owner=` ask for different tasks.", "Keep one of the two.")
    return List(chosen, owner, _parse_page(given.get("page", "1")))


def _parse_filter(words: list[str]) -> ListFilter:
    asked = "-".join(words).replace("_", "-")
    if not asked:
        return ListFilter.ALL
    if asked in ("needs-you", "needsyou"):
        return ListFilter.NEEDS_ME
    for known in ListFilter:
        if asked.replace("-", "") == known.value.replace("-", ""):
            return known
    if len(words) > 1:
        raise _WrongArguments
    raise offer_filters(asked, find_nearest(asked, list(ListFilter)))


def _parse_owner(value: str) -> SlackPerson | str:
    if picked := _PERSON.fullmatch(value):
        return SlackPerson(UserId(picked[1]), picked[2] or "")
    return to_visible_text(value).removeprefix("@")


def _parse_page(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}", value):
        raise UserError(
            f"Not a page: `{quote_typed(to_visible_text(value))}`.", "Write `page=2` for the second."
        )
    return int(value)


def _single_task_parser(make: Callable[[TaskName], SingleTaskCommand]) -> Callable[[str, Verb], Command]:
    def read(rest: str, verb: Verb) -> Command:
        return make(_read_task(rest, verb))

    return read


def _parse_logs(rest: str, verb: Verb) -> Command:
    name, _, last = rest.rpartition(" ")
    is_full = bool(name.strip()) and last.lower().lstrip("-\u2014\u2013") == "full"
    return Logs(_read_task(name if is_full else rest, verb), full=is_full)


def _text_parser(make: type[Send] | type[Edit]) -> Callable[[str, Verb], Command]:
    def read(rest: str, verb: Verb) -> Command:
        name, more = _take_name(rest, verb)
        task, text = TaskName.parse(name), sanitize_for_agent(to_visible_text(more))
        if is_blank(text):
            raise missing_text(verb)
        return make(task, text)

    return read


def _parse_share(rest: str, verb: Verb) -> Command:
    name, more = _take_name(rest, verb)
    who, other_text = take_people(more)
    make = Unshare if verb.name == "unshare" else Share
    return make(TaskName.parse(name), who, sanitize_for_agent(other_text))


def _read_task(rest: str, verb: Verb) -> TaskName:
    """Return the task that these words name. One word is the task's name; several words are its title.

    Raise _WrongArguments if words follow a task's name, or if the text is too long for a title.
    """
    name, more = _take_name(rest, verb)
    if more and (is_likely_task_name(name) or len(rest) > LONGEST_TYPED_TITLE):
        raise _WrongArguments
    return TaskName.parse(rest.strip() if more else name)


def _take_name(rest: str, verb: Verb) -> tuple[str, str]:
    """Return a task's name and the text after it. The name is the first word, or a title in double quotes."""
    name, more = first_word(rest)
    if not name:
        raise NameMissing(verb)
    if quoted := _QUOTED_TITLE.match(rest.lstrip()):
        return quoted[1], rest.lstrip()[quoted.end() :].lstrip()
    return name, more


def _parse_bare(
    command: Templates | Doctor | OpenSettings | Connect | Disconnect, rest: str, _: Verb
) -> Command:
    if rest:
        raise _WrongArguments
    return command


def _parse_audit(rest: str, _: Verb) -> Command:
    command = parse_audit(rest)
    if command is None:
        raise _WrongArguments
    return command


def _parse_help(rest: str, _: Verb) -> Command:
    word, more = first_word(rest.removeprefix("/task").lstrip())
    bare = word.lstrip("!/")
    known = find_verb(bare) or find_thread_verb(bare)
    if more:
        raise _WrongArguments
    if word and known is None:
        raise offer_help(word)
    return Help(known.name if known else None)


def _refuse_thread_verb(word: str, rest: str) -> None:
    """Raise UserError if the person typed a verb that works only in threads, alone or with a task's name.

    Accept the text if anything else follows the word, because it is then the beginning of a sentence.
    """
    verb = find_thread_verb(word.removeprefix("!"))
    if verb is None or not (not rest or is_task_name(rest)):
        return
    raise UserError(f"Write {_describe_thread_verb(verb)}.")


def _describe_thread_verb(verb: ThreadVerb) -> str:
    """Say where the verb works: here with a task's name, if it is a command too, and in the thread."""
    command = find_verb(verb.name)
    here = f"`/task {command.usage}` here, or " if command is not None else ""
    pressed = f", or choose *{verb.button}* in its card's menu *More…*" if verb.button else ""
    return f"{here}`!{verb.name}` in the task's thread{pressed}"


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
    "share": _parse_share,
    "unshare": _parse_share,
    "templates": partial(_parse_bare, Templates()),
    "doctor": partial(_parse_bare, Doctor()),
    "settings": partial(_parse_bare, OpenSettings()),
    "connect": partial(_parse_bare, Connect()),
    "disconnect": partial(_parse_bare, Disconnect()),
    "audit": _parse_audit,
    "help": _parse_help,
}
