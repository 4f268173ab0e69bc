"""The manifest has what the code needs, and only what Slack accepts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from taskwire.cli import main
from taskwire.listeners.events import HANDLED_EVENTS
from taskwire.slack import manifest

from .slack_table import AGENT_EVENTS, AGENT_SCOPES, EVENTS, MANIFEST, METHODS, OTHER_SCOPES, list_scopes

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "taskwire"
URL = "https://taskwire.example.com"


def _listened(kind: str) -> Iterator[str]:
    """Yield the first argument of each call of `app.event`, `app.command` or `app.shortcut` in the listeners'
    code. `kind` says which of the three."""
    for path in sorted((SOURCE / "listeners").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"app.{kind}":
                yield ast.unparse(node.args[0]).strip("'\"")


def test_the_file_in_the_repository_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`taskwire manifest` prints exactly the file in the repository, which the README tells people to
    paste."""
    assert main(["manifest"]) == 0

    printed = capsys.readouterr().out
    assert printed == (ROOT / "manifest.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(printed) == manifest.make_manifest()


def test_http_mode_names_the_address_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """In HTTP mode, events, buttons and commands all go to one URL, and Socket Mode is off."""
    assert main(["manifest", "--url", f"{URL}/"]) == 0

    printed = yaml.safe_load(capsys.readouterr().out)
    address = f"{URL}/slack/events"
    settings = printed["settings"]
    assert settings["event_subscriptions"]["request_url"] == address
    assert settings["interactivity"]["request_url"] == address
    assert [command["url"] for command in printed["features"]["slash_commands"]] == [address]
    assert settings["socket_mode_enabled"] is False


def test_links_to_the_deployments_coder_get_previews(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the settings name Coder's URL, the manifest has Coder's host without a port, as Slack requires for
    link previews. The manifest file in the repository names no host."""
    monkeypatch.setenv("CODER_URL", "https://coder.example.com:8443/")

    assert main(["manifest"]) == 0

    features = yaml.safe_load(capsys.readouterr().out)["features"]
    assert features["unfurl_domains"] == ["coder.example.com"]
    assert "unfurl_domains" not in yaml.safe_load((ROOT / "manifest.yml").read_text())["features"]


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
    """If Slack would refuse a URL, `taskwire manifest` refuses it too and says what is wrong. Slack itself
    checks the URL only when a person pastes the manifest."""
    assert main(["manifest", "--url", url]) == 2

    assert capsys.readouterr().err == f"The address after --url {said}\n"


def test_a_deployment_in_http_mode_is_asked_for_its_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If the settings say HTTP mode and no URL is given, `taskwire manifest` asks for the URL, because it
    cannot guess it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLACK_APP_TOKEN", raising=False)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "a-secret")

    assert main(["manifest"]) == 2

    assert capsys.readouterr().err == (
        "The manifest for HTTP mode (SLACK_SIGNING_SECRET alone) says where Slack finds Taskwire. "
        "Add it: taskwire manifest --url https://taskwire.example.com\n"
    )


def _values(part: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each list and each plain value of a manifest, with its path."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _values(value, f"{path}.{key}" if path else key)
        return
    yield path, part
    if isinstance(part, list):
        for each in part:
            yield from _values(each, f"{path}[]")


KINDS: dict[str, type] = {"string": str, "boolean": bool, "array": list}


@pytest.mark.parametrize("is_agent", [False, True])
@pytest.mark.parametrize("coder_host", ["", "coder.example.com"])
@pytest.mark.parametrize("request_url", ["", f"{URL}/slack/events"])
def test_its_values_are_of_the_kind_and_length_that_slack_takes(
    request_url: str, coder_host: str, is_agent: bool
) -> None:
    """Each value in the manifest has a key that is in the table, and the kind and the length that the table
    gives for it. Slack checks this only when the app is created."""
    rows = {row.removesuffix("!"): kind.split() for row, kind in MANIFEST.items()}

    for path, value in _values(manifest.make_manifest(request_url, coder_host, is_agent=is_agent)):
        kind, *limits = rows[path]
        assert isinstance(value, KINDS[kind]), path
        if isinstance(value, str | list):
            assert int(limits[0]) <= len(value) <= int(limits[1]), path


def test_it_has_all_that_slack_requires_and_every_key_of_the_table() -> None:
    """The manifests of both modes have all required keys. At least one of the two manifests uses each row of
    the table."""
    by_socket = {path for path, _ in _values(manifest.make_manifest())}
    full = manifest.make_manifest(f"{URL}/slack/events", "coder.test", is_agent=True)
    by_address = {path for path, _ in _values(full)}

    assert by_socket | by_address == {row.removesuffix("!") for row in MANIFEST}
    assert {row.removesuffix("!") for row in MANIFEST if row.endswith("!")} <= by_socket & by_address


def test_its_addresses_and_its_command_begin_as_slack_wants() -> None:
    """The command begins with a slash, and each URL with https."""
    values = dict(_values(manifest.make_manifest(f"{URL}/slack/events")))

    assert str(values["features.slash_commands[].command"]).startswith("/")
    addresses = [value for path, value in values.items() if path.endswith("url")]
    assert [str(address).partition("://")[0] for address in addresses] == ["https"] * 3


@pytest.mark.parametrize("method", METHODS)
def test_it_asks_for_the_scopes_of_each_method(method: str) -> None:
    """For each method that Taskwire calls, the manifest asks for the method's scopes. If a scope were
    missing, only a real call would fail."""
    assert list_scopes(method) <= manifest.SCOPES.keys()


def test_it_asks_for_no_scope_too_many() -> None:
    """The manifest asks only for scopes that Taskwire needs, because people have to approve the scopes."""
    by_methods = {scope for method in METHODS for scope in list_scopes(method)}

    assert manifest.SCOPES.keys() == by_methods | set(filter(None, EVENTS.values())) | OTHER_SCOPES.keys()


def test_it_subscribes_to_what_is_listened_to() -> None:
    """The manifest subscribes to each event that has a listener. `message` is a separate event for each kind
    of channel."""
    assert sorted(_listened("event")) == ["OTHER_EVENTS", "name"], (
        "the names of HANDLED_EVENTS, and all others"
    )

    events = (*manifest.EVENTS, *manifest.AGENT_EVENTS)
    subscribed = {event.partition(".")[0] for event in events}

    assert subscribed == set(HANDLED_EVENTS)
    assert set(manifest.EVENTS) == EVENTS.keys()
    assert set(manifest.AGENT_EVENTS) == AGENT_EVENTS.keys()


def test_an_app_is_declared_as_an_agent_only_if_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--agent`, the manifest declares the app as an agent, and has one more scope and one more event.
    Without the option, it does not."""
    usual = manifest.make_manifest()

    assert main(["manifest", "--agent"]) == 0

    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["features"].pop("agent_view") == {
        "agent_description": "Coder AI tasks in Slack: create, watch, answer and steer them from a thread."
    }
    assert set(printed["oauth_config"]["scopes"].pop("bot")) == manifest.SCOPES.keys() | AGENT_SCOPES.keys()
    assert set(printed["settings"]["event_subscriptions"].pop("bot_events")) == {*EVENTS, *AGENT_EVENTS}
    assert printed["features"] == usual["features"]


def test_it_declares_the_commands_and_shortcuts_that_are_taken() -> None:
    """The manifest declares exactly the commands and shortcuts that have a listener. Any other command would
    get no answer."""
    assert list(_listened("command")) == ["SLASH_COMMAND"]
    assert list(_listened("shortcut")) == ["NEW_TASK", "MAKE_TASK", "SEND_TO_TASK"]
    features = manifest.make_manifest()["features"]
    assert isinstance(features, dict)
    assert [command["command"] for command in features["slash_commands"]] == [manifest.SLASH_COMMAND]  # type: ignore[union-attr,index,call-overload] # as made
    shortcuts = [shortcut["callback_id"] for shortcut in features["shortcuts"]]  # type: ignore[union-attr,index,call-overload] # as made
    assert shortcuts == [manifest.NEW_TASK, manifest.MAKE_TASK, manifest.SEND_TO_TASK]
