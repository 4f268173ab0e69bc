"""Example commands that are nearly right, for the page with what the bot says."""

from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.parsing.commands import parse
from taskwire.domain.parsing.grammar import Verb, find_verb
from taskwire.domain.parsing.near_misses import (
    NearMiss,
    SeveralTasks,
    UnknownTask,
    offer_own_tasks,
    offer_tasks,
)
from taskwire.domain.text.message import Block
from taskwire.messages import refusals
from taskwire.messages.task_lists import Hosts, TaskLine, get_task_text, task_row
from tests.unit.message_examples import CODER, FORGES, link

_NAMES = ("alice/fix-login-1a2b", "alice/fix-login-3c4d")


def _find_near_miss(typed: str) -> NearMiss:
    try:
        parse(typed)
    except NearMiss as found:
        return found
    raise AssertionError(f"/task {typed} is understood")


def _verb(word: str) -> Verb:
    found = find_verb(word)
    assert found is not None
    return found


def _rows(*phases: Phase) -> list[tuple[Block, str]]:
    items, hosts = [TaskLine(link(phase)) for phase in phases], Hosts(CODER, FORGES)
    return [(task_row(f"task.{n}", item, hosts), get_task_text(item)) for n, item in enumerate(items)]


_TWO = _rows(Phase.WORKING, Phase.DONE)
_NO_TITLE = refusals.no_such_title("the login", ("fix-login-1a2b",))

NEAR_MISSES = (
    _find_near_miss("create tempalte=docker fix it"),
    _find_near_miss("stpo fix-login"),
    offer_tasks(SeveralTasks("", "", "fix-login", _NAMES, _TWO), _verb("status")),
    offer_tasks(UnknownTask(*_NO_TITLE, "", _NAMES[:1], _TWO[:1]), _verb("share")),
    offer_tasks(UnknownTask(*_NO_TITLE, "", _NAMES, _TWO, "use main"), _verb("send"), "use main"),
    offer_tasks(SeveralTasks("", "", "fix-login", _NAMES, _TWO), _verb("stop"), idle=(1,)),
    offer_own_tasks(_verb("stop"), _NAMES, _TWO),
    offer_own_tasks(_verb("status"), [*_NAMES, "alice/docs"], _TWO),
    offer_own_tasks(_verb("mute"), (), ()),
    offer_own_tasks(_verb("status"), (), ()),
    offer_own_tasks(_verb("logs"), (), ()),
    offer_own_tasks(_verb("send"), (), ()),
)
