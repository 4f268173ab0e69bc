"""Several workspaces of one Slack organization. Only members of the bot's workspace may use the bot."""

import pytest

from taskwire_sandbox.slack.interaction_payloads import common_fields, place
from taskwire_sandbox.slack.ledger import Delivery

from .people import Person
from .world import World

ORG, SISTER = "E0ORG", "T0SISTER"
STRANGER = "Taskwire works for members of this Slack only. Ask a member to do it."


async def _of_organization(world: World, *, installed: tuple[str, ...] = ()) -> None:
    workspace = world.slack.workspace
    workspace.enterprise_id, workspace.org_teams = ORG, installed
    for user in workspace.users.values():
        user.enterprise_id, user.teams = ORG, [user.team_id]
    await world.restarts()


def _person(world: World, name: str, *teams: str) -> Person:
    """Make a person of the organization who is a member of these workspaces. The first workspace is the
    person's home."""
    person = world.person(name, team_id=teams[0])
    user = world.slack.workspace.user(name)
    user.enterprise_id, user.teams = ORG, list(teams)
    world.slack.workspace.channel("general").members.append(person.id)
    return person


@pytest.mark.parametrize("installed", [(), ("T0TASKWIRE", "T0OTHER")], ids=["one workspace", "org-wide"])
async def test_a_sister_workspaces_member_is_a_stranger(world: World, installed: tuple[str, ...]) -> None:
    """Carol is a member of another workspace of the same organization, and sees the shared channel. The bot
    refuses her, even if the settings list her as an administrator."""
    carol = _person(world, "carol", SISTER)
    await _of_organization(world, installed=installed)
    await world.restarts(admins=(carol.id,))
    thread = await world.alice.runs("/task create fix it")
    world.task("fix-it").becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)

    await carol.types("/task create do that")
    await carol.types("/task list")
    await carol.clicks(thread, "Stop")
    await carol.replies(thread, "go on")

    *told, by_reply = carol.reads()
    assert told == [STRANGER] * 3
    assert by_reply == f"The agent does not get your replies here. {STRANGER}"
    assert [(task.status, task.inputs) for task in world.coder.tasks] == [("active", [])]


async def test_a_member_of_two_workspaces_is_no_stranger(world: World) -> None:
    """A person is a member of the bot's workspace and of another. The bot accepts the person, even if Slack
    names the other workspace in the payload."""
    carol = _person(world, "carol", SISTER, "T0TASKWIRE")
    await _of_organization(world)
    world.slack.workspace.user("carol").teams = [SISTER, "T0TASKWIRE"]

    await carol.runs("/task create fix it")

    assert world.task("fix-it").row.owner.username == "carol"


async def test_an_organizations_install_is_for_its_installed_workspaces(world: World) -> None:
    """The app is installed in two workspaces of the organization. A member of either workspace may use
    Taskwire, also in the other's channels."""
    carol = _person(world, "carol", "T0OTHER")
    await _of_organization(world, installed=("T0TASKWIRE", "T0OTHER"))

    await carol.runs("/task create fix it")

    assert world.task("fix-it").row.owner.username == "carol"


async def test_an_organization_names_the_workspace_whose_people_and_groups_it_reads(world: World) -> None:
    """The app is installed in two workspaces of the organization. The bot finds a person by name, and the
    members of a group, in both workspaces."""
    carol = _person(world, "carol", "T0OTHER")
    world.slack.workspace.user("carol").real_name = "Robert Berg"
    group = world.slack.add_group("platform-team", ("bob",))
    await _of_organization(world, installed=("T0OTHER", "T0TASKWIRE"))
    await world.restarts(admins=(group.id,))
    await world.alice.runs("/task create fix it")
    name = world.task("fix-it").name

    await world.alice.types(f"/task share {name} @Robert Berg")
    await world.bob.types(f"/task pause {name}")

    assert world.alice.reads() == [
        "Robert Berg can steer *Fix it*, but not delete, detach or share it. "
        f"`/task unshare {name} @Robert Berg` ends that."
    ]
    assert carol.hears() == [
        "Alice lets you steer *Fix it*. Replies in its thread go to the agent. You can also stop and resume "
        "the task, and edit its prompt.\n[Open thread]"
    ]
    assert world.bob.reads() == ["Pausing *Fix it*. A reply in its thread resumes it."]


HOME = "T0TASKWIRE"
# What a payload may claim about its origin and its person. Only Slack's user information counts.
CLAIMS: dict[str, dict[str, object]] = {
    "as it is": {},
    "our workspace": {"team": {"id": HOME}, "team_id": HOME},
    "no workspace": {"team": None, "team_id": ""},
    "our organization": {"enterprise": {"id": ORG}, "enterprise_id": ORG, "is_enterprise_install": True},
    "another organization": {"enterprise": {"id": "E0OTHER"}, "enterprise_id": "E0OTHER"},
    "an organization and no workspace": {"enterprise": {"id": ORG}, "team": None, "team_id": ""},
}
KINDS = {"single": None, "one of an organization": (), "org-wide": (HOME, "T0OTHER")}


