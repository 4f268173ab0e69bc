"""Checks that the workspaces, channels and user groups in the allowed lists exist in Slack."""

from taskwire.doctor.findings import Finding
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, UserId
from taskwire.settings import Settings
from taskwire.slack.errors import ChannelProblem, SlackRefused
from taskwire.slack.outbound import Outbound


async def check_allowed(settings: Settings, slack: Outbound, team: str | None) -> Finding:
    """Return the finding about the lists of allowed workspaces, channels and user groups.

    Raises UserError if Slack does not know an entry of a list, or if nobody may use the bot.
    """
    workspaces = settings.allowed_workspaces
    if workspaces and not (await slack.get_identity()).is_org_wide and team not in workspaces:
        raise UserError(
            f"TASKWIRE_ALLOWED_WORKSPACES does not name this workspace ({team}), so nobody may use Taskwire.",
            "Add it, or leave the list empty.",
        )
    channels = [each for each in settings.allowed_channels if not await _has_channel(slack, each)]
    shared = [each for each in settings.shared_channels if not await _has_channel(slack, each)]
    groups = [each for each in settings.allowed_groups if not await is_known(slack, each)]
    for setting, unknown, hint in (
        ("TASKWIRE_ALLOWED_CHANNELS", channels, "Invite Taskwire there, or take it from the list."),
        ("TASKWIRE_SHARED_CHANNELS", shared, "Invite Taskwire there, or take it from the list."),
        ("TASKWIRE_ALLOWED_GROUPS", groups, "A user group's menu in Slack has Copy group ID."),
    ):
        if unknown:
            raise UserError(f"{setting} names {', '.join(unknown)}, which Slack does not show here.", hint)
    return Finding("Allowed lists", "ok", "Slack knows everything that they name.")


async def _has_channel(slack: Outbound, name: str) -> bool:
    try:
        await slack.get_channel(ChannelId(name))
    except ChannelProblem:
        return False
    return True


async def is_known(slack: Outbound, name: str) -> bool:
    """Return whether Slack knows a user group or a person, by its id."""
    try:
        if name.startswith("S"):
            await slack.list_group(name, await slack.list_teams_to_ask())
        else:
            await slack.get_profile(UserId(name))
    except SlackRefused:
        return False
    return True
