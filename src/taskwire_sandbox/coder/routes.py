"""All routes of the stand-in. Each route has the query keys that the real server reads."""

from taskwire_sandbox.coder import (
    agent_routes,
    oauth_routes,
    people_routes,
    sign_in_page,
    task_routes,
    template_routes,
    workspace_routes,
)
from taskwire_sandbox.coder.calls import Route

V2 = "/api/v2"
ONE_TASK = f"{V2}/tasks/{{user}}/{{task}}"
VERSION = f"{V2}/templateversions/{{templateversion}}"
KEYS = f"{V2}/users/{{user}}/keys"
SEARCH_KEYS = frozenset({"q"})
PAGING_KEYS = frozenset({"limit", "offset", "after_id"})
LOG_KEYS = frozenset({"after", "before", "follow", "format", "no_compression"})

TASK_ROUTES = (
    Route("tasks.list", "GET", f"{V2}/tasks", task_routes.list_tasks, SEARCH_KEYS),
    Route("tasks.create", "POST", f"{V2}/tasks/{{user}}", task_routes.create_task),
    Route("tasks.get", "GET", ONE_TASK, task_routes.get_task),
    Route("tasks.delete", "DELETE", ONE_TASK, task_routes.delete_task),
    Route("tasks.input", "PATCH", f"{ONE_TASK}/input", task_routes.update_input),
    Route("tasks.send", "POST", f"{ONE_TASK}/send", agent_routes.send_input),
    Route("tasks.logs", "GET", f"{ONE_TASK}/logs", agent_routes.read_log),
    Route("tasks.pause", "POST", f"{ONE_TASK}/pause", task_routes.pause_task),
    Route("tasks.resume", "POST", f"{ONE_TASK}/resume", task_routes.resume_task),
    Route(
        "agents.snapshot",
        "POST",
        f"{V2}/workspaceagents/me/tasks/{{task}}/log-snapshot",
        agent_routes.upload_snapshot,
        frozenset({"format"}),
        "agent",
    ),
)

OTHER_ROUTES = (
    Route("buildinfo", "GET", f"{V2}/buildinfo", people_routes.build_info, key_kind="anyone"),
    Route("authcheck", "POST", f"{V2}/authcheck", people_routes.check_rights),
    Route("users.list", "GET", f"{V2}/users", people_routes.list_users, SEARCH_KEYS | PAGING_KEYS),
    Route("users.get", "GET", f"{V2}/users/{{user}}", people_routes.get_user),
    Route(
        "users.organizations",
        "GET",
        f"{V2}/users/{{user}}/organizations",
        people_routes.list_own_organizations,
    ),
    Route("tokens.list", "GET", f"{KEYS}/tokens", people_routes.list_tokens, frozenset({"include_expired"})),
    Route("tokens.create", "POST", f"{KEYS}/tokens", people_routes.create_token),
    Route("keys.create", "POST", KEYS, people_routes.create_session_key),
    Route("tokens.config", "GET", f"{KEYS}/tokens/tokenconfig", people_routes.token_config),
    Route("keys.get", "GET", f"{KEYS}/{{keyid}}", people_routes.get_key),
    Route("keys.delete", "DELETE", f"{KEYS}/{{keyid}}", people_routes.delete_key),
    Route("keys.expire", "PUT", f"{KEYS}/{{keyid}}/expire", people_routes.expire_key),
    Route(
        "preferences.get",
        "GET",
        f"{V2}/users/{{user}}/notifications/preferences",
        people_routes.get_preferences,
    ),
    Route(
        "preferences.put",
        "PUT",
        f"{V2}/users/{{user}}/notifications/preferences",
        people_routes.put_preferences,
    ),
    Route("organizations.list", "GET", f"{V2}/organizations", people_routes.list_organizations),
    Route(
        "organizations.members",
        "GET",
        f"{V2}/organizations/{{organization}}/members",
        people_routes.list_members,
        SEARCH_KEYS,
    ),
    Route("templates.list", "GET", f"{V2}/templates", template_routes.list_templates, SEARCH_KEYS),
    Route("templates.get", "GET", f"{V2}/templates/{{template}}", template_routes.get_template),
    Route(
        "templates.versions",
        "GET",
        f"{V2}/templates/{{template}}/versions",
        template_routes.list_versions,
        PAGING_KEYS | {"include_archived"},
    ),
    Route(
        "organizations.templates",
        "GET",
        f"{V2}/organizations/{{organization}}/templates",
        template_routes.list_organization_templates,
        SEARCH_KEYS,
    ),
    Route(
        "organizations.template",
        "GET",
        f"{V2}/organizations/{{organization}}/templates/{{templatename}}",
        template_routes.get_template_by_name,
    ),
    Route("versions.get", "GET", VERSION, template_routes.get_version),
    Route("versions.presets", "GET", f"{VERSION}/presets", template_routes.list_presets),
    Route("versions.parameters", "GET", f"{VERSION}/rich-parameters", template_routes.list_parameters),
    Route("versions.external_auth", "GET", f"{VERSION}/external-auth", template_routes.list_external_auth),
    Route(
        "workspaces.get",
        "GET",
        f"{V2}/workspaces/{{workspace}}",
        workspace_routes.get_workspace,
        frozenset({"include_deleted"}),
    ),
    Route(
        "workspaces.builds",
        "GET",
        f"{V2}/workspaces/{{workspace}}/builds",
        workspace_routes.list_builds,
        PAGING_KEYS,
    ),
    Route("workspaces.build", "POST", f"{V2}/workspaces/{{workspace}}/builds", workspace_routes.create_build),
    Route(
        "workspaces.watch", "GET", f"{V2}/workspaces/{{workspace}}/watch", workspace_routes.watch_workspace
    ),
    Route("workspaces.acl", "GET", f"{V2}/workspaces/{{workspace}}/acl", workspace_routes.get_acl),
    Route("workspaces.share", "PATCH", f"{V2}/workspaces/{{workspace}}/acl", workspace_routes.patch_acl),
    Route("workspaces.unshare", "DELETE", f"{V2}/workspaces/{{workspace}}/acl", workspace_routes.delete_acl),
    Route("builds.get", "GET", f"{V2}/workspacebuilds/{{workspacebuild}}", workspace_routes.get_build),
    Route(
        "builds.logs",
        "GET",
        f"{V2}/workspacebuilds/{{workspacebuild}}/logs",
        workspace_routes.build_log,
        LOG_KEYS,
    ),
    Route(
        "agents.report",
        "PATCH",
        f"{V2}/workspaceagents/me/app-status",
        agent_routes.report_status,
        key_kind="agent",
    ),
    Route("agents.get", "GET", f"{V2}/workspaceagents/{{workspaceagent}}", agent_routes.get_agent),
    Route(
        "agents.logs",
        "GET",
        f"{V2}/workspaceagents/{{workspaceagent}}/logs",
        agent_routes.agent_log,
        LOG_KEYS,
    ),
)

