"""The dialogs: the form for a new task, and the dialogs for answer, edit and delete.

`loading_dialog` opens a dialog at once. When Coder has answered, the dialog's content is replaced. When a
dialog is submitted, a field is found by its action id. The block id of the preset's field contains the
template. Otherwise Slack would keep the chosen preset when the person chooses another template.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from pydantic import JsonValue

from taskwire.domain.masking.secret_patterns import MASK
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.text.agent_questions import Choice, leave_out_choices, read_answer
from taskwire.domain.text.markdown import cut_at_block
from taskwire.domain.text.message import Block, Button, Dialog, Message, View
from taskwire.domain.text.mrkdwn import break_emoji
from taskwire.messages import blocks
from taskwire.messages.answer_blocks import answer_block
from taskwire.messages.blocks import cut, line, one_line, plain_text, section, text_piece
from taskwire.messages.dialog_fields import (
    MOST_OPTIONS,
    OPTION_LENGTH,
    limit_options,
    make_field,
    make_menu,
    make_option,
    make_view,
    small_text,
)
from taskwire.messages.person_settings_form import person_fields, zone_note

# Slack's limit for a plain_text_input, in characters. It applies to an initial value and to what a person
# types.
INPUT_LENGTH = 3_000
# How much of an agent's answer the dialog shows above the field, in characters.
ANSWER_SHOWN_LENGTH = 1_500
TASK_NAME_LENGTH = 32

# Errors beside a field.
PROMPT_MISSING = "Say what the agent should do."
PROMPT_EMPTY = "The prompt cannot be empty."
ANSWER_EMPTY = "Write your reply."
ANSWER_NOT_CHOSEN = "Choose one, or write your reply."
PROMPT_IS_COMMAND = "Agents run what begins with ! as a shell command. Put a word first."
PROMPT_MASKED = f"{MASK} hides a secret. Write the secret there, or leave that part out."
CHANNEL_MISSING = "Choose a channel."


class Field(StrEnum):
    """The action id of each field."""

    TEMPLATE = "form.template"
    PRESET = "form.preset"
    PROMPT = "form.prompt"
    NAME = "form.name"
    CHANNEL = "form.channel"
    WITH_THREAD = "form.with_thread"
    CHOICE = "form.choice"


@dataclass(frozen=True)
class PresetChoice:
    """A preset of a template. `id` is the preset's id in Coder."""

    id: str
    name: str
    is_default: bool = False


@dataclass(frozen=True)
class TemplateChoice:
    """A template that this person may use. `id` is the template's id in Coder.

    `organization` is shown below the title, because two organizations can use the same title.
    """

    id: str
    title: str
    organization: str = ""
    presets: tuple[PresetChoice, ...] = ()


def loading_dialog(dialog: Dialog) -> View:
    """Make a dialog to open at once, because Slack's trigger expires after 3 s and Coder may take longer."""
    return make_view(dialog, [section("loading", "One moment, asking Coder…")])


def create_form(
    templates: Sequence[TemplateChoice],
    *,
    prompt: str = "",
    chosen: str = "",
    preset: str = "",
    name: str = "",
    channel: str = "",
    error: str = "",
    private_metadata: str = "",
    with_thread: bool | None = None,
) -> View:
    """Make the form for a new task, with these initial values.

    `chosen` is the id of the selected template, by default the first one. `preset` is the id of the selected
    preset, by default the template's own default. `error` is shown above the fields. Slack sends
    `private_metadata` back with the form. `with_thread` is None if there is no thread that the agent could
    get.
    """
    if not templates:
        return notice_dialog(
            Dialog.CREATE,
            "You have no template for tasks. Ask a Coder administrator for one.",
        )
    shown = limit_options(templates, next((each for each in templates if each.id == chosen), None))
    template = next((each for each in shown if each.id == chosen), shown[0])
    fields = [_template_field(shown, template)]
    fields += _preset_field(template, preset)
    fields += [_prompt_field("What should the agent do?", prompt), _name_field(name), _channel_field(channel)]
    if with_thread is not None:
        fields.insert(-2, _thread_field(is_chosen=with_thread))
    notes = [*_error_note(error), *_too_long_note(prompt, "/task create PROMPT"), *_masked_note(prompt)]
    layout = [*notes, *fields]
    if len(templates) > len(shown):
        layout.append(
            small_text(
                "more", f"Only {MOST_OPTIONS} templates fit here; `/task create template=NAME` takes any."
            )
        )
    return make_view(Dialog.CREATE, layout, private_metadata, "Create")


