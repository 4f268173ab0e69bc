"""The settings of Coder's OAuth2 provider. Each wrong value or combination is named in a sentence."""

import pytest

from taskwire import settings
from taskwire.settings_errors import SettingsError

GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-bot",
    "SLACK_APP_TOKEN": "xapp-app",
    "CODER_URL": "https://coder.example.com",
    "CODER_SESSION_TOKEN": "abc-def",
    "TASKWIRE_ACCOUNTS": "both",
    "TASKWIRE_CODER_OAUTH_CLIENT_ID": "11111111-2222",
    "TASKWIRE_CODER_OAUTH_SECRET": "coder_prefix_secret",
    "TASKWIRE_PUBLIC_URL": "https://taskwire.example.com/",
}
TOGETHER = (
    "TASKWIRE_CODER_OAUTH_CLIENT_ID, TASKWIRE_CODER_OAUTH_SECRET and TASKWIRE_PUBLIC_URL belong together."
)
PUBLIC = (
    "TASKWIRE_PUBLIC_URL is wrong: it must be the https address at which browsers reach TASKWIRE_HTTP_ADDR."
)
WRONG = [
    ("TASKWIRE_CODER_OAUTH_CLIENT_ID", "", f"TASKWIRE_CODER_OAUTH_CLIENT_ID is missing: {TOGETHER}"),
    ("TASKWIRE_CODER_OAUTH_SECRET", "", f"TASKWIRE_CODER_OAUTH_SECRET is missing: {TOGETHER}"),
    ("TASKWIRE_PUBLIC_URL", "", f"TASKWIRE_PUBLIC_URL is missing: {TOGETHER}"),
    ("TASKWIRE_PUBLIC_URL", "http://taskwire.example.com", PUBLIC),
    ("TASKWIRE_PUBLIC_URL", "https://me@taskwire.example.com", PUBLIC),
    ("TASKWIRE_PUBLIC_URL", "https://taskwire.example.com?x=1", PUBLIC),
    (
        "TASKWIRE_PUBLIC_URL",
        "https://example.com/taskwire/",
        "TASKWIRE_PUBLIC_URL is wrong: it must have no path: give Taskwire a host name of its own.",
    ),
    (
        "TASKWIRE_CODER_OAUTH_CLIENT_ID",
        "a b",
        "TASKWIRE_CODER_OAUTH_CLIENT_ID is wrong: it must be the client ID that Coder shows of the app.",
    ),
    (
        "TASKWIRE_ACCOUNTS",
        "service",
        "TASKWIRE_CODER_OAUTH_CLIENT_ID is set, and nobody connects an account with "
        "TASKWIRE_ACCOUNTS=service: set TASKWIRE_ACCOUNTS=both or personal, or remove it.",
    ),
]


def test_the_address_of_the_callback_is_below_the_public_one() -> None:
    """The callback's address is the public address with a fixed path. Coder compares it exactly with the
    address that was registered."""
    app = settings.from_values(GOOD).oauth_app

    assert app is not None
    assert app.callback_url == "https://taskwire.example.com/coder/callback"


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_what_is_wrong_is_named(name: str, value: str, sentence: str) -> None:
    """A setting for OAuth2 is wrong. The error is a sentence that says what the operator should do."""
    with pytest.raises(SettingsError) as refused:
        settings.from_values({**GOOD, name: value})

    assert refused.value.sentences == [sentence]
