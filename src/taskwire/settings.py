"""Settings: environment variables and a `.env` file, checked once at the start.

Ends at typed values. What is missing or wrong is named in one sentence that says what to do, and never
quoted: a value in the wrong place may be a token.
"""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AliasChoices,
    AliasPath,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

SLACK_API = "https://slack.com/api/"
ENV_FILE = ".env"
FASTEST_POLL_SECONDS = 0.2
_NO_WAY_IN = (
    "SLACK_APP_TOKEN is missing: set it for Socket Mode (Slack app, Basic Information, App-Level Tokens), or "
    "set SLACK_SIGNING_SECRET for HTTP mode."
)


class SettingsError(Exception):
    """Settings that are missing or wrong: one sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Settings(BaseSettings):
    """How this deployment runs."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True, frozen=True
    )

    slack_bot_token: SecretStr
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = Field(None, validate_default=True)
    slack_api_url: str = SLACK_API
    coder_url: str
    coder_session_token: SecretStr
    redis_url: SecretStr | None = None
    data_dir: Path = Field(Path(".taskwire"), validation_alias="TASKWIRE_DATA_DIR")
    http_addr: str = Field("127.0.0.1:8080", validation_alias="TASKWIRE_HTTP_ADDR")
    poll_interval: float = Field(5.0, validation_alias="TASKWIRE_POLL_INTERVAL")
    settle: float = Field(20.0, validation_alias="TASKWIRE_SETTLE")
    template: str | None = Field(None, validation_alias="TASKWIRE_TEMPLATE")
    preset: str | None = Field(None, validation_alias="TASKWIRE_PRESET")
    admins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="TASKWIRE_ADMINS")
    webhook_token: SecretStr | None = Field(None, validation_alias="TASKWIRE_WEBHOOK_TOKEN")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="TASKWIRE_LOG_LEVEL"
    )
    log_format: Literal["json", "text"] = Field("json", validation_alias="TASKWIRE_LOG_FORMAT")

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: object) -> object:
        """Forget the blanks around a value, as a file that ends in a new line has, and empty values."""
        if not isinstance(given, dict):
            return given
        cut = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        return {name: value for name, value in cut.items() if value != ""}

    @field_validator("slack_bot_token", "slack_app_token", "slack_signing_secret", "coder_session_token")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be one word of plain letters, digits and signs")
        return value

    @field_validator("slack_bot_token")
    @classmethod
    def _is_a_bots(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith(("xapp-", "xoxp-")):
            raise ValueError("must be the bot's own token, which begins with xoxb-")
        return value

    @field_validator("slack_app_token")
    @classmethod
    def _is_an_apps(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().startswith("xox"):
            raise ValueError("must be an app-level token, which begins with xapp-")
        return value

    @field_validator("slack_signing_secret")
    @classmethod
    def _is_a_way_in(cls, value: SecretStr | None, known: ValidationInfo) -> SecretStr | None:
        """One of the two is needed; this field is read after the other, and a wrong one is not in `data`."""
        if value is None and known.data.get("slack_app_token", "wrong") is None:
            raise ValueError(_NO_WAY_IN)
        return value

    @field_validator("coder_url")
    @classmethod
    def _is_coders(cls, value: str) -> str:
        _check_address(value)
        return value.rstrip("/")

    @field_validator("slack_api_url")
    @classmethod
    def _is_an_api(cls, value: str) -> str:
        _check_address(value)
        value = value.rstrip("/") + "/"
        if not value.endswith("/api/"):
            raise ValueError(f"must end in /api/, as {SLACK_API} does")
        return value

    @field_validator("http_addr")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not colon or not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
            raise ValueError("must be HOST:PORT, for example 127.0.0.1:8080")
        return value

    @field_validator("poll_interval", "settle", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds):
            raise ValueError("must be a number of seconds, for example 5")
        return seconds

    @field_validator("poll_interval")
    @classmethod
    def _is_not_too_fast(cls, value: float) -> float:
        if value < FASTEST_POLL_SECONDS:
            raise ValueError(f"must be at least {FASTEST_POLL_SECONDS} seconds")
        return value

    @field_validator("settle")
    @classmethod
    def _is_not_negative(cls, value: float) -> float:
        if value < 0:
            raise ValueError("must be 0 seconds or more")
        return value

    @field_validator("admins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("admins")
    @classmethod
    def _are_slack_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [
            place for place, word in enumerate(value, 1) if not re.fullmatch(r"[UWS][A-Z0-9]{4,20}", word)
        ]
        if wrong:
            raise ValueError(
                "must be Slack ids of people (U…) or user groups (S…) with commas between them, and number "
                f"{wrong[0]} is not one; a profile's menu in Slack has Copy member ID"
            )
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @property
    def is_socket_mode(self) -> bool:
        """Socket Mode when there is an app token, whatever else is set."""
        return self.slack_app_token is not None

    @property
    def http_host(self) -> str:
        """Where health, metrics and HTTP mode listen."""
        return self.http_addr.rpartition(":")[0].strip("[]")

    @property
    def http_port(self) -> int:
        """The port of health, metrics and HTTP mode."""
        return int(self.http_addr.rpartition(":")[2])

    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown."""
        held = (
            self.slack_bot_token,
            self.slack_app_token,
            self.slack_signing_secret,
            self.coder_session_token,
            self.redis_url,
            self.webhook_token,
        )
        values = [secret.get_secret_value() for secret in held if secret is not None]
        # What a Redis client says of its trouble may name a password and not the whole address.
        if self.redis_url is not None:
            url = self.redis_url.get_secret_value()
            passwords = re.findall(r"://[^/@]*?:([^/]+)@|[?&](?:\w+_)?password=([^&]+)", url)
            values += [unquote(either) for pair in passwords for either in pair if either]
        return tuple(values)


class _Given(Settings):
    """Settings that come from their maker alone."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: object,
        **__: object,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read neither the environment nor a file."""
        del settings_cls
        return (init_settings,)


_WHERE = {
    "SLACK_BOT_TOKEN": "copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions",
    "CODER_URL": "set it to the address of your Coder, for example https://coder.example.com",
    "CODER_SESSION_TOKEN": "make a token on Coder's page Settings, Tokens, with an account of role Owner",
}
_BOLTS_OWN = ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_VERIFICATION_TOKEN")
_CHOICES = {
    "TASKWIRE_LOG_LEVEL": "must be debug, info, warning or error",
    "TASKWIRE_LOG_FORMAT": "must be json or text",
}


def load(**overrides: str) -> Settings:
    """Read the settings; raises SettingsError with a sentence for each that is missing or wrong."""
    return _checked(Settings, overrides)


def hide() -> None:
    """Take the settings out of the environment: Bolt reads there by itself, and changes its ways by it."""
    for name in (*names(), *_BOLTS_OWN):
        os.environ.pop(name, None)


def given(values: Mapping[str, str]) -> Settings:
    """Settings of these values alone, by their names; neither the environment nor a file is read."""
    fields = {_name(field): field for field in Settings.model_fields}
    aliased = {fields[name] if _alias(fields[name]) is None else name: text for name, text in values.items()}
    return _checked(_Given, aliased)


class _WayIn(BaseSettings):
    model_config = Settings.model_config

    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None


def is_http_only() -> bool:
    """Whether the settings, as far as there are any yet, lead to HTTP mode."""
    try:
        way = _WayIn()
    except (ValidationError, UnicodeDecodeError, OSError):
        return False
    return way.slack_app_token is None and way.slack_signing_secret is not None


def _checked(kind: type[Settings], values: Mapping[str, str]) -> Settings:
    try:
        return kind(**values)  # type: ignore[arg-type] # pydantic turns the texts into values
    except ValidationError as error:
        # The error's own text would quote the value, which may be a token.
        sentences = [_sentence(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()]
    except UnicodeDecodeError:
        sentences = [f"The file {ENV_FILE} is not text in UTF-8: write it anew, or take it away."]
    except OSError as error:
        sentences = [f"The file {ENV_FILE} cannot be read ({error.strerror}): let this user read it."]
    raise SettingsError(sentences)


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    name = str(place[0]).upper() if place else ""
    said = _CHOICES.get(name) or message.removeprefix("Value error, ").rstrip(".")
    if message.endswith(_NO_WAY_IN):
        return _NO_WAY_IN
    if kind == "missing":
        return f"{name} is missing: {_WHERE[name]}."
    return f"{name} is wrong: it {said}." if said.startswith("must") else f"{name} is wrong: {said}."


def names() -> tuple[str, ...]:
    """The environment variables that are read."""
    return tuple(_name(field) for field in Settings.model_fields)


def _name(field: str) -> str:
    return (_alias(field) or field).upper()


def _alias(field: str) -> str | None:
    alias = Settings.model_fields[field].validation_alias
    assert not isinstance(alias, AliasChoices | AliasPath)  # noqa: S101 - each has one name
    return alias


def _check_address(value: str) -> None:
    """Raise what `must` be, unless it is the address of a web site and no more."""
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or re.search(r"\s", value):
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be an address without a user name, a ? or a #")
