"""The least rights of the service account: which scopes, which role and which rights each feature needs.

The tests compare the stand-in for Coder, which enforces roles, custom roles and scopes, with the tables in
`docs/security.md`.
"""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from taskwire.coder import lists, rights
from taskwire.coder.client import CoderClient
from taskwire.coder.scopes import FEATURES, list_lost_features, list_missing
from taskwire.doctor.findings import Finding, judge_account
from taskwire.domain.errors import OutsideError
from taskwire.domain.text.agent_text import AgentText
from taskwire_sandbox.coder import SandboxTask, faults
from taskwire_sandbox.coder.access import Rules

from .test_stories import Deployment, deployed

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs/security.md", ROOT / "README.md"
# Coder's handlers and its composed scopes also use these resources. The stand-in does not check the rights to
# these resources.
NOT_ENFORCED = {
    "create tasks for people": {"organization:read", "workspace:update"},
    "send replies to agents": {"task:update", "workspace:ssh"},
    "pause tasks": {"task:update", "workspace:update"},
    "resume tasks": {"task:update", "workspace:update"},
}


class Attempt:
    """One try of each feature of Taskwire, with a task of Alice. Each method tries one feature. If Coder
    refuses, the method raises an error or returns false."""

    def __init__(self, here: Deployment, client: CoderClient, task: SandboxTask) -> None:
        self.here, self.client, self.task = here, client, task

    async def knows_its_end(self) -> bool:
        """Ask Coder when the token ends."""
        await self.client.get_own_user()
        return await self.client.find_token_expiry() is not None

    async def finds_people(self) -> bool:
        """Look for Alice by her email address."""
        return bool(await self.client.list_users_by_email("alice@example.com"))

    async def lists_tasks(self) -> bool:
        """Read the list of all tasks. Then read one task alone."""
        await self.client.get_task(self.task.id)
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
        """Read the templates, and the presets of one template."""
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
        """Edit the prompt of the paused task."""
        await self._is_paused()
        await self.client.get_task(self.task.id)
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
# From the role with the fewest rights to the role with the most. Each is a role of the whole deployment,
# except `organization-admin`, which is a role in one organization.
ROLES = {
    "Member": (),
    "User Admin": ("user-admin",),
    "Template Admin": ("template-admin",),
    "Organization Admin": ("organization-admin",),
    "Owner": ("owner",),
}


# The custom role that has enough rights, and copies of it that each lack one right. Each account with such a
# role also has the role User Admin.
CUSTOM_ROLES = {"custom": [right for right in rights.NEEDED_RIGHTS if right != rights.READ_USERS]}
CUSTOM_ROLES |= {
    f"custom-without-{left_out}": [right for right in CUSTOM_ROLES["custom"] if right != left_out]
    for left_out in CUSTOM_ROLES["custom"]
}
EVERY_ROLE = [*ROLES, *CUSTOM_ROLES]


def _add_bot(here: Deployment, role: str) -> None:
    """Add the service account to Coder. `role` is a role from `docs/security.md`, or a custom role; with a
    custom role, the account is User Admin too."""
    here.coder.settings.rules = Rules(custom_roles=CUSTOM_ROLES)
    roles = ROLES.get(role, (role,))
    is_site = role in ROLES and "organization-admin" not in roles
    site = roles if is_site else ("user-admin",) if role in CUSTOM_ROLES else ()
    here.coder.add_user("bot", roles=site, organizations={"coder": () if is_site else roles})


async def _works(feature: str, role: str, scopes: tuple[str, ...]) -> bool:
    """Return whether the feature works with a token of these scopes, of an account with this role."""
    async with deployed() as here:
        _add_bot(here, role)
        task = await here.running()
        token = here.coder.add_token("bot", scopes=scopes)
        async with CoderClient.open(here.coder.url, token) as client:
            try:
                return await TRIES[feature](Attempt(here, client, task))
            except OutsideError:
                return False


