"""A command that is nearly right is answered with what the person probably meant."""

import pytest

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
    Pause,
    Resume,
    Send,
    Status,
    Templates,
    Unmute,
    parse,
)
from taskwire.domain.parsing.grammar import ListFilter
from taskwire.domain.parsing.near_misses import NearMiss
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.text.agent_text import AgentText

FIX = TaskName("fix-login")
OPEN, CLOSE = "\u201c", "\u201d"


SLIPS: list[tuple[str, str, dict[str, Command]]] = [
    ("lsit", "Show your tasks?", {"List": List()}),
    ("lsit needs-me", "Show your tasks?", {"List": List(ListFilter.NEEDS_ME)}),
    ("ls", "Show your tasks?", {"List": List()}),
    ("staus fix-login", "Show the status of *fix-login*?", {"Status": Status(FIX)}),
    ("Staus fix-login", "Show the status of *fix-login*?", {"Status": Status(FIX)}),
    ("stpo fix-login", "Stop *fix-login*?", {"Stop": Pause(FIX)}),
    ("puase fix", "Stop *fix*?", {"Stop": Pause(TaskName("fix"))}),
    ("halt fix-login", "Stop *fix-login*?", {"Stop": Pause(FIX)}),
    ("rseume bob/x-1", "Resume *bob/x-1*?", {"Resume": Resume(TaskName("x-1", "bob"))}),
    ("delte fix-login", "Delete *fix-login*?", {"Delete…": Delete(FIX)}),
    ("atach fix-login", "Give *fix-login* a thread here?", {"Attach": Attach(FIX)}),
    ("detatch fix-login", "Detach *fix-login*?", {"Detach": Detach(FIX)}),
    ("lgos fix-login full", "Show the log of *fix-login*?", {"Logs": Logs(FIX, full=True)}),
    ("sned fix-login hi there", "Send this to *fix-login*?", {"Send": Send(FIX, AgentText("hi there"))}),
    (
        "edti fix-login do it",
        "Give *fix-login* this prompt?",
        {"Replace prompt": Edit(FIX, AgentText("do it"))},
    ),
    ("creat fix the login", "Create a task with this?", {"Create": Create(AgentText("fix the login"))}),
    ("craete", "Open the form for a new task?", {"New task": OpenForm()}),
    ("templtes", "Show the templates?", {"Templates": Templates()}),
    ("hlep list", "Show the help?", {"Help": Help("list")}),
    (
        "umute fix-login",
        "I don't know `umute`.",
        {"Mute fix-login": Mute(FIX), "Unmute fix-login": Unmute(FIX)},
    ),
    (
        "stop fix-login please",
        "`stop` works like this: `/task stop NAME`. Or did you want to create a task with this text?",
        {"Stop fix-login": Pause(FIX), "Create a task": Create(AgentText("stop fix-login please"))},
    ),
    (
        "pause fix-login please",
        "`pause` works like this: `/task pause NAME`. Or did you want to create a task with this text?",
        {"Stop fix-login": Pause(FIX), "Create a task": Create(AgentText("pause fix-login please"))},
    ),
    ("list pasued", "There is no list `pasued`.", {"List paused": List(ListFilter.PAUSED)}),
    ("list onwer=bob", "There is no option `onwer`.", {"Use owner=…": List(owner="bob")}),
    ("help lst", "There is no command `lst`.", {"Help with list": Help("list")}),
    ("help bogus", "There is no command `bogus`.", {"All commands": Help()}),
    (
        "create tmplate=x go",
        "There is no option `tmplate`.",
        {"Use template=…": Create(AgentText("go"), "x"), "Use it as text": Create(AgentText("tmplate=x go"))},
    ),
    (
        "create template=x prset=y go",
        "There is no option `prset`.",
        {
            "Use preset=…": Create(AgentText("go"), "x", "y"),
            "Use it as text": Create(AgentText("prset=y go"), "x"),
        },
    ),
    (
        "create --force go",
        "There is no option `force`. Options are `template=…`, `preset=…`, `name=…` and `org=…`.",
        {"Use it as text": Create(AgentText("--force go"))},
    ),
    (
        f"create name={OPEN}My Fix!!{CLOSE} preset={OPEN}it\u2019s big{CLOSE} ask <@U1|bob> &amp; go",
        "Names look like `my-fix`.",
        {"Use it": Create(AgentText("ask @bob & go"), preset="it\u2019s big", name="my-fix")},
    ),
    (
        "create name=Fix_it template='\u201cmy\u201d docker'",
        "Names look like `fix-it`.",
        {"Use it": OpenForm(template="\u201cmy\u201d docker", name="fix-it")},
    ),
    (
        "create go name=new",
        "Names look like `new-task`. Or is `name=new` text for the agent?",
        {
            "Use it": Create(AgentText("go"), name="new-task"),
            "Use it as text": Create(AgentText("go name=new")),
        },
    ),
]


@pytest.mark.parametrize(("text", "says", "offers"), SLIPS)
def test_a_slip_is_answered_with_buttons_that_do_what_was_meant(
    text: str, says: str, offers: dict[str, Command]
) -> None:
    """A mistyped command is refused with a sentence, and with a button for each command that was probably
    meant. Nothing is created before the person presses a button."""
    with pytest.raises(NearMiss) as missed:
        parse(text)

    assert str(missed.value) == says
    assert {offer.label: parse(offer.line) for offer in missed.value.offers} == offers
