"""A data directory that other users can write to is refused. These users could add jobs, which would then
run."""

import os
from pathlib import Path

import pytest

from taskwire.domain.errors import UserError
from taskwire.redis import embedded

OTHERS_USER = OTHERS_GROUP = 4_242
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")


async def _refusal(data_dir: Path) -> str:
    with pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass
    _check_untouched(data_dir)
    return str(caught.value)


def _check_untouched(data_dir: Path) -> None:
    assert not list(data_dir.iterdir()), "nothing is begun in it"


def _said(data_dir: Path, who: str, command: str, directory: Path | None = None) -> str:
    return (
        f"Taskwire keeps nothing in the data directory {data_dir}, since others can change it: {who}. "
        f"Make it this user's alone (`{command} {directory or data_dir}`), or set TASKWIRE_DATA_DIR to "
        "another directory."
    )


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
async def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """If everybody may write to the data directory, it is refused, even with the sticky bit."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    data_dir.chmod(mode)

    assert await _refusal(data_dir) == _said(data_dir, "everybody may write to it", "chmod go-w")


@needs_root
async def test_a_directory_of_another_group_is_refused(tmp_path: Path) -> None:
    """If another group may write to the data directory, it is refused."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    os.chown(data_dir, os.geteuid(), OTHERS_GROUP)
    data_dir.chmod(0o770)

    who = "its group may write to it, and is not this user's own"
    assert await _refusal(data_dir) == _said(data_dir, who, "chmod go-w")


@needs_root
async def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """If the data directory belongs to another user, it is refused, because that user can always write to the
    directory."""
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, OTHERS_USER, os.getegid())

    assert await _refusal(data_dir) == _said(data_dir, "it belongs to another user", "chown -R $(id -u)")


def _within(tmp_path: Path, mode: int) -> tuple[Path, Path]:
    """Make an outer directory with this mode. Return its path, and the path of a data directory two levels
    below."""
    outer = tmp_path / "outer"
    outer.mkdir()
    outer.chmod(mode)
    return outer, outer / "inner" / "data"


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_directory_in_one_that_everybody_may_write_to_is_refused(
    tmp_path: Path, *, is_there: bool
) -> None:
    """If everybody may write to an outer directory, the data directory is refused and not made. Other users
    could replace it."""
    outer, data_dir = _within(tmp_path, 0o777)
    if is_there:
        data_dir.mkdir(mode=0o700, parents=True)

    with pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass

    assert str(caught.value) == _said(data_dir, f"everybody may write to {outer}", "chmod go-w", outer)
    assert [*outer.rglob("*")] == ([data_dir.parent, data_dir] if is_there else [])


@needs_root
@pytest.mark.parametrize(
    ("user", "group", "mode", "who"),
    [
        (OTHERS_USER, 0, 0o755, "{} belongs to another user"),
        (OTHERS_USER, 0, 0o1777, "{} belongs to another user"),
        (0, OTHERS_GROUP, 0o775, "the group of {} may write to it, and is not this user's own"),
    ],
)
async def test_a_directory_in_somebody_elses_is_refused(
    tmp_path: Path, user: int, group: int, mode: int, who: str
) -> None:
    """If an outer directory belongs to another user, the data directory is refused, whatever the outer
    directory's mode is. The other user could replace the data directory."""
    outer, data_dir = _within(tmp_path, mode)
    os.chown(outer, user, group)

    with pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass

    assert f"since others can change it: {who.format(outer)}. " in str(caught.value)


async def test_a_link_on_the_way_is_followed_step_by_step(tmp_path: Path) -> None:
    """If the path of the data directory has symbolic links, each link is checked. A person who can change one
    of the links can replace the data directory."""
    outer, _ = _within(tmp_path, 0o777)
    (tmp_path / "real").mkdir()
    (outer / "second").symlink_to(tmp_path / "real")
    (tmp_path / "first").symlink_to("outer/second")

    with pytest.raises(UserError, match=f"everybody may write to {outer}[.]"):
        async with embedded.store(tmp_path / "first" / "data"):
            pass


async def test_what_is_made_on_the_way_is_looked_at_too(tmp_path: Path) -> None:
    """If the start makes outer directories, their rights are checked too. With a umask of 0, everybody could
    write to them, so the data directory is refused."""
    before = os.umask(0)
    try:
        with pytest.raises(UserError, match=f"everybody may write to {tmp_path / 'new'}[.]"):
            async with embedded.store(tmp_path / "new" / "data"):
                pass
    finally:
        os.umask(before)


async def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    """If symbolic links in the path lead back to themselves, the data directory is refused. The check does
    not run for ever."""
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")

    with pytest.raises(UserError, match="cannot use its data directory"):
        async with embedded.store(tmp_path / "one" / "data"):
            pass


async def test_a_directory_in_a_shared_one_with_the_sticky_bit_is_used(tmp_path: Path) -> None:
    """Everybody may write to an outer directory, but it has the sticky bit, as /tmp has. The data directory
    is accepted, because other users cannot remove it."""
    _, data_dir = _within(tmp_path, 0o1777)

    async with embedded.store(data_dir):
        assert (data_dir / "store.lock").exists()


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o770, 0o2775])
async def test_a_directory_of_ones_own_is_used(tmp_path: Path, mode: int) -> None:
    """If only the owner and the owner's own group may write to the data directory, it is accepted. Many
    systems and mounted volumes let this group write."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    os.chown(data_dir, -1, os.getegid())
    data_dir.chmod(mode)

    async with embedded.store(data_dir):
        assert (data_dir / "store.lock").exists()
