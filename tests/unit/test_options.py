"""Options of `/task create` that follow the prompt."""

import pytest

from taskwire.domain.errors import UserError
from taskwire.domain.parsing.commands import Command, Create, parse
from taskwire.domain.text.agent_text import AgentText

EM_DASH = "\u2014"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("create go template=docker", Create(AgentText("go"), "docker", trailing_options="template=docker")),
        (
            "create go --template docker\n",
            Create(AgentText("go"), "docker", trailing_options="--template docker"),
        ),
        (
            f"create go {EM_DASH}template=docker",
            Create(AgentText("go"), "docker", trailing_options=f"{EM_DASH}template=docker"),
        ),
        (
            'create go template="my docker"',
            Create(AgentText("go"), "my docker", trailing_options='template="my docker"'),
        ),
        ("create go Name=fix-1", Create(AgentText("go"), name="fix-1", trailing_options="Name=fix-1")),
        (
            "create template=a go\nname=fix-1 preset=R&amp;D",
            Create(AgentText("go"), "a", "R&D", "fix-1", trailing_options="name=fix-1 preset=R&D"),
        ),
        (
            'create go preset="a name=b"',
            Create(AgentText("go"), preset="a name=b", trailing_options='preset="a name=b"'),
        ),
    ],
)
def test_options_may_stand_behind_the_prompt(text: str, command: Command) -> None:
    """Options such as `name=x` may follow the prompt. They are removed from the prompt, and the command keeps
    their text in `trailing_options`."""
    assert parse(text) == command


def test_a_refused_option_behind_the_prompt_may_have_been_meant_as_text() -> None:
    """The bot refuses an option after the prompt. The refusal says how to keep the option's words as text."""
    assert refusal("create go name=ы") == (
        "A name has letters from a to z, digits, and single hyphens between them, at most 32 in all. Or is "
        "`name=ы` text for the agent?"
    )
    assert refusal("create go name=a name=b") == "`name` is given twice. Keep one of the two."
    assert refusal("create name=a go name=b") == "`name` is given twice. Keep one of the two."


def refusal(text: str) -> str:
    with pytest.raises(UserError) as refused:
        parse(text)
    return str(refused.value)
