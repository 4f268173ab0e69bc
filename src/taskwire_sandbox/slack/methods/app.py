"""auth.*, apps.connections.open and bots.info: methods about the app itself."""

from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.methods.spec import method, page


def _auth_test(slack: Backend, _: Json) -> Json:
    workspace, app = slack.workspace, slack.app
    bot = workspace.users[app.bot_user_id]
    answer: Json = {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.domain,
        "user": bot.name,
    }
    answer |= {"team_id": workspace.team_id, "user_id": app.bot_user_id, "bot_id": app.bot_id}
    if workspace.enterprise_id:
        answer["enterprise_id"] = workspace.enterprise_id
    return answer | {"is_enterprise_install": bool(workspace.org_teams)}


def _auth_teams(slack: Backend, arguments: Json) -> Json:
    installed = slack.workspace.org_teams or (slack.workspace.team_id,)
    found, cursor = page(list(installed), arguments, default=100)
    teams = [{"id": team, "name": team.lower()} for team in found]
    return {"teams": teams, "response_metadata": {"next_cursor": cursor}}


def _connections_open(slack: Backend, _: Json) -> Json:
    return {"url": slack.socket_url()}


def _bots_info(slack: Backend, arguments: Json) -> Json:
    if arguments.get("bot", slack.app.bot_id) != slack.app.bot_id:
        raise ApiError("bot_not_found")
    return {
        "bot": slack.app.profile | {"user_id": slack.app.bot_user_id, "updated": 1_700_000_000, "icons": {}}
    }


METHODS = (
    method("auth.test", _auth_test, "", tier=0),
    method(
        "auth.teams.list",
        _auth_teams,
        "cursor limit:int include_icon:bool",
        tier=2,
        errors="invalid_cursor",
    ),
    method("apps.connections.open", _connections_open, "", tier=3, caller="app", errors="missing_args"),
    method(
        "bots.info",
        _bots_info,
        "bot team_id",
        tier=3,
        scopes="users:read",
        errors="bot_not_found bots_not_found missing_argument team_not_found",
    ),
)
