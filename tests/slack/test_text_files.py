"""A file counts as text only if its encoding is certain."""

import pytest

from taskwire.slack.outbound import Outbound
from taskwire_sandbox.slack import Attachment, SlackSandbox


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("grüße\n".encode("utf-8-sig"), "grüße\n"),
        (b"\xff\xfe" + "grüße\r\n".encode("utf-16-le"), "grüße\r\n"),
        (b"\xfe\xff" + "grüße 👍".encode("utf-16-be"), "grüße 👍"),
        (b"+ABs-[201~+AA0-!ls", "+ABs-[201~+AA0-!ls"),
        ("grüße".encode("utf-16-le"), None),
        ("grüße".encode("utf-32"), None),
        ("grüße".encode("latin-1"), None),
        (b"\xff\xfe\x00\xd8a\0", None),
        (b"\xff\xfea", None),
        (b"a\0b", None),
        (b"\xed\xa0\x80", None),
        (b"", ""),
    ],
)
async def test_a_file_is_text_in_an_encoding_that_it_tells(
    slack: SlackSandbox, outbound: Outbound, content: bytes, read: str | None
) -> None:
    """A file counts as text if it is UTF-8, or UTF-16 with a byte order mark, as Windows tools write it.

    No other encoding is guessed. Nothing is decoded twice: text that looks like UTF-7 stays unchanged.
    """
    ts = await slack.post("alice", "dev", "here", files=[Attachment("a.log", content)])
    (file,) = slack.message("dev", ts)["files"]

    assert await outbound.files.download(file["url_private"], 100) == read
