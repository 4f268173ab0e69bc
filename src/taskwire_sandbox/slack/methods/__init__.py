"""The Web API's methods, one file for each family; `all_methods` is what the sandbox knows."""

from taskwire_sandbox.slack.methods import app, chat, conversations, files, people, reactions, unfurls, views
from taskwire_sandbox.slack.methods.spec import Method


def all_methods() -> dict[str, Method]:
    """List every method by its name."""
    families = (app, chat, conversations, files, people, reactions, unfurls, views)
    return {method.name: method for family in families for method in family.METHODS}