def edit_dialog(title: str, prompt: str, *, private_metadata: str, name: str = "") -> View:
    """Make the dialog for the new prompt of a paused task. Slack sends `private_metadata` back on Save."""
    command = f"/task edit {one_line(name, TASK_NAME_LENGTH) or 'NAME'} TEXT"
    layout = [
        line("title", [text_piece(one_line(title, blocks.TITLE_LENGTH) or "This task", is_bold=True)]),
        *_too_long_note(prompt, command),
        *_masked_note(prompt),
        _prompt_field("Its new prompt", prompt),
        small_text("next", "The agent reads it when the task is resumed."),
    ]
    return make_view(Dialog.EDIT, layout, private_metadata, "Save")


def answer_dialog(title: str, written: str, *, private_metadata: str, choices: Sequence[Choice] = ()) -> View:
    """Make the dialog for a reply to the agent. `written` is the agent's last answer as Markdown.

    `choices` are the choices of the agent's open question. If the agent's program shows a menu, it accepts
    only one of these choices.
    """
    layout = [line("title", [text_piece(one_line(title, blocks.TITLE_LENGTH) or "This task", is_bold=True)])]
    beginning = cut_at_block(written, ANSWER_SHOWN_LENGTH)
    answer = read_answer(beginning, written if beginning != written else "")
    if answer.headline:
        layout.append(line("question", [text_piece(break_emoji(answer.headline), is_bold=True)]))
    is_whole = all(len(choice.label) <= OPTION_LENGTH for choice in choices)
    body = leave_out_choices(answer.body, choices) if is_whole else answer.body
    if body:
        layout.append(answer_block("written", body))
    is_menu = any(choice.is_menu for choice in choices)
    if choices:
        layout.append(_choice_field(choices, is_optional=not is_menu))
    if not is_menu:
        layout.append(_answer_field(is_beside_choices=bool(choices)))
    return make_view(Dialog.ANSWER, layout, private_metadata, "Send")


def _choice_field(choices: Sequence[Choice], *, is_optional: bool) -> Block:
    options: list[JsonValue] = [make_option(each.label, f"{n}") for n, each in enumerate(choices)]
    element: Block = {"type": "radio_buttons", "action_id": Field.CHOICE.value, "options": options}
    return make_field(Field.CHOICE.value, "Choose", element, is_optional=is_optional)


def _answer_field(*, is_beside_choices: bool) -> Block:
    if not is_beside_choices:
        return _prompt_field("Your reply", "", hint="For example: use the new name.")
    # A choice among Slack's radio buttons cannot be taken back. So a person who has chosen may also write a
    # text.
    element: Block = {
        "type": "plain_text_input",
        "action_id": Field.PROMPT.value,
        "multiline": True,
        "max_length": INPUT_LENGTH,
    }
    hint = "If you choose and write, the agent gets both."
    return make_field(Field.PROMPT.value, "Your reply", element, is_optional=True, hint=hint)


def delete_dialog(title: str, *, private_metadata: str, waiting: int = 0) -> View:
    """Make the dialog that asks before a task is deleted. `waiting` is the number of undelivered replies."""
    losses = ["Its workspace and every file in it.", "What its agent wrote in Coder."]
    replies = "waiting reply" if waiting == 1 else f"{waiting} waiting replies"
    stays = "Pushed commits and the thread stay"
    stays += f"; I'll post the {replies} in the thread." if waiting else "."
    layout = [
        line(
            "title",
            [
                text_piece("Delete "),
                text_piece(one_line(title, blocks.TITLE_LENGTH) or "this task", is_bold=True),
                text_piece("?"),
            ],
        ),
        section("lost", "This is lost:\n" + "\n".join(f"•  {loss}" for loss in losses)),
        small_text("stays", f"{stays} Deleting cannot be undone; stopping keeps everything."),
    ]
    return make_view(Dialog.DELETE, layout, private_metadata, "Delete", "Keep it")


def page_dialog(title: str, url: str) -> View:
    """Make the dialog with the link to a task's page, because an entry of a card's menu opens no page."""
    name = blocks.bold_name(title)
    page = blocks.button_rows("buttons", [blocks.button(Button.OPEN_CODER, "Open in Coder", url=url)])
    return make_view(Dialog.PAGE, [section("title", name), *page])


def logs_dialog(answer: Message) -> View:
    """Make the dialog that shows what an agent wrote last. `answer` is the same as a message."""
    return make_view(Dialog.LOGS, answer.blocks)


def preferences_dialog(settings: PersonSettings, *, private_metadata: str) -> View:
    """Make the dialog for a person's own settings. Slack sends `private_metadata` back on Save."""
    layout = [
        *person_fields(settings),
        zone_note(),
    ]
    return make_view(Dialog.PREFERENCES, layout, private_metadata, "Save")


