"""A token of Coder that is replaced in its file while `taskwire run` runs."""

import signal
from pathlib import Path

from .processes import Place, until


def write(file: Path, token: str) -> None:
    """Replace the file in one step, as an operator should."""
    new = file.with_suffix(".new")
    new.write_text(f"{token}\n", encoding="utf-8")
    new.rename(file)


def with_file(place: Place) -> Path:
    """Let the settings name a file with the token instead of the token."""
    file = place.directory / "coder-token"
    write(file, place.settings.pop("CODER_SESSION_TOKEN"))
    place.settings["CODER_SESSION_TOKEN_FILE"] = str(file)
    return file


def revoke(place: Place, token: str) -> None:
    """Remove a token in Coder."""
    del place.coder.world.tokens[token.partition("-")[0]]


async def test_a_new_token_is_used_without_a_restart(place: Place) -> None:
    """It is found by looking at the file. After that the old one is not needed any more."""
    old = place.settings["CODER_SESSION_TOKEN"]
    file = with_file(place)
    running = await place.run_ready()
    new = place.coder.add_token("taskwire")

    write(file, new)
    await running.says("Coder's token was replaced")
    revoke(place, old)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")

    await until(lambda: len(place.coder.tasks) == 1, "the task")
    assert old not in running.output
    assert new not in running.output


async def test_a_token_that_coder_refuses_is_not_used(place: Place) -> None:
    """The one before it goes on, until a good one is written."""
    file = with_file(place)
    running = await place.run_ready()

    write(file, "aaaaaaaaaa-aaaaaaaaaaaaaaaaaaaaaa")
    running.send_signal(signal.SIGHUP)
    await running.says("Coder refuses the new token")
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: len(place.coder.tasks) == 1, "the task")

    write(file, place.coder.add_token("taskwire"))
    running.send_signal(signal.SIGHUP)
    await running.says("Coder's token was replaced")
    assert "aaaaaaaaaa-aaaaaaaaaaaaaaaaaaaaaa" not in running.output
