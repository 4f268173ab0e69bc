"""Several installations in one Slack workspace share one Redis. No installation executes another
installation's commands."""

import contextlib
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox

from .processes import Place, new_place, until

HINT = (
    "Let this one have its own: set TASKWIRE_KEY_PREFIX to another word, or REDIS_URL to another "
    "database, or TASKWIRE_DATA_DIR to another directory."
)


@pytest.fixture
async def staging(place: Place, tmp_path: Path, redis_url: str) -> AsyncIterator[Place]:
    """Prepare a second Taskwire with its own Coder, on the same Redis and in the same workspace."""
    place.settings["REDIS_URL"] = redis_url
    directory = tmp_path / "staging"
    directory.mkdir()
    async with contextlib.AsyncExitStack() as stack:
        slack = SlackSandbox(manifest=manifest.make_manifest())
        made = await stack.enter_async_context(new_place(directory, slack))
        assert slack.workspace.team_id == place.slack.workspace.team_id
        made.settings["REDIS_URL"] = redis_url
        yield made


def _where(place: Place) -> str:
    return place.settings["REDIS_URL"].replace(":hunter2-and-more@", "").removesuffix("/0")


async def test_another_coders_is_refused_at_the_start(place: Place, staging: Place) -> None:
    """If a Taskwire with another Coder starts on the same keys in Redis, it is refused. Otherwise a command
    could be executed in the wrong Coder."""
    await place.run_ready()

    other = await staging.run()

    assert await other.wait_for_exit() == 2
    assert json.loads(other.output.splitlines()[-1])["event"] == (
        f"The store at {_where(place)} belongs to a Taskwire for the Coder at {place.coder.url}, and this "
        f"one is for {staging.coder.url}. {HINT}"
    )
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks, "the task")
    assert staging.coder.tasks == []


async def test_with_a_prefix_of_its_own_it_works_beside_the_other(place: Place, staging: Place) -> None:
    """If a second Taskwire has a key prefix of its own, it works beside the first one. Commands to each
    Taskwire go to its own Coder and get their own threads."""
    staging.settings["TASKWIRE_KEY_PREFIX"] = "staging"
    for each in (place, staging):
        await each.run_ready()

    for each, prompt in ((place, "fix the login redirect"), (staging, "try the new template")):
        await each.slack.command("alice", "general", "/task", f"create {prompt}")
        await until(partial(_has_a_task, each), "the task")

    assert [task.row.prompt for task in place.coder.tasks] == ["fix the login redirect"]
    assert [task.row.prompt for task in staging.coder.tasks] == ["try the new template"]


def _has_a_task(place: Place) -> bool:
    return bool(place.coder.tasks)


async def test_the_doctor_says_whose_it_is(place: Place, staging: Place) -> None:
    """Doctor says whether the store is unused, belongs to this installation, or belongs to another
    installation. In the last case, doctor says what to do."""
    said = []
    for each in (staging, place, staging):
        looking = await each.run("doctor")
        await looking.wait_for_exit()
        select_findings = [" ".join(line.split()) for line in looking.output.splitlines()]
        found = next(at for at, line in enumerate(select_findings) if " Installation " in line)
        said.append(
            select_findings[found : found + 2]
            if "WRONG" in select_findings[found]
            else select_findings[found]
        )
        if each is staging and len(said) == 1:
            await (await place.run_ready()).stop()

    assert said == [
        "ok Installation The store is nobody's yet. "
        "What runs first has it, with its Slack app and its Coder.",
        "ok Installation The store is this Slack app's and this Coder's.",
        [
            f"WRONG Installation The store at {_where(place)} belongs to a Taskwire for the Coder at "
            f"{place.coder.url}, and this one is for {staging.coder.url}.",
            HINT,
        ],
    ]


async def test_a_coder_at_another_address_is_waited_for(place: Place, redis_url: str) -> None:
    """If the URL of Coder in the settings has changed, the bot waits until this Coder answers. Only then can
    it know whether this is the same Coder."""
    place.settings["REDIS_URL"] = redis_url
    await (await place.run_ready()).stop()
    moved = place.coder.url.replace("127.0.0.1", "localhost")
    async with place.coder.outage():
        bot = await place.run(CODER_URL=moved)
        await until(lambda: "unknown whether this store belongs to it" in bot.output, "that it waits")
        status, told = await bot.readiness()

    assert (status, told["store"]) == (
        503,
        f"The store belongs to a Taskwire for the Coder at {place.coder.url}. Whether {moved} is the same "
        "cannot be known before it answers.",
    )
    await bot.wait_until_ready()
