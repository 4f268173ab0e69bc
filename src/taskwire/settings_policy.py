"""Settings about people: their limits, where they may use the bot, and how long their data is kept.

`settings.py` has the other settings, and reads all of them.
"""

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode


def split_list(value: object) -> object:
    """Split a text at its commas. Another value stays as it is."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def split_restriction(value: object) -> object:
    """Split a list of ids. Raise ValueError if it has only commas, because an empty list restricts nothing.

    An empty text is allowed: then the setting is not set.
    """
    words = split_list(value)
    if isinstance(value, str) and value.strip() and not words:
        raise ValueError(
            "must have at least one id, and there are only commas; to have no such list, leave the setting "
            "empty"
        )
    return words


class PolicySettings(BaseSettings):
    """The part of the settings that is about people: limits, places and retention."""

    admins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="TASKWIRE_ADMINS")
    create_limit: int = Field(20, validation_alias="TASKWIRE_CREATE_LIMIT")
    running_limit: int = Field(0, validation_alias="TASKWIRE_RUNNING_LIMIT")
    channel_create_limit: int = Field(0, validation_alias="TASKWIRE_CHANNEL_CREATE_LIMIT")
    channel_running_limit: int = Field(0, validation_alias="TASKWIRE_CHANNEL_RUNNING_LIMIT")
    audit_entries: int = Field(50_000, validation_alias="TASKWIRE_AUDIT_ENTRIES")
    audit_days: int = Field(365, validation_alias="TASKWIRE_AUDIT_DAYS")
    ended_days: int = Field(30, validation_alias="TASKWIRE_ENDED_DAYS")
    excerpt_days: int = Field(7, validation_alias="TASKWIRE_EXCERPT_DAYS")
    allowed_workspaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="TASKWIRE_ALLOWED_WORKSPACES"
    )
    allowed_channels: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="TASKWIRE_ALLOWED_CHANNELS"
    )
    allowed_groups: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="TASKWIRE_ALLOWED_GROUPS"
    )
    shared_channels: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="TASKWIRE_SHARED_CHANNELS"
    )

    @property
    def has_lists(self) -> bool:
        """Whether a list says who may use the bot, or where."""
        return bool(
            self.allowed_workspaces or self.allowed_channels or self.allowed_groups or self.shared_channels
        )

    @field_validator(
        *("admins", "allowed_workspaces", "allowed_channels", "allowed_groups", "shared_channels"),
        mode="before",
    )
    @classmethod
    def _split_lists(cls, value: object) -> object:
        return split_restriction(value)

    @field_validator("admins")
    @classmethod
    def _check_admins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [
            place for place, word in enumerate(value, 1) if not re.fullmatch(r"[UWS][A-Z0-9]{4,20}", word)
        ]
        if wrong:
            raise ValueError(
                "must be Slack ids of people (U…) or user groups (S…) with commas between them, and number "
                f"{wrong[0]} is not one; a profile's menu in Slack has Copy member ID"
            )
        return value

    @field_validator(
        "create_limit", "running_limit", "channel_create_limit", "channel_running_limit", mode="before"
    )
    @classmethod
    def _require_count(cls, value: object) -> object:
        if not re.fullmatch(r"[0-9]{1,6}", str(value)):
            raise ValueError("must be a whole number, for example 20, or 0 for any number of tasks")
        return value

    @field_validator("audit_entries", "audit_days", "ended_days", "excerpt_days", mode="before")
    @classmethod
    def _require_positive(cls, value: object) -> object:
        if not re.fullmatch(r"[1-9][0-9]{0,6}", str(value)):
            raise ValueError("must be a whole number from 1 on, for example 365")
        return value

    @field_validator("allowed_channels", "shared_channels")
    @classmethod
    def _check_shared_channels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [
            place for place, word in enumerate(value, 1) if not re.fullmatch(r"[CG][A-Z0-9]{4,20}", word)
        ]
        if wrong:
            raise ValueError(
                "must be Slack ids of channels (C…) with commas between them, and number "
                f"{wrong[0]} is not one; a channel's details in Slack end with its id"
            )
        return value

    @field_validator("allowed_workspaces")
    @classmethod
    def _check_workspaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"T[A-Z0-9]{4,20}", word) for word in value):
            raise ValueError("must be Slack ids of workspaces (T…) with commas between them")
        return value

    @field_validator("allowed_groups")
    @classmethod
    def _check_groups(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"S[A-Z0-9]{4,20}", word) for word in value):
            raise ValueError("must be Slack ids of user groups (S…) with commas between them")
        return value
