"""`taskwire doctor` reports the rights of the Coder account."""

from taskwire.coder import rights
from taskwire_sandbox.coder.access import Rules

from .doctor_runs import doctor, select_findings
from .processes import Place


async def test_a_custom_role_that_suffices_is_right_and_one_that_does_not_is_told(place: Place) -> None:
    """Doctor accepts a Coder account whose custom role has enough rights. If the role lacks a right, doctor
    names the right. Doctor asks Coder about each right."""
    enough = [right for right in rights.NEEDED_RIGHTS if right != rights.READ_USERS]
    custom = {"enough": enough, "less": [right for right in enough if right != "workspace:delete"]}
    place.coder.settings.rules = Rules(custom_roles=custom)
    said = {}
    for role in custom:
        place.coder.add_user(role, roles=("user-admin",), organizations={"coder": [role]})
        _, said[role] = await doctor(place, CODER_SESSION_TOKEN=place.coder.add_token(role))

    assert (
        select_findings(said["enough"], "Coder account")
        == "ok Coder account It is enough, whose roles suffice."
    )
    assert select_findings(said["less"], "Coder account") == (
        "WRONG Coder account The Coder account less has too few rights. Without workspace:delete, "
        "Taskwire can't delete tasks.\n"
        "Give it a role with workspace:delete in its organization, or the role Owner."
    )


async def test_a_coder_that_keeps_owners_out_of_workspaces_is_told(place: Place) -> None:
    """If Coder denies owners access to the workspaces of others, doctor reports this. The bot could create
    tasks, but no reply would reach an agent."""
    place.coder.settings.rules = Rules(owner_may_access_workspaces=False)

    code, said = await doctor(place)

    assert select_findings(said, "Coder account") == (
        "WRONG Coder account The Coder account taskwire can see tasks, but not write to agents, so no "
        "agent gets a reply.\n"
        "Start Coder without CODER_DISABLE_OWNER_WORKSPACE_ACCESS."
    )
    assert code == 1