def notice_dialog(dialog: Dialog, text: str) -> View:
    """Make a dialog that only shows a text, for example an error."""
    return make_view(dialog, [section("notice", cut(text.strip(), INPUT_LENGTH) or "Nothing to do here.")])


def too_many_choices(view: View, most: int) -> View:
    """Say above the fields of a dialog that the person has chosen more than `most` templates in a minute."""
    words = (
        f"You changed the template more than {most} times in a minute, so I have not updated the presets. "
        "Choose the template again in a minute."
    )
    fields = cast("list[JsonValue]", view.content["blocks"])
    return View(content=view.content | {"blocks": [*_error_note(words), *fields]})


def _error_note(error: str) -> list[Block]:
    return [section("error", cut(f":warning: {error}", INPUT_LENGTH))] if error else []


def _too_long_note(prompt: str, command: str) -> list[Block]:
    if len(prompt) <= INPUT_LENGTH:
        return []
    return [
        section(
            "too_long",
            f":warning: The prompt has {len(prompt):,} characters and a dialog holds {INPUT_LENGTH:,}: its "
            f"end is missing here. `{command}` takes it whole.",
        )
    ]


def _masked_note(prompt: str) -> list[Block]:
    return [small_text("masked", PROMPT_MASKED)] if MASK in prompt else []


def _template_field(templates: Sequence[TemplateChoice], template: TemplateChoice) -> Block:
    options = {each.id: make_option(each.title, each.id, each.organization) for each in templates}
    menu = make_menu(Field.TEMPLATE, list(options.values()), options[template.id], "Choose a template")
    return make_field(Field.TEMPLATE.value, "Template", menu) | {"dispatch_action": True}


def _preset_field(template: TemplateChoice, preset: str) -> list[Block]:
    if not template.presets:
        return []
    presets = template.presets[:MOST_OPTIONS]
    chosen = next((each for each in presets if each.id == preset), None) or next(
        (each for each in presets if each.is_default), None
    )
    options = {each.id: make_option(each.name, each.id) for each in presets}
    initial = None if chosen is None else options[chosen.id]
    menu = make_menu(Field.PRESET, list(options.values()), initial, "The template's own values")
    return [make_field(preset_block_id(template.id), "Preset", menu, is_optional=True)]


def preset_block_id(template: str) -> str:
    """Return the block id of the preset field for a template."""
    return f"{Field.PRESET}:{template}"[:255]


def _prompt_field(
    label: str, prompt: str, hint: str = "For example: fix the login redirect, which leads to /404."
) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": Field.PROMPT.value,
        "multiline": True,
        "max_length": INPUT_LENGTH,
        "focus_on_load": True,
        "placeholder": plain_text(hint, 150),
    }
    return make_field(
        Field.PROMPT.value, label, element | ({"initial_value": prompt[:INPUT_LENGTH]} if prompt else {})
    )


def _name_field(name: str) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": Field.NAME.value,
        "max_length": TASK_NAME_LENGTH,
    }
    given: Block = {"initial_value": name[:TASK_NAME_LENGTH]} if name else {}
    hint = "Letters, digits and hyphens. Left empty, it is made from the prompt."
    return make_field(Field.NAME.value, "Name", element | given, is_optional=True, hint=hint)


def _thread_field(*, is_chosen: bool) -> Block:
    options: list[JsonValue] = [make_option("Give the agent the other messages of the thread", "yes")]
    element: Block = {"type": "checkboxes", "action_id": Field.WITH_THREAD.value, "options": options}
    given: Block = {"initial_options": options} if is_chosen else {}
    return make_field(Field.WITH_THREAD.value, "Context", element | given, is_optional=True)


def _channel_field(channel: str) -> Block:
    element: Block = {
        "type": "conversations_select",
        "action_id": Field.CHANNEL.value,
        "placeholder": plain_text("Choose a channel", 150),
        # The list offers no direct messages, and no channels that are shared with other companies, because
        # the bot must be able to post in the chosen place.
        "filter": {
            "include": ["public", "private"],
            "exclude_external_shared_channels": True,
            "exclude_bot_users": True,
        },
    }
    given: Block = {"initial_conversation": channel} if channel.startswith(("C", "G")) else {}
    hint = "Its thread opens there. Taskwire has to be a member."
    if channel.startswith("D"):
        hint = f"{hint} Left empty, it opens in this direct message."
    return make_field(
        Field.CHANNEL.value, "Channel", element | given, hint=hint, is_optional=channel.startswith("D")
    )
