"""A supervisor and an operator use /healthz, /readyz and /metrics."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from redis.asyncio import Redis

from taskwire.slack import manifest
from taskwire_sandbox.coder.faults import server_error
from taskwire_sandbox.slack import CallFault, SlackSandbox
from tests.ports import free_port

from .conftest import redis_on
from .processes import Place, Taskwire, new_place, until

RUNNING = Path(__file__).parents[2] / "docs" / "running.md"
# Prometheus waits this long for an answer to a scrape, by default.
SCRAPE_SECONDS = 10.0


async def _tells(bot: Taskwire, words: str) -> str:
    """Wait until the part of /readyz about Coder has these words. Return this part."""
    told: dict[str, object] = {}

    async def is_told() -> bool:
        nonlocal told
        _, told = await bot.readiness()
        return words in str(told["coder"])

    await until(is_told, lambda: f"{words!r} in {told}")
    return str(told["coder"])


async def test_all_is_well(place: Place) -> None:
    """If everything works, /readyz says that the bot is ready, and shows the state of each system."""
    bot = await place.run_ready()
    await _tells(bot, "ok")

    assert await bot.readiness() == (
        200,
        {"ready": True, "slack": "ok", "store": "ok", "coder": "ok", "audit": "ok"},
    )


async def test_an_account_that_lacks_rights_is_told_and_no_reason_to_be_unready(place: Place) -> None:
    """If the Coder account lacks rights, /readyz warns of this. The bot is ready nevertheless, because it
    accepts Slack's payloads."""
    token = place.coder.add_token("alice")
    bot = await place.run_ready(CODER_SESSION_TOKEN=token)

    said = await _tells(bot, "Owner")

    assert said == (
        "The Coder account alice lacks the role Owner, so it cannot act for other people. "
        "Ask a Coder administrator to give it that role."
    )
    assert (await bot.readiness())[0] == 200


async def test_a_token_that_ends_soon_is_told(place: Place) -> None:
    """Two days before Coder's token ends, /readyz warns, so that an operator has time to make a new token."""
    place.coder.plan_fault("tokens.create", server_error("Not now.", 400), times=None)
    token = place.coder.add_token("taskwire", lifetime=timedelta(days=1))
    bot = await place.run_ready(CODER_SESSION_TOKEN=token)

    said = await _tells(bot, "ends on")

    assert said.endswith("UTC. Make a new one before that, and start me with it.")
    assert (await bot.readiness())[0] == 200


async def test_a_refused_token_is_told(place: Place) -> None:
    """If Coder refuses the token, /readyz says what to do. The bot still accepts Slack's payloads."""
    place.coder.suspend("taskwire")
    bot = await place.run_ready()

    said = await _tells(bot, "see no task")

    assert said == (
        "Coder refuses CODER_SESSION_TOKEN, so I see no task and can do nothing in Coder. "
        "Make a new token from an account with the role Owner, and start me with it."
    )
    assert (await bot.readiness())[0] == 200


async def test_a_coder_without_tasks_is_told(place: Place) -> None:
    """If Coder has no Tasks, /readyz says so, and names the versions of Coder that have them."""
    place.coder.settings.tasks_enabled = False
    bot = await place.run_ready()

    said = await _tells(bot, "no Tasks")

    assert said == ("Coder has no Tasks feature. Taskwire needs Coder 2.28 to 2.36.")
    assert (await bot.readiness())[0] == 200


async def test_a_coder_that_comes_back_is_well_again(place: Place) -> None:
    """If Coder does not answer, /readyz warns. When Coder answers again, the warning ends."""
    await place.coder.go_down()
    bot = await place.run_ready()
    await _tells(bot, "can't")

    await place.coder.come_back()

    await _tells(bot, "ok")


async def test_a_redis_that_goes_away_is_told_and_waited_for(place: Place) -> None:
    """Without Redis the bot is alive but not ready, because it cannot accept payloads. When Redis is back,
    the bot is ready again."""
    port = free_port()
    async with redis_on(port, place.directory) as url:
        bot = await place.run_ready(REDIS_URL=url)

    await until(lambda: _is_unready(bot), "it to be unready")
    alive = await bot.ask("/healthz")
    status, told = await bot.readiness()
    async with redis_on(port, place.directory):
        await bot.wait_until_ready()
        await place.slack.command("alice", "general", "/task", "create fix the login redirect")
        await until(lambda: place.coder.tasks, "the task")
        code = await bot.stop()

    assert alive == (200, "ok\n")
    assert (status, told["slack"], told["store"]) == (503, "ok", "Redis does not answer.")
    assert code == 0


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_a_redis_that_is_away_is_one_line_in_the_log(
    mode: Literal["socket", "http"], tmp_path: Path
) -> None:
    """If Redis is away, the log has only one line about this, however many messages people write."""
    url = "https://taskwire.example.com/slack/events" if mode == "http" else None
    slack = SlackSandbox(mode=mode, manifest=manifest.make_manifest(url or ""), retry_seconds=())
    async with new_place(tmp_path, slack) as place:
        if mode == "http":
            place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
        port = free_port()
        async with redis_on(port, tmp_path) as redis_url:
            bot = await place.run_ready(REDIS_URL=redis_url)
            slack.requests.override = f"http://127.0.0.1:{await bot.port()}{manifest.REQUEST_PATH}"
            await slack.command("alice", "general", "/task", "create fix the login redirect")
            await until(lambda: place.coder.tasks and place.cards(), "the task and its card")
            await until(lambda: _has_nothing_to_do(bot), "all of it to be done")
            before = len(bot.output.splitlines())
        card = str(slack.messages("general")[0]["ts"])

        await until(lambda: _is_unready(bot), "it to be unready")
        for number in range(5):
            await slack.post("alice", "general", f"reply {number}", card)
            await slack.command("alice", "general", "/task", "list")
            await slack.command("alice", "general", "/task", f"pause nothing-{number}")
        await slack.wait_until_idle()
        said = _list_events(bot, before)
        async with redis_on(port, tmp_path):
            await bot.says("redis answers again")

    assert said == ["redis is away"]


