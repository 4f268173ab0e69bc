"""Settings: environment variables and a `.env` file, checked once at the start.

Ends at typed values. What is missing or wrong is named in one sentence that says what to do.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SLACK_API = "https://slack.com/api/"


class SettingsError(Exception):
    """Settings that are missing or wrong: one sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class Settings(BaseSettings):
    """How this deployment runs."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True, frozen=True
    )

    slack_bot_token: SecretStr
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: str = SLACK_API
    coder_url: str
    coder_session_token: SecretStr
    redis_url: SecretStr | None = None
    data_dir: Path = Field(Path(".taskwire"), validation_alias="TASKWIRE_DATA_DIR")
    http_addr: str = Field("127.0.0.1:8080", validation_alias="TASKWIRE_HTTP_ADDR")
    poll_interval: float = Field(5.0, ge=0.2, validation_alias="TASKWIRE_POLL_INTERVAL")
    settle: float = Field(20.0, ge=0, validation_alias="TASKWIRE_SETTLE")
    template: str | None = Field(None, validation_alias="TASKWIRE_TEMPLATE")
    preset: str | None = Field(None, validation_alias="TASKWIRE_PRESET")
    admins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="TASKWIRE_ADMINS")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="TASKWIRE_LOG_LEVEL"
    )
    log_format: Literal["json", "text"] = Field("json", validation_alias="TASKWIRE_LOG_FORMAT")

    @field_validator("coder_url", "slack_api_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not re.match(r"https?://[^/\s]+", value):
            raise ValueError("must be an address that begins with https:// or http://")
        return value.rstrip("/") if "/api" not in value else value.rstrip("/") + "/"

    @field_validator("http_addr")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError("must be HOST:PORT, for example 127.0.0.1:8080")
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
        wrong = [word for word in value if not re.fullmatch(r"[UWS][A-Z0-9]+", word)]
        if wrong:
            raise ValueError(f"must be Slack ids of people (U…) or user groups (S…), and {wrong[0]!r} is not")
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if self.slack_app_token is None and self.slack_signing_secret is None:
            raise ValueError(
                "SLACK_APP_TOKEN is missing: set it for Socket Mode (Slack app, Basic Information, App-Level "
                "Tokens), or set SLACK_SIGNING_SECRET for HTTP mode."
            )
        return self

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
        )
        return tuple(secret.get_secret_value() for secret in held if secret is not None)


_WHERE = {
    "SLACK_BOT_TOKEN": "copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions",
    "CODER_URL": "set it to the address of your Coder, for example https://coder.example.com",
    "CODER_SESSION_TOKEN": "make a token on Coder's page Settings, Tokens, with an account of role Owner",
}


def load(**overrides: str) -> Settings:
    """Read the settings; raises SettingsError with a sentence for each that is missing or wrong."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type] # pydantic turns the texts into values
    except ValidationError as error:
        # The error's own text would quote the value, which may be a token.
        sentences = [_sentence(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()]
    raise SettingsError(sentences)


def _sentence(place: tuple[int | str, ...], kind: str, message: str) -> str:
    name = str(place[0]).upper() if place else ""
    said = message.removeprefix("Value error, ").rstrip(".")
    if not name:
        return f"{said}."
    if kind == "missing":
        return f"{name} is missing: {_WHERE[name]}."
    return f"{name} is wrong: it {said}." if said.startswith("must") else f"{name} is wrong: {said}."


def names() -> tuple[str, ...]:
    """The environment variables that are read."""
    fields = Settings.model_fields
    aliases = {name: field.validation_alias for name, field in fields.items()}
    assert not any(isinstance(alias, AliasChoices) for alias in aliases.values())  # noqa: S101 - one name each
    return tuple(str(alias or name).upper() for name, alias in aliases.items())
