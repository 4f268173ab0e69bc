"""Reads a few settings from the environment and the `.env` file without checking all settings.

These functions work even if other settings are missing or wrong. `settings.py` checks all settings.
"""

import contextlib
import os
import re
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from taskwire.domain.parsing.grammar import find_nearest
from taskwire.settings import ENV_FILE, Settings, list_names
from taskwire.settings_secrets import SecretSettings

# Variables that Kubernetes sets by itself for a service named taskwire.
_OF_KUBERNETES = re.compile(r"TASKWIRE_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")


def list_unknown() -> list[str]:
    """Return a sentence for each TASKWIRE_… variable that is set but unknown. Values are not shown."""
    named = {name.upper() for name in os.environ}
    # `settings.load` reports a file that cannot be read.
    with contextlib.suppress(UnicodeDecodeError, OSError):
        named |= {name.upper() for name in dotenv_values(ENV_FILE)}
    ours = {name for name in named if name.startswith("TASKWIRE_") and not _OF_KUBERNETES.fullmatch(name)}
    sentences = []
    for name in sorted(ours - set(list_names())):
        close = find_nearest(name, list_names(), slips=3)[:1]
        sentence = f"There is no setting {name}, so it does nothing."
        sentences.append(" ".join([sentence, *(f"Is it {each}?" for each in close)]))
    return sentences


class _IngressSettings(SecretSettings):
    model_config = Settings.model_config

    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None


def is_http_only() -> bool:
    """Return whether the settings choose HTTP mode, even if other settings are missing."""
    try:
        ingress = _IngressSettings()  # type: ignore[call-arg] # pydantic gives the defaults
    except (ValidationError, UnicodeDecodeError, OSError):
        return False
    in_files = set(ingress.find_files())
    if ingress.secrets_dir is not None and ingress.secrets_dir.is_dir():
        in_files |= {file.name for file in ingress.secrets_dir.iterdir()}
    has_app_token = ingress.slack_app_token is not None or "SLACK_APP_TOKEN" in in_files
    return not has_app_token and (
        ingress.slack_signing_secret is not None or "SLACK_SIGNING_SECRET" in in_files
    )


class _CoderSetting(BaseSettings):
    model_config = Settings.model_config

    coder_url: str = ""


def find_coder_host() -> str:
    """Return the host of Coder, even if other settings are wrong; empty if it is not set."""
    try:
        return urlsplit(_CoderSetting().coder_url.strip()).hostname or ""
    except (ValidationError, UnicodeDecodeError, OSError, ValueError):
        return ""


class _LogFormatSetting(BaseSettings):
    model_config = Settings.model_config

    taskwire_log_format: str = "json"


def log_format() -> Literal["json", "text"]:
    """Return the wanted format of the log, even if other settings are wrong."""
    try:
        return "text" if _LogFormatSetting().taskwire_log_format.strip().lower() == "text" else "json"
    except (ValidationError, UnicodeDecodeError, OSError):
        return "json"
