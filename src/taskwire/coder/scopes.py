"""Scopes: what a token of Coder's may do at most, whatever its account may.

A token is made with all scopes unless somebody chooses. Ends at which of those that are needed are missing.
"""

from collections.abc import Iterable

UNLIMITED = frozenset({"all", "coder:all"})
READS_ITSELF = "api_key:read"
# What is done with the token: for everybody, or in everybody's name.
NEEDED = (
    *(READS_ITSELF, "user:read", "organization:read", "template:read", "template:use"),
    *("task:create", "task:read", "task:update", "task:delete"),
    *("workspace:create", "workspace:read", "workspace:update", "workspace:start", "workspace:stop"),
    *("workspace:delete", "workspace:ssh", "workspace:application_connect"),
)
# What Coder's composed scopes hold of that.
_COMPOSED = {
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
    """Which of the scopes that are needed a token lacks; none if it has no limits or tells of none."""
    granted = set(scopes)
    if not granted or granted & UNLIMITED:
        return []
    held = granted.union(*(_COMPOSED.get(scope, set()) for scope in granted))
    return [scope for scope in NEEDED if scope not in held and f"{scope.partition(':')[0]}:*" not in held]
