"""Files: people's attachments, the app's uploads in three steps, and the messages that show files."""

import mimetypes
import secrets
from dataclasses import dataclass, field

from taskwire_sandbox.slack.errors import Json

_SNIPPETS = {
    ".diff": "diff",
    ".json": "json",
    ".log": "text",
    ".md": "markdown",
    ".py": "python",
    ".txt": "text",
}


# The type of a canvas, which several people can edit.
CANVAS = "application/vnd.slack-docs"


@dataclass(frozen=True)
class Attachment:
    """A file that a person attaches to a message.

    `user` is the id of the person who has uploaded it, if that is another person: people can share it too.
    """

    name: str
    content: bytes
    mimetype: str | None = None
    filetype: str | None = None
    user: str = ""


@dataclass
class SharedFile:
    """A file in Slack.

    `shares` has a tuple for each message that shows the file: channel id, whether the channel is public, ts,
    thread ts.
    """

    id: str
    name: str
    user: str
    size: int
    created: int
    title: str = ""
    content: bytes = b""
    mimetype: str = "text/plain"
    filetype: str = "text"
    is_uploaded: bool = False
    is_complete: bool = False
    # How often the app has read the content.
    downloads: int = 0
    shares: list[tuple[str, bool, str, str | None]] = field(default_factory=list)

    def payload(self, base_url: str, domain: str) -> Json:
        """Return the file as messages and files.info show it."""
        private = f"{base_url}/files-pri/{self.id}/{self.name}"
        is_snippet = self.mimetype.startswith("text/") and self.filetype in _SNIPPETS.values()
        answer: Json = {"id": self.id, "created": self.created, "timestamp": self.created, "name": self.name}
        answer |= {"title": self.title or self.name, "mimetype": self.mimetype, "filetype": self.filetype}
        answer |= {"pretty_type": self.filetype, "user": self.user, "size": self.size, "editable": is_snippet}
        answer |= {"mode": "snippet" if is_snippet else "hosted", "is_external": False, "is_public": False}
        if self.mimetype == CANVAS:
            answer |= {"filetype": "quip", "pretty_type": "Canvas", "mode": "quip", "editable": True}
        answer |= {"url_private": private, "url_private_download": f"{private}?download=1"}
        answer |= {"permalink": f"https://{domain}.slack.com/files/{self.user}/{self.id}/{self.name}"}
        return answer | {"file_access": "visible"}

    def shares_payload(self) -> Json:
        """Return the `shares` of files.info, by visibility and channel."""
        shares: Json = {}
        for channel, is_public, ts, thread_ts in self.shares:
            place = shares.setdefault("public" if is_public else "private", {}).setdefault(channel, [])
            place.append({"ts": ts} | ({"thread_ts": thread_ts} if thread_ts else {}))
        return shares


@dataclass
class FileStore:
    """All files by id, and the open upload addresses."""

    files: dict[str, SharedFile] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)

    def add(self, file_id: str, name: str, user: str, size: int, now: float) -> SharedFile:
        """Add a file without content. The file's name decides the file's type."""
        made = SharedFile(file_id, name, user, size, int(now))
        ending = "." + name.rpartition(".")[2].lower() if "." in name else ""
        made.mimetype = mimetypes.guess_type(name)[0] or (
            "text/plain" if ending in _SNIPPETS else "application/octet-stream"
        )
        if ending in _SNIPPETS:
            made.mimetype = "text/plain"
        made.filetype = _SNIPPETS.get(ending, ending.removeprefix(".") or "binary")
        self.files[file_id] = made
        return made

    def open_upload(self, file_id: str) -> str:
        """Make an upload URL for a file, and return the secret part of the URL."""
        secret = secrets.token_urlsafe(24)
        self.uploads[secret] = file_id
        return secret
