"""Checks Taskwire as an app of Coder's OAuth2 provider, as far as that is possible without a person.

The check asks Coder to exchange a code that Coder never gave to anybody. Coder first looks at the app, its
secret and the address to which people are sent back, and then refuses the code. So nothing is exchanged.
"""

from taskwire.coder.errors import Forbidden, NotFound
from taskwire.coder.oauth import GrantRefused, OAuthClient, make_secret
from taskwire.doctor.findings import Finding
from taskwire.domain.errors import UserError
from taskwire.settings import Settings
from taskwire.settings_oauth import CALLBACK_PATH

NAME = "Coder's page"
_NO_CODE = "taskwire-doctor"


async def check_oauth_app(settings: Settings, running: OAuthClient | None) -> Finding:
    """Return the finding about the app. Raise UserError if nobody could connect an account on Coder's page.

    `running` is the client of a running bot. Without it, a client is made from the settings.
    """
    if running is not None:
        return await _check(running)
    async with OAuthClient.open(settings.coder_url, settings.oauth_app) as opened:
        assert opened is not None  # noqa: S101 - the settings have an app
        return await _check(opened)


async def _check(oauth: OAuthClient) -> Finding:
    try:
        await oauth.exchange(_NO_CODE, make_secret())
    except GrantRefused as refused:
        if refused.code == "invalid_client":
            raise UserError(
                "Coder knows no app with TASKWIRE_CODER_OAUTH_CLIENT_ID, or refuses its secret.",
                "Copy both from the app's page in Coder.",
            ) from None
        if refused.code == "invalid_request":
            raise UserError(
                "Coder sends people back to another address than TASKWIRE_PUBLIC_URL.",
                f"Give the app in Coder this address with {CALLBACK_PATH} at its end.",
            ) from None
        if refused.code != "invalid_grant":
            raise
    except (NotFound, Forbidden):
        raise UserError(
            "This Coder has no page on which people could connect their accounts.",
            "Start Coder with CODER_EXPERIMENTS=oauth2, or remove TASKWIRE_CODER_OAUTH_CLIENT_ID.",
        ) from None
    return Finding(NAME, "ok", "Coder knows Taskwire's app, its secret and its address.")
