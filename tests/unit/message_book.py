"""Makes the page docs/messages.md, which has nearly all that the bot says, from the functions in
`taskwire.messages`.

Each public function that returns a message, a dialog or a sentence is called with example arguments. The
names of its parameters select the examples. If a parameter has no example, an error names the parameter.
`python -m tests.unit.message_book` writes the page again.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Literal, get_args, get_origin

from taskwire import messages
from taskwire.domain.audit import AuditEntry, StoredEntry
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.lifecycle.events import Notice
from taskwire.domain.lifecycle.links import Hold
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.queueing.jobs import CreateRequested, Reply
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_questions import Choice
from taskwire.domain.text.agent_text import AgentText
from taskwire.domain.text.message import AgentOutput, Dialog
from taskwire.messages import notices, refusals, shapes, task_limits
from taskwire.messages.accounts import ConnectWays, ShownAccount
from taskwire.messages.card_controls import Place
from taskwire.messages.forms import PresetChoice, TemplateChoice, loading_dialog
from taskwire.messages.home import HomePage
from taskwire.messages.missing_rights import RefusedAct
from taskwire.messages.settings_form import Defaults
from taskwire.messages.task_lists import Hosts, TaskLine, WaitingCreates
from taskwire.messages.template_lists import TemplateLine
from taskwire.people.permissions import VIEWERS_VERBS
from tests.unit import message_examples as examples
from tests.unit.message_examples import ALICE, CODER, FORGES, NOON, NOON_MS, link
from tests.unit.message_sections import card_section, command_section, notice_section, render
from tests.unit.near_miss_examples import NEAR_MISSES

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
_HEAD = """# What Taskwire says

