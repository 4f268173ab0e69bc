"""Follows the files with secrets: a new secret in a file is used without a restart.

The files are checked every few seconds, and at SIGHUP. Kubernetes replaces a whole file by a symbolic link to
another file, so a new inode also counts as a change. A secret that Slack or Coder can check is tried first.
If it is refused, the present secret stays in use. `new_secrets.py` tries and uses new secrets.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from taskwire.settings import Settings
from taskwire.settings_secrets import read_secret
from taskwire.telemetry import logger

# The name of the timer that checks the files.
CALL_NAME = "secret files"

# Uses a new secret. Returns False if the secret could not be tried yet.
UseSecret = Callable[[str], Awaitable[bool]]
_log = logger("taskwire.app.secret_files")


class SecretFile:
    """One file with a secret. The bot has read it once, at its start."""

    def __init__(self, name: str, file: Path, present: str, use: UseSecret) -> None:
        self.name = name
        self._file = file
        self._present = present
        self._use = use
        self._seen: tuple[int, int, int] | None = None

    async def look(self) -> None:
        """Use the secret in the file if the file has changed."""
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen == self._seen:
                return
            secret = read_secret(self._file, self.name)
        except (OSError, ValueError) as error:
            _log.warning(
                "the file with a secret cannot be read, the present secret stays in use",
                setting=self.name,
                error=str(error),
            )
            return
        if secret == self._present:
            self._seen = seen
        elif await self._use(secret):
            self._seen, self._present = seen, secret


class SecretFiles:
    """All files with secrets of one deployment."""

    def __init__(self, files: Sequence[SecretFile]) -> None:
        self._files = files

    @classmethod
    def of(cls, settings: Settings, uses: Mapping[str, UseSecret]) -> Self:
        """Return the files that the settings name.

        For each setting, `uses` has the function that uses a new secret.
        """
        present = settings.texts_of_secrets()
        return cls(
            [
                SecretFile(name, file, present[name], uses[name])
                for name, file in settings.find_files().items()
                if name in uses
            ]
        )

    async def look(self) -> None:
        """Use the secrets of all files that have changed."""
        for file in self._files:
            await file.look()