PAGES = (
    Route(
        "pages.cli_auth", "GET", "/cli-auth", sign_in_page.show_session_token, frozenset({"user"}), "anyone"
    ),
    Route(
        "oauth.page",
        "GET",
        "/oauth2/authorize",
        oauth_routes.show_authorize_page,
        oauth_routes.AUTHORIZE_KEYS,
        "anyone",
    ),
    Route(
        "oauth.allow",
        "POST",
        "/oauth2/authorize",
        oauth_routes.allow,
        oauth_routes.AUTHORIZE_KEYS,
        "anyone",
    ),
    Route(oauth_routes.TOKENS_ROUTE, "POST", "/oauth2/tokens", oauth_routes.give_tokens, key_kind="anyone"),
    Route("oauth.revoke", "POST", "/oauth2/revoke", oauth_routes.revoke, key_kind="anyone"),
)
EXPERIMENTAL = "/api/experimental"
ALL_ROUTES = TASK_ROUTES + OTHER_ROUTES


class RouteTable:
    """Finds the route of a request.

    If two patterns match, a literal part wins over a parameter: `/me` over `/{user}`.
    """

    def __init__(self) -> None:
        self._by_length: dict[tuple[str, int], list[tuple[tuple[str, ...], Route]]] = {}
        self._task_routes = frozenset(route.name for route in TASK_ROUTES)
        for route in sorted(ALL_ROUTES + PAGES, key=lambda route: route.pattern.count("{")):
            parts = tuple(route.pattern.strip("/").split("/"))
            self._by_length.setdefault((route.method, len(parts)), []).append((parts, route))

    def find(self, method: str, path: str, *, has_tasks: bool) -> tuple[Route, dict[str, str]] | None:
        """Return the route and its path parameters; None if there is no such route.

        Without `has_tasks`, the routes of tasks do not exist.
        """
        if path.startswith(f"{EXPERIMENTAL}/tasks"):
            path = V2 + path.removeprefix(EXPERIMENTAL)  # the real server keeps this old path as an alias
        asked = path.strip("/").split("/")
        for parts, route in self._by_length.get((method, len(asked)), ()):
            params = _matched(parts, asked)
            if params is not None and (has_tasks or route.name not in self._task_routes):
                return route, params
        return None

    def knows(self, path: str) -> bool:
        """Return whether the path belongs to a route of any HTTP method."""
        return any(
            self.find(method, path, has_tasks=True) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        )


def _matched(parts: tuple[str, ...], asked: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for part, value in zip(parts, asked, strict=True):
        if part.startswith("{") and value:
            params[part[1:-1]] = value
        elif part != value:
            return None
    return params
