"""A text after `/task` becomes the intended command, or is refused with a helpful sentence."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.parsing.commands import (
    Attach,
    Command,
    Create,
    Delete,
    Detach,
    Edit,
    Help,
    List,
    Logs,
    Mute,
    OpenForm,
    Overview,
    Pause,
    Resume,
    Send,
    SlackPerson,
    Status,
    Templates,
    Unmute,
    parse,
)
from taskwire.domain.parsing.grammar import VERBS, ListFilter
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.text.agent_text import AgentText, sanitize_for_agent
from taskwire.domain.text.mrkdwn import escape_mrkdwn, is_blank

# A slow machine must not fail these tests.
patient = settings(deadline=None)
ID = "5f6c1f0e-6d0f-4b8e-9a53-0c8c3d0a1e11"
FIX = TaskName("fix-login")
OPEN, CLOSE = "\u201c", "\u201d"
EM_DASH = "\u2014"


def seen(text: str) -> bool:
    return bool(sanitize_for_agent(text)) and not is_blank(text)


def refusal(text: str) -> str:
    with pytest.raises(UserError) as refused:
        parse(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("create fix the login", Create(AgentText("fix the login"))),
        ("new fix the login", Create(AgentText("fix the login"))),
        ("run fix the login", Create(AgentText("fix the login"))),
        ("Create fix the login", Create(AgentText("fix the login"))),
        ("create\nfix the login", Create(AgentText("fix the login"))),
        ("create template=docker go", Create(AgentText("go"), "docker")),
        ("create --template docker go", Create(AgentText("go"), "docker")),
        ("create --template=docker go", Create(AgentText("go"), "docker")),
        (f"create {EM_DASH}template docker go", Create(AgentText("go"), "docker")),
        (f"create {EM_DASH}template=docker go", Create(AgentText("go"), "docker")),
        ("create Template=docker go", Create(AgentText("go"), "docker")),
        ('create template="my docker" go', Create(AgentText("go"), "my docker")),
        ("create template='my docker' go", Create(AgentText("go"), "my docker")),
        (f"create template={OPEN}my docker{CLOSE} go", Create(AgentText("go"), "my docker")),
        ("create --preset=\u2018it\u2019s big\u2019 go", Create(AgentText("go"), preset="it\u2019s big")),
        ("create template=\u201emy docker\u201c go", Create(AgentText("go"), "my docker")),
        ("create preset=R&amp;D go", Create(AgentText("go"), preset="R&D")),
        ("create org=acme name=fix-1 go", Create(AgentText("go"), name="fix-1", organization="acme")),
        ("create organization=acme go", Create(AgentText("go"), organization="acme")),
        ("create template=a\n preset=b\n\ngo", Create(AgentText("go"), "a", "b")),
    ],
)
def test_create_reads_options_in_every_spelling(text: str, command: Command) -> None:
    """All spellings of an option of `create` give the same command: with a phone's quotes or dashes, with an
    equals sign or a space, in any order."""
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("create fix  it\n  and\tthat\n", "fix  it\n  and\tthat"),
        ("create say &lt;b&gt; &amp;amp; go", "say <b> &amp; go"),
        ("create go templates=docker", "go templates=docker"),
        ("create go template=docker now", "go template=docker now"),
        ("create go template=", "go template="),
        ("create go --name", "go --name"),
        ("create go name==x", "go name==x"),
        ('create say "name=x"', 'say "name=x"'),
        ("create run\n```\nmake --name x\n```", "run\n```\nmake --name x\n```"),
        ("create -- go template=docker", "go template=docker"),
        ("create see https://x.example/?a=b", "see https://x.example/?a=b"),
        ("create https://x.example/?a=b fails", "https://x.example/?a=b fails"),
        ("create <https://x.example/?a=b&amp;c=d> fails", "https://x.example/?a=b&c=d fails"),
        ("create x == y is wrong", "x == y is wrong"),
        ("create x==y is wrong", "x==y is wrong"),
        ("create a=&gt;b is wrong", "a=>b is wrong"),
        ("create DEBUG=1 make fails", "DEBUG=1 make fails"),
        ("create -v is ignored", "-v is ignored"),
        ("create - one\n- two", "- one\n- two"),
        ("create ---\ntitle: x", "---\ntitle: x"),
        ("create -- debug=1 fails", "debug=1 fails"),
        (f"create template=a {EM_DASH} --force fails", "--force fails"),
        ('create "quoted" words', '"quoted" words'),
        (f"create {OPEN}quoted{CLOSE}", f"{OPEN}quoted{CLOSE}"),
        ("create ```\nif a:\n    b\n```", "```\nif a:\n    b\n```"),
        ("create ask <@U1|alice> in <#C1|dev>", "ask @alice in #dev"),
        ("create fix <http://README.md|README.md>", "fix README.md"),
        ("create read <https://x.example/a|the page>", "read the page (https://x.example/a)"),
        ("create mail <mailto:a@x.example|a@x.example>", "mail a@x.example"),
    ],
)
def test_the_prompt_is_what_was_typed(text: str, prompt: str) -> None:
    """The prompt of `create` is the text that the person typed. Only options before it and blanks at both
    ends are removed, and Slack's escapes and links are turned back into text."""
    command = parse(text)

    assert isinstance(command, Create)
    assert command.prompt == prompt


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "create template= go",
            "`template` has no value. Write `template=VALUE`, with no space around `=`.",
        ),
        (
            "create --template",
            "`template` has no value. Write `template=VALUE`, with no space around `=`.",
        ),
        (
            "create --template --preset a go",
            "`template` has no value. Write `template=VALUE`, with no space around `=`.",
        ),
        ('create template="" go', '`template` has no value. Write `template="VALUE"`.'),
        ('create template="a go', 'The quote after `template` is never closed. Write `template="VALUE"`.'),
        (
            'create template="a"go',
            "Something follows the closing quote of `template` at once. Put a space there.",
        ),
        ("create template=a --template a go", "`template` is given twice. Keep one of the two."),
        ("create org=a organization=b go", "`org` is given twice. Keep one of the two."),
    ],
)
def test_a_wrong_option_creates_nothing(text: str, answer: str) -> None:
    """If an option of `create` is malformed or given twice, the command is refused. The refusal says what is
    wrong and what to write."""
    assert refusal(text) == answer


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("create", OpenForm()),
        ("run  ", OpenForm()),
        ("create template=docker", OpenForm(template="docker")),
        ("the login is broken", OpenForm("the login is broken")),
        ("Fix a &lt; b", OpenForm("Fix a < b")),
        ("sand the edges", OpenForm("sand the edges")),
        ("end the loop", OpenForm("end the loop")),
        ("lost my changes", OpenForm("lost my changes")),
        ("now add tests", OpenForm("now add tests")),
        ("remove dead code", OpenForm("remove dead code")),
        ("start over with the parser", OpenForm("start over with the parser")),
        ("hello", OpenForm("hello")),
        ("<https://x.example/1>", OpenForm("https://x.example/1")),
    ],
)
def test_text_without_a_verb_opens_the_form(text: str, form: Command) -> None:
    """If the text after `/task` has no verb, or `create` has no prompt, the form opens with what was typed.
    No task starts before the person submits the form."""
    assert parse(text) == form


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("list", List()),
        ("list mine", List(ListFilter.MINE)),
        ("list needs_me", List(ListFilter.NEEDS_ME)),
        ("list needs me", List(ListFilter.NEEDS_ME)),
        ("list needs you", List(ListFilter.NEEDS_ME)),
        ("list done", List(ListFilter.DONE)),
        ("list Paused page=2", List(ListFilter.PAUSED, page=2)),
        ("list owner=bob", List(owner="bob")),
        ("list --owner @bob all", List(owner="bob")),
        ("list owner=<@U123|bob> error", List(ListFilter.ERROR, SlackPerson(UserId("U123"), "bob"))),
        ("status fix-login", Status(FIX)),
        ("logs fix-login", Logs(FIX)),
        ("logs fix-login full", Logs(FIX, full=True)),
        ("logs fix-login --full", Logs(FIX, full=True)),
        ("send fix-login add\n  a test", Send(FIX, AgentText("add\n  a test"))),
        ("send fix-login ask <@U1|bob> &amp; wait", Send(FIX, AgentText("ask @bob & wait"))),
        ("pause fix-login", Pause(FIX)),
        ("stop fix-login", Pause(FIX)),
        ("Cancel fix-login", Pause(FIX)),
        ("resume fix-login", Resume(FIX)),
        ("delete fix-login", Delete(FIX)),
        ("edit fix-login do that instead", Edit(FIX, AgentText("do that instead"))),
        ("attach fix-login", Attach(FIX)),
        ("detach fix-login", Detach(FIX)),
        ("mute fix-login", Mute(FIX)),
        ("Unmute fix-login", Unmute(FIX)),
        ("templates", Templates()),
        ("", Overview()),
        ("?", Help()),
        ("--help", Help()),
        ("help", Help()),
        ("help run", Help("create")),
        ("help !mute", Help("mute")),
        ("help /task logs", Help("logs")),
        ("create --help", Help("create")),
    ],
)
def test_every_verb_is_read(text: str, command: Command) -> None:
    """Each verb becomes a command object of its own type."""
    assert parse(text) == command


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "!Unmute",
            (
                "Write `/task unmute NAME` here, or `!unmute` in the task's thread, or choose *Unmute* in "
                "its card's menu *More…*."
            ),
        ),
        (
            "watch fix-login",
            "Write `!watch` in the task's thread, or choose *Watch* in its card's menu *More…*.",
        ),
    ],
)
def test_a_verb_of_the_thread_is_sent_there(text: str, answer: str) -> None:
    """A verb that works only in threads is not a prompt. The answer says where to type the verb."""
    assert refusal(text) == answer


