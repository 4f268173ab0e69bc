"""The texts of the help."""

import pytest

from taskwire.domain.parsing.grammar import CREATE_OPTIONS, THREAD_VERBS, VERBS
from taskwire.messages import help_texts
from tests.unit.message_view import buttons, faults, shown


def test_the_help_has_an_example_of_every_verb_that_works() -> None:
    """The help has an example of every verb after `/task`, every verb of threads, and every option of
    `create`. Verbs for administrators are left out."""
    message = help_texts.help_text(emoji="robot_face")
    _, others, examples, options, thread, _ = shown(message)

    for verb in VERBS:
        assert (f"`{verb.example}`" in examples) is not verb.is_for_admins
    assert all(f"`!{verb.word}`" in thread for verb in THREAD_VERBS)
    assert all(f"`{option.name}=`" in options for option in CREATE_OPTIONS)
    assert list(buttons(message)) == ["New task", "My tasks"]
    assert others.endswith("in the menu of a message, or react to it with :robot_face:.")
    assert "react" not in help_texts.help_text().text
    assert len(message.text) < 2_800
    assert faults(message) == []


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        (
            "list",
            (
                "`/task list [mine|all|needs-me|working|done|failed|paused] [owner=NAME]`\n"
                "Tasks that you can see; `needs-me` shows only those that need you.\n\n"
                "For example: `/task list needs-me`"
            ),
        ),
        ("!edit", "`!edit TEXT` in a task's thread\nGive the paused task another prompt."),
        ("lst", "There is no command “lst”. Did you mean `/task help list`?"),
        ("<frobnicate>", "There is no command “&lt;frobnicate&gt;”. `/task help` lists them."),
    ],
)
def test_the_help_of_one_verb(topic: str, says: str) -> None:
    """The help of a verb has an example. For a mistyped verb, it offers the nearest one."""
    assert help_texts.help_text(topic).text == says


def test_the_help_of_create_has_its_other_words_and_options() -> None:
    """The help of `create` also names `new` and `run`, which mean the same, and lists the options."""
    lines = shown(help_texts.help_text("new"))

    assert lines[0].startswith("`/task create [options] PROMPT`\nCreate a task here")
    assert lines[2] == "Also: `/task new`, `/task run`"
    assert lines[3].startswith("*Options of* `/task create`\n`template=VALUE`  the template to use")
