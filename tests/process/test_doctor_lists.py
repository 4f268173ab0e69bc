"""`taskwire doctor` checks the lists of allowed workspaces, channels and user groups."""

from .doctor_runs import doctor, select_findings
from .processes import Place


async def test_a_list_that_names_something_unknown_is_told(place: Place) -> None:
    """If a list of allowed channels, groups or workspaces names one that does not exist, doctor reports this.
    The name may be mistyped."""
    general = place.slack.workspace.channel("general").id
    group = place.slack.add_group("platform-team", ["alice"])

    code, said = await doctor(place, TASKWIRE_ALLOWED_CHANNELS=f"{general},C0NOWHERE1")
    _, about_group = await doctor(place, TASKWIRE_ALLOWED_GROUPS="S0NOBODY1")
    _, about_workspace = await doctor(place, TASKWIRE_ALLOWED_WORKSPACES="T0ELSEWHERE")
    _, well = await doctor(place, TASKWIRE_ALLOWED_CHANNELS=general, TASKWIRE_ALLOWED_GROUPS=group.id)

    assert code == 1
    assert select_findings(said, "Allowed lists") == (
        "WRONG Allowed lists TASKWIRE_ALLOWED_CHANNELS names C0NOWHERE1, which Slack does not show here.\n"
        "Invite Taskwire there, or take it from the list."
    )
    assert select_findings(about_group, "Allowed lists") == (
        "WRONG Allowed lists TASKWIRE_ALLOWED_GROUPS names S0NOBODY1, which Slack does not show here.\n"
        "A user group's menu in Slack has Copy group ID."
    )
    assert select_findings(about_workspace, "Allowed lists") == (
        f"WRONG Allowed lists TASKWIRE_ALLOWED_WORKSPACES does not name this workspace "
        f"({place.slack.workspace.team_id}), so nobody may use Taskwire.\n"
        "Add it, or leave the list empty."
    )
    assert select_findings(well, "Allowed lists") == (
        "ok Allowed lists Slack knows everything that they name."
    )
