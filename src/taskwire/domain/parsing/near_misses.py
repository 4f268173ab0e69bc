"""Commands that are nearly right: finds the commands that were probably meant, which are offered as buttons.

Nothing is done before a person presses such a button. `commands.parse` decides that a text is no command, and
asks this module about the text's first word. A word that is nearly a verb is a near miss if it is alone, or
if arguments of that verb follow. Otherwise the text is a prompt: `remove dead code` does not mean `delete`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from taskwire.domain.errors import UserError
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.grammar import (
    LISTS_WITHOUT_VERB,
    SUGGESTED_FILTERS,
    VERBS,
    VERBS_OF_OTHER_TOOLS,
    ListFilter,
    Verb,
    find_nearest,
    find_verb,
)
from taskwire.domain.parsing.naming import suggest_name
from taskwire.domain.parsing.options import DOUBLE_QUOTES, QUOTES, UnknownOption, first_word
from taskwire.domain.parsing.task_names import TaskName, is_task_name
from taskwire.domain.text.message import Block
from taskwire.domain.text.mrkdwn import escape_mrkdwn, quote_typed, to_visible_text


@dataclass(frozen=True)
class Offer:
    """A command that a person may have meant, as it is typed after `/task`, and the label of its button."""

    label: str
    line: str


# A task as a row of a list: a block of Slack, and the same in a line of text.
TaskRow = tuple[Block, str]


class NearMiss(UserError):
    """A command that cannot be done as it was typed. The `offers` are commands that can be done.

    `quoted` is the person's text, which is shown below the sentence. `rows` describe the first offers: each
    has a block of Slack and the same in a line of text. `rows` is empty if the labels of the buttons say
    enough. `others` are rows without an offer, below the sentence `about_others`.
    """

    def __init__(
        self,
        sentence: str,
        offers: Sequence[Offer],
        hint: str = "",
        quoted: str = "",
        rows: Sequence[TaskRow] = (),
        about_others: str = "",
        others: Sequence[TaskRow] = (),
    ) -> None:
        super().__init__(sentence, hint)
        self.offers = tuple(offers)
        self.quoted = quoted
        self.rows = tuple(rows)
        self.about_others, self.others = about_others, tuple(others)


class NotOneTask(UserError):
    """A command must name one task, but its words name no task or several tasks.

    `names` are the names of the tasks that may be meant, such as `alice/fix-login`. `rows` show the first of
    these tasks, and `links` are their links, as they are displayed.
    """

    def __init__(
        self,
        sentence: str,
        hint: str,
        names: Sequence[str],
        rows: Sequence[TaskRow],
        links: Sequence[Link] = (),
    ) -> None:
        super().__init__(sentence, hint, reason="no_such_task")
        self.names = tuple(names)
        self.rows = tuple(rows)
        self.links = tuple(links)


class SeveralTasks(NotOneTask):
    """A typed name fits several tasks. `typed` is what the person typed.

    `rests` are the texts that follow the name if each task is meant. They differ if the first words of the
    text belong to the title of some of the tasks. `rests` is empty if the same text follows for all tasks.
    """

    def __init__(
        self,
        sentence: str,
        hint: str,
        typed: str,
        names: Sequence[str],
        rows: Sequence[TaskRow],
        links: Sequence[Link] = (),
        rests: Sequence[str] = (),
    ) -> None:
        super().__init__(sentence, hint, names, rows, links)
        self.typed = typed
        self.rests = tuple(rests)


class UnknownTask(NotOneTask):
    """No task has the typed name or title.

    `title` contains the typed words if they can only be a title; otherwise it is empty. The person may have
    meant these words as a prompt. The tasks in `rows` fit the first of the typed words. `rest` is the text
    after those words.
    """

    def __init__(
        self,
        sentence: str,
        hint: str,
        title: str = "",
        names: Sequence[str] = (),
        rows: Sequence[TaskRow] = (),
        rest: str = "",
        links: Sequence[Link] = (),
    ) -> None:
        super().__init__(sentence, hint, names, rows, links)
        self.title = title
        self.rest = rest


class NameMissing(UserError):
    """A command must name a task, but nothing follows its verb. `verb` is this verb."""

    def __init__(self, verb: Verb) -> None:
        super().__init__("Which task?", f"Write `/task {verb.usage}`; `/task list` shows the names.")
        self.verb = verb


# In characters. A longer text after a verb is no title, but a sentence.
LONGEST_TYPED_TITLE = 200
# The most tasks that are offered as buttons.
MOST_TASKS_OFFERED = 5

# The question that is asked before a verb is carried out. The task's name, if there is one, replaces `{}`.
_QUESTIONS = {
    "create": "Create a task with this?",
    "list": "Show your tasks?",
    "status": "Show the status of {}?",
    "logs": "Show the log of {}?",
    "send": "Send this to {}?",
    "pause": "Stop {}?",
    "resume": "Resume {}?",
    "delete": "Delete {}?",
    "edit": "Give {} this prompt?",
    "attach": "Give {} a thread here?",
    "detach": "Detach {}?",
    "mute": "Mute {}?",
    "unmute": "Unmute {}?",
    "share": "Share {}?",
    "unshare": "Stop sharing {}?",
    "templates": "Show the templates?",
    "help": "Show the help?",
}
# For each list that is offered: what it shows, and the label of its button.
_LISTS = {
    ListFilter.MINE: ("your tasks", "My tasks"),
    ListFilter.WORKING: ("the running tasks", "Running tasks"),
}
# The answers to a verb without a name if the person has no task for it, and "to VERB" would be no English.
_NO_TASKS = {"logs": "None of your tasks has a log yet."}
_CHOOSE = "Choose one, or type more of the name."
_LABELS = {"create": "Create", "delete": "Delete…", "edit": "Replace prompt", "send": "Send"}


def raise_if_near_verb(word: str, rest: str) -> None:
    """Raise NearMiss if a text is nearly a command. `word` is the text's first word, which is no verb."""
    chosen = LISTS_WITHOUT_VERB.get(word.lower())
    if chosen is not None and rest.lower() in ("", "tasks"):
        whose, label = _LISTS[chosen]
        raise NearMiss(f"Show {whose}?", [Offer(label, f"list {chosen.value}")])
    meant = [verb for verb in _find_likely_verbs(word) if _is_likely_command(verb, rest, word)]
    if not meant:
        return
    only, quoted = meant[0], to_visible_text(_text_behind(meant[0], rest))
    if len(meant) > 1:
        offers = [Offer(_label(verb, rest), f"{verb.word} {rest}".strip()) for verb in meant]
        raise NearMiss(f"I don't know `{quote_typed(to_visible_text(word))}`.", offers, quoted=quoted)
    if rest or only.arguments in ("nothing", "filter", "verb"):
        raise NearMiss(_ask(only, rest), [Offer(_label(only), f"{only.word} {rest}".strip())], quoted=quoted)
    if only.arguments == "prompt":
        raise NearMiss("Open the form for a new task?", [Offer("New task", only.name)])
    raise NameMissing(only)