async def _types_made_up(world: World, who: Person, text: str, claims: dict[str, object]) -> None:
    backend, here = world.slack.backend, world.slack.workspace.channel("general")
    payload: dict[str, object] = {
        "team_id": HOME,
        "channel_id": here.id,
        "user_id": who.id,
        "command": "/task",
        "text": text,
        "trigger_id": backend.tickets.trigger(who.id),
        "response_url": backend.tickets.response_url("commands", who.id, here.id),
    }
    payload |= {name: value for name, value in claims.items() if isinstance(value, str)}
    await backend.dispatcher.deliver_now(Delivery("slash_commands", "/task", payload))
    await world.settles()


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
@pytest.mark.parametrize("installed", KINDS.values(), ids=KINDS)
async def test_whatever_a_payload_claims_a_stranger_does_nothing(
    world: World, installed: tuple[str, ...] | None, claims: dict[str, object]
) -> None:
    """A person of another company or workspace sends payloads that claim another origin. The bot refuses them
    all, even if the settings list the person as an administrator."""
    sister = _person(world, "carol", SISTER)
    partner = world.person("peter", team_id="T0PARTNER", is_stranger=True)
    world.slack.workspace.channel("general").members.append(partner.id)
    if installed is not None:
        await _of_organization(world, installed=installed)
    world.slack.workspace.user("carol").enterprise_id = ORG
    for name, team in (("carol", SISTER), ("peter", "T0PARTNER")):
        world.slack.workspace.user(name).teams = [team]
    await world.restarts(admins=(sister.id, partner.id))
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    task.becomes("working", "On it")
    task.says("the secret words")
    await world.polls()
    await world.passes(seconds=5)
    link = thread.button("Stop")[2]

    for who in (sister, partner):
        for action_id in ("task.pause", "task.logs", "task.delete", "task.edit", "form.open", "list.page"):
            value = "1 all" if action_id == "list.page" else link
            user = {"user": {"id": who.id, "team_id": HOME}} if claims else {}
            await who.presses_made_up(action_id, value, told={**claims, **user})
        for text in ("create do that", "list all", "status fix-it", "pause fix-it", "logs fix-it"):
            await _types_made_up(world, who, text, claims)
        for text in ("go on", "!logs", "!pause", "!status"):
            await who.replies(thread, text)

    said = "\n".join(sister.reads() + partner.reads() + [sister.dialog(), partner.dialog()])
    assert "secret" not in said
    assert "Fix it" not in said
    assert STRANGER in said or not said.strip()
    # At least the payload that claims our workspace must pass the listener and be refused with a message.
    # Otherwise the test has tried nothing.
    assert STRANGER in said or claims is not CLAIMS["our workspace"]
    assert [(each.status, each.is_deleted, each.inputs) for each in world.coder.tasks] == [
        ("active", False, [])
    ]
    assert thread.new_messages() == []


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
async def test_a_dialog_that_a_stranger_sends_creates_nothing(
    world: World, claims: dict[str, object]
) -> None:
    """A person of another company submits an invented dialog. The bot creates, changes and deletes
    nothing."""
    partner = world.person("peter", team_id="T0PARTNER", is_stranger=True)
    world.slack.workspace.user("peter").teams = ["T0PARTNER"]
    here = world.slack.workspace.channel("general")
    here.members.append(partner.id)
    await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    about = f'{{"channel": "{here.id}", "at": "1.000001", "task": "{task.id}"}}'
    entered = {"form.prompt": {"form.prompt": {"type": "plain_text_input", "value": "do that"}}}

    for number, callback in enumerate(("create", "edit", "delete")):
        view: dict[str, object] = {"id": f"V{number}", "hash": "1.x", "callback_id": callback}
        view |= {"type": "modal", "private_metadata": about, "state": {"values": entered}}
        payload = common_fields(world.slack.backend, "view_submission", world.slack.workspace.user("peter"))
        payload |= {"view": view, "channel": place(here), **claims}
        payload |= {"user": {"id": partner.id, "team_id": HOME}} if claims else {}
        await world.slack.backend.dispatcher.deliver_now(Delivery("interactive", "view_submission", payload))
        await world.settles()

    told = partner.reads()
    assert [(each.prompt, each.is_deleted) for each in world.coder.tasks] == [("fix it", False)]
    assert set(told) <= {STRANGER}
    assert len(told) == 3 or claims is not CLAIMS["our workspace"]
