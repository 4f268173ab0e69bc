"""Sections of the page docs/messages.md whose texts are made with more than example arguments: cards, notices
and commands that are typed wrongly. `message_book` makes the rest of the page.
"""

from collections.abc import Iterator
from typing import cast, get_args

from taskwire.domain.errors import UserError
from taskwire.domain.lifecycle.events import Notice, NoticeKind
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.parsing.commands import parse
from taskwire.domain.text.message import Block, Message, View
from taskwire.messages import cards, notices
from tests.unit import message_examples as examples
from tests.unit.message_examples import ALICE, CODER, FORGES, NOON_MS, OPENED, STATUS_OF_PHASE, link
from tests.unit.message_view import shown, shown_view

# In the examples, nothing has changed in a task for this time, or a question has been open for this time.
_LASTED_MS = {"stuck": 30 * 60_000, "reminder": 2 * 3_600_000}


def render(made: object) -> str:
    """Return a message, a dialog or a sentence as a person sees it. Return an empty text for any other value,
    for example a single block of a message."""
    match made:
        case Message():
            lines = shown(made) or [made.text]
        case View(content={"type": "home", "blocks": [*blocks]}):
            lines = shown(Message(text="Home", blocks=tuple(cast("list[Block]", blocks))))
        case View():
            lines = shown_view(made)
        case str() if " " in made:
            lines = [made]
        case (str() as what, str() as hint):
            lines = [f"{what} {hint}".strip()]
        case _:
            return ""
    return "\n".join(f"> {line}  " for part in lines for line in (part.splitlines() or [""])) + "\n"


def card_section() -> Iterator[str]:
    """Yield the card of a task in each phase, and the answer to `/task status`."""
    yield "## `messages/cards.py`\n"
    for phase in Phase:
        yield f"*The card while the task is “{phase.value}”.*\n"
        shown_link = link(phase, status=STATUS_OF_PHASE.get(phase, "active"))
        yield render(cards.card(shown_link, coder_url=CODER, forges=FORGES))
    yield "*The card while Coder does not answer.*\n"
    yield render(cards.card(link(), coder_url=CODER, forges=FORGES, unreachable_since_ms=NOON_MS))
    yield "*The answer to `/task status`.*\n"
    yield render(
        cards.status_card(link(), coder_url=CODER, forges=FORGES, permalink="https://acme.slack.com/1")
    )


def notice_section() -> Iterator[str]:
    """Yield a notice of each kind."""
    yield "## `messages/notices.py`: what a thread is told\n"
    for kind in get_args(NoticeKind):
        yield f"*{kind}*\n"
        told = Notice(kind=kind, id="n1", report=OPENED, build=1, lasted_ms=_LASTED_MS.get(kind, 0))
        calls = () if kind in ("paused", "resumed", "gone") else (ALICE,)
        yield render(notices.notice(link(), told, coder_url=CODER, forges=FORGES, calls=calls))
    yield "*needs_input, with the agent's own words and a choice*\n"
    asked = Notice(kind="needs_input", id="n2", report=OPENED, build=1)
    yield render(
        notices.notice(link(), asked, coder_url=CODER, forges=FORGES, written=examples.CHOICE, calls=(ALICE,))
    )
    yield "*completed, with the agent's own words*\n"
    done = Notice(kind="completed", id="n3", report=OPENED, build=1)
    yield render(notices.notice(link(), done, coder_url=CODER, forges=FORGES, written=examples.ANSWER))


_WRONG = (
    "stauts fix-login",
    "pause fix-login please",
    "create tempalte=docker fix it",
    "create name=My_Fix!! fix it",
    "create template= fix it",
    'create template="docker fix it',
    "create template=a template=b fix it",
    "list needs",
    "list mine owner=bob",
    "list page=x",
    "send fix-login",
    "!logs",
)


def command_section() -> Iterator[str]:
    """Yield the refusals of commands that are typed wrongly."""
    yield "## `/task` and something wrong\n"
    for typed in _WRONG:
        try:
            parse(typed)
        except UserError as error:
            yield f"*`/task {typed}`*\n"
            yield render(str(error))
