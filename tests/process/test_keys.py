"""A started Taskwire encrypts what it stores, with keys from a file or from the settings."""

import stat
from pathlib import Path

import pytest

from taskwire import sealing

from .doctor_runs import doctor, select_findings
from .processes import Place, Taskwire


def _file(place: Place) -> Path:
    return place.data_dir / "secret.keys"


def _count_made(bot: Taskwire) -> int:
    return bot.output.count("new encryption key written to a file")


async def test_the_embedded_store_makes_its_own_key_once(place: Place) -> None:
    """If the settings have no key, the bot makes a key file for its embedded store. Only the bot's user can
    read the file, and the log names it. The next start uses the same file."""
    del place.settings["TASKWIRE_SECRET_KEYS"]
    bot = await place.run_ready()
    await bot.stop()
    made = _file(place).read_text()

    again = await place.run_ready()

    assert sealing.is_key(made.strip())
    assert stat.S_IMODE(_file(place).stat().st_mode) == 0o600
    assert _file(place).read_text() == made
    assert [_count_made(each) for each in (bot, again)] == [1, 0]
    assert made.strip() not in bot.output + again.output
    assert [each.name for each in place.data_dir.iterdir() if each.name.startswith("secret")] == [
        "secret.keys"
    ]


async def test_a_key_in_the_settings_needs_no_file_and_the_file_still_opens(place: Place) -> None:
    """After a bot has made a key file, the settings may get another key. The key in the file still opens the
    old data. If the file is gone, the bot ends with a sentence."""
    key = place.settings.pop("TASKWIRE_SECRET_KEYS")
    bot = await place.run_ready()
    await bot.stop()

    again = await place.run_ready(TASKWIRE_SECRET_KEYS=key)
    await again.stop()
    _file(place).unlink()
    without = await place.run(TASKWIRE_SECRET_KEYS=sealing.make_key())

    assert await without.wait_for_exit() == 2
    assert (
        f"The store at {place.data_dir} was encrypted with a key that this Taskwire does not have. Set "
        "TASKWIRE_SECRET_KEYS to that key; a new one may stand before it. If the store was moved from a data "
        "directory, the key is in the file secret.keys there."
    ) in without.output


async def test_a_key_file_with_something_else_in_it_is_a_sentence(place: Place) -> None:
    """If the key file does not contain a key, the bot ends with a sentence and does not change the file."""
    del place.settings["TASKWIRE_SECRET_KEYS"]
    place.data_dir.mkdir(mode=0o700)
    _file(place).write_text("hunter2")

    bot = await place.run()

    assert await bot.wait_for_exit() == 2
    assert (
        f"The file {_file(place)} has something else than keys in it. Restore it from a backup. What was "
        "encrypted with a lost key cannot be read."
    ) in bot.output
    assert _file(place).read_text() == "hunter2"


async def test_a_wrong_key_is_a_sentence_and_a_rotation_is_none(place: Place, redis_url: str) -> None:
    """If the settings have only a new key, the bot cannot read the store and ends with a sentence. If the
    settings have the new and the old key, the bot runs."""
    place.settings["REDIS_URL"] = redis_url
    bot = await place.run_ready()
    await bot.stop()
    new, old = sealing.make_key(), place.settings["TASKWIRE_SECRET_KEYS"]

    wrong = await place.run(TASKWIRE_SECRET_KEYS=new)
    code = await wrong.wait_for_exit()
    _, said = await doctor(place, TASKWIRE_SECRET_KEYS=new)
    rotated = await place.run_ready(TASKWIRE_SECRET_KEYS=f"{new},{old}")

    assert code == 2
    assert "was encrypted with a key that this Taskwire does not have" in wrong.output
    assert select_findings(said, "Installation").startswith("WRONG Installation The store at ")
    assert await rotated.stop() == 0


@pytest.mark.real_start
async def test_a_new_key_is_printed_without_any_settings(place: Place) -> None:
    """`taskwire new-key` prints a key without any settings, because an operator needs the key before the
    first start."""
    place.settings.clear()

    printing = await place.run("new-key")

    assert await printing.wait_for_exit() == 0
    assert sealing.is_key(printing.output.strip())
