"""Makes the sentence about a setting that is missing or wrong. The sentence never quotes the value."""

INGRESS_SETTING_MISSING = (
    "SLACK_APP_TOKEN is missing: set it for Socket Mode (Slack app, Basic Information, App-Level Tokens), or "
    "set SLACK_SIGNING_SECRET for HTTP mode."
)
KEYS_MISSING = (
    "TASKWIRE_SECRET_KEYS is missing: with REDIS_URL, all processes need the same key, which encrypts what "
    "is stored. `taskwire new-key` prints one."
)
SERVICE_ACCOUNT_MISSING = (
    "CODER_SESSION_TOKEN is missing: make a token on Coder's page Settings, Tokens, with an account of role "
    "Owner; or set TASKWIRE_ACCOUNTS=personal, with which each person connects their own account."
)
SERVICE_ACCOUNT_UNUSED = (
    "CODER_SESSION_TOKEN is set, and nothing uses it with TASKWIRE_ACCOUNTS=personal: remove it, or set "
    "TASKWIRE_ACCOUNTS=both."
)
_MISSING_HINTS = {
    "SLACK_BOT_TOKEN": "copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions",
    "CODER_URL": "set it to the address of your Coder, for example https://coder.example.com",
}
_CHOICE_ERRORS = {
    "TASKWIRE_ACCOUNTS": "must be service, both or personal",
    "TASKWIRE_LOG_LEVEL": "must be debug, info, warning or error",
    "TASKWIRE_LOG_FORMAT": "must be json or text",
}


class SettingsError(Exception):
    """Settings that are missing or wrong, with one sentence for each of these settings."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def make_sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """Return the sentence for a setting that pydantic found missing or wrong."""
    name = str(place[0]).upper() if place else ""
    sentence = _CHOICE_ERRORS.get(name) or message.removeprefix("Value error, ").rstrip(".")
    if message.endswith(INGRESS_SETTING_MISSING):
        return INGRESS_SETTING_MISSING
    for whole in (KEYS_MISSING, SERVICE_ACCOUNT_MISSING, SERVICE_ACCOUNT_UNUSED):
        if message.endswith(whole):
            return whole
    if not name or (name == "REDIS_URL" and sentence.startswith(name)):
        return f"{sentence}."
    if kind == "missing":
        return f"{name} is missing: {_MISSING_HINTS[name]}."
    return f"{name} is wrong: {'it ' if sentence.startswith('must') else ''}{sentence}."
