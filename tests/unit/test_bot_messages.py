"""What a message to the bot asks for, outside the threads of tasks."""

import pytest

from taskwire.domain.errors import UserError
from taskwire.domain.parsing.bot_messages import Prompt, find_title, read_message
from taskwire.domain.parsing.commands import (
    Command,
    Create,
    Edit,
    Help,
    List,
    Logs,
    OpenForm,
    Pause,
    Send,
    Templates,
)
from taskwire.domain.parsing.grammar import ListFilter
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.text.agent_text import AgentText

FIX = TaskName(name="fix-login")


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("fix the login", "fix the login"),
        ("  fix\n\n- this\n- that ", "fix\n\n- this\n- that"),
        ("list the open ports", "list the open ports"),
        ("help us with the release notes", "help us with the release notes"),
        ("status page is down, find out why", "status page is down, find out why"),
        ("edit the readme", "edit the readme"),
        ("send the report to the team", "send the report to the team"),
        ("run the tests", "run the tests"),
        ("new login page", "new login page"),
        ("delete the old flags from the code", "delete the old flags from the code"),
        ("stop the bleeding in checkout", "stop the bleeding in checkout"),
        ("with thread pools we get deadlocks", "with thread pools we get deadlocks"),
        ("template of the mail is wrong", "template of the mail is wrong"),
        ("creat a login page", "creat a login page"),
        ("remove dead code", "remove dead code"),
        ("show me the failing tests", "show me the failing tests"),
        ("kill the flaky test", "kill the flaky test"),
        ("test login", "test login"),
    ],
)
@pytest.mark.parametrize("is_direct", [True, False])
def test_a_sentence_is_a_prompt(text: str, prompt: str, *, is_direct: bool) -> None:
    """A message to the bot that is a sentence becomes a prompt. The prompt keeps all words, even if the first
    word is a verb."""
    assert read_message(text, is_direct=is_direct) == Prompt(Create(AgentText(prompt)))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", Help()),
        ("help", Help()),
        ("?", Help()),
        ("!help", Help()),
        ("help pause", Help("pause")),
        ("list", List()),
        ("List mine", List(ListFilter.MINE)),
        ("templates", Templates()),
        ("pause fix-login", Pause(FIX)),
        ("!pause fix-login", Pause(FIX)),
        ("logs fix-login full", Logs(FIX, full=True)),
        ("send fix-login add a test", Send(FIX, AgentText("add a test"))),
        ("edit fix-login fix the logout", Edit(FIX, AgentText("fix the logout"))),
    ],
)
@pytest.mark.parametrize("is_direct", [True, False])
def test_a_command_is_read_as_after_task(text: str, command: Command, *, is_direct: bool) -> None:
    """A message that is a command means what the same text means after `/task`. The verb may begin with `!`
    or a capital letter."""
    assert read_message(text, is_direct=is_direct) == command


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("status Fix the login page", "Fix the login page"),
        ("!stop fix the login", "fix the login"),
        ("logs Fix the login full", "Fix the login"),
        ("delete the old flags from the code", "the old flags from the code"),
    ],
)
def test_words_after_a_verb_may_be_a_title(text: str, title: str) -> None:
    """A message has a verb and then words that may be a task's title. `find_title` returns these words. If no
    task has that title, the message is a prompt."""
    found = find_title(text)

    assert found is not None
    assert found[1] == title
    assert isinstance(read_message(text, is_direct=True), Prompt)


@pytest.mark.parametrize(
    "text", ["fix the login", "status fix-login", "list the open ports", "send fix use main", ""]
)
def test_other_messages_name_no_title(text: str) -> None:
    """A message without a verb, or without words after it that can be a title, names no title: `find_title`
    returns None."""
    assert find_title(text) is None


@pytest.mark.parametrize("before", ["with thread:", "With the thread: ", "with this thread :\n"])
def test_the_thread_is_given_only_if_it_is_asked_for(before: str) -> None:
    """A mention that begins with `with thread:` gives the agent the thread. Options may follow the colon."""
    expected = Create(AgentText("fix it"), name="fix")

    assert read_message(f"{before}name=fix fix it", is_direct=False) == Prompt(expected, with_thread=True)


def test_create_is_a_word_of_the_prompt_in_a_mention() -> None:
    """In a mention, `create a login page` is a prompt. With options, `create` is the command."""
    assert read_message("create a login page", is_direct=False) == Prompt(
        Create(AgentText("create a login page"))
    )
    assert read_message("create name=x fix it", is_direct=False) == Prompt(
        Create(AgentText("fix it"), name="x")
    )


def test_create_starts_a_task_at_once_in_a_direct_message() -> None:
    """In a direct message, `create fix it` starts a task. `create` without a prompt opens the form."""
    assert read_message("create fix it", is_direct=True) == Create(AgentText("fix it"))
    assert isinstance(read_message("create", is_direct=True), OpenForm)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("watch", "There is no task in this thread. To create one, mention me and say what to do."),
        ("pause", "Which task? Write `/task stop NAME`; `/task list` shows the names."),
        ("could you stop please", "Which task? Write `/task stop NAME`; `/task list` shows the names."),
        ("nmae=x fix it", "There is no option `nmae`."),
        ("stpo fix-login", "Stop *fix-login*?"),
        ("name=My_Fix fix it", "Names look like `my-fix`."),
    ],
)
def test_what_cannot_be_done_is_refused(text: str, says: str) -> None:
    """A message looks like a command but cannot be carried out, for example a mistyped verb or `pause`
    without a task's name. The bot refuses it with a sentence, and does not start a task with it as the
    prompt."""
    with pytest.raises(UserError) as refused:
        read_message(text, is_direct=False)

    assert str(refused.value).startswith(says)
