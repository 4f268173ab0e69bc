"""Answers that list things: tasks, templates, and the help.

Only the person who asked sees such an answer. An empty list says what to do. The help is made from the tables
in `grammar`, with which commands are parsed, so the help lists exactly what is understood. The caller sorts
the tasks by `get_rank`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from taskwire.domain.grammar import (
    CREATE_OPTIONS,
    THREAD_VERBS,
    VERBS,
    ThreadVerb,
    Verb,
    find_nearest,
    find_thread_verb,
    find_verb,
)
from taskwire.domain.ids import from_ms, to_ms
from taskwire.domain.links import Link
from taskwire.domain.message import Block, Button, Message
from taskwire.domain.mrkdwn import escape_mrkdwn
from taskwire.domain.phases import Phase
from taskwire.messages import blocks
from taskwire.messages.blocks import (
    PHASE_LABELS,
    PhaseLabel,
    button,
    context,
    cut,
    escape_line,
    format_age,
    line,
    mrkdwn,
    one_line,
    plain_text,
    section,
    text_piece,
)
from taskwire.messages.cards import find_ending, get_name, get_page_url, get_phase_label

# Each task takes three of the 50 blocks that a message may have.
TASKS_PER_PAGE = 10
MOST_TEMPLATES = 20

_PHASE_ORDER = (
    Phase.NEEDS_YOU,
    Phase.BROKEN,
    Phase.FAILED,
    Phase.WORKING,
    Phase.STARTING,
    Phase.UNCLEAR,
    Phase.OTHER,
    Phase.DONE,
    Phase.PAUSING,
    Phase.PAUSED,
    Phase.GONE,
)


@dataclass(frozen=True)
class TaskLine:
    """A task in a list: its link, and the URL of its thread.

    `link` of a task without a thread is made by `cards.make_unlinked`.
    """

    link: Link
    permalink: str = ""
    # Whether the reader may act on the task. If not, no button is shown that would refuse them.
    can_steer: bool = True


@dataclass(frozen=True)
class TemplateLine:
    """A template in a list."""

    name: str
    title: str = ""
    description: str = ""
    organization: str = ""
    presets: tuple[str, ...] = ()
    default_preset: str = ""


def get_rank(phase: Phase) -> int:
    """Return a number by which to sort tasks: first those that need somebody, then running tasks."""
    return _PHASE_ORDER.index(phase)


def task_list(
    items: Sequence[TaskLine], *, coder_url: str, page: int = 1, pages: int = 1, filtered: str = ""
) -> Message:
    """Show one page of tasks, in the given order. `filtered` is the filter as the person typed it."""
    shown = items[:TASKS_PER_PAGE]
    if not shown:
        nothing = _no_tasks(one_line(filtered, 60))
        return Message(text=nothing, blocks=(section("none", nothing),))
    where = f"page {page} of {pages}" if pages > 1 else ""
    about = "".join(f" · {part}" for part in (one_line(filtered, 60), where) if part)
    layout = [line("heading", [text_piece("Tasks", is_bold=True), *([text_piece(about)] if about else [])])]
    for number, item in enumerate(shown):
        layout += _task(number, item, coder_url)
    layout += _page_buttons(page, pages, filtered)
    lines = [f"Tasks{escape_mrkdwn(about)}:", *[_task_text(item) for item in shown]]
    return Message(text=blocks.join_lines(lines), blocks=tuple(layout))


def _no_tasks(filtered: str) -> str:
    if filtered == "needs-me":
        return "Nothing needs you right now. `/task list` shows your other tasks."
    if filtered and filtered != "mine":
        words = escape_mrkdwn(filtered.replace("`", "'"))
        return f"No task fits `{words}`. `/task list` shows all that you may see."
    return "You have no tasks yet. `/task create PROMPT` starts one, and `/task create` alone opens a form."


def _task(number: int, item: TaskLine, coder_url: str) -> list[Block]:
    link, thread, page = item.link, blocks.safe_web_url(item.permalink), get_page_url(item.link, coder_url)
    face, owner = _task_label(link), _owner(link)
    facts = [mrkdwn(f"*{escape_line(face.label, 60)}*{_since(link)}")]
    facts += [plain_text(owner, 60)] if owner else []
    facts += [mrkdwn(_typed_name(link))] if link.record.name else []
    facts += [] if thread or not link.record.name else [mrkdwn(_no_thread(link))]
    steps = [button(Button.OPEN_THREAD, "Open thread", url=thread)] if thread else []
    steps += [button(Button.OPEN_CODER, "Open in Coder", url=page)] if page else []
    steps += _task_buttons(link) if item.can_steer else []
    title = one_line(get_name(link), 100)
    return [
        line(
            f"task.{number}",
            [blocks.emoji_piece(face.emoji), text_piece(" "), blocks.title_piece(title, thread or page)],
        ),
        context(f"facts.{number}", facts),
        *blocks.button_rows(f"steps.{number}", steps),
    ]


def _task_label(link: Link) -> PhaseLabel:
    """Return the emoji and the label of the task's phase.

    If a paused task was waiting for somebody, the label says so too: `Needs you (paused)`.
    """
    face, waiting = get_phase_label(link), link.state.open_phase
    if find_ending(link) is not None or waiting is link.state.phase:
        return face
    return PhaseLabel(PHASE_LABELS[waiting].emoji, f"{PHASE_LABELS[waiting].label} ({face.label.lower()})")


def _owner(link: Link) -> str:
    return link.record.owner_name or (link.observation.owner_name if link.observation else "")


def _since(link: Link) -> str:
    """Return how long the task has been in its phase, with a leading ` · `; an empty string if not known.

    The phase began with the agent's report, or else when Taskwire first saw the phase.
    """
    state, report = link.state, link.state.last_report
    since_ms = state.since_ms
    is_of_before = report is None or (
        state.previous_report is not None and report.has_same_text(state.previous_report)
    )
    if report is not None and not is_of_before and state.has_reported and state.phase in _REPORTED_PHASES:
        since_ms = min(since_ms, to_ms(report.at))
    return f" · {format_age(from_ms(since_ms))}" if since_ms else ""


_REPORTED_PHASES = (Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED)


def _typed_name(link: Link) -> str:
    """Return the task's name for commands, in back-ticks. The title in the list is another text."""
    return f"`{escape_line(link.record.name.replace('`', ''), 60)}`"


