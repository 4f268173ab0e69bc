"""Scopes: what the holder of a Coder token may do. A scope never allows more than the account itself may do.

A token has all scopes unless its maker chose some. This module says which of the needed scopes a token lacks.
"""

from collections.abc import Iterable

UNLIMITED_SCOPES = frozenset({"all", "coder:all"})
READ_OWN_KEY = "api_key:read"
# What Taskwire does with the service account, and the scopes that it needs for this. `docs/security.md` has
# the same table.
FEATURES: dict[str, tuple[str, ...]] = {
    "know when its token ends": ("user:read", READ_OWN_KEY),
    "find people's Coder accounts": ("user:read",),
    "list and show tasks": ("task:read", "workspace:read"),
    "show what an agent reported and why a build failed": ("workspace:read",),
    "offer templates and presets": ("template:read",),
    "create tasks for people": (
        *("user:read", "organization:read", "template:read", "template:use"),
        *("task:create", "workspace:create", "workspace:update"),
    ),
    "read the log of a running agent": ("task:read", "workspace:read", "workspace:application_connect"),
    "send replies to agents": (
        *("task:read", "task:update", "workspace:read", "workspace:ssh", "workspace:application_connect"),
    ),
    "pause tasks": ("task:read", "task:update", "workspace:read", "workspace:update", "workspace:stop"),
    "resume tasks": ("task:read", "task:update", "workspace:read", "workspace:update", "workspace:start"),
    "edit prompts": ("task:read", "task:update", "workspace:read"),
    "delete tasks": ("task:read", "task:delete", "workspace:read", "workspace:delete"),
}
NEEDED_SCOPES = tuple(dict.fromkeys(scope for needed in FEATURES.values() for scope in needed))
# The scopes of a token for one person. Each is a composed scope of Coder. Such a scope also covers everything
# else that Coder's handlers read, such as the person's membership in an organization.
PERSON_SCOPES = (
    *("task:create", "task:read", "task:update", "task:delete"),
    *("coder:workspaces.create", "coder:workspaces.operate", "coder:workspaces.access"),
    *("coder:workspaces.delete", "coder:apikeys.manage_self"),
    *("template:read", "template:use", "user:read", "organization:read"),
)
# For each of Coder's composed scopes: which of the needed scopes it includes.
_COMPOSED_SCOPES = {
    "coder:workspaces.create": {"template:read", "template:use"}
    | {"workspace:create", "workspace:read", "workspace:update"},
    "coder:workspaces.operate": {"template:read", "workspace:read", "workspace:update"}
    | {"workspace:start", "workspace:stop"},
    "coder:workspaces.delete": {"template:read", "template:use", "workspace:read", "workspace:delete"},
    "coder:workspaces.access": {"template:read", "workspace:read", "workspace:ssh"}
    | {"workspace:application_connect"},
    "coder:apikeys.manage_self": {"api_key:read", "user:read"},
    "coder:application_connect": {"workspace:application_connect"},
    "application_connect": {"workspace:application_connect"},
}


def list_missing(scopes: Iterable[str]) -> list[str]:
    """Return the needed scopes that a token lacks. `scopes` are the scopes that Coder lists for the token.

    Return an empty list if the token has all scopes, or if Coder lists none.
    """
    granted = set(scopes)
    if not granted or granted & UNLIMITED_SCOPES:
        return []
    included = granted.union(*(_COMPOSED_SCOPES.get(scope, set()) for scope in granted))
    return [
        scope
        for scope in NEEDED_SCOPES
        if scope not in included and f"{scope.partition(':')[0]}:*" not in included
    ]


def list_lost_features(missing: Iterable[str]) -> list[str]:
    """Return what Taskwire cannot do without these scopes, in the words of `FEATURES`."""
    lost = set(missing)
    return [feature for feature, needed in FEATURES.items() if lost.intersection(needed)]
