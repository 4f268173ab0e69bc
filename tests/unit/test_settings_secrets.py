"""A file that is too long, or no file at all, is not read as a secret."""

import os
from pathlib import Path

import pytest

from taskwire.settings_secrets import MAX_SECRET_BYTES, read_secret


def test_the_longest_file_with_a_secret_is_read(tmp_path: Path) -> None:
    """A file of the greatest length is read."""
    (tmp_path / "token").write_text("x" * MAX_SECRET_BYTES)

    assert read_secret(tmp_path / "token", "CODER_SESSION_TOKEN") == "x" * MAX_SECRET_BYTES


def test_a_longer_file_is_no_secret(tmp_path: Path) -> None:
    """Taskwire searches each text for its tokens, so a huge one would stop it. The sentence says so."""
    (tmp_path / "token").write_text("x" * (MAX_SECRET_BYTES + 1))

    with pytest.raises(ValueError, match="it has more than") as refused:
        read_secret(tmp_path / "token", "CODER_SESSION_TOKEN")

    assert str(refused.value) == (
        "The file in CODER_SESSION_TOKEN_FILE is no secret: it has more than 4,096 bytes"
    )


def test_a_pipe_is_no_file_with_a_secret(tmp_path: Path) -> None:
    """Reading a pipe would wait until somebody writes into it."""
    os.mkfifo(tmp_path / "token")

    with pytest.raises(ValueError, match="The file in REDIS_URL_FILE cannot be read: it is no file"):
        read_secret(tmp_path / "token", "REDIS_URL")