def _rows() -> dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Return each feature's row in the table of `docs/security.md`: its scopes, its smallest role, and the
    rights of a custom role."""
    table = PAGE.read_text(encoding="utf-8").split("| what Taskwire does |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]
    return {row[0]: (_names(row[1]), row[2].split(",")[0], _names(row[3])) for row in rows}


def _names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([\w:]+)`", cell))


def test_the_page_has_the_scopes_that_are_checked() -> None:
    """`docs/security.md` lists the scopes that doctor checks for each feature."""
    assert {feature: scopes for feature, (scopes, _, _) in _rows().items()} == FEATURES
    assert {feature: needed for feature, (_, _, needed) in _rows().items() if needed} == rights.FEATURE_RIGHTS
    assert list(TRIES) == list(FEATURES)


def test_a_feature_is_lost_with_any_of_its_scopes() -> None:
    """If a token lacks any of the needed scopes, at least one feature fails."""
    assert list_lost_features(["workspace:stop"]) == ["pause tasks"]
    assert list_lost_features(["task:update"]) == [
        *("send replies to agents", "pause tasks", "resume tasks", "edit prompts")
    ]
    assert list_lost_features([]) == []


@pytest.mark.parametrize("feature", FEATURES)
async def test_the_token_of_the_installation_can_do_everything(feature: str) -> None:
    """A token that an operator makes with the README's command has enough scopes for every feature. With this
    token, nobody can make other tokens."""
    scopes = tuple(re.findall(r"--scope '?([\w:.*]+)", README.read_text(encoding="utf-8")))

    assert list_missing(scopes) == []
    assert not {"api_key:create", "api_key:*", "all"} & set(scopes)
    assert await _works(feature, "Owner", scopes)


@pytest.mark.parametrize("feature", FEATURES)
async def test_the_scopes_of_a_feature_suffice_and_none_is_for_nothing(feature: str) -> None:
    """A feature works with a token that has exactly the scopes of its row in `docs/security.md`. If the token
    lacks one of the scopes that the stand-in checks, the feature fails."""
    scopes = FEATURES[feature]

    assert await _works(feature, "Owner", scopes)
    not_missed = {
        each for each in scopes if await _works(feature, "Owner", tuple(s for s in scopes if s != each))
    }
    assert not_missed == NOT_ENFORCED.get(feature, set())


@pytest.mark.parametrize("feature", FEATURES)
async def test_the_smallest_role_of_a_feature_is_the_one_on_the_page(feature: str) -> None:
    """`docs/security.md` names the smallest role that each feature needs for tasks of other people. Every
    account can manage its own tasks without a role."""
    enough = [role for role in ROLES if await _works(feature, role, ("all",))]

    assert enough[0] == _rows()[feature][1]
    assert "Owner" in enough


async def _ask_doctor(role: str, *, is_route_there: bool = True) -> tuple[list[str], Finding]:
    """Let doctor check an account with this role. Return the features that Coder denies to the account, by
    their names in `docs/security.md`, and what doctor prints. Without `is_route_there`, Coder has no route
    for rights."""
    async with deployed() as here:
        _add_bot(here, role)
        if not is_route_there:
            here.coder.plan_fault("authcheck", faults.server_error("Route not found.", 404))
        async with CoderClient.open(here.coder.url, here.coder.add_token("bot")) as client:
            account = await client.get_own_user()
            found = await rights.find_rights(client, account)
            asked = [request.route for request in here.coder.requests].count("authcheck")
            assert asked == 1
            lost = rights.list_lost_features(found.fewest_missing) if found else []
            return lost, judge_account(account, found)


@pytest.mark.parametrize("role", EVERY_ROLE)
async def test_doctor_says_of_each_role_what_really_fails(role: str) -> None:
    """Doctor names exactly the features that fail for an account with this role, even if it is a custom role.
    Doctor sends one request to find this out."""
    fails = [feature for feature in rights.FEATURE_RIGHTS if not await _works(feature, role, ("all",))]

    lost, finding = await _ask_doctor(role)

    assert lost == fails
    assert finding.state == ("wrong" if fails else "ok")


async def test_doctor_names_what_fails_and_what_to_grant() -> None:
    """For an account with too few rights, doctor names the failing features and the right to grant. An
    account with enough rights is accepted, whatever the name of its role."""
    _, custom = await _ask_doctor("custom")
    _, without = await _ask_doctor("custom-without-workspace:stop")
    _, administrator = await _ask_doctor("Organization Admin")
    _, user_admin = await _ask_doctor("User Admin")

    assert (custom.state, custom.says) == ("ok", "It is bot, whose roles suffice.")
    assert (without.says, without.hint) == (
        "The Coder account bot has too few rights. Without workspace:stop, Taskwire can't pause tasks.",
        "Give it a role with workspace:stop in its organization, or the role Owner.",
    )
    assert (administrator.says, administrator.hint) == (
        "The Coder account bot has too few rights. Without workspace:application_connect, Taskwire "
        "can't do this: read the log of a running agent; send replies to agents.",
        "Give it a role with workspace:application_connect in its organization, or the role Owner.",
    )
    assert user_admin.hint.startswith("Give it a role with task:read, workspace:read, ")


@pytest.mark.parametrize(
    ("role", "state", "said"),
    [
        ("Owner", "ok", "It is bot, who has the role Owner. This Coder does not say more about its rights."),
        (
            "custom",
            "wrong",
            "The Coder account bot lacks the role Owner, and this Coder does not show the account's other "
            "rights.",
        ),
    ],
)
async def test_a_coder_that_does_not_tell_rights_is_judged_by_the_role_owner(
    role: str, state: str, said: str
) -> None:
    """If Coder has no route for rights, doctor judges the account by the role Owner. Old versions and proxies
    may lack the route."""
    _, finding = await _ask_doctor(role, is_route_there=False)

    assert (finding.state, finding.says) == (state, said)


async def test_a_role_of_one_organization_suffices_there() -> None:
    """An account with a role in one organization is accepted for tasks of that organization. Coder puts new
    accounts into the default organization."""
    async with deployed() as here:
        here.coder.settings.rules = Rules(custom_roles=CUSTOM_ROLES)
        here.coder.add_organization("other")
        here.coder.add_user("bot", roles=("user-admin",), organizations={"coder": ["custom"], "other": ()})
        async with CoderClient.open(here.coder.url, here.coder.add_token("bot")) as client:
            account = await client.get_own_user()
            finding = judge_account(account, await rights.find_rights(client, account))

    assert finding.says == "It is bot, whose roles suffice in 1 of its 2 organizations."
