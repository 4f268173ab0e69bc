"""The client names the needed scopes that a token lacks."""

import pytest

from taskwire.coder.scopes import NEEDED_SCOPES, list_missing
from taskwire_sandbox.coder.access import COMPOSITES, is_known_scope


@pytest.mark.parametrize(
    "scopes", [[], ["all"], ["coder:all"], ["user:read", "coder:all"], list(NEEDED_SCOPES)], ids=str
)
def test_a_token_without_limits_lacks_nothing(scopes: list[str]) -> None:
    """If a token has no list of scopes, as in an older Coder, it lacks no scope."""
    assert list_missing(scopes) == []


def test_what_a_narrow_token_lacks_is_named() -> None:
    """If a token lacks needed scopes, the client lists them by Coder's own names, in a fixed order."""
    wide = [scope for scope in NEEDED_SCOPES if not scope.startswith(("workspace:", "task:"))]

    assert list_missing([*wide, "task:*", "coder:workspaces.operate", "coder:workspaces.access"]) == [
        "workspace:create",
        "workspace:delete",
    ]
    assert list_missing(["application_connect"]) == [
        scope for scope in NEEDED_SCOPES if scope != "workspace:application_connect"
    ]


def test_the_names_are_those_that_a_token_can_be_made_with() -> None:
    """When somebody makes a token in the stand-in for Coder, the stand-in accepts every scope name that the
    client uses."""
    assert [scope for scope in NEEDED_SCOPES if not is_known_scope(scope)] == []
    for name, held in COMPOSITES.items():
        assert set(NEEDED_SCOPES) - set(list_missing([name])) == set(NEEDED_SCOPES) & {*held, *_below(held)}


def _below(held: set[str]) -> set[str]:
    return {scope for scope in NEEDED_SCOPES if f"{scope.partition(':')[0]}:*" in held}
