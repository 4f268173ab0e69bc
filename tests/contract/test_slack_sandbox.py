"""The Slack stand-in against Slack's method reference: it knows nothing that Slack does not have.

Where the reference lies says `references.py`.
"""

import pytest

from taskwire_sandbox.slack.manifest import SCOPES
from taskwire_sandbox.slack.methods import all_methods
from taskwire_sandbox.slack.methods.spec import Method

from .conftest import Reference, tier_of

METHODS = all_methods()


each_method = pytest.mark.parametrize("known", METHODS.values(), ids=METHODS.keys())


@each_method
def test_the_method_exists(reference: Reference, known: Method) -> None:
    """A method that Slack lacks would hide a mistake of the bot."""
    assert known.name in reference


@each_method
def test_its_arguments_are_slacks(reference: Reference, known: Method) -> None:
    """All that Slack documents are known, and what Slack requires is required."""
    documented = reference[known.name]["args"]

    assert known.arguments.keys() == documented.keys()
    required = {name for name, argument in known.arguments.items() if argument.is_required}
    assert required == {name for name, argument in documented.items() if argument["required"]}


@each_method
def test_its_errors_are_slacks(reference: Reference, known: Method) -> None:
    """Some of Slack's errors never come here, but none that is not Slack's."""
    assert known.errors <= set(reference[known.name]["errors"])


@each_method
def test_its_scopes_and_tier_are_slacks(reference: Reference, known: Method) -> None:
    """One of the documented bot scopes is asked for; the tier is the documented one (0: special)."""
    documented = reference[known.name]["scopes"].get("bot", [])

    assert set(known.scopes) == {scope["name"] for scope in documented}
    assert known.tier == tier_of(reference, known.name)


def test_the_scopes_granted_by_default_cover_every_method() -> None:
    """Without a manifest nothing is missing."""
    assert all(not known.scopes or set(known.scopes) & set(SCOPES) for known in METHODS.values())
