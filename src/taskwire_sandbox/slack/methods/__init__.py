"""The methods of the Web API, one file for each family. `all_methods` lists them."""

from taskwire_sandbox.slack.methods import (
    app,
    chat,
    conversations,
    files,
    people,
    reactions,
    sessions,
    unfurls,
    views,
)
from taskwire_sandbox.slack.methods.spec import Method


def all_methods() -> dict[str, Method]:
    """Return every method by its name."""
    families = (app, chat, conversations, files, people, reactions, sessions, unfurls, views)
    return {method.name: method for family in families for method in family.METHODS}
