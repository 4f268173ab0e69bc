"""The manifest against the code that needs it, and against what Slack takes."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from taskwire.cli import main
from taskwire.listeners.messages import HEARD
from taskwire.slack import manifest
from taskwire.slack.calls import Method
from taskwire_sandbox.slack.manifest import EVENT_SCOPES

from . import references
from .conftest import BESIDES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "taskwire"
URL = "https://taskwire.example.com"
# It opens conversations with one person only.
NOT_EVERYWHERE = {"conversations.open": {"im:write"}}
# What no method or event asks for by itself.
NEEDED_BESIDES = {
    "commands": "a slash command",
    "files:read": "files are downloaded from their private address",
    "users:read.email": "users.info leaves the address out without it",
}


def _data(name: str) -> Any:  # as the file has it
    return json.loads(references.read(name))


def _needed(method: str) -> set[str]:
    """The scopes that a method needs wherever the bot uses it."""
    reference = BESIDES | _data("slack-methods.json")
    documented = {scope["name"] for scope in reference[method]["scopes"].get("bot", [])}
    return NOT_EVERYWHERE.get(method, documented)


def _listened(kind: str) -> Iterator[str]:
    """What the listeners give `app.event`, `app.command` and `app.shortcut`, as it stands in the code."""
    for path in sorted((SOURCE / "listeners").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"app.{kind}":
                yield ast.unparse(node.args[0]).strip("'\"")


def test_the_file_in_the_repository_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Who makes the Slack app by the README pastes the same as who asks the command."""
    assert main(["manifest"]) == 0

    printed = capsys.readouterr().out
    assert printed == (ROOT / "manifest.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(printed) == manifest.make()


def test_http_mode_names_the_address_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Events, buttons and commands all go to one address, and there is no socket."""
    assert main(["manifest", "--url", f"{URL}/"]) == 0

    printed = yaml.safe_load(capsys.readouterr().out)
    address = f"{URL}/slack/events"
    settings = printed["settings"]
    assert settings["event_subscriptions"]["request_url"] == address
    assert settings["interactivity"]["request_url"] == address
    assert [command["url"] for command in printed["features"]["slash_commands"]] == [address]
    assert settings["socket_mode_enabled"] is False


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://taskwire.example.com", "must begin with https://. Slack takes no other."),
        ("taskwire.example.com", "must begin with https://. Slack takes no other."),
        ("", "must begin with https://. Slack takes no other."),
        ("https://", "names no host. It looks like https://taskwire.example.com."),
        ("https://:8443", "names no host. It looks like https://taskwire.example.com."),
        (
            f"{URL}/slack/events?team=1",
            "has a ? or a # in it. Leave out what begins there: Taskwire reads nothing of it.",
        ),
        (f"{URL}#events", "has a ? or a # in it. Leave out what begins there: Taskwire reads nothing of it."),
        (f"{URL}/slack events", "has a blank in it. Leave it out."),
        (
            "https://bot:word@taskwire.example.com",
            "has an @ in it. Leave a user name and password out: Taskwire knows Slack by its signature.",
        ),
    ],
)
def test_an_address_that_slack_would_not_take_is_refused(
    url: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slack says so only when the manifest is pasted; the sentence says what is wrong with this one."""
    assert main(["manifest", "--url", url]) == 2

    assert capsys.readouterr().err == f"The address after --url {said}\n"


def test_a_deployment_in_http_mode_is_asked_for_its_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The settings say how it runs, and the manifest for that cannot be guessed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLACK_APP_TOKEN", raising=False)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "a-secret")

    assert main(["manifest"]) == 2

    assert capsys.readouterr().err == (
        "The manifest for HTTP mode (SLACK_SIGNING_SECRET alone) says where Slack finds Taskwire. "
        "Add it: taskwire manifest --url https://taskwire.example.com\n"
    )


@pytest.mark.parametrize("request_url", ["", f"{URL}/slack/events"])
def test_slack_takes_it(request_url: str) -> None:
    """It fits Slack's own schema, in both modes."""
    jsonschema.validate(manifest.make(request_url), _data("slack-manifest.schema.json"))


def test_the_client_is_asked_for_the_methods_that_are_listed() -> None:
    """`Method` is the list of what the bot calls, and nothing is called past it."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((SOURCE / "slack").glob("*.py")))

    called = {name.replace("_", ".") for name in re.findall(r"_client\.([a-z]+_\w+)\(", text)}

    assert called == {method.value for method in Method}


@pytest.mark.parametrize("method", list(Method))
def test_it_asks_for_the_scopes_of_each_method(method: Method) -> None:
    """A scope that is missing fails in front of a person."""
    assert _needed(method.value) <= manifest.SCOPES.keys()


def test_it_asks_for_no_scope_too_many() -> None:
    """Who approves the app sees nothing that it does not need."""
    by_methods = {scope for method in Method for scope in _needed(method.value)}
    by_events = {EVENT_SCOPES[event] for event in manifest.EVENTS}

    assert manifest.SCOPES.keys() == by_methods | by_events | NEEDED_BESIDES.keys()


def test_it_subscribes_to_what_is_listened_to() -> None:
    """`message` is one event for each kind of place; each event's scope is asked for."""
    assert sorted(_listened("event")) == ["OTHERS", "name"], "the names of HEARD, and all others"

    subscribed = {event.partition(".")[0] for event in manifest.EVENTS}

    assert subscribed == set(HEARD)
    messages = {event for event in manifest.EVENTS if event.startswith("message.")}
    assert messages == {f"message.{place}" for place in ("channels", "groups", "im", "mpim")}
    assert {EVENT_SCOPES[event] for event in manifest.EVENTS} - {""} <= manifest.SCOPES.keys()


def test_it_declares_the_commands_and_shortcuts_that_are_taken() -> None:
    """A command that nobody takes would leave people without an answer."""
    assert list(_listened("command")) == ["COMMAND"]
    assert list(_listened("shortcut")) == []
    features = manifest.make()["features"]
    assert isinstance(features, dict)
    assert [command["command"] for command in features["slash_commands"]] == [manifest.COMMAND]  # type: ignore[union-attr,index,call-overload] # as made
    assert "shortcuts" not in features