def offer_command_on_task(text: str) -> NearMiss | None:
    """Return the question whether a text such as `log fix-login` means a command on a task.

    Return None if the first word is not similar to a verb that needs a task. The text may also be a sentence,
    so the caller checks that the other words name a task.
    """
    word, rest = first_word(text)
    likely = _find_likely_verbs(word) if find_verb(word) is None else []
    verbs = [verb for verb in likely if verb.arguments in ("name", "name and full")]
    if not verbs or not rest or len(rest) > LONGEST_TYPED_TITLE:
        return None
    name = to_visible_text(rest)
    sentence = f"I don't know `{quote_typed(to_visible_text(word))}`."
    if len(verbs) == 1:
        sentence = _QUESTIONS[verbs[0].name].format(f"*{escape_mrkdwn(name)}*")
    offers = [Offer(f"{_label(verb)} {name}", f"{verb.word} {rest}") for verb in verbs]
    return NearMiss(sentence, [*offers, Offer("Create a task", f"create -- {text}")])


def offer_prompt(sentence: str, text: str, verb: Verb, rest: str) -> NearMiss:
    """Return the refusal of a verb whose arguments are wrong. A button creates a task with the typed text.

    `text` is all that was typed. `rest` is the part after the verb.
    """
    offers = [Offer("Create a task", f"create -- {text}")]
    name, _ = first_word(rest)
    if verb.arguments == "name" and is_likely_task_name(name):
        offers.insert(0, Offer(_label(verb, name), f"{verb.word} {name}"))
    return NearMiss(sentence, offers, quoted=to_visible_text(text))


def missing_text(verb: Verb) -> UserError:
    """Return the refusal of a command that names a task but has no text after the name."""
    return UserError(f"`{verb.word}` needs text after the name.", f"For example: `{verb.example}`.")


def offer_options(verb: str, rest: str, error: UnknownOption) -> NearMiss:
    """Return the refusal of an option that does not exist. Buttons offer similar options.

    `rest` is the text after the verb. The verb `create` also gets a button that makes the option a part of
    the prompt.
    """
    before = rest[: len(rest) - len(error.text)]
    offers = [
        Offer(f"Use {name}=…", f"{verb} {before}{error.text.replace(error.word, name, 1)}")
        for name in error.near
        if f"{name}=" not in before
    ]
    if verb == "create":
        offers.append(Offer("Use it as text", f"{verb} {before}-- {error.text}"))
    return NearMiss(error.sentence, offers, error.hint)