def _no_thread(link: Link) -> str:
    return f"no thread: `/task attach {escape_line(link.record.name, 40)}`"


def _task_buttons(link: Link) -> list[Block]:
    if not link.id or link.end_reason is not None:
        return []
    if link.state.phase is Phase.PAUSED:
        return [button(Button.RESUME, "Resume", link.id)]
    return [button(Button.RETRY, "Retry", link.id)] if link.state.phase is Phase.BROKEN else []


def _page_buttons(page: int, pages: int, filtered: str) -> list[Block]:
    """Return the buttons for the next and the previous page.

    Each button has its own row, because two buttons with the same action id may not be in one row.
    """
    steps = (("next", page + 1, "Next page"), ("back", page - 1, "Previous page"))
    return [
        block
        for name, to, label in steps
        if 1 <= to <= pages
        for block in blocks.button_rows(
            name, [button(Button.LIST_PAGE, label, cut(f"{to} {filtered}".strip(), 1_000))]
        )
    ]


def _task_text(item: TaskLine) -> str:
    link = item.link
    owner = f", {escape_line(_owner(link), 60)}" if _owner(link) else ""
    where = blocks.safe_web_url(item.permalink)
    place = f" {escape_mrkdwn(where)}" if 0 < len(where) <= 150 else ""
    return f"•  {escape_line(_task_label(link).label, 60)}: {escape_line(get_name(link), 60)}{owner}{place}"


def template_list(items: Sequence[TemplateLine]) -> Message:
    """Show the templates that this person may use, and how to use one."""
    if not items:
        nothing = (
            "There is no template for tasks that you may use. Whoever looks after Coder can give you one."
        )
        return Message(text=nothing, blocks=(section("none", nothing),))
    shown = items[:MOST_TEMPLATES]
    layout = [line("heading", [text_piece("Templates for tasks", is_bold=True)])]
    for number, item in enumerate(shown):
        layout += _template(number, item)
    more = (
        f" There are {len(items) - len(shown)} more; `/task create` lists all."
        if items[MOST_TEMPLATES:]
        else ""
    )
    follow = f"Use one: `/task create template={_typed_value(shown[0].name)} PROMPT`.{more}"
    layout.append(context("next", [mrkdwn(follow)]))
    named = [f"•  {escape_line(item.name, 40)}{_presets_text(item)}" for item in shown]
    return Message(text=blocks.join_lines(["Templates for tasks:", follow, *named]), blocks=tuple(layout))


def _typed_value(name: str) -> str:
    """Return an option's value as a person types it: in quotation marks if it has blanks."""
    shown = escape_line(name.replace("`", ""), 40)
    return f'"{shown}"' if " " in shown else shown


def _template(number: int, item: TemplateLine) -> list[Block]:
    name, title = one_line(item.name, 40), one_line(item.title, 60)
    pieces = [text_piece(title or name or "-", is_bold=True)]
    if title and name and title != name:
        pieces += [text_piece("  "), {"type": "text", "text": name, "style": {"code": True}}]
    described = one_line(item.description, 120)
    pieces += [text_piece(f"  {described}")] if described else []
    facts = [plain_text(_presets(item), 200)] if item.presets else []
    facts += [plain_text(f"organization: {item.organization}", 80)] if item.organization else []
    layout = [line(f"template.{number}", pieces)]
    return [*layout, context(f"presets.{number}", facts)] if facts else layout


