"""Settings: environment variables and a `.env` file, checked once at the start.

The result is typed values. Each setting that is missing or wrong gets a sentence, which names the setting and
says what to do. The sentence never quotes a value, because a value in the wrong place may be a token.
"""

import math
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

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

from taskwire import sealing
from taskwire.domain import addresses
from taskwire.domain.errors import UserError
from taskwire.domain.masking.own_tokens import OwnTokens
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.parsing.bare_words import STOP_SIGN
from taskwire.settings_errors import (
    INGRESS_SETTING_MISSING,
    KEYS_MISSING,
    SERVICE_ACCOUNT_MISSING,
    SERVICE_ACCOUNT_UNUSED,
    SettingsError,
    make_sentence,
)
from taskwire.settings_oauth import OAuthSettings
from taskwire.settings_policy import PolicySettings, split_list
from taskwire.settings_secrets import SecretSettings, list_redis_passwords, with_secrets_of_files

SLACK_API = "https://slack.com/api/"
ENV_FILE = ".env"
# The default for the hosts whose links are shown without the host's name. Most pull requests are on one of
# these hosts.
FORGES = ("github.com", "gitlab.com", "bitbucket.org")
# The default reaction that starts a task from a message, and the value that turns this reaction off.
DEFAULT_EMOJI, NO_EMOJI = "robot_face", "none"
# The default prefix of all keys in Redis.
KEY_PREFIX = "tw"
FASTEST_POLL_SECONDS = 0.2
# In characters. A token of at least this length cannot occur in another text by chance, so it is masked in
# any encoding.
SAFE_TOKEN_LENGTH = 16
# A pair of quotation marks around a value. A password may have a single mark at one end.
_QUOTES = re.compile(
    "\".*\"|'.*'|[\u201c\u201d\u201e].*[\u201c\u201d]|[\u2018\u2019].*[\u2018\u2019]", re.DOTALL
)


