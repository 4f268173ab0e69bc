"""Coder's roles: which user may do what with tasks, workspaces, users and the other records.

The scopes of an API key restrict its user further. It is UNVERIFIED which permissions the composite scopes
contain.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from taskwire_sandbox.coder.rows import Organization, Task, Template, Token, User, Workspace

# What each role may do with other people's rows. Owners may do everything, see `Viewer.may_by_role`.
SITE_RIGHTS = {
    "auditor": {"template:read", "user:read", "group:read", "organization:read", "organization_member:read"},
    "template-admin": {
        "template:*", "workspace:read", "user:read", "group:read", "organization:read",
        "organization_member:read",
    },
    "user-admin": {"user:*", "group:*", "organization:read", "organization_member:*"},
}  # fmt: skip
ORGANIZATION_RIGHTS = {
    "organization-admin": {
        "api_key:*", "group:*", "organization:*", "organization_member:*", "task:*", "template:*",
        "workspace:create", "workspace:read", "workspace:update", "workspace:delete", "workspace:start",
        "workspace:stop", "workspace:share",
    },
    "organization-template-admin": {"template:*"},
    "organization-user-admin": {"group:*", "organization_member:*"},
}  # fmt: skip
AGENT_RIGHTS = {"workspace:ssh", "workspace:application_connect"}
READS_USERS_BY_ORGANIZATION = {"organization-admin", "organization-user-admin"}
COMPOSITES = {
    "coder:workspaces.create": {
        "template:read", "template:use", "workspace:create", "workspace:read", "workspace:update",
    },
    "coder:workspaces.operate": {
        "template:read", "workspace:read", "workspace:update", "workspace:start", "workspace:stop",
    },
    "coder:workspaces.delete": {"template:read", "template:use", "workspace:read", "workspace:delete"},
    "coder:workspaces.access": {
        "template:read", "workspace:read", "workspace:ssh", "workspace:application_connect",
    },
    "coder:apikeys.manage_self": {"api_key:*", "user:read"},
    "coder:application_connect": {"workspace:application_connect"},
    "application_connect": {"workspace:application_connect"},
}  # fmt: skip
RESOURCES = (
    "api_key", "group", "notification_preference", "organization", "organization_member", "task", "template",
    "user", "workspace",
)  # fmt: skip
ACTIONS = {
    "create", "read", "update", "delete", "*", "use", "start", "stop", "ssh", "share", "application_connect",
    "read_personal", "update_personal",
}  # fmt: skip


def is_known_scope(scope: str) -> bool:
    """Return whether an API key can be created with this scope."""
    if scope in ("all", "coder:all") or scope in COMPOSITES or scope.startswith("coder:templates."):
        return True
    resource, _, action = scope.partition(":")
    return resource in RESOURCES and action in ACTIONS


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of a deployment that change the rights of roles, and the custom roles of its organizations."""

    shares_workspaces: bool = True
    owner_may_access_workspaces: bool = True
    custom_roles: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user who sends a request, the API key of the request, and the deployment's rules."""

    user: User
    token: Token
    rules: Rules

    def has_scope(self, permission: str) -> bool:
        """Return whether the key's scopes include the permission. The user's own rights are not checked
        here."""
        granted = self.token.scopes
        if "all" in granted or "coder:all" in granted:
            return True
        sufficient = {permission, permission.partition(":")[0] + ":*"}
        return any(not sufficient.isdisjoint({scope, *COMPOSITES.get(scope, ())}) for scope in granted)

    def describe_rights(self) -> str:
        """Return roles, memberships, scopes and rules as one text.

        Viewers with equal texts can read the same rows.
        """
        memberships = {key: sorted(roles) for key, roles in sorted(self.user.org_roles.items())}
        return f"{sorted(self.user.roles)} {memberships} {self.token.scopes} {self.rules}"

    def is_site(self, *roles: str) -> bool:
        """Return whether the user has at least one of these deployment-wide roles."""
        return not self.user.roles.isdisjoint(roles)

    def is_in(self, organization: Organization, *roles: str) -> bool:
        """Return whether the user has at least one of these roles in the organization."""
        return not self.user.org_roles.get(organization.id, set()).isdisjoint(roles)

    def is_member(self, organization: Organization) -> bool:
        """Return whether the user belongs to the organization."""
        return organization.id in self.user.org_roles

    def acl_role(self, workspace: Workspace) -> str:
        """Return the role with which the workspace is shared with the user: `use`, `admin` or empty."""
        return workspace.user_acl.get(self.user.id, "") if self.rules.shares_workspaces else ""

    def may_by_role(self, right: str, organization: Organization | None) -> bool:
        """Return whether a role of the user gives the right to the rows of all people in the organization.

        Without an organization, only roles of the whole deployment count. An example of a right is
        `task:read`.
        """
        if self.is_site("owner"):
            return self.rules.owner_may_access_workspaces or right not in AGENT_RIGHTS
        granted = set[str]().union(*(SITE_RIGHTS.get(role, set()) for role in self.user.roles))
        if organization is not None and self.is_member(organization):
            known: dict[str, Collection[str]] = {**ORGANIZATION_RIGHTS, **self.rules.custom_roles}
            granted.add("organization:read")
            granted.update(*(known.get(role, ()) for role in self.user.org_roles[organization.id]))
        if right == "user:read" and self._reads_users_by_organization():
            return True
        return not granted.isdisjoint({right, right.partition(":")[0] + ":*"})

    def may_all(self, right: str, organization: Organization | None) -> bool:
        """Return whether the viewer has the right to the rows of all people in the organization.

        Both a role of the viewer and the scopes of the viewer's key must give the right.
        """
        is_banned = organization is not None and self.is_in(
            organization, "organization-workspace-creation-ban"
        )
        if right == "workspace:create" and is_banned:
            return False
        return self.has_scope(right) and self.may_by_role(right, organization)

    def has_wide_view(self) -> bool:
        """Return whether the viewer can read every task."""
        return self.is_site("owner") and self.has_scope("task:read")

    def can_read_task(self, task: Task) -> bool:
        """Return whether the viewer can read the task. If not, Coder answers that the task does not exist."""
        return self.has_scope("task:read") and self._has_access(task.workspace, "task:read")

    def can_update_task(self, task: Task) -> bool:
        """Return whether the viewer may change the task's prompt."""
        if not self.has_scope("task:update"):
            return False
        return self._administers(task.workspace, "task:update") or self.acl_role(task.workspace) == "admin"

    def can_delete_task(self, task: Task) -> bool:
        """Return whether the viewer may delete the task.

        A user with whom the task is shared may not delete it.
        """
        return self.has_scope("task:delete") and self._administers(task.workspace, "task:delete")

    def can_read_workspace(self, workspace: Workspace) -> bool:
        """Return whether the viewer can read the workspace.

        If not, Coder answers that the workspace does not exist.
        """
        if not self.has_scope("workspace:read"):
            return False
        return self._has_access(workspace, "workspace:read")

    def can_connect(self, workspace: Workspace) -> bool:
        """Return whether the viewer may connect to the agent's app in the workspace.

        The role of an organization's administrator does not give this right.
        """
        if not self.has_scope("workspace:application_connect"):
            return False
        if workspace.owner is self.user or self.acl_role(workspace):
            return True
        return self.may_by_role("workspace:application_connect", workspace.organization)

    def can_build(self, workspace: Workspace, transition: str) -> bool:
        """Return whether the viewer may queue a build with this transition: `start`, `stop` or `delete`.

        A user with whom the workspace is shared may not delete it.
        """
        if not self.has_scope(f"workspace:{transition}"):
            return False
        if self._administers(workspace, f"workspace:{transition}"):
            return True
        return transition != "delete" and bool(self.acl_role(workspace))

    def can_share(self, workspace: Workspace) -> bool:
        """Return whether the viewer may share the workspace and end its shares."""
        return self.has_scope("workspace:share") and (
            self._administers(workspace, "workspace:share") or self.acl_role(workspace) == "admin"
        )

    def can_create_in(self, organization: Organization, owner: User) -> bool:
        """Return whether the viewer may create a task with its workspace for the user in the organization."""
        if not (self.has_scope("task:create") and self.has_scope("workspace:create")):
            return False
        if self.is_in(organization, "organization-workspace-creation-ban"):
            return False
        if all(self.may_by_role(right, organization) for right in ("task:create", "workspace:create")):
            return True
        return owner is self.user and self.is_member(organization)

    def can_read_user(self, user: User) -> bool:
        """Return whether the viewer can read the user.

        If not, Coder answers that the user does not exist.
        """
        if not self.has_scope("user:read"):
            return False
        return user is self.user or self.may_by_role("user:read", None)

    def shared_memberships(self, user: User) -> set[str]:
        """Return the ids of the organizations in which the viewer can see the user's membership."""
        if self.can_read_user(user) and user is not self.user:
            return set(user.org_roles)
        if not self.rules.shares_workspaces and user is not self.user:
            return set()
        return set(user.org_roles) & set(self.user.org_roles)

    def can_read_organization(self, organization: Organization) -> bool:
        """Return whether the viewer can read the organization.

        If not, Coder answers that the organization does not exist.
        """
        if not self.has_scope("organization:read"):
            return False
        return self.may_by_role("organization:read", organization)

    def can_read_template(self, template: Template) -> bool:
        """Return whether the viewer can read the template.

        If not, Coder answers that the template does not exist.
        """
        if not self.has_scope("template:read"):
            return False
        if self.may_by_role("template:read", template.organization):
            return True
        if not self.is_member(template.organization):
            return False
        return template.readable_by is None or self.user.id in template.readable_by

    def can_use_template(self, template: Template) -> bool:
        """Return whether the viewer may create a workspace from the template."""
        if not self.has_scope("template:use"):
            return False
        if self.may_by_role("template:use", template.organization):
            return True
        return template.usable_by is None or self.user.id in template.usable_by

    def can_manage_keys_of(self, user: User, action: str) -> bool:
        """Return whether the viewer may do `action` to the user's API keys.

        `action` is read, create, update or delete.
        """
        return self.has_scope(f"api_key:{action}") and (user is self.user or self.is_site("owner"))

    def _administers(self, workspace: Workspace, right: str) -> bool:
        organization = workspace.organization
        is_owner = workspace.owner is self.user and self.is_member(organization)
        return is_owner or self.may_by_role(right, organization)

    def _has_access(self, workspace: Workspace, right: str) -> bool:
        return self._administers(workspace, right) or bool(self.acl_role(workspace))

    def _reads_users_by_organization(self) -> bool:
        return any(
            not roles.isdisjoint(READS_USERS_BY_ORGANIZATION) for roles in self.user.org_roles.values()
        )