def _list_events(bot: Taskwire, before: int) -> list[str]:
    """List the events in the bot's log after this number of lines. The seals of the audit trail are left out:
    the bot logs them now and then, whatever happens to Redis."""
    events = [json.loads(line)["event"] for line in bot.output.splitlines()[before:]]
    return [event for event in events if event != "audit trail sealed"]


async def test_a_turn_that_redis_leaves_in_hand_is_no_line_of_its_own(place: Place) -> None:
    """If Redis goes away while a job runs, so that the job's lease cannot be completed, the log has only the
    one line about Redis. Later another worker acquires the queue."""
    port = free_port()
    async with redis_on(port, place.directory) as url:
        bot = await place.run_ready(REDIS_URL=url)
        late = place.slack.faults.add("chat.postMessage", CallFault.LATE, seconds=2)
        await place.slack.command("alice", "general", "/task", "create fix the login redirect")
        await until(lambda: late.hits, "a turn to be in hand")
        before = len(bot.output.splitlines())

    await until(lambda: _is_unready(bot), "it to be unready")
    await until(lambda: _has_no_turn(bot), "the turn to be over")
    said = _list_events(bot, before)
    async with redis_on(port, place.directory):
        await until(lambda: place.coder.tasks and len(place.cards()) == 1, "the task and its one card")

    assert said == ["redis is away"]


async def _has_no_turn(bot: Taskwire) -> bool:
    return "taskwire_leases_held 0.0" in (await bot.ask("/metrics"))[1].splitlines()


async def _has_nothing_to_do(bot: Taskwire) -> bool:
    figures = (await bot.ask("/metrics"))[1].splitlines()
    assert "# TYPE taskwire_waiting_jobs gauge" in figures
    waiting = [line for line in figures if line.startswith("taskwire_waiting_jobs{") and line[-3:] != "0.0"]
    return "taskwire_leases_held 0.0" in figures and not waiting


async def test_figures_come_while_redis_hangs(place: Place, redis_url: str) -> None:
    """If Redis does not answer, /metrics still answers before Prometheus's timeout. Otherwise no alert would
    fire."""
    bot = await place.run_ready(REDIS_URL=redis_url)
    async with Redis.from_url(redis_url) as redis:
        await redis.client_pause(60_000)

    async with asyncio.timeout(SCRAPE_SECONDS):
        _, figures = await bot.ask("/metrics")

    assert 'taskwire_up{system="store"} 0.0' in figures.splitlines()


async def test_what_an_alert_looks_at_is_there_before_it_happens(place: Place) -> None:
    """Each counter that an alert uses is in /metrics with the value 0 before its first event. Otherwise
    Prometheus would miss the first increase."""
    alerts = re.findall(r"`increase\((taskwire_\w+)(?:\{(.*?)\})?\[", RUNNING.read_text(encoding="utf-8"))
    bot = await place.run_ready()

    _, figures = await bot.ask("/metrics")

    shown = [line for line in figures.splitlines() if line.endswith(" 0.0")]
    missing = [
        name
        for name, label in alerts
        if not any(re.match(rf"{name}[ {{]", line) and label in line for line in shown)
    ]
    assert len(alerts) > 5
    assert missing == []


async def _is_unready(bot: Taskwire) -> bool:
    return (await bot.readiness())[0] == 503


async def test_figures_say_what_is_done(place: Place) -> None:
    """Each metric has a help text and the right prefix, and counts what happened."""
    bot = await place.run_ready()
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks, "the task")

    _, figures = await bot.ask("/metrics")

    select_findings = figures.splitlines()
    assert 'taskwire_deliveries_total{kind="command",outcome="claimed"} 1.0' in select_findings
    assert 'taskwire_up{system="store"} 1.0' in select_findings
    helped = {
        line.split()[2] for line in select_findings if line.startswith("# HELP") and len(line.split()) > 3
    }
    assert helped == {line.split()[2] for line in select_findings if line.startswith("# TYPE")}
    assert all(name.startswith("taskwire_") for name in helped)
