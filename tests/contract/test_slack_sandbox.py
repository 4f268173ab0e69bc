"""The Slack stand-in accepts what Taskwire sends, and refuses what Slack would refuse."""

import pytest

from taskwire_sandbox.slack.manifest import EVENT_SCOPES, SCOPES
from taskwire_sandbox.slack.methods import all_methods

from .slack_table import EVENTS, METHODS, list_arguments, list_required_arguments

KNOWN = all_methods()
each_method = pytest.mark.parametrize("method", METHODS)


@each_method
def test_it_takes_the_arguments_that_are_sent(method: str) -> None:
    """The stand-in knows every argument that Taskwire sends, and requires the arguments that Slack
    requires."""
    arguments = KNOWN[method].arguments

    assert arguments.keys() >= list_arguments(method)
    assert {name for name, argument in arguments.items() if argument.is_required} == list_required_arguments(
        method
    )


@each_method
def test_it_asks_for_slacks_scopes_and_keeps_slacks_limits(method: str) -> None:
    """The stand-in checks the same scopes and rate limits as Slack. Otherwise a missing scope would fail only
    in production."""
    assert set(KNOWN[method].scopes) == set(METHODS[method].scopes.split())
    assert KNOWN[method].tier == METHODS[method].tier


@pytest.mark.parametrize("method", [method for method, row in METHODS.items() if row.fine])
def test_it_can_answer_with_an_error_that_is_as_good_as_success(method: str) -> None:
    """The stand-in can answer with each error that counts as success, so tests can show how Taskwire handles
    it."""
    assert METHODS[method].fine in KNOWN[method].errors


@pytest.mark.parametrize("event", EVENTS)
def test_it_sends_an_event_only_with_its_scope(event: str) -> None:
    """The stand-in requires the same scope for each event as the table. Without the scope, neither Slack nor
    the stand-in sends the event, and no error says so."""
    assert EVENT_SCOPES[event] == EVENTS[event]


def test_the_scopes_granted_by_default_cover_every_method() -> None:
    """Without a manifest, the stand-in's app has all scopes that the methods need."""
    assert all(not known.scopes or set(known.scopes) & set(SCOPES) for known in KNOWN.values())