def offer_name(
    error: UserError, given: Mapping[str, str], prompt: str, rest: str, trailing_options: str
) -> UserError:
    """Return the refusal of a task's name that Coder does not accept. Buttons offer what may have been meant.

    `given` are the options of `create`, with the name. `rest` is the text after the verb. `trailing_options`
    is the end of `rest`, which was read as options and may have been meant as text for the agent. If there is
    nothing to offer, return `error`.
    """
    near = suggest_name(given["name"])
    offers = [Offer("Use it", _format_create({**given, "name": near}, prompt))] if near else []
    hint = ""
    if trailing_options:
        offers.append(Offer("Use it as text", f"create -- {rest}"))
        hint = f"Or is `{quote_typed(to_visible_text(trailing_options), 200)}` text for the agent?"
    return NearMiss(error.sentence, offers, hint) if offers else error


def offer_values(
    sentence: str, option: str, near: Sequence[str], given: Mapping[str, str], prompt: str
) -> NearMiss:
    """Return the refusal of a wrong value of an option of `create`. `near` are the values to offer.

    `given` are all options that were typed.
    """
    offers = [Offer(f"Use {value}", _format_create({**given, option: value}, prompt)) for value in near]
    return NearMiss(sentence, offers)


def offer_tasks(
    error: NotOneTask, verb: Verb, text: str = "", idle: Collection[int] = (), texts: Sequence[str] = ()
) -> NearMiss:
    """Return the refusal of a name that does not fit exactly one task.

    The refusal shows the tasks that may be meant. Each has a button that carries out `verb` on the task,
    except the rows with the numbers in `idle`. If there are no such tasks, a button creates a task with the
    typed words. `text` is what follows the task's name, as Slack sends it. `texts` are these texts if each
    task has another one.
    """
    if isinstance(error, UnknownTask) and not error.rows:
        sentence = f"{error.sentence} Write `/task {verb.usage}`, or create a task with this text."
        return offer_prompt(sentence, escape_mrkdwn(f"{verb.word} {error.title}"), verb, "")
    more = len(error.names) - len(error.rows)
    useful = [number for number in range(len(error.rows)) if number not in idle]
    texts = texts or [text] * len(error.rows)
    offers = [offer for number in useful for offer in _offer_each(verb, [error.names[number]], texts[number])]
    if isinstance(error, SeveralTasks):
        sentence, hint, quoted = (f"`{quote_typed(error.typed)}` fits several tasks", _CHOOSE, "")
        sentence += f". {_count_hidden(more)}".rstrip()
    else:
        sentence, quoted = error.sentence, to_visible_text(text) if needs_text(verb) else ""
        hint = "Did you mean this one?" if len(offers) == 1 else "Did you mean one of these?"
    about_others = (
        f"`{verb.word}` doesn't work for {'this one' if len(idle) == 1 else 'these'} now:" if idle else ""
    )
    return NearMiss(
        sentence,
        offers,
        hint if offers else "",
        quoted,
        [error.rows[number] for number in useful],
        about_others,
        [error.rows[number] for number in sorted(idle)],
    )


def offer_own_tasks(verb: Verb, names: Sequence[str], rows: Sequence[TaskRow]) -> NearMiss:
    """Return the question which of a person's tasks is meant by a command that names no task.

    `names` are the tasks for which the verb works. `rows` show the first of these tasks. Each of them has a
    button that carries out the verb.
    """
    list_own = Offer(_LISTS[ListFilter.MINE][1], f"list {ListFilter.MINE.value}")
    if needs_text(verb):
        return NearMiss("Which task?", [list_own], f"Write `/task {verb.usage}`.")
    if not names and verb.name == "status":
        return NearMiss("You have no tasks yet.", [Offer("New task", "create")])
    if not names:
        return NearMiss(_NO_TASKS.get(verb.name, f"You have no task to {verb.word}."), [list_own])
    more = len(names) - len(rows)
    offers = [*_offer_each(verb, names[: len(rows)]), *([list_own] if more > 0 else [])]
    return NearMiss(_QUESTIONS[verb.name].format("which task"), offers, _count_hidden(more), rows=rows)


def _count_hidden(number: int) -> str:
    """Return a sentence that says how many tasks are not shown; empty if `number` is 0."""
    return f"{number} more {'is' if number == 1 else 'are'} not shown here." if number > 0 else ""


def needs_text(verb: Verb) -> bool:
    """Return whether a command of this verb is refused if no text follows the task's name."""
    return verb.name in ("send", "edit")


