"""Which files count as text, whatever type Slack gives them."""

import pytest

from taskwire.agent.input import TEXT_ENDINGS

TAKEN = (
    *("txt", "md", "log", "diff", "patch", "csv", "json", "yml", "yaml", "toml", "ini", "cfg", "xml", "html"),
    *(
        "css",
        "sql",
        "sh",
        "py",
        "js",
        "jsx",
        "ts",
        "tsx",
        "go",
        "rs",
        "java",
        "kt",
        "c",
        "h",
        "cc",
        "cpp",
        "hpp",
    ),
    *("cs", "rb", "php", "swift", "scala", "lua", "tf", "proto", "graphql", "DIFF"),
)


@pytest.mark.parametrize("ending", TAKEN)
def test_text_and_code_are_known_by_their_endings(ending: str) -> None:
    """A file counts as text if its name has one of the known endings of text and code files. Slack's type
    does not count, because Slack often gives such files the type `application/octet-stream`."""
    assert TEXT_ENDINGS.search(f"a.{ending}") is not None


@pytest.mark.parametrize("name", ["a.png", "a.pdf", "a.zip", "diff", "a.diff.gz", "a.patched"])
def test_others_are_not(name: str) -> None:
    """A file is not text if the part of its name after the last dot is not the ending of a text file."""
    assert TEXT_ENDINGS.search(name) is None
