"""When people and user groups change, the stand-in sends events. If the app is installed in an organization,
some answers have more fields."""

from tests.sandbox.slack_app import connected
from tests.sandbox.slack_worlds import world


async def test_a_change_of_a_person_is_an_event_with_all_of_them() -> None:
    """If a person's profile changes, the app gets an event with the whole user, as in users.info."""
    async with world() as api, connected(api) as app:
        await api.slack.change_user("alice", is_restricted=True, deleted=True)
        await api.slack.wait_until_idle()
        alice = api.slack.workspace.user("alice")
        asked = await api.call("users.info", user=alice.id)

        [event] = app.events
        assert (event["type"], event["user"]) == ("user_change", asked["user"])
        assert (event["user"]["is_restricted"], event["user"]["deleted"]) == (True, True)


async def test_a_change_of_a_group_is_two_events() -> None:
    """If a user group changes, the app gets two events. One has the whole group. The other has the people who
    were added and removed."""
    async with world() as api, connected(api) as app:
        group = api.slack.add_group("ops", ["alice"])
        alice, bob = (api.slack.workspace.user(name).id for name in ("alice", "bob"))
        await api.slack.change_group(group.id, ["bob"])
        await api.slack.wait_until_idle()

        by_type = {event["type"]: event for event in app.events}
        assert by_type["subteam_updated"]["subteam"]["users"] == [bob]
        members = by_type["subteam_members_changed"]
        assert (members["subteam_id"], members["added_users"], members["removed_users"]) == (
            group.id,
            [bob],
            [alice],
        )


async def test_a_member_of_an_organization_is_shown_with_their_workspaces() -> None:
    """If the app is installed in an organization, auth.test shows the organization and says that the app is
    installed there. A member is shown with their workspaces."""
    async with world() as api:
        alice = api.slack.workspace.user("alice")
        before = await api.call("users.info", user=alice.id)
        api.slack.workspace.enterprise_id, api.slack.workspace.org_teams = "E0ORG", ("T0TASKWIRE", "T0OTHER")
        alice.enterprise_id, alice.teams, alice.is_email_confirmed = "E0ORG", ["T0OTHER"], None

        found = (await api.call("users.info", user=alice.id))["user"]
        own = await api.call("auth.test")
        teams = await api.call("auth.teams.list", limit=1)

        assert "enterprise_user" not in before["user"]
        assert (found["enterprise_user"]["enterprise_id"], found["enterprise_user"]["teams"]) == (
            "E0ORG",
            ["T0OTHER"],
        )
        assert "is_email_confirmed" not in found
        assert (own["enterprise_id"], own["is_enterprise_install"]) == ("E0ORG", True)
        assert [team["id"] for team in teams["teams"]] == ["T0TASKWIRE"]
        assert teams["response_metadata"]["next_cursor"]
