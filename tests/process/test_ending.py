"""How a process ends: by a signal, by a kill, or because its store has ended. The next process continues its
work."""

import json
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from taskwire.redis import data_directory
from taskwire_sandbox.slack import CallFault

from .processes import END_SECONDS, Place, Taskwire, until


def store_pid(place: Place) -> int:
    """Return the process id of the server of the place's embedded store."""
    return int((place.data_dir / data_directory.STORE_LOCK).read_text().splitlines()[0])


def is_running(pid: int) -> bool:
    """Return whether a process runs. A zombie does not count as running."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def children(pid: int) -> set[int]:
    """Return the child processes of this process."""
    listed: Iterable[Path] = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for each in listed for child in each.read_text().split()}


async def _ends_alone(bot: Taskwire) -> int:
    """Stop the bot. Check that its child processes end with it."""
    started = children(bot.process.pid)
    code = await bot.stop()
    await until(lambda: not any(map(is_running, started)), f"the children {started} to be gone")
    return code


@pytest.mark.real_start
async def test_sigterm_ends_it_and_its_store(place: Place) -> None:
    """After SIGTERM, the bot exits with 0, leaves no child process and logs no error."""
    bot = await place.run_ready()

    code = await _ends_alone(bot)

    assert code == 0
    assert not is_running(store_pid(place))
    assert "Traceback" not in bot.output
    assert '"level": "error"' not in bot.output


@pytest.mark.real_start
async def test_ctrl_c_ends_it_too(place: Place) -> None:
    """After SIGINT, which Ctrl-C sends, the bot exits with 0, as after SIGTERM."""
    bot = await place.run_ready()

    bot.send_signal(signal.SIGINT)

    assert await bot.wait_for_exit(END_SECONDS) == 0


async def test_sigterm_ends_it_while_slack_hangs(place: Place) -> None:
    """If SIGTERM comes while Slack does not answer a call, the bot gives up this call and ends. The next
    process continues the job."""
    bot = await place.run_ready()
    hanging = place.slack.faults.add("chat.postMessage", CallFault.HANG)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await place.slack.until(lambda: hanging.hits, "the post that hangs")

    assert await _ends_alone(bot) == 0


async def test_sigterm_ends_it_while_slack_is_not_there(place: Place) -> None:
    """If SIGTERM comes while a starting bot waits for Slack, the bot ends."""
    await place.slack.go_down()
    bot = await place.run()
    await bot.says("Slack cannot be reached yet")

    code = await _ends_alone(bot)
    await place.slack.come_back()

    assert code == 0


async def test_what_was_there_before_a_kill_is_there_after_it(place: Place) -> None:
    """After SIGKILL and a restart, a thread from before still leads to its task, and commands that were
    accepted before are executed."""
    bot = await place.run_ready()
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks, "the task")
    card = str(place.slack.messages("general")[0]["ts"])
    hanging = place.slack.faults.add("chat.postMessage", CallFault.HANG)
    await place.slack.command("bob", "general", "/task", "create mend the footer")
    await place.slack.until(lambda: hanging.hits, "the post that hangs")

    bot.send_signal(signal.SIGKILL)
    assert await bot.wait_for_exit() == -signal.SIGKILL
    await place.run_ready()
    await place.slack.post("alice", "general", "please add a test", card)

    await until(lambda: place.coder.task("fix-the-login").inputs == ["please add a test"], "the input")
    await until(lambda: len(place.coder.tasks) == 2, "the task that was asked for before")
    assert len(place.cards()) == 2


async def test_a_process_without_its_store_ends_with_a_sentence(place: Place) -> None:
    """If the store ends, the process logs a sentence and ends too, because it cannot keep promises without
    the store. The supervisor restarts both."""
    bot = await place.run_ready()

    os.kill(store_pid(place), signal.SIGKILL)
    code = await bot.wait_for_exit()

    sentence = f"The store in {place.data_dir} was ended from outside (SIGKILL)."
    last = json.loads(bot.output.splitlines()[-1])
    assert (code, last["event"], last["why"]) == (1, "store ended, process ends", sentence)
    assert "Traceback" not in bot.output


async def test_a_second_one_on_the_same_directory_ends_with_a_sentence(place: Place) -> None:
    """If a second process starts on the same data directory, it names the first process, says what to do, and
    ends. The first process continues."""
    first = await place.run_ready()
    second = await place.run(TASKWIRE_LOG_LEVEL="warning")

    code = await second.wait_for_exit()

    assert (code, json.loads(second.output)["event"]) == (
        2,
        f"Another Taskwire (process {first.process.pid}) already runs on {place.data_dir}. Stop it first, or "
        "give this one its own TASKWIRE_DATA_DIR. To run several together, set REDIS_URL.",
    )
    assert (await first.readiness())[0] == 200


async def test_a_restart_waits_for_the_one_that_ends(place: Place) -> None:
    """If a restarted process finds the old one still running, it waits until the old one has ended, however
    long the old one's last call takes."""
    old = await place.run_ready()
    hanging = place.slack.faults.add("chat.postMessage", CallFault.HANG)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await place.slack.until(lambda: hanging.hits, "the post that hangs")
    old.send_signal(signal.SIGTERM)

    new = await place.run_ready()

    assert await old.wait_for_exit(END_SECONDS) == 0
    assert (await new.readiness())[0] == 200
