"""The dialogs: their fields, the values that they keep while a person fills them, and Slack's limits."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from taskwire.domain.text.agent_questions import Choice
from taskwire.domain.text.message import Dialog, View
from taskwire.messages import forms
from taskwire.messages.forms import Field, PresetChoice, TemplateChoice
from tests.unit.message_examples import anything
from tests.unit.message_view import shown_view, view_faults

DOCKER = TemplateChoice(
    "t-1", "Docker", "acme", (PresetChoice("p-1", "Small"), PresetChoice("p-2", "Large", is_default=True))
)
PLAIN = TemplateChoice("t-2", "Plain")


def block_of(view: View, field: Field) -> dict[str, JsonValue]:
    blocks = view.content["blocks"]
    assert isinstance(blocks, list)
    found = [each for each in blocks if isinstance(each, dict) and action_of(each) == field.value]
    return found[0]


def action_of(block: dict[str, JsonValue]) -> JsonValue:
    element = block.get("element")
    return element.get("action_id") if isinstance(element, dict) else None


def test_the_form_asks_for_what_a_task_needs() -> None:
    """The form asks for what a task needs. It begins with the default preset, and with the channel in which
    the person opened the form."""
    view = forms.create_form([DOCKER, PLAIN], prompt="Fix it", channel="C1", private_metadata="key")

    assert shown_view(view) == [
        "# New task",
        "Template: Docker",
        "Preset: Large",
        "What should the agent do? Fix it",
        "Name: ",
        "Channel: C1",
        "[Create] [Cancel]",
    ]
    assert view_faults(view) == []
    assert (view.content["callback_id"], view.content["private_metadata"]) == ("create", "key")


def test_another_template_brings_its_own_presets() -> None:
    """A person chooses another template in the form, and Slack tells the bot at once. The form then has that
    template's presets in a field with a new block id. The prompt's field keeps its block id, so its text
    stays."""
    one, other = forms.create_form([DOCKER, PLAIN]), forms.create_form([DOCKER, PLAIN], chosen="t-2")
    again = forms.create_form([DOCKER, TemplateChoice("t-3", "More", presets=DOCKER.presets)], chosen="t-3")

    assert block_of(one, Field.TEMPLATE)["dispatch_action"] is True
    assert "Preset: Large" not in shown_view(other)
    assert block_of(again, Field.PRESET)["block_id"] != block_of(one, Field.PRESET)["block_id"]
    assert block_of(other, Field.PROMPT)["block_id"] == block_of(one, Field.PROMPT)["block_id"]


def test_a_chosen_preset_is_kept() -> None:
    """A form is shown again with an error. The form still has the preset that the person chose."""
    view = forms.create_form([DOCKER], preset="p-1", name="fix-it", error="That name is taken.")

    assert shown_view(view)[1:4] == [":warning: That name is taken.", "Template: Docker", "Preset: Small"]
    assert "Name: fix-it" in shown_view(view)


def test_a_direct_message_is_no_place_for_a_thread() -> None:
    """The bot cannot post in a direct message between two people, so the form has no channel chosen."""
    assert "Channel: " in shown_view(forms.create_form([PLAIN], channel="D1"))


def test_a_prompt_too_long_for_a_dialog_says_so() -> None:
    """If a prompt is too long for a dialog, the form says so, and that the end of the prompt is missing in
    it."""
    view = forms.create_form([PLAIN], prompt="x" * 3_500)

    assert shown_view(view)[1] == (
        ":warning: The prompt has 3,500 characters and a dialog holds 3,000: its end is missing here. "
        "`/task create PROMPT` takes it whole."
    )
    assert view_faults(view) == []


def test_without_templates_the_form_says_whom_to_ask() -> None:
    """A person cannot use any template for tasks. The form tells them to ask a Coder administrator, and has
    no button to submit."""
    view = forms.create_form([])

    assert shown_view(view) == [
        "# New task",
        "You have no template for tasks. Ask a Coder administrator for one.",
        "[Close]",
    ]
    assert view_faults(view) == []


def test_more_templates_than_a_menu_holds() -> None:
    """There are more templates than Slack's menu can hold. The chosen template is always in the menu, and a
    text says how to use the others."""
    many = [TemplateChoice(f"t-{n}", f"Template {n}") for n in range(150)]

    view = forms.create_form(many, chosen="t-149")

    assert view_faults(view) == []
    assert "Template: Template 149" in shown_view(view)
    assert "~ Only 100 templates fit here; `/task create template=NAME` takes any." in shown_view(view)


def test_deleting_asks_once_and_says_what_is_lost() -> None:
    """The dialog of *Delete* names the task, says what is lost, and has a way to cancel."""
    view = forms.delete_dialog("Fix the login", private_metadata="key", waiting=2)

    assert shown_view(view) == [
        "# Delete this task",
        "Delete Fix the login?",
        "This is lost:\n•  Its workspace and every file in it.\n•  What its agent wrote in Coder.",
        "~ Pushed commits and the thread stay; I'll post the 2 waiting replies in the thread. "
        "Deleting cannot be undone; stopping keeps everything.",
        "[Delete] [Keep it]",
    ]
    assert view.content["callback_id"] == Dialog.DELETE.value


def test_editing_shows_the_prompt_as_it_is() -> None:
    """The dialog for editing a prompt shows the task's present prompt in its field."""
    view = forms.edit_dialog("Fix the login", "Old words", private_metadata="key", name="fix-login")

    assert shown_view(view) == [
        "# Edit the prompt",
        "Fix the login",
        "Its new prompt: Old words",
        "~ The agent reads it when the task is resumed.",
        "[Save] [Cancel]",
    ]
    assert view.content["callback_id"] == Dialog.EDIT.value


