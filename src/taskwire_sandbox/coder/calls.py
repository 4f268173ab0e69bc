"""One request while it is answered: its route, its sender, and the look-ups that all routes need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from taskwire_sandbox.coder.access import Viewer
from taskwire_sandbox.coder.bodies import Struct, read
from taskwire_sandbox.coder.builds import Builds
from taskwire_sandbox.coder.ids import as_uuid
from taskwire_sandbox.coder.notifications import Notifications
from taskwire_sandbox.coder.reports import Reports
from taskwire_sandbox.coder.rows import Agent, Task, User, Version, Workspace
from taskwire_sandbox.coder.wire import JsonValue, Refusal, Response, not_found
from taskwire_sandbox.coder.world import World


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parts of the deployment that a request can use."""

    world: World
    reports: Reports
    builds: Builds
    notifications: Notifications


@dataclass(frozen=True, slots=True)
class Route:
    """A route of Coder's API.

    `name` is what tests call the route. `handler` is the function that answers requests.
    """

    name: str
    method: str
    pattern: str
    handler: "Callable[[Call], Response]"
    query: frozenset[str] = frozenset()
    key_kind: str = "user"  # the kind of API key that the route needs: "user", "agent", or "anyone" for none


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose route is known and whose API key was checked."""

    deployment: Deployment
    route: Route
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    sender: Viewer | Agent | None
    number: int = 0  # the number of the request in the order of arrival

    @property
    def world(self) -> World:
        """Return the deployment's rows."""
        return self.deployment.world

    @property
    def viewer(self) -> Viewer:
        """Return the user who sends the request. Raise LookupError if the sender is not a user."""
        if not isinstance(self.sender, Viewer):
            raise LookupError(f"{self.route.name} is no route for users")
        return self.sender

    def read(self, struct: Struct) -> dict[str, JsonValue]:
        """Return the body's fields, decoded as `struct`. Raise Refusal if the body cannot be decoded."""
        return read(self.body, struct, self.world.record_violation)

    def user(self) -> User:
        """Return the user whom `{user}` in the path names.

        Raise Refusal (404) if there is no such user that the viewer can read.
        """
        found = self._named_user()
        if found is None or not self.viewer.can_read_user(found):
            raise not_found()
        return found

    def member(self) -> User:
        """Return the user whom `{user}` in the path names.

        Raise Refusal (404) if the viewer can read neither the user nor a membership of the user.
        """
        found = self._named_user()
        if found is None:
            raise not_found()
        if not self.viewer.can_read_user(found) and not self.viewer.shared_memberships(found):
            raise not_found()
        return found

    def task(self) -> Task:
        """Return the task that `{task}` in the path names. Raise Refusal (404) if the viewer cannot read it.

        A task is found by its id under every `{user}`. A task is found by its name only under its owner.
        """
        owner, name = self.member(), self.params["task"]
        known = as_uuid(name)
        found = self.world.tasks.get(known) if known else None
        found = found or self.world.find_task(owner, name)
        if found is None or not self.viewer.can_read_task(found):
            raise not_found()
        return found

    def workspace(self) -> Workspace:
        """Return the workspace that `{workspace}` in the path names.

        Raise Refusal with 404 if there is no such workspace that the viewer can read. Raise Refusal with 410
        if the workspace is deleted and the query does not ask for deleted workspaces.
        """
        found = self.world.workspaces.get(self.uuid("workspace"))
        if found is None or not self.viewer.can_read_workspace(found):
            raise not_found()
        if found.is_deleted and self.query.get("include_deleted") != "true":
            hint = 'you can view this workspace by specifying "?include_deleted=true" and trying again.'
            raise Refusal(410, f'Workspace "{found.id}" was deleted, {hint}')
        return found

    def version(self) -> Version:
        """Return the template version that `{templateversion}` in the path names.

        Raise Refusal (404) if there is no such version that the viewer can read.
        """
        found = self.world.versions.get(self.uuid("templateversion"))
        if found is None or not self.viewer.can_read_template(found.template):
            raise not_found()
        return found

    def uuid(self, name: str) -> str:
        """Return the path parameter `name` as a UUID. Raise Refusal (400) if it is not a UUID."""
        known = as_uuid(self.params[name])
        if known is None:
            self.world.record_violation(f"{self.route.name}: {self.params[name]!r} is no uuid")
            raise Refusal(
                400,
                f'Invalid UUID "{self.params[name]}".',
                f"invalid UUID length: {len(self.params[name])}",
            )
        return known

    def _named_user(self) -> User | None:
        name = self.params["user"]
        return self.viewer.user if name == "me" else self.world.find_user(name)
