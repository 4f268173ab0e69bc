"""The functions that read input from outside, each with a check of its result for strange input.

A function may raise only the error that its callers expect, and must not accept forged input.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from taskwire import settings
from taskwire.coder import lists, models
from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.coder.notifications import find_announced_change
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.lifecycle.phases import AgentLogEntry
from taskwire.domain.parsing import commands, replies
from taskwire.domain.parsing.grammar import THREAD_VERBS, VERBS
from taskwire.domain.requester import Requester
from taskwire.domain.text import markdown
from taskwire.domain.text.agent_questions import read_answer
from taskwire.domain.text.excerpts import excerpt_last_output
from taskwire.listeners.authorizations import AuthorizationReceiver
from taskwire.listeners.submissions import DialogContext
from taskwire.messages import callback_pages
from taskwire.messages.answer_blocks import answer_block
from taskwire.settings_errors import SettingsError
from taskwire.slack.signatures import RequestRefused, SignatureVerifier, parse_request
from taskwire.state.authorizations import StartedAuthorization
from tests.scenarios.world import World
from tests.web.site import FORM, JSON, signature

from .mutations import Json, Mutator, to_bytes

BOT = UserId("U0BOT")
NOW = 1_800_000_000
_AT = datetime.fromtimestamp(NOW, UTC)
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SETTINGS = {
    "SLACK_BOT_TOKEN": "xoxb-a-secret-for-slack",
    "SLACK_APP_TOKEN": "xapp-a-secret-for-slack",
    "SLACK_SIGNING_SECRET": SIGNING_SECRET,
    "CODER_URL": "https://coder.example",
    "CODER_SESSION_TOKEN": "abcdefghij-a-secret-for-coder",
    "TASKWIRE_POLL_INTERVAL": "5",
    "TASKWIRE_ADMINS": "U0000001,S0000001",
    "TASKWIRE_HTTP_ADDR": "127.0.0.1:8080",
    "TASKWIRE_EMOJI": "robot_face",
    "TASKWIRE_ALLOWED_CHANNELS": "C0000001",
}


@dataclass
class Samples:
    """Valid input. The tests change copies of it."""

    payloads: list[Json] = field(default_factory=list)
    metadata: list[Json] = field(default_factory=list)
    coder_tasks: list[Json] = field(default_factory=list)
    logs: list[str] = field(default_factory=lambda: ["⏺ I fixed it.\n\n1. Merge\n2. Wait\n"])
    webhook: list[Json] = field(
        default_factory=lambda: [
            {"payload": {"notification_name": "Task Paused", "data": {"task": {"id": "x"}}}}
        ]
    )


def read_command(mutator: Mutator, samples: Samples) -> None:
    """Check that a command is parsed, or refused with a sentence for the person."""
    del samples
    line = mutator.choose([verb.example.removeprefix("/task ") for verb in VERBS])
    with contextlib.suppress(UserError):
        commands.parse(mutator.change_text(line))


def read_reply(mutator: Mutator, samples: Samples) -> None:
    """Check that a reply is parsed as input, as a verb, or as neither."""
    del samples
    text = mutator.change_text(mutator.choose([f"!{verb.name} words" for verb in THREAD_VERBS]))
    said = replies.classify(text, BOT)
    if isinstance(said, replies.Input):
        replies.to_agent_text(said.text)


def read_metadata(mutator: Mutator, samples: Samples) -> None:
    """Check that the metadata of a dialog, which comes back from Slack, is either rejected or usable."""
    found = DialogContext.find(json.dumps(mutator.change(mutator.choose(samples.metadata))))
    assert found is None or (found.source is None or found.source.channel)


def check_signature(mutator: Mutator, samples: Samples) -> None:
    """Check that a request is accepted only with its own signature."""
    kind, body = mutator.choose([(FORM, b"payload=%7B%7D"), (JSON, b"{}")])
    verifier = SignatureVerifier(SIGNING_SECRET, lambda: NOW)
    at = str(NOW - mutator.random.randrange(300))
    sign = signature(body, at, SIGNING_SECRET)
    headers = _headers(at, sign, kind)
    verifier.verify(verifier.parse_headers(headers), body)
    del samples

    match mutator.random.randrange(4):
        case 0:
            body = mutator.change_bytes(body)
        case 1:
            at = mutator.choose(
                [str(int(at) + 1), "", f" {at}", f"{at}.0", "٣", str(NOW - 301), str(NOW + 301)]
            )
        case 2:
            sign = mutator.choose([sign[:-1], sign.upper(), sign.replace("v0", "v1"), "", sign[:-1] + "g"])
        case _:
            sign = signature(body, at, SIGNING_SECRET[:-1])
    with pytest.raises(RequestRefused):
        verifier.verify(verifier.parse_headers(_headers(at, sign, kind)), body)


def read_body(mutator: Mutator, samples: Samples) -> None:
    """Check that the body of a signed request is parsed or refused."""
    kind, body = mutator.choose([(FORM, b"payload=%7B%22a%22%3A1%7D"), (JSON, to_bytes(samples.payloads[0]))])
    with contextlib.suppress(RequestRefused):
        parse_request(_headers("1", "", kind), mutator.change_bytes(body))


def _headers(at: str, sign: str, kind: str) -> CIMultiDict[str]:
    return CIMultiDict({"X-Slack-Request-Timestamp": at, "X-Slack-Signature": sign, "Content-Type": kind})


def read_webhook(mutator: Mutator, samples: Samples) -> None:
    """Check that a webhook call from Coder is parsed. If it cannot be parsed, it counts as a hint that any
    task may have changed."""
    body = to_bytes(mutator.change(mutator.choose(samples.webhook)))
    find_announced_change(mutator.choose([body, mutator.change_bytes(body)]))


def read_settings(mutator: Mutator, samples: Samples) -> None:
    """Check that settings are valid, or refused with sentences that show no secret."""
    del samples
    name = mutator.choose(list(SETTINGS))
    text = mutator.change_text(SETTINGS[name]).encode("utf-8", "replace").decode()
    values: Mapping[str, str] = {**SETTINGS, name: text.replace("\0", "")}
    try:
        settings.from_values(values)
    except SettingsError as refused:
        shown = str(refused)
        secrets = [name for name in values if name.endswith(("TOKEN", "SECRET")) and len(values[name]) > 8]
        assert not [name for name in secrets if values[name] in shown], shown


def read_coder_list(mutator: Mutator, samples: Samples) -> None:
    """Check that Coder's list is parsed, or that the whole answer counts as unreadable. One bad task must not
    hide the other tasks."""
    answer: Json = {"tasks": [mutator.change(mutator.choose(samples.coder_tasks)), samples.coder_tasks[0]]}
    body = to_bytes(answer if mutator.random.randrange(4) else mutator.change(answer))
    if not mutator.random.randrange(5):
        body = mutator.change_bytes(body)
    try:
        items = lists.split_list(body)
    except OutsideError:
        return
    for item in items:
        with contextlib.suppress(UnexpectedCoderAnswer):
            assert models.parse_task(bytes(item)).created_at.tzinfo is not None


def read_agent(mutator: Mutator, samples: Samples) -> None:
    """Check that an agent's text becomes blocks of text without mentions and control characters."""
    text = mutator.change_text(mutator.change_text(mutator.choose(samples.logs)))
    entries = [
        AgentLogEntry(id=1, is_input=True, text="go on", at=_AT),
        AgentLogEntry(id=2, is_input=False, text=text, at=_AT),
    ]
    excerpt = excerpt_last_output(entries, mask=str)
    nodes = markdown.parse(text)
    read_answer(text)
    made = json.dumps([answer_block("prose", nodes), repr(excerpt)])
    assert '"type": "user"' not in made
    assert '"type": "broadcast"' not in made
    assert '"type": "actions"' not in made