def _offer_each(verb: Verb, names: Sequence[str], text: str = "") -> list[Offer]:
    """Return one offer for each task. Its command carries out `verb` on that task.

    The button is below the task's row, so its label is only the verb.
    """
    return [Offer(_label(verb), f"{verb.word} {name} {text}".strip()) for name in names]


def offer_filters(asked: str, near: Sequence[str]) -> UserError:
    """Return the refusal of a filter that `list` does not have. `near` are similar filters."""
    sentence = f"There is no list `{quote_typed(asked)}`."
    if near:
        return NearMiss(sentence, [Offer(f"List {name}", f"list {name}") for name in near])
    return UserError(sentence, f"Choose one: {', '.join(SUGGESTED_FILTERS)}.")


def offer_help(word: str) -> NearMiss:
    """Return the answer to the command `help WORD` if WORD is no verb. Buttons offer similar verbs."""
    near = _find_likely_verbs(word.lstrip("!/"))
    offers = [Offer(f"Help with {verb.word}", f"help {verb.word}") for verb in near]
    return NearMiss(
        f"There is no command `{quote_typed(to_visible_text(word))}`.",
        offers or [Offer("All commands", "help")],
    )


def _format_create(given: Mapping[str, str], prompt: str) -> str:
    """Return the command with these options and this prompt, as Slack sends it."""
    options = [f"{name}={_format_value(value)}" for name, value in given.items()]
    text = ["--", prompt] if prompt else []
    return escape_mrkdwn(" ".join(["create", *options, *text]))


def _format_value(value: str) -> str:
    if not value[:1].isspace() and value[:1] not in QUOTES and len(value.split()) == 1:
        return value
    # A value cannot have both kinds of quotation marks, because it was typed between marks of one kind.
    return f'"{value}"' if not set(value) & set(DOUBLE_QUOTES) else f"'{value}'"


def _label(verb: Verb, rest: str = "") -> str:
    """Return the label of a verb's button. It includes the task's name if `rest` begins with one."""
    label = _LABELS.get(verb.name, verb.word.capitalize())
    name, _ = first_word(rest if verb.arguments.startswith("name") else "")
    return f"{label} {to_visible_text(name)}".strip()


def _ask(verb: Verb, rest: str) -> str:
    question = _QUESTIONS.get(verb.name, f"Do you mean `/task {verb.word}`?")
    if "{}" not in question:
        return question
    name, _ = first_word(rest)
    return question.format(f"*{escape_mrkdwn(str(TaskName.parse(name)))}*")


def _text_behind(verb: Verb, rest: str) -> str:
    """Return the part of the arguments that is a text for an agent."""
    if verb.arguments == "prompt":
        return rest
    return first_word(rest)[1] if verb.arguments == "name and text" else ""


def _find_likely_verbs(word: str) -> list[Verb]:
    low = word.lower()
    names = (
        (VERBS_OF_OTHER_TOOLS[low],) if low in VERBS_OF_OTHER_TOOLS else find_nearest(low, list_verb_names())
    )
    return list(dict.fromkeys(verb for verb in map(find_verb, names) if verb is not None))


def _is_likely_command(verb: Verb, rest: str, word: str) -> bool:
    """Return whether `rest` looks like arguments of the verb, and not like the rest of a sentence.

    `word` is the first word as the person typed it.
    """
    name, more = first_word(rest)
    if not rest:
        return len(word) > 1
    if verb.arguments in ("name", "name and full"):
        is_whole = not more or (more.lower() == "full" and verb.arguments == "name and full")
        return is_whole and (
            is_likely_task_name(name) or (word.lower() not in VERBS_OF_OTHER_TOOLS and is_task_name(name))
        )
    if verb.arguments == "name and text":
        return is_likely_task_name(name)
    if verb.arguments == "filter":
        return all(map(_is_filter, rest.lower().split()))
    if verb.arguments == "prompt":
        return len(word) >= 5 and find_nearest(word, [verb.name], slips=1) != ()
    return verb.arguments == "verb" and not more and find_verb(name) is not None


def _is_filter(word: str) -> bool:
    return word.startswith(("owner=", "page=")) or word in set(ListFilter)


def is_likely_task_name(word: str) -> bool:
    """Return whether a word is probably a task's name: it has a hyphen or names an owner."""
    try:
        name = TaskName.parse(word)
    except UserError:
        return False
    return "-" in (name.name or name.id) or bool(name.owner)


def list_verb_names() -> list[str]:
    """List the names and synonyms of the verbs that are long enough to be compared with a mistyped word."""
    return [name for verb in VERBS for name in (verb.name, *verb.synonyms) if len(name) > 3]
