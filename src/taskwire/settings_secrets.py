"""The secret settings: each can be read from a file instead of the environment.

The setting `NAME_FILE` names the file with the secret `NAME`. Without this setting, Taskwire looks in the
directory `TASKWIRE_SECRETS_DIR` for a file called `NAME`. `app/secret_files.py` notices when these files
change.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings

# The secret settings, as pydantic names them before they are checked.
_SECRETS: Final = (
    "slack_bot_token",
    "slack_app_token",
    "slack_signing_secret",
    "coder_session_token",
    "redis_url",
    "TASKWIRE_SECRET_KEYS",
    "TASKWIRE_WEBHOOK_TOKEN",
    "TASKWIRE_ADMIN_TOKEN",
    "TASKWIRE_CODER_OAUTH_SECRET",
)
# No secret is longer, and a process searches every text for each of its secrets.
MAX_SECRET_BYTES: Final = 4_096
_DIRECTORY: Final = "TASKWIRE_SECRETS_DIR"
_KEYS: Final = "TASKWIRE_SECRET_KEYS"
_WHAT = {
    "REDIS_URL": "one address",
    _KEYS: "keys",
    "SLACK_SIGNING_SECRET": "one secret",
    "TASKWIRE_CODER_OAUTH_SECRET": "one secret",
}


class SecretSettings(BaseSettings):
    """The settings that name the files with secrets."""

    slack_bot_token_file: Path | None = None
    slack_app_token_file: Path | None = None
    slack_signing_secret_file: Path | None = None
    coder_session_token_file: Path | None = None
    redis_url_file: Path | None = None
    secret_keys_file: Path | None = Field(None, validation_alias="TASKWIRE_SECRET_KEYS_FILE")
    webhook_token_file: Path | None = Field(None, validation_alias="TASKWIRE_WEBHOOK_TOKEN_FILE")
    admin_token_file: Path | None = Field(None, validation_alias="TASKWIRE_ADMIN_TOKEN_FILE")
    coder_oauth_secret_file: Path | None = Field(None, validation_alias="TASKWIRE_CODER_OAUTH_SECRET_FILE")
    secrets_dir: Path | None = Field(None, validation_alias=_DIRECTORY)

    def find_files(self) -> Mapping[str, Path]:
        """Map the name of each secret setting that has a file to the path of this file."""
        named = {
            "SLACK_BOT_TOKEN": self.slack_bot_token_file,
            "SLACK_APP_TOKEN": self.slack_app_token_file,
            "SLACK_SIGNING_SECRET": self.slack_signing_secret_file,
            "CODER_SESSION_TOKEN": self.coder_session_token_file,
            "REDIS_URL": self.redis_url_file,
            "TASKWIRE_SECRET_KEYS": self.secret_keys_file,
            "TASKWIRE_WEBHOOK_TOKEN": self.webhook_token_file,
            "TASKWIRE_ADMIN_TOKEN": self.admin_token_file,
            "TASKWIRE_CODER_OAUTH_SECRET": self.coder_oauth_secret_file,
        }
        return {name: file for name, file in named.items() if file is not None}


def with_secrets_of_files(given: dict[str, object]) -> dict[str, object]:
    """Add the secrets that are in files. Raise ValueError with a sentence if a file cannot be used."""
    found = given | _find_in_directory(given)
    for key in _SECRETS:
        file, name = found.get(_file_key(key)), key.upper()
        if file is None:
            continue
        if key in given:
            raise ValueError(f"{name} and {name}_FILE are both set: remove one of them")
        found[key] = read_secret(Path(str(file)), name)
    return found


def read_secret(file: Path, name: str) -> str:
    """Return the secret in a file. Raise ValueError with a sentence if the file has no valid secret."""
    try:
        if file.exists() and not file.is_file() and not file.is_dir():
            # Reading a pipe would wait for a writer.
            raise ValueError(f"The file in {name}_FILE cannot be read: it is no file")
        with file.open("rb") as opened:
            content = opened.read(MAX_SECRET_BYTES + 1)
        if len(content) > MAX_SECRET_BYTES:
            raise ValueError(
                f"The file in {name}_FILE is no secret: it has more than {MAX_SECRET_BYTES:,} bytes"
            )
        text = content.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ValueError(f"The file in {name}_FILE cannot be read: {why}") from None
    if not re.fullmatch(r"[\x21-\x7e]+(\s+[\x21-\x7e]+)*" if name == _KEYS else r"[\x21-\x7e]+", text):
        raise ValueError(f"The file in {name}_FILE must hold {_WHAT.get(name, 'one token')} and nothing else")
    return text


def _find_in_directory(given: Mapping[str, object]) -> dict[str, object]:
    """Map the settings `NAME_FILE` to the files in the directory of secrets.

    Leave out a secret that is set, or whose file is set, in another way.
    """
    directory = given.get(_DIRECTORY)
    if directory is None:
        return {}
    if not Path(str(directory)).is_dir():
        raise ValueError(f"The directory in {_DIRECTORY} does not exist, or may not be read")
    files = {key: Path(str(directory)) / key.upper() for key in _SECRETS}
    return {
        _file_key(key): str(file)
        for key, file in files.items()
        if key not in given and _file_key(key) not in given and file.exists()
    }


def _file_key(key: str) -> str:
    return f"{key}_FILE" if key.isupper() else f"{key}_file"


def list_redis_passwords(url: str) -> tuple[str, ...]:
    """Return the passwords in an address of Redis, as the address spells them."""
    found = re.findall(r"://[^/@]*?:([^/]+)@|[?&](?:\w+_)?password=([^&]+)", url)
    return tuple(either for pair in found for either in pair if either)