EDGES: dict[str, Callable[[Mutator, Samples], None]] = {
    function.__name__: function
    for function in (
        read_command,
        read_reply,
        read_metadata,
        check_signature,
        read_body,
        read_webhook,
        read_settings,
        read_coder_list,
        read_agent,
    )
}


def try_edges(samples: Samples, seed: int, rounds: int) -> None:
    """Give changed input to each function, `rounds` times. If a check fails, the error names the function and
    the round."""
    assert len(samples.payloads) > 15, "too little was recorded"
    assert len(samples.metadata) > 1, "too little was recorded"
    for name, read in EDGES.items():
        mutator = Mutator(seed)
        for number in range(rounds):
            try:
                read(mutator, samples)
            except BaseException as error:
                error.add_note(f"{name}, round {number} of seed {seed}")
                raise


async def try_callback(world: World, seed: int, rounds: int) -> None:
    """Call the OAuth callback with changed codes and states, `rounds` times. Check that it accepts only the
    original state, and only once."""
    deps, mutator, state = world.bot.parts.deps, Mutator(seed), "s" * 64
    receiver = AuthorizationReceiver(deps, world.bot.parts.ingress, world.bot.parts.inbox)
    requester = Requester(person=UserId(world.alice.id), channel=ChannelId("C1"), at=Ts("1764072000.000000"))
    await deps.authorizations.start(state, StartedAuthorization(requester=requester, verifier="v" * 64))
    honest = {"state": state, "code": "coder_prefix_secret"}
    for number in range(rounds):
        name = mutator.choose(["state", "code", "error"])
        query = {**honest, name: mutator.change_text(honest.get(name, "access_denied"))}
        if name != "state":
            query["state"] = mutator.change_text(state)
        is_taken = (await receiver.receive(query)).page is callback_pages.ALLOWED
        assert not is_taken or query["state"] == state, f"round {number} of seed {seed}"