def test_a_sentence_that_begins_like_a_verb_of_the_thread_opens_the_form() -> None:
    """`watch` is a verb of threads only. If more than a name follows it after `/task`, the text is a prompt
    and opens the form."""
    assert parse("watch the alarm of the login") == OpenForm("watch the alarm of the login")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("status", "Which task? Write `/task status NAME`; `/task list` shows the names."),
        (
            "status fix_login",
            (
                "Not a task's name: `fix_login`. "
                "Give its name or title, `owner/name`, its id, or a link to it in Coder; `/task list` shows "
                "them."
            ),
        ),
        (
            "send fix-login",
            "`send` needs text after the name. For example: `/task send fix-login please add a test`.",
        ),
        (
            "list nonsense",
            "There is no list `nonsense`. Choose one: mine, all, needs-me, working, done, failed, paused.",
        ),
        ("list page=0", "Not a page: `0`. Write `page=2` for the second."),
        ("list owner=a owner=b", "`owner` is given twice. Keep one of the two."),
        ("list owner=a all owner=b", "`owner` is given twice. Keep one of the two."),
        ("list mine owner=bob", "`mine` and `owner=` ask for different tasks. Keep one of the two."),
        ("audit page=0", "Not a page: `0`. Write `page=2` for the second."),
        (
            "audit since=soon",
            "Not a time: `soon`. Write `since=7d`, `since=12h` or `since=2026-11-27`.",
        ),
    ],
)
def test_what_cannot_be_done_is_answered_with_what_can(text: str, answer: str) -> None:
    """A command with a missing or impossible argument is refused. The refusal says what is wrong and what to
    write instead, and has no error code."""
    assert refusal(text) == answer


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Fix-Login", FIX),
        ("`fix-login`", FIX),
        ("alice/fix-login", TaskName("fix-login", "alice")),
        ("@alice/fix-login", TaskName("fix-login", "alice")),
        (ID.upper(), TaskName(id=ID)),
        (f"alice/{ID}", TaskName(owner="alice", id=ID)),
        (f"https://coder.x.example/tasks/alice/{ID}", TaskName("", "alice", ID, "coder.x.example")),
        (f"<https://coder.x.example/tasks/alice/{ID}|here>", TaskName("", "alice", ID, "coder.x.example")),
        ("<https://x.example:3/a/tasks/alice/fix-1?x=1#y>", TaskName("fix-1", "alice", "", "x.example:3")),
        ("https://x.example/@alice/fix-1/terminal", TaskName("fix-1", "alice", "", "x.example")),
        ("\u201cFix  the login\u201d", TaskName(title="Fix the login")),
    ],
)
def test_a_task_is_named_in_five_ways(text: str, name: TaskName) -> None:
    """A task can be named by its name, owner/name, id, link or title."""
    assert TaskName.parse(text) == name


