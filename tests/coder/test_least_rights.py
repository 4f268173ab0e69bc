"""The least rights of the service account: which scopes and which role each feature needs.

The stand-in for Coder enforces roles and scopes. `docs/security.md` has the table that is measured here.
"""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from taskwire.coder import lists
from taskwire.coder.client import CoderClient
from taskwire.coder.scopes import FEATURES, list_lost_features, list_missing
from taskwire.domain.errors import OutsideError
from taskwire.domain.text.agent_text import AgentText
from taskwire_sandbox.coder import SandboxTask

from .test_stories import Deployment, deployed

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs/security.md", ROOT / "README.md"
# Coder's handlers and its composed scopes read or change these too. The stand-in does not ask for them.
NOT_ENFORCED = {
    "create tasks for people": {"organization:read", "workspace:update"},
    "read the log of a running agent": {"workspace:read"},
    "send replies to agents": {"task:update", "workspace:read", "workspace:ssh"},
    "pause tasks": {"task:update", "workspace:read", "workspace:update"},
    "resume tasks": {"task:update", "workspace:read", "workspace:update"},
    "delete tasks": {"task:delete", "workspace:read"},
}


class Attempt:
    """One try of a feature, with a task of Alice."""

    def __init__(self, here: Deployment, client: CoderClient, task: SandboxTask) -> None:
        self.here, self.client, self.task = here, client, task

    async def knows_its_end(self) -> bool:
        """Ask when the token ends."""
        await self.client.get_own_user()
        return await self.client.find_token_expiry() is not None

    async def finds_people(self) -> bool:
        """Look for Alice by her address."""
        return bool(await self.client.list_users_by_email("alice@example.com"))

    async def lists_tasks(self) -> bool:
        """Read the list of all tasks."""
        return bool(lists.split_list(await self.client.list_tasks_raw()))

    async def shows_reports(self) -> bool:
        """Read the workspace, its build's log and its agent's reports."""
        workspace = self.task.row.workspace
        await self.client.get_workspace(workspace.id)
        await self.client.list_build_logs(workspace.latest.id)
        agent = workspace.latest.agent
        assert agent is not None
        await self.client.list_reports(agent.id, "app")
        return True

    async def offers_templates(self) -> bool:
        """Read the templates and the presets of one."""
        await self.client.list_presets(self.here.template.active.id)
        return bool(await self.client.list_templates())

    async def creates(self) -> bool:
        """Create a task of Alice."""
        await self.client.get_user("alice")
        version = self.here.template.active.id
        made = await self.client.create_task("alice", version, AgentText("Fix it"), "fix-it")
        return made.owner_name == "alice"

    async def reads_log(self) -> bool:
        """Read the log of the running agent."""
        return bool((await self.client.get_logs(self.task.id)).logs)

    async def sends(self) -> bool:
        """Send a reply."""
        await self.client.send(self.task.id, AgentText("Go on"))
        return True

    async def pauses(self) -> bool:
        """Pause the task."""
        await self.client.pause(self.task.id)
        return True

    async def resumes(self) -> bool:
        """Resume the task after somebody has paused it."""
        await self._is_paused()
        await self.client.resume(self.task.id)
        return True

    async def edits(self) -> bool:
        """Change the prompt of the paused task."""
        await self._is_paused()
        await self.client.edit_input(self.task.id, AgentText("Fix it well"))
        return True

    async def deletes(self) -> bool:
        """Delete the task."""
        await self.client.delete_task(self.task.id)
        return True

    async def _is_paused(self) -> None:
        await self.here.client.pause(self.task.id)
        await self.here.coder.advance(60)


TRIES: dict[str, Callable[[Attempt], Awaitable[bool]]] = {
    "know when its token ends": Attempt.knows_its_end,
    "find people's Coder accounts": Attempt.finds_people,
    "list and show tasks": Attempt.lists_tasks,
    "show what an agent reported and why a build failed": Attempt.shows_reports,
    "offer templates and presets": Attempt.offers_templates,
    "create tasks for people": Attempt.creates,
    "read the log of a running agent": Attempt.reads_log,
    "send replies to agents": Attempt.sends,
    "pause tasks": Attempt.pauses,
    "resume tasks": Attempt.resumes,
    "edit prompts": Attempt.edits,
    "delete tasks": Attempt.deletes,
}
# From the smallest role to the largest. Each is a role of the deployment, or `organization-admin`.
ROLES = {
    "Member": (),
    "User Admin": ("user-admin",),
    "Template Admin": ("template-admin",),
    "Organization Admin": ("organization-admin",),
    "Owner": ("owner",),
}


async def _works(feature: str, role: str, scopes: tuple[str, ...]) -> bool:
    """Return whether a token of an account with this role and these scopes is enough for the feature."""
    async with deployed() as here:
        roles = ROLES[role]
        is_site = "organization-admin" not in roles
        here.coder.add_user(
            "bot", roles=roles if is_site else (), organizations={"coder": () if is_site else roles}
        )
        task = await here.running()
        token = here.coder.add_token("bot", scopes=scopes)
        async with CoderClient.open(here.coder.url, token) as client:
            try:
                return await TRIES[feature](Attempt(here, client, task))
            except OutsideError:
                return False


def _rows() -> dict[str, tuple[tuple[str, ...], str]]:
    """Return what the page says of each feature: its scopes, and the smallest role."""
    table = PAGE.read_text(encoding="utf-8").split("| what Taskwire does |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]
    return {row[0]: (tuple(re.findall(r"`([\w:]+)`", row[1])), row[2].split(",")[0]) for row in rows}


def test_the_page_has_the_scopes_that_are_checked() -> None:
    """The doctor names a feature and a scope by this table too."""
    assert {feature: scopes for feature, (scopes, _) in _rows().items()} == FEATURES
    assert list(TRIES) == list(FEATURES)


def test_a_feature_is_lost_with_any_of_its_scopes() -> None:
    """Each scope belongs to at least one feature."""
    assert list_lost_features(["workspace:stop"]) == ["pause tasks"]
    assert list_lost_features(["task:update"]) == [
        *("send replies to agents", "pause tasks", "resume tasks", "edit prompts")
    ]
    assert list_lost_features([]) == []


@pytest.mark.parametrize("feature", FEATURES)
async def test_the_token_of_the_installation_can_do_everything(feature: str) -> None:
    """The command in the README names scopes that suffice, and none that makes other tokens."""
    scopes = tuple(re.findall(r"--scope '?([\w:.*]+)", README.read_text(encoding="utf-8")))

    assert list_missing(scopes) == []
    assert not {"api_key:create", "api_key:*", "all"} & set(scopes)
    assert await _works(feature, "Owner", scopes)


@pytest.mark.parametrize("feature", FEATURES)
async def test_the_scopes_of_a_feature_suffice_and_none_is_for_nothing(feature: str) -> None:
    """With its scopes a feature works; without any one of them that the stand-in asks for, it does not."""
    scopes = FEATURES[feature]

    assert await _works(feature, "Owner", scopes)
    not_missed = {
        each for each in scopes if await _works(feature, "Owner", tuple(s for s in scopes if s != each))
    }
    assert not_missed == NOT_ENFORCED.get(feature, set())


@pytest.mark.parametrize("feature", FEATURES)
async def test_the_smallest_role_of_a_feature_is_the_one_on_the_page(feature: str) -> None:
    """For tasks of other people; each account can do all of this with its own tasks."""
    enough = [role for role in ROLES if await _works(feature, role, ("all",))]

    assert enough[0] == _rows()[feature][1]
    assert "Owner" in enough
