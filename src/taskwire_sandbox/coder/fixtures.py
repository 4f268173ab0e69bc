"""Adds rows to a deployment directly: organizations, users, API keys, templates and tasks.

The rows do not pass through the API. So Coder's rules for requests do not apply to these rows.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from taskwire_sandbox.coder.access import is_known_scope
from taskwire_sandbox.coder.builds import Builds
from taskwire_sandbox.coder.names import generate
from taskwire_sandbox.coder.rows import (
    ORGANIZATION_ROLES,
    SITE_ROLES,
    App,
    ExternalAuth,
    Organization,
    Parameter,
    Preset,
    Task,
    Template,
    Token,
    User,
    Version,
    Workspace,
)
from taskwire_sandbox.coder.steps import INSTANT, BuildPlan, Script, quiet
from taskwire_sandbox.coder.world import World

YEAR = timedelta(days=365)


class Fixtures:
    """Adds rows to one `World`."""

    def __init__(self, world: World, builds: Builds) -> None:
        self._world = world
        self._builds = builds

    def add_organization(self, name: str, display_name: str = "") -> Organization:
        """Add an organization. The first organization is the default."""
        world = self._world
        is_first = not world.organizations
        made = Organization(
            world.ids.new_uuid(),
            name,
            display_name or name.title(),
            is_first,
            world.schedule.next_timestamp(),
        )
        world.organizations[made.id] = made
        return made

    def add_user(
        self,
        username: str,
        *,
        email: str = "",
        name: str = "",
        roles: Iterable[str] = (),
        organizations: Mapping[str, Iterable[str]] | None = None,
        github_id: int = 0,
    ) -> User:
        """Add a user. If no organizations are given, the user belongs to the default organization."""
        world = self._world
        if unknown := set(roles) - SITE_ROLES.keys():
            raise ValueError(f"no such role: {', '.join(sorted(unknown))}")
        address = email or f"{username}@example.com"
        if any(user.email.lower() == address.lower() for user in world.users.values()):
            raise ValueError(f"somebody has the e-mail address {address} already: Coder answers 409")
        memberships = {"default": ()} if organizations is None else organizations
        made = User(
            world.ids.new_uuid(),
            username,
            address,
            name or username.title(),
            world.schedule.next_timestamp(),
            roles=set(roles),
            github_id=github_id,
        )
        for each, its_roles in memberships.items():
            if unknown := set(its_roles) - {*ORGANIZATION_ROLES, *world.settings.rules.custom_roles}:
                raise ValueError(f"no such role in an organization: {', '.join(sorted(unknown))}")
            made.org_roles[self._organization(each).id] = set(its_roles)
        world.add_user(made)
        return made

    def add_token(
        self, user: User, name: str = "", lifetime: timedelta = YEAR, scopes: tuple[str, ...] = ("all",)
    ) -> Token:
        """Add an API key. Coder's limits on lifetimes do not apply."""
        world = self._world
        if unknown := [scope for scope in scopes if not is_known_scope(scope)]:
            raise ValueError(f"no such scope: {', '.join(unknown)}")
        key_id, secret = world.ids.new_token()
        now = world.schedule.next_timestamp()
        seconds = int(lifetime.total_seconds())
        made = Token(key_id, secret, user, name or f"key-{key_id}", now, now + lifetime, seconds, scopes)
        world.tokens[key_id] = made
        return made

    def add_template(
        self,
        name: str,
        *,
        display_name: str = "",
        organization: str = "default",
        description: str = "",
        presets: Iterable[Preset] = (),
        parameters: Iterable[Parameter] = (),
        external_auth: Iterable[ExternalAuth] = (),
        script: Callable[[str], Script] = quiet,
        plan: BuildPlan = INSTANT,
        has_ai_task: bool = True,
    ) -> Template:
        """Add a template with one version."""
        world = self._world
        author = next(iter(world.users.values()), None) or self.add_user("template-author")
        made = Template(
            world.ids.new_uuid(),
            name,
            display_name or name,
            self._organization(organization),
            author,
            world.schedule.next_timestamp(),
            description=description,
            script=script,
            plan=plan,
        )
        version = self.add_version(made, has_ai_task=has_ai_task)
        version.presets = list(presets)
        version.parameters = list(parameters)
        version.external_auth = list(external_auth)
        world.templates[made.id] = made
        return made

    def add_version(self, template: Template, *, has_ai_task: bool = True) -> Version:
        """Add a version to a template. This version becomes the active version."""
        world = self._world
        name = f"v{len(template.versions) + 1}"
        made = Version(
            world.ids.new_uuid(), template, name, world.schedule.next_timestamp(), has_ai_task=has_ai_task
        )
        template.versions.append(made)
        world.versions[made.id] = made
        return made

    def new_preset(
        self,
        name: str,
        parameters: Mapping[str, str] | None = None,
        *,
        is_default: bool = False,
        description: str = "",
    ) -> Preset:
        """Make a preset for a template that is not added yet."""
        return Preset(self._world.ids.new_uuid(), name, dict(parameters or {}), is_default, description)

    def add_task(self, owner: User, prompt: str, template: Template, name: str = "") -> Task:
        """Add a task as if a person had created it on Coder's own pages. The task's first build is queued."""
        world = self._world
        made_name, display_name = generate(prompt, world.ids)
        new, stamp = world.ids.new_uuid, world.schedule.next_timestamp()
        workspace = Workspace(new(), name or made_name, owner, template, stamp, stamp, App(new()))
        task = Task(new(), workspace.name, display_name, owner, template.active, workspace, prompt, stamp)
        if world.find_task(owner, task.name) is not None:
            raise ValueError(f"{owner.username} already has a task named {task.name}")
        world.add_task(task)
        self._builds.add(workspace, "start", "initiator", owner)
        return task

    def _organization(self, name: str) -> Organization:
        found = self._world.find_organization(name)
        if found is None:
            raise LookupError(f"no organization is called {name!r}")
        return found