@pytest.mark.parametrize("text", ["", "-x", "a//b", "/b", "https://x.example/a/b", "<@U1|bob>", "a/b/c"])
def test_other_words_name_no_task(text: str) -> None:
    """The parser refuses an impossible name without a request to Coder."""
    with pytest.raises(UserError):
        TaskName.parse(text)


def test_every_example_of_the_grammar_is_understood() -> None:
    """The parser understands each example that the help shows."""
    for verb in VERBS:
        line = verb.example.removeprefix("/task ")

        assert type(parse(line)).__name__.lower().removeprefix("open") == verb.name


@patient
@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    """Any text becomes a command or is refused with a sentence."""
    for typed in (text, escape_mrkdwn(text), f"create {text}", f"list {text}", f"send fix-login {text}"):
        with suppress(UserError):
            assert parse(typed) is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("status <!channel>", "Not a task's name: `@\u2060channel`."),
        ("help &lt;b", "There is no command `&lt;b`."),
        ("list &amp;c", "There is no list `&amp;c`."),
    ],
)
def test_what_a_refusal_quotes_is_inert(text: str, says: str) -> None:
    """A refusal quotes the person's text in mrkdwn. The quoted text mentions nobody and stays visible."""
    assert refusal(text).startswith(says)


@pytest.mark.parametrize("blank", ["", "\u200b", "\u2060 \u200d", "\u00a0"])
def test_a_prompt_that_cannot_be_seen_is_none(blank: str) -> None:
    """A prompt of invisible characters opens the form, like no prompt."""
    assert isinstance(parse(f"create template=docker {blank}"), OpenForm)


@patient
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])).map(str.strip).filter(seen))
def test_any_prompt_survives_the_way_through_slack(prompt: str) -> None:
    """No text after `--` is read as an option. The agent gets any prompt as it was typed, without unsafe
    characters."""
    assert parse(f"create template=a -- {escape_mrkdwn(prompt)}") == Create(sanitize_for_agent(prompt), "a")