def test_a_long_choice_is_whole_above_its_button() -> None:
    """A radio button's label has at most 75 characters, so the dialog shows a long choice whole above its
    button. A menu of the agent's program accepts only the number of a choice."""
    keep = "1. Keep the old column and copy each value in the background while the site is up"
    written = f"What shall I do?\n\n{keep}\n2. Drop it"
    offered = [Choice(keep, keep), Choice("2. Drop it", "2. Drop it")]
    menu = [Choice("1. Yes", "1"), Choice("2. No", "2")]

    long = forms.answer_dialog("Fix the login", written, private_metadata="key", choices=offered)
    of_menu = forms.answer_dialog("Fix it", "Go on?\n\n1. Yes\n2. No", private_metadata="", choices=menu)

    assert shown_view(long) == [
        "# Answer",
        "Fix the login",
        "What shall I do?",
        f"1. {keep[3:]}\n2. Drop it",
        f"Choose: ( ) {keep[:74].rpartition(' ')[0]}… ( ) 2. Drop it",
        "Your reply: ",
        "[Send] [Cancel]",
    ]
    assert shown_view(of_menu)[2:] == ["Go on?", "Choose: ( ) 1. Yes ( ) 2. No", "[Send] [Cancel]"]
    assert view_faults(long) + view_faults(of_menu) == []


def test_what_stands_in_for_a_dialog() -> None:
    """While the bot asks Coder, the dialog says so. If the dialog cannot be shown, an error dialog gives the
    reason. Neither has a button to submit."""
    assert shown_view(forms.loading_dialog(Dialog.CREATE))[1] == "One moment, asking Coder…"
    assert shown_view(forms.notice_dialog(Dialog.DELETE, "This task is gone already.")) == [
        "# Delete this task",
        "This task is gone already.",
        "[Close]",
    ]


@settings(deadline=None)
@given(anything, anything, anything, st.lists(st.tuples(anything, anything, anything), max_size=4))
def test_whatever_is_written_slack_takes_the_dialogs(
    prompt: str, title: str, error: str, named: list[tuple[str, str, str]]
) -> None:
    """With any text, the dialogs are within Slack's limits."""
    templates = [
        TemplateChoice(f"t-{n}", name, org, (PresetChoice(f"p-{n}", preset),))
        for n, (name, org, preset) in enumerate(named)
    ]
    views = [
        forms.create_form(templates, prompt=prompt, name=title, error=error),
        forms.edit_dialog(title, prompt, private_metadata="", name=title),
        forms.delete_dialog(title, private_metadata="", waiting=1),
        forms.notice_dialog(Dialog.CREATE, error),
    ]

    assert [fault for view in views for fault in view_faults(view)] == []