def _presets(item: TemplateLine) -> str:
    names = [f"{name} (default)" if name == item.default_preset else name for name in item.presets]
    return f"{'Presets' if len(names) > 1 else 'Preset'}: {', '.join(one_line(name, 40) for name in names)}"


def _presets_text(item: TemplateLine) -> str:
    return f" ({escape_line(_presets(item), 100)})" if item.presets else ""


def help_text(topic: str | None = None) -> Message:
    """Show what people can type. If `topic` is the name of a verb, show only that verb and an example."""
    word = (topic or "").strip()
    if not word:
        return _full_help()
    verb = find_verb(word)
    if verb is not None:
        return _paragraphs(_verb_help(verb))
    in_thread = find_thread_verb(word.removeprefix("!"))
    return _paragraphs(_thread_verb_help(in_thread) if in_thread is not None else _unknown_verb_help(word))


def thread_help() -> Message:
    """Show what people can type in a task's thread."""
    return _paragraphs([_thread_verbs_help(), "`/task help` lists what you can say anywhere."])


def message_help(*, is_direct: bool) -> Message:
    """Show what a mention in a discussion, or a direct message, can start."""
    words = (
        "Write me what to do, and I offer to start a task with it. `list`, `status NAME` and the other "
        "commands work here too, without `/task`."
        if is_direct
        else "Mention me with what to do, and I start a task in this thread: "
        "`@Taskwire fix the login redirect`. `@Taskwire with thread: …` also gives the agent the earlier "
        "messages."
    )
    buttons = [
        button(Button.NEW_TASK, "New task", "new", style="primary"),
        button(Button.LIST_PAGE, "My tasks", "1 mine"),
    ]
    return Message(text=words, blocks=(section("help", words), *blocks.button_rows("buttons", buttons)))


def _thread_verbs_help() -> str:
    return (
        "*In a task's thread*, a plain reply goes to the agent. These do not:\n"
        + "\n".join(
            f"`{_escape_grammar(verb.usage)}`  {_escape_grammar(verb.meaning)}" for verb in THREAD_VERBS
        )
        + "\n`//` or `!aside`  before a reply: it stays between people"
    )


def _full_help() -> Message:
    ready = [verb for verb in VERBS if not verb.unsupported_hint]
    paragraphs = [
        "*Taskwire* starts Coder tasks from Slack. Each has a thread; your replies in it reach its agent.",
        "*Anywhere*\n"
        + "\n".join(
            f"`/task {_escape_grammar(verb.usage)}`  {_escape_grammar(verb.meaning)}" for verb in ready
        ),
        _options_help(),
        _thread_verbs_help(),
    ]
    made = _paragraphs(paragraphs)
    new_task = blocks.button_rows("buttons", [button(Button.NEW_TASK, "New task", "new", style="primary")])
    return Message(text=made.text, blocks=(*made.blocks, *new_task))


def _verb_help(verb: Verb) -> list[str]:
    about = [f"`/task {_escape_grammar(verb.usage)}`\n{_as_sentence(verb.meaning)}"]
    if verb.unsupported_hint:
        return [*about, f"This is not there yet. {_escape_grammar(verb.unsupported_hint)}"]
    about.append(f"For example: `{_escape_grammar(verb.example)}`")
    if verb.synonyms:
        about.append("Also: " + ", ".join(f"`/task {name}`" for name in verb.synonyms))
    return [*about, _options_help()] if verb.arguments == "prompt" else about


def _thread_verb_help(verb: ThreadVerb) -> list[str]:
    return [f"`{_escape_grammar(verb.usage)}` in a task's thread\n{_as_sentence(verb.meaning)}"]


def _unknown_verb_help(word: str) -> list[str]:
    shown = escape_line(word.replace("`", ""), 40)
    near = [f"`/task help {name}`" for name in find_nearest(word, [verb.name for verb in VERBS])]
    follow = f"Did you mean {' or '.join(near)}?" if near else "`/task help` lists them."
    return [f"There is no verb “{shown}”. {follow}"]


def _options_help() -> str:
    listed = "\n".join(
        f"`{option.name}=VALUE`  {_escape_grammar(option.meaning)}" for option in CREATE_OPTIONS
    )
    first = CREATE_OPTIONS[0].name
    return (
        f"*Options of* `/task create`\n{listed}\nAlso written `--{first} VALUE`, before the prompt or "
        "after it. Quote a value with blanks."
    )


def _as_sentence(meaning: str) -> str:
    return blocks.end_sentence(_escape_grammar(meaning[:1].upper() + meaning[1:]))


def _escape_grammar(text: str) -> str:
    """Escape a text of `grammar` for mrkdwn. Back-ticks in it still mark code."""
    return escape_mrkdwn(text)


def _paragraphs(paragraphs: Sequence[str]) -> Message:
    layout = [section(f"help.{number}", text) for number, text in enumerate(paragraphs)]
    return Message(text="\n\n".join(paragraphs), blocks=tuple(layout))
