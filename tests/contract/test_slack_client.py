"""The Slack client calls exactly the methods of the table, with their arguments, and reads their values."""

import ast
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from taskwire import transport
from taskwire.domain.errors import OutcomeUnknown
from taskwire.domain.ids import ChannelId, Ts
from taskwire.queue.rate_limiter import LIMITS
from taskwire.slack import errors
from taskwire.slack.calls import Method
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound
from taskwire_sandbox.slack import CallFault, SlackSandbox
from taskwire_sandbox.slack.methods import all_methods
from tests.slack.conftest import RateLimiter

from . import slack_recording
from .slack_recording import Recording
from .slack_table import METHODS, RESPONSE, list_arguments, list_reads, list_required_reads

SLACK = Path(__file__).parents[2] / "src" / "taskwire" / "slack"
# These calls go to URLs that Slack hands out. They are not methods of the Web API.
NOT_METHODS = {"upload", "response_url"}
# Errors that only calls that read can get. If the outcome of such a call is unknown, it counts as refused.
READ_ERRORS = {"missing_args", "invalid_limit", "invalid_types"}


def _list_calls_in_code() -> dict[str, set[str]]:
    """Return the methods that the code calls on the SDK's client, with the names of all arguments."""
    found: dict[str, set[str]] = {}
    for path in sorted(SLACK.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "_client." in ast.unparse(node.func):
                name = ast.unparse(node.func).rpartition("_client.")[2]
                assert all(keyword.arg for keyword in node.keywords), "names that cannot be seen here"
                arguments = {str(keyword.arg) for keyword in node.keywords} - {"app_token"}
                found.setdefault(name.replace("_", "."), set()).update(arguments)
    return found


@pytest.fixture
async def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Record which arguments all methods send and which keys they read."""
    return await slack_recording.record_calls(monkeypatch)


async def test_what_is_sent_is_what_the_table_has(recording: Recording) -> None:
    """For each method, the arguments that arrive at the stand-in for Slack are exactly those of the table."""
    arrived = {method: names for method, names in recording.sent.items() if method not in NOT_METHODS}

    assert arrived == {method: list_arguments(method) for method in METHODS}
    assert recording.sent["response_url"] == set(RESPONSE.split())


async def test_what_is_read_is_what_the_table_has(recording: Recording) -> None:
    """From each method's answers, the client reads exactly the keys of the table. The stand-in's answers have
    every usual key, so the test notices a misspelt key."""
    assert {method: recording.read(method) for method in METHODS} == {
        method: list_reads(method) for method in METHODS
    }
    missing = {method: list_required_reads(method) - recording.found[method] for method in METHODS}
    assert not any(missing.values()), missing


def test_the_code_calls_nothing_that_the_recording_leaves_out() -> None:
    """The code calls exactly the methods of the table, with exactly its arguments. The enum `Method` has
    exactly these methods too."""
    assert _list_calls_in_code() == {method: list_arguments(method) for method in METHODS}
    assert {method.value for method in Method} == METHODS.keys()


@pytest.mark.parametrize("method", METHODS)
def test_a_method_of_the_table_has_a_limit(method: str) -> None:
    """Each method of the table has a rate limit. A method without a limit could use up the limit of other
    methods."""
    assert method in LIMITS


@pytest.mark.parametrize("method", METHODS)
def test_the_errors_of_a_method_are_known(method: str) -> None:
    """The client knows each error that Slack documents for a method. After an unknown error, the outcome of
    the call is unknown, and the bot might repeat the call."""
    unknown = {
        code
        for code in all_methods()[method].errors
        if isinstance(errors.classify(method, 200, {"ok": False, "error": code}), OutcomeUnknown)
    }

    assert unknown <= READ_ERRORS


DEV, TS = ChannelId("C0TW000001"), Ts("1.000001")
CALLS: dict[str, Callable[[Outbound], Awaitable[object]]] = {
    "reactions.add": lambda outbound: outbound.add_reaction(DEV, TS, "eyes"),
    "reactions.remove": lambda outbound: outbound.remove_reaction(DEV, TS, "eyes"),
    "users.lookupByEmail": lambda outbound: outbound.find_user_by_email("nobody@acme.test"),
    "files.info": lambda outbound: outbound.files.find_share("F0TW000001", DEV),
}


@pytest.mark.parametrize("method", [method for method, row in METHODS.items() if row.fine])
async def test_an_error_that_is_as_good_as_success_is_taken_so(method: str) -> None:
    """If Slack answers that a reaction already exists or that a person is unknown, the client returns
    normally and raises no error."""
    async with SlackSandbox(retry_seconds=()) as slack, transport.make_session() as session:
        outbound = Outbound(make_client(slack.bot_token, slack.api_url, session=session), RateLimiter(), str)
        slack.faults.add(method, CallFault.ERROR, error=METHODS[method].fine)

        await CALLS[method](outbound)

        assert [call.method for call in slack.calls] == [method]