class Settings(SecretSettings, PolicySettings, OAuthSettings):
    """The configuration of this deployment."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True, frozen=True
    )

    slack_bot_token: SecretStr
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = Field(None, validate_default=True)
    slack_api_url: str = SLACK_API
    coder_url: str
    accounts: Literal["service", "both", "personal"] = Field("service", validation_alias="TASKWIRE_ACCOUNTS")
    coder_session_token: SecretStr | None = Field(None, validate_default=True)
    redis_url: SecretStr | None = None
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), validation_alias="TASKWIRE_SECRET_KEYS", validate_default=True
    )
    data_dir: Path = Field(Path(".taskwire"), validation_alias="TASKWIRE_DATA_DIR")
    http_addr: str = Field("127.0.0.1:8080", validation_alias="TASKWIRE_HTTP_ADDR")
    admin_addr: str | None = Field(None, validation_alias="TASKWIRE_ADMIN_ADDR")
    admin_token: SecretStr | None = Field(None, validation_alias="TASKWIRE_ADMIN_TOKEN")
    key_prefix: str = Field(KEY_PREFIX, validation_alias="TASKWIRE_KEY_PREFIX")
    poll_interval: float = Field(5.0, validation_alias="TASKWIRE_POLL_INTERVAL")
    settle: float = Field(20.0, validation_alias="TASKWIRE_SETTLE")
    stuck: float = Field(1800.0, validation_alias="TASKWIRE_STUCK")
    reminder: float = Field(0.0, validation_alias="TASKWIRE_REMINDER")
    template: str | None = Field(None, validation_alias="TASKWIRE_TEMPLATE")
    preset: str | None = Field(None, validation_alias="TASKWIRE_PRESET")
    emoji: str = Field(DEFAULT_EMOJI, validation_alias="TASKWIRE_EMOJI")
    forges: Annotated[tuple[str, ...], NoDecode] = Field(FORGES, validation_alias="TASKWIRE_FORGES")
    webhook_token: SecretStr | None = Field(None, validation_alias="TASKWIRE_WEBHOOK_TOKEN")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="TASKWIRE_LOG_LEVEL"
    )
    log_format: Literal["json", "text"] = Field("json", validation_alias="TASKWIRE_LOG_FORMAT")

    @model_validator(mode="before")
    @classmethod
    def _strip_values(cls, given: object) -> object:
        """Remove blanks around values, such as a file's last line break, and drop empty values."""
        if not isinstance(given, dict):
            return given
        cut = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        return with_secrets_of_files({name: value for name, value in cut.items() if value != ""})

    @field_validator(
        "slack_bot_token", "slack_app_token", "slack_signing_secret", "coder_session_token", "admin_token"
    )
    @classmethod
    def _require_printable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be one word of plain letters, digits and signs")
        return value

    @field_validator("admin_token")
    @classmethod
    def _require_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SAFE_TOKEN_LENGTH:
            raise ValueError(f"must have at least {SAFE_TOKEN_LENGTH} characters, so that nobody guesses it")
        return value

    @field_validator("slack_bot_token")
    @classmethod
    def _check_bot_token(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith(("xapp-", "xoxp-")):
            raise ValueError("must be the bot's own token, which begins with xoxb-")
        return value

    @field_validator("slack_app_token")
    @classmethod
    def _check_app_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().startswith("xox"):
            raise ValueError("must be an app-level token, which begins with xapp-")
        return value

    @field_validator("slack_signing_secret")
    @classmethod
    def _require_ingress_secret(cls, value: SecretStr | None, known: ValidationInfo) -> SecretStr | None:
        """Require the signing secret if there is no app token: HTTP mode needs the secret.

        The app token is validated first. If it is wrong, it is not in `known.data` and has its own error. In
        that case the secret is not required.
        """
        if value is None and known.data.get("slack_app_token", "wrong") is None:
            raise ValueError(INGRESS_SETTING_MISSING)
        return value

    @field_validator("coder_session_token")
    @classmethod
    def _check_service_token(cls, value: SecretStr | None, known: ValidationInfo) -> SecretStr | None:
        """Require the service account's token if there is a service account.

        Refuse the token if each person acts only with their own account.
        """
        accounts = known.data.get("accounts")
        if accounts in ("service", "both") and value is None:
            raise ValueError(SERVICE_ACCOUNT_MISSING)
        if accounts == "personal" and value is not None:
            raise ValueError(SERVICE_ACCOUNT_UNUSED)
        return value

    @field_validator("coder_url")
    @classmethod
    def _check_coder_url(cls, value: str) -> str:
        addresses.check_web_url(value)
        return value.rstrip("/")

    @field_validator("slack_api_url")
    @classmethod
    def _check_api_url(cls, value: str) -> str:
        addresses.check_web_url(value)
        value = value.rstrip("/") + "/"
        if not value.endswith("/api/"):
            raise ValueError(f"must end in /api/, as {SLACK_API} does")
        return value

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                addresses.parse_redis_url(value.get_secret_value())
            except UserError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return sealing.parse_keys(value) if isinstance(value, str) else value

    @field_validator("secret_keys")
    @classmethod
    def _check_secret_keys(cls, value: tuple[SecretStr, ...], known: ValidationInfo) -> tuple[SecretStr, ...]:
        """Require keys in the settings if several processes may share a Redis.

        Without keys in the settings, each process would make its own key. If REDIS_URL is wrong, it is not in
        `known.data` and has its own error. In that case no keys are required.
        """
        if not value and known.data.get("redis_url") is not None:
            raise ValueError(KEYS_MISSING)
        wrong = [place for place, key in enumerate(value, 1) if not sealing.is_key(key.get_secret_value())]
        if wrong:
            raise ValueError(
                "must be keys that `taskwire new-key` prints, with commas between them and the newest first, "
                f"and number {wrong[0]} is not one"
            )
        return value

    @field_validator("http_addr", "admin_addr")
    @classmethod
    def _check_host_and_port(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, colon, port = value.rpartition(":")
        if not colon or not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
            raise ValueError("must be HOST:PORT, for example 127.0.0.1:8080")
        return value

    @field_validator("key_prefix")
    @classmethod
    def _check_key_prefix(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", value):
            raise ValueError("must be a word of at most 40 letters, digits, dots, dashes and underscores")
        return value

    @field_validator("poll_interval", "settle", "stuck", "reminder", mode="before")
    @classmethod
    def _require_number(cls, value: object) -> object:
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds):
            raise ValueError("must be a number of seconds, for example 5")
        return seconds

    @field_validator("poll_interval")
    @classmethod
    def _check_poll_interval(cls, value: float) -> float:
        if value < FASTEST_POLL_SECONDS:
            raise ValueError(f"must be at least {FASTEST_POLL_SECONDS} seconds")
        return value

    @field_validator("settle", "stuck", "reminder")
    @classmethod
    def _check_seconds(cls, value: float) -> float:
        if value < 0:
            raise ValueError("must be 0 seconds or more")
        return value

    @field_validator("forges", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        return split_list(value)

    @field_validator("forges")
    @classmethod
    def _check_forges(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        hosts = tuple(word.lower() for word in value)
        if not all(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?", host) for host in hosts):
            raise ValueError("must be hosts with commas between them, for example github.com,git.example.com")
        return hosts

    @field_validator("emoji")
    @classmethod
    def _check_emoji(cls, value: str) -> str:
        name = value.strip(":").lower()
        if not re.fullmatch(r"[a-z0-9_'+-]{1,100}", name):
            raise ValueError("must be the name of an emoji, for example robot_face, or none")
        if name == STOP_SIGN:
            raise ValueError("must be another emoji than the stop sign, which stops tasks")
        return "" if name == NO_EMOJI else name

    @field_validator("accounts", "log_level", "log_format", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_quotation_marks(cls, value: object) -> object:
        """Refuse quotation marks around a value. Docker's `--env-file` makes them a part of the value.

        A shell and a `.env` file remove such marks. This must stay the last "before" validator in the class,
        because pydantic runs the last one first.
        """
        if isinstance(value, str) and _QUOTES.fullmatch(value):
            raise ValueError(
                "must have no quotation marks around it, which are part of a value where Docker reads it "
                "from a file; leave them out"
            )
        return value

    @model_validator(mode="after")
    def _check_prefix_has_no_token(self) -> Self:
        """Refuse a key prefix that contains a token, because masking would change the prefix in every key."""
        by_setting = {name: OwnTokens(values) for name, values in self._tokens_by_setting().items()}
        if name := next((name for name, tokens in by_setting.items() if tokens.find(self.key_prefix)), None):
            what = "the password in REDIS_URL" if name == "REDIS_URL" else name
            raise ValueError(
                f"TASKWIRE_KEY_PREFIX holds {what}, which would stand in every key: set another prefix, "
                "or another secret"
            )
        return self

    @model_validator(mode="after")
    def _check_oauth(self) -> Self:
        if problem := self.find_oauth_problem(self.accounts):
            raise ValueError(problem)
        return self

    @property
    def service_token(self) -> str:
        """The token of the service account; empty if each person acts with their own account."""
        return self.coder_session_token.get_secret_value() if self.coder_session_token is not None else ""

    @property
    def is_socket_mode(self) -> bool:
        """Whether there is an app token. Then Socket Mode is used, even if a signing secret is set."""
        return self.slack_app_token is not None

    @property
    def has_public_site(self) -> bool:
        """Whether anything besides health is served by HTTP."""
        return not self.is_socket_mode or self.webhook_token is not None or self.oauth_app is not None

    def tokens(self) -> tuple[str, ...]:
        """Return our own tokens and Redis's passwords. Each of them gives access to this deployment."""
        return tuple(value for values in self._tokens_by_setting().values() for value in values)

    def _tokens_by_setting(self) -> dict[str, tuple[str, ...]]:
        secrets = {
            "SLACK_BOT_TOKEN": self.slack_bot_token,
            "SLACK_APP_TOKEN": self.slack_app_token,
            "SLACK_SIGNING_SECRET": self.slack_signing_secret,
            "CODER_SESSION_TOKEN": self.coder_session_token,
            "TASKWIRE_WEBHOOK_TOKEN": self.webhook_token,
            "TASKWIRE_ADMIN_TOKEN": self.admin_token,
            "TASKWIRE_CODER_OAUTH_SECRET": self.coder_oauth_secret,
        }
        found: dict[str, tuple[str, ...]] = {
            name: (secret.get_secret_value(),) for name, secret in secrets.items() if secret is not None
        }
        found["TASKWIRE_SECRET_KEYS"] = tuple(key.get_secret_value() for key in self.secret_keys)
        return found | {"REDIS_URL": tuple(unquote(password) for password in self._redis_passwords())}

    def texts_of_secrets(self) -> dict[str, str]:
        """Map the name of each secret setting that is set to its value, as one text."""
        found = {name: ",".join(values) for name, values in self._tokens_by_setting().items()}
        url = self.redis_url.get_secret_value() if self.redis_url is not None else ""
        return found | {"REDIS_URL": url}

    def _redis_passwords(self) -> tuple[str, ...]:
        """Return the passwords in REDIS_URL, with the URL's percent-encoding.

        They are masked in this form, because an error of the Redis client may quote the URL.
        """
        return list_redis_passwords(self.redis_url.get_secret_value() if self.redis_url is not None else "")

    @cached_property
    def masker(self) -> Masker:
        """The masker of every secret in these settings.

        All parts share this one object. So if a new token replaces a secret, all parts mask the new token.
        """
        return Masker(self.secrets(), self.tokens())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with a masker of its own, because its secrets may differ."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("masker", None)
        return copy

    def secrets(self) -> tuple[str, ...]:
        """Return every value that must never be shown: all tokens, and the passwords of the store."""
        url = self.redis_url.get_secret_value() if self.redis_url is not None else ""
        # If the Redis setting is no address, its value may be a token in the wrong variable.
        misplaced = (url,) if url and "://" not in url else ()
        return (*self.tokens(), *self._redis_passwords(), *misplaced)


class _ExplicitSettings(Settings):
    """Settings that come only from the values that are passed in."""

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


_BOLT_VARIABLES = ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_VERIFICATION_TOKEN")


def load(**overrides: str) -> Settings:
    """Read the settings. Raise SettingsError with a sentence for each setting that is missing or wrong."""
    try:
        return _validate(Settings, overrides)
    except SettingsError as error:
        is_lacking = any(" is missing: " in sentence for sentence in error.sentences)
        if is_lacking and not Path(ENV_FILE).exists():
            raise SettingsError([*error.sentences, f"There is no {ENV_FILE} in {Path.cwd()}."]) from None
        raise


def remove_from_environment() -> None:
    """Remove the settings from the environment, because Bolt would read and obey some of them."""
    for name in (*list_names(), *_BOLT_VARIABLES):
        os.environ.pop(name, None)


def from_values(values: Mapping[str, str]) -> Settings:
    """Make settings from these values alone, by name. Neither the environment nor a file is read."""
    fields = {_variable_of(field): field for field in Settings.model_fields}
    aliased = {fields[name] if _alias(fields[name]) is None else name: text for name, text in values.items()}
    return _validate(_ExplicitSettings, aliased)


def list_short_tokens(settings: Settings) -> list[str]:
    """Return a sentence for each token that is accepted although it is short enough to guess."""
    token, longer = settings.webhook_token, "set a longer one, which nobody can guess."
    if token is None or len(token.get_secret_value()) >= SAFE_TOKEN_LENGTH:
        return []
    return [f"TASKWIRE_WEBHOOK_TOKEN has fewer than {SAFE_TOKEN_LENGTH} characters: {longer}"]


def host_and_port(address: str) -> tuple[str, int]:
    """Split `HOST:PORT` into the host and the port. An IPv6 host loses its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _validate(kind: type[Settings], values: Mapping[str, str]) -> Settings:
    try:
        return kind(**values)  # type: ignore[arg-type] # pydantic turns the texts into values
    except ValidationError as error:
        # The error's own text would quote the value, which may be a token.
        sentences = [
            make_sentence(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()
        ]
    except UnicodeDecodeError:
        sentences = [f"The file {ENV_FILE} is not text in UTF-8: write it anew, or take it away."]
    except OSError as error:
        sentences = [f"The file {ENV_FILE} cannot be read ({error.strerror}): let this user read it."]
    raise SettingsError(sentences)


def list_names() -> tuple[str, ...]:
    """Return the names of the environment variables that are read."""
    return tuple(_variable_of(field) for field in Settings.model_fields)


def _variable_of(field: str) -> str:
    return (_alias(field) or field).upper()


def _alias(field: str) -> str | None:
    alias = Settings.model_fields[field].validation_alias
    assert not isinstance(alias, AliasChoices | AliasPath)  # noqa: S101 - each has one name
    return alias