A test makes this page from the functions and the constants that write the messages, with example names.
Not here: some rare texts, the small print of menus, and most findings of `taskwire doctor`.
Most headings are files in `src/taskwire/`. A line in italics says what the message below it is for.
`[Brackets]` are buttons, `[⋯ …]` is a menu, `#` is a title, `~` is small print, and `{ago}` is a time.
"""
# The functions of these modules return only parts of messages.
_PARTS = {"blocks", "shapes", "answer_blocks", "card_controls", "dialog_fields", "phone"}

_REPLY = Reply(person=UserId("U2"), ts=Ts("1777636800.000300"), text="use the fast path")
_HOLD = Hold(person=ALICE, at=Ts("1777636800.000400"), reply_id="reply:1777636800.000400")
_REQUESTER = Requester(person=ALICE, channel=ChannelId("C1"), at=Ts("1777636800.000100"))
_ENTRY = StoredEntry(
    number=7,
    at=NOON,
    hash="5ba93c9db0cff93f52b521d7420e43f6eda2784f",
    entry=AuditEntry(
        person=ALICE,
        account="alice",
        verb="pause",
        task="fix-login-1a2b",
        surface="button",
        channel="C0GENERAL",
        outcome="refused",
        reason="not_allowed",
        reference="3f6a91c08d2e",
    ),
)
_NO_ROOM = task_limits.owner_runs_too_many(10)
_ERROR = UserError("There is no task `fix-lgoin` that you can see here.", "Did you mean `fix-login-1a2b`?")


# Examples by the name of a parameter, or of a function and its parameter. The page shows each example.
_EXAMPLES: dict[str, tuple[object, ...]] = {
    "account": (
        ShownAccount("alice", NOON),
        ShownAccount("alice", is_refused=True),
        ShownAccount(),
        ShownAccount(is_optional=False),
    ),
    "address": ("127.0.0.1:8080",),
    "ask_about_held_replies.link": (link(), link().model_copy(update={"hold": _HOLD})),
    "ask_about_held_replies.what": ("Pausing", "Paused by Alice Adams"),
    "at": (NOON,),
    "author": ("Bob Berg",),
    "by_name": ("Alice Adams",),
    "channel": ("C0GENERAL",),
    "chosen": ("1. Mend them here",),
    "code_word": ("not_in_channel", "is_archived", "channel_not_found", "restricted_action"),
    "coder_url": (CODER,),
    "ways": (ConnectWays(CODER), ConnectWays(CODER, has_page=True)),
    "tries_left": (3, 0),
    "count": (1, 3),
    "held_count": (0, 1, 2),
    "creates": (
        WaitingCreates(),
        WaitingCreates(
            ("*Fix the login* waits for your Coder account.",),
            ("*Add metrics* waits for Coder. I'll try again.",),
        ),
    ),
    "create_waits.prompt": ("fix the login", ""),
    "create_waits_for_account.prompt": ("fix the login", ""),
    "waits": (("*Fix the login* waits for your Coder account.",),),
    "task_list.waits": ((), ("*Fix the login* waits for your Coder account.",)),
    "decided_before.name": ("You", "Alice Adams"),
    "default": ("docker",),
    "delivery_given_up.why": ("every try failed for a day",),
    "default_template_missing.default": ("old",),
    "defaults": (Defaults("docker", 20, 1_800, 0),),
    "no_account.count": (2, 0),
    "entries": ((_ENTRY,), ()),
    "email": ("alice@example.com",),
    "owner": (ALICE,),
    "error": (_ERROR,),
    "quiet_until": (None, NOON),
    "sharer": ("Alice Adams",),
    "wish": ("creating *Fix the login*",),
    **dict.fromkeys(
        (
            f"{name}.username"
            for name in (
                *("connected", "disconnected", "offer_another", "ask_for_number"),
                *("account_ended", "account_ends", "account_taken", "request_waits_again"),
                *("account_was_suspended", "account_replaced"),
            )
        ),
        ("alice",),
    ),
    **dict.fromkeys(
        (
            f"{name}.name"
            for name in (
                *("passed_on", "taken_back", "edited_after_passing_on", "files_changed"),
                *("account_taken", "account_replaced", "cannot_share_with", "fallback_not_there"),
            )
        ),
        ("Bob Berg",),
    ),
    "call.notice": (Notice(kind="completed", id="n1"),),
    "cannot_listen.why": ("Address already in use",),
    "cannot_share_with.why": ("Guests in this Slack cannot use Taskwire.", ""),
    "create_form.error": ("",),
    "files": (("plan.txt",),),
    **dict.fromkeys(
        (f"{name}.names" for name in ("files_not_given", "ask_about_refused_files", "nothing_to_send")),
        (("plan.pdf", "page.png"),),
    ),
    "filtered": ("mine",),
    "fit_reply_words.link": (link(), examples.MENTION_ONLY),
    "fit_reply_words.words": ("Reply here to go on.",),
    "forges": (FORGES,),
    "finished": ((TaskLine(link(Phase.DONE)),), ()),
    "free": ("fix-login-2",),
    "groups": (("platform-team",),),
    "share_form.groups": ({"S1": "platform-team"}, {}),
    "share_form.most": (20,),
    "too_many_choices.most": (20,),
    "too_many_named.most": (20,),
    "too_many_shares.most": (20,),
    "view": (loading_dialog(Dialog.CREATE),),
    "shares": (("U2", "S1"), ()),
    "settings_form.groups": ({"S1": "platform-team"},),
    "hosts": (Hosts(CODER, FORGES),),
    "items": ((TaskLine(link(Phase.NEEDS_YOU)), TaskLine(link(Phase.WORKING))), ()),
    "template_list.items": ((TemplateLine("docker", "Tasks on Docker", presets=("Small", "Large")),), ()),
    "job_id": ("reply:1",),
    "key": ("k1",),
    "label": ("Leave them alone",),
    "shared_with": ("Bob Berg",),
    "who_may_steer.shared_with": ("Bob Berg", "Bob Berg and Carol Cho", ""),
    "whom": ("Bob Berg",),
    "who_may_steer.ended": ("", "Dan Dow"),
    "line": ("stop fix-login-1a2b",),
    "link": (link(),),
    "lines": ("$ pytest\n127 passed",),
    "linked": (40,),
    "message": (shapes.statement("…"),),
    "answer": (shapes.statement("Pausing *Fix the login*. A reply in its thread resumes it."),),
    "loading_dialog.dialog": (Dialog.CREATE,),
    "logs_dialog.answer": (shapes.statement("The agent of *Fix the login* has written nothing yet."),),
    "minutes": (12,),
    "seconds": (40,),
    "too_many_failed.most": (5,),
    "input_too_long.most": (150_000,),
    "list_too_long.owner": ("", "alice"),
    "list_too_long.size": (48_000_000, 0),
    "reply_too_long.most": (150_000,),
    "missing": (("workspace:read",),),
    "features": (("show what an agent reported", "delete tasks"),),
    "most": (10,),
    "name": ("fix-login-1a2b",),
    "own_name": ("Bob Berg",),
    "names": (("docker", "kubernetes"),),
    "near_miss": NEAR_MISSES,
    "list_people.names": (("Bob Berg", "Carol Cho"),),
    "near": (("fix-login-1a2b",), ()),
    "unwatched": ((), ("Fix the login",), ("Fix the login", "Add metrics", "Docs", "Tests", "Types")),
    "unknown_template.near": (("docker",), ()),
    "unknown_preset.near": (("large",), ()),
    "unknown_preset.wanted": ("lareg",),
    "unknown_preset.names": (("small", "large"),),
    "unknown_organization.near": (("platform",), ()),
    "unknown_organization.wanted": ("platfrom",),
    "unknown_organization.names": (("platform", "web"),),
    "no_such_task.name": ("fix-lgoin",),
    "not_mentioned.text": ("Bob Berg",),
    "command": ("`!unshare @who`",),
    "last_output.whole": ("`!logs full`",),
    "notice_dialog.dialog": (Dialog.EDIT,),
    "notice_dialog.text": ("*Fix the login* is still being created. Try again in a few seconds.",),
    "needs": ((TaskLine(link(Phase.NEEDS_YOU)),), ()),
    "needing": ((TaskLine(link(Phase.NEEDS_YOU)),), ()),
    "nearest": (("status", "stop"), ()),
    "notice": (Notice(kind="paused", id="n1", person=ALICE), Notice(kind="resumed", id="n2", person=ALICE)),
    "owner_cannot_act.act": ("send", "pause", "share"),
    "not_owner.link": (examples.IN_THREAD,),
    "not_owner.act": tuple(act for act in get_args(RefusedAct) if act not in VIEWERS_VERBS),
    "not_resumed.why": (_NO_ROOM,),
    "offer_page.username": ("", "alice"),
    "organization_ambiguous.wanted": ("docker",),
    "organizations": (("platform", "web"),),
    "owner_needs_no_share.name": ("Alice Adams",),
    "outcome": ("Sent.",),
    "output": (examples.ANSWER, AgentOutput(text="$ pytest\n127 passed", full_text="…"), AgentOutput()),
    "own": (PersonSettings(),),
    "page": (1,),
    "home_view.page": (
        HomePage(needs=(TaskLine(link(Phase.NEEDS_YOU)),), running=(TaskLine(link()),)),
        HomePage(),
        HomePage(account=ShownAccount("alice", NOON)),
    ),
    "pages": (1,),
    "pause_reason": ("",),
    "paused_by": ("Alice Adams", ""),
    "permalink": ("https://acme.slack.com/archives/C1/p1",),
    "person": ("Alice Adams",),
    "person_has_no_account.person": ("U1",),
    "place": (Place(f"{CODER}/tasks/alice/t-1", CODER, FORGES),),
    "preset": ("p1",),
    "private_metadata": ("",),
    "prompt": ("fix the login redirect",),
    "reference": ("k3-7f2a",),
    "refused": ("We must both be in <#C1> to change its settings.", ""),
    "reply": (_REPLY,),
    "reply_refused.error": (UserError(*refusals.account_suspended("alice@example.com")),),
    "reply_waits_for_room.why": (_NO_ROOM,),
    "request_given_up.owner": ("", "U1"),
    "request": ("stopping *Fix the login*",),
    "resumed_by": ("Bob Berg", ""),
    "running": ((TaskLine(link(Phase.WORKING)),), ()),
    "sent": (2, 0),
    "found": examples.FINDINGS,
    "settings": (PersonSettings(),),
    "settings_form.settings": (ChannelSettings(),),
    "sentence": ("Coder refuses my token.",),
    "setting": ("TASKWIRE_HTTP_ADDR",),
    "several_tasks.name": ("fix-login",),
    "several_tasks.names": (("fix-login-1a2b", "fix-login-3c4d"),),
    "since": (NOON,),
    "since_ms": (NOON_MS,),
    "snapshot_at": (None, NOON),
    "template": ("docker",),
    "templates": ((TemplateChoice("t1", "Tasks on Docker", presets=(PresetChoice("p1", "Large"),)),), ()),
    "text": ("use the fast path",),
    "texts": (("use the fast path",), ("use the fast path", "and add a test")),
    "title": ("Fix the login",),
    "topic": (None, "pause", "!logs", "frobnicate"),
    "tried": (3,),
    "asked": ((), (examples.ASKED,)),
    "ask_owner.asked": examples.ASKED_REPLIES,
    "audit_page.typed": ("since=7d", ""),
    "trouble": ("",),
    "now_ms": (NOON_MS,),
    "number": (41,),
    "reason": ("it is missing", "its time is in the future", "there is no key to check its signature"),
    "typed": ("template=docker",),
    "unreachable_since_ms": (None, NOON_MS),
    "until": (NOON + timedelta(days=7),),
    "until_ms": (NOON_MS,),
    "url": ("https://acme.slack.com/files/U1/F1",),
    "username": ("taskwire",),
    "value": ("v1",),
    "verb": ("pause", "resume"),
    "no_dialog_from_message.verb": ("delete",),
    "task_has_no_thread.verb": ("detach", "mute", "share", "unshare", "send"),
    "coder_refused.verb": ("pause",),
    "waiting": (0, 2),
    "wanted": ("dokcer",),
    "what": ("created",),
    "verb_not_supported.what": ("`share`",),
    "where": ("https://acme.slack.com/archives/C1/p1",),
    "why": ("no space left on device",),
    "task_not_created.why": ("Coder said: no space left on device.",),
    "task_not_attached.why": ("The task is no longer in Coder.",),
    "job_given_up.why": ("Coder did not answer for an hour.",),
    "way_back": ("none", "connect", "disconnect"),
    "with_thread": (None, True),
    "words": ("Guests in this Slack cannot use Taskwire.",),
    "work": (CreateRequested(requester=_REQUESTER, prompt=AgentText("fix the login redirect")),),
    "written": (examples.ANSWER,),
    "answer_dialog.written": ("Which branch shall I use?",),
    "answer_dialog.choices": ((), (Choice("1. main", "1. main"), Choice("2. release", "2. release"))),
    "remark": ("", "but only the hotfix"),
}


def write_page() -> str:
    """Return the text of docs/messages.md."""
    parts = [_HEAD, *card_section(), *notice_section()]
    for info in sorted(pkgutil.iter_modules(messages.__path__), key=lambda each: each.name):
        if info.name not in _PARTS | {"cards"}:
            parts += _module_section(info.name)
    parts += command_section()
    return "\n".join(parts).rstrip() + "\n"


def _module_section(name: str) -> Iterator[str]:
    module = importlib.import_module(f"taskwire.messages.{name}")
    found = [
        function
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not function.__name__.startswith(("_", "read_", "find_", "task_row", "get_", "write_"))
    ]
    entries = [
        entry
        for function in sorted(found, key=lambda each: each.__code__.co_firstlineno)
        if function is not notices.notice
        for entry in _entries(function)
    ]
    entries += _constants(vars(module))
    if entries:
        yield f"## `messages/{name}.py`\n"
        yield from entries


def _constants(names: dict[str, object]) -> Iterator[str]:
    """Yield the sentences that are constants of a module."""
    found = [render(value) for name, value in names.items() if name.isupper() and not name.startswith("_")]
    if texts := list(dict.fromkeys(text for text in found if text)):
        yield "*Fixed texts:*\n"
        yield from texts


def _entries(function: Callable[..., object]) -> Iterator[str]:
    """Yield what a function returns for each example of each parameter. No text is yielded twice."""
    texts = list(dict.fromkeys(text for text in map(render, _calls(function)) if text))
    if texts:
        yield f"*{_first_sentence(function)}*\n"
        yield from texts


def _calls(function: Callable[..., object]) -> Iterator[object]:
    choices = {
        name: _examples(function.__name__, parameter)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    first = {name: values[0] for name, values in choices.items()}
    yield function(**first)
    for name, values in choices.items():
        for value in values[1:]:
            yield function(**first | {name: value})


def _examples(function: str, parameter: inspect.Parameter) -> tuple[object, ...]:
    kind = parameter.annotation
    own = f"{function}.{parameter.name}"
    for key in (own, parameter.name):
        if key in _EXAMPLES and (key == own or get_origin(kind) is not Literal):
            return _EXAMPLES[key]
    if kind is bool:
        return (False, True)
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(kind)
    if parameter.default is not inspect.Parameter.empty:
        return (parameter.default,)
    raise LookupError(f"{function} has a parameter {parameter.name!r}: give an example of it in _EXAMPLES")


def _first_sentence(function: Callable[..., object]) -> str:
    first, _, _ = (inspect.getdoc(function) or "").partition("\n\n")
    return first.replace("\n", " ").partition(". ")[0].rstrip(".") + "."


if __name__ == "__main__":
    PAGE.write_text(write_page())
