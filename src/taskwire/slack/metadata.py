"""The metadata of each message that the bot posts. It makes the message recognisable later.

Slack returns metadata only to a call that asks for it. Every member of the workspace can read the metadata.
"""

from dataclasses import asdict, dataclass

from taskwire.slack import drafts
from taskwire.slack.models import Identity, SlackAnswer
from taskwire.slack.payload_fields import read_object, read_text, read_user

EVENT_TYPE = "taskwire_message"


@dataclass(frozen=True)
class Metadata:
    """The metadata of a message of the bot. `id` stays the same if the post is tried again."""

    id: str
    kind: str
    task_id: str | None = None

    def payload(self) -> dict[str, str]:
        """Return the metadata's payload in the form that a message contains."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def make_metadata(meta: Metadata) -> dict[str, object]:
    """Return the metadata that Slack stores with a message."""
    payload = meta.payload()
    drafts.check_metadata(EVENT_TYPE, payload)
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def read_metadata(message: SlackAnswer, own: Identity) -> Metadata | None:
    """Return the metadata of a message of the bot; None for any other message."""
    payload = read_object(message, "metadata", "event_payload")
    found = read_text(payload, "id")
    if not is_copy(message, own, found) or not found:
        return None
    return Metadata(found, read_text(payload, "kind"), read_text(payload, "task_id") or None)


def is_copy(message: SlackAnswer, own: Identity, message_id: str) -> bool:
    """Return whether a message has this id and is the bot's own. Other apps can post the same metadata."""
    metadata = read_object(message, "metadata")
    is_own = read_user(message, "user") == own.bot_user_id
    return (
        (is_own or read_text(message, "bot_id") == (own.bot_id or None))
        and read_text(metadata, "event_type") == EVENT_TYPE
        and read_text(metadata, "event_payload", "id") == message_id
    )
