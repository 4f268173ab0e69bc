"""No secret is ever written: in no log level, error or metric. Texts that people write are not written there
either."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from taskwire_sandbox.coder import faults
from taskwire_sandbox.slack import CallFault
from tests.secret_scan import SecretScan, Written

from .processes import Place

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")


@pytest.mark.real_start
@pytest.mark.parametrize("form", ["json", "text"])
async def test_no_secret_is_written_whatever_goes_wrong(place: Place, redis_url: str, form: str) -> None:
    """During normal work, while the stand-ins fail, and after a token was refused, no secret is written
    anywhere."""
    place.settings |= {"SLACK_SIGNING_SECRET": place.slack.signing_secret, "REDIS_URL": redis_url}
    bot = await place.run_ready(TASKWIRE_LOG_LEVEL="debug", TASKWIRE_LOG_FORMAT=form)
    place.slack.faults.add("chat.postMessage", CallFault.ERROR, error="invalid_auth")
    place.coder.plan_fault("tasks.list", faults.server_error("token was CODER_SESSION_TOKEN=abc"), times=3)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await bot.says("poll of Coder failed")
    await place.slack.go_down()
    await bot.says("WARNING|warning")
    await place.slack.come_back()
    place.coder.suspend("taskwire")
    await bot.says("Coder refuses|401")

    told = [(await bot.ask(path))[1] for path in ("/metrics", "/readyz")]
    assert await bot.stop() == 0

    written = bot.output + "".join(told)
    secrets = [place.settings[name] for name in _SECRET] + ["hunter2-and-more"]
    assert [secret for secret in secrets if secret in written] == []
    assert "fix the login redirect" not in written
    # The output must have debug lines, the error, the metrics and the health page. Otherwise the test proves
    # nothing.
    assert [
        said for said in ("debug", "poll of Coder failed", "taskwire_", '"ready"') if said not in written
    ] == []


@ON_LINUX
@pytest.mark.real_start
async def test_no_secret_is_in_the_process_list(place: Place) -> None:
    """No process of Taskwire has a secret in its command line, which anybody on the machine can read."""
    place.settings["SLACK_SIGNING_SECRET"] = place.slack.signing_secret
    bot = await place.run_ready()

    lines = _list_processes()

    assert "-m taskwire run" in lines
    assert "valkey-server" in lines
    secrets = [place.settings[name] for name in _SECRET if name in place.settings]
    assert len(secrets) >= 4
    assert SecretScan(secrets).find_in([Written("the process list", lines)]) == []
    assert await bot.stop() == 0


@ON_LINUX
async def test_no_process_of_ours_writes_a_core_file(place: Place) -> None:
    """Neither the bot nor its embedded store writes a core file, because their memory has jobs and
    secrets."""
    bot = await place.run_ready()

    limits = _read_limits(bot.process.pid)

    assert len(limits) >= 2
    assert all(re.search(r"Max core file size\s+0\s+0\s", each) for each in limits)
    assert await bot.stop() == 0


@pytest.mark.parametrize("arguments", [["run"], ["doctor"], ["audit"], ["new-key"]])
def test_the_kernel_gives_the_memory_to_no_program(arguments: list[str]) -> None:
    """Before a command does anything, it forbids Linux to dump its memory. Otherwise a program that collects
    core files could ignore the limit on core files, and others of the same user could read the tokens."""
    asks = (
        "import ctypes, sys, types; from taskwire import __main__; sys.argv[1:] = " + repr(arguments) + "; "
        "dumpable = lambda: ctypes.CDLL(None).prctl(3) if sys.platform == 'linux' else 0; "  # PR_GET_DUMPABLE
        "cli = types.ModuleType('taskwire.cli'); cli.main = lambda: print(dumpable()); "
        "sys.modules['taskwire.cli'] = cli; __main__.main()"
    )

    told = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)  # noqa: S603 - our own program

    assert told.stdout == "0\n"


def _read_limits(pid: int) -> list[str]:
    """Return the resource limits of a process and of each of its children, as Linux prints them."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{each}/limits").read_text() for each in (pid, *children)]


def _list_processes() -> str:
    """Return the command line of every process."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        # The process may have ended.
        with contextlib.suppress(OSError):
            lines.append((process / "cmdline").read_text().replace("\0", " "))
    return "\n".join(lines)


_SECRET = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "CODER_SESSION_TOKEN",
    "REDIS_URL",
    "TASKWIRE_ADMIN_TOKEN",
    "TASKWIRE_SECRET_KEYS",
)
