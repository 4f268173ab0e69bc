"""Lua scripts are put together from files. A wrong file is refused."""

from collections.abc import Iterator

import pytest

from taskwire.queue import lua_files
from taskwire.queue.lua_files import LuaFileError, load

FILES = {
    "clock": "-- The time.\n\nlocal now = 1\n",
    "queues": "-- Queues.\n-- requires: example/clock\n\nlocal name = const.NAME\n",
    "queue.look": "-- Looks.\n-- requires: example/clock, example/queues\n\nreturn now + const.MOST\n",
    "queue.lost": "-- Looks.\n-- requires: example/shelves\n\nreturn 1\n",
    "queue.round": "-- Looks.\n-- requires: example/queue.round\n\nreturn 1\n",
    "queue.headless": "return 1\n",
}


@pytest.fixture(autouse=True, scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Write the Lua files of `FILES` into a Python package, and let the loader read them from there."""
    root = tmp_path_factory.mktemp("root")
    folder = root / "package_of_scripts" / "example" / "lua"
    folder.mkdir(parents=True)
    (root / "package_of_scripts" / "__init__.py").touch()
    for name, text in FILES.items():
        (folder / f"{name}.lua").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        patch.setattr(lua_files, "PACKAGE", "package_of_scripts")
        yield


def test_a_script_comes_after_each_library_once_and_has_its_values() -> None:
    """A script begins with the text of each library that it requires, once. Its own text follows, with the
    values of constants. The head of each file is left out."""
    text = load("example/queue.look", NAME="ready", MOST=3)

    assert text == "\nlocal now = 1\n\nlocal name = 'ready'\n\nreturn now + 3\n"


@pytest.mark.parametrize(
    ("name", "constants", "told"),
    [
        ("example/queue.look", {"NAME": "ready"}, "example/queue.look has no value for: MOST"),
        ("example/queue.look", {"NAME": "", "MOST": 3, "LEAST": 1}, "example/queue.look does not use: LEAST"),
        ("example/queue.look", {"NAME": "it's", "MOST": 3}, "NAME cannot be quoted in Lua"),
        ("example/queue.missing", {}, "there is no Lua file for example/queue.missing"),
        ("example/queue.lost", {}, "there is no Lua file for example/shelves"),
        (
            "example/queue.round",
            {},
            "example/queue.round requires itself: example/queue.round > example/queue.round",
        ),
        (
            "example/queue.headless",
            {},
            "example/queue.headless needs a comment, a blank line and then its text",
        ),
    ],
)
def test_a_wrong_script_is_refused(name: str, constants: dict[str, str | int], told: str) -> None:
    """If a script is wrong, it is refused when its module is imported, before anything runs."""
    with pytest.raises(LuaFileError) as refused:
        load(name, **constants)

    assert str(refused.value) == told
