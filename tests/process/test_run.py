"""`taskwire run` starts in both modes. If `taskwire run` cannot start, it says why in a sentence."""

import hashlib
import hmac
import json
import os
import socket
import time
from pathlib import Path

import aiohttp
import pytest

from taskwire.redis import connection
from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox

from .conftest import StartTaskwire
from .processes import Place, Taskwire, end, new_place, until


async def test_an_app_token_means_socket_mode_whatever_else_is_set(place: Place) -> None:
    """If the settings have an app token, the bot uses Socket Mode, even if a signing secret is set too. It
    then accepts nothing over HTTP."""
    bot = await place.run_ready(SLACK_SIGNING_SECRET=place.slack.signing_secret)

    await place.slack.command("alice", "general", "/task", "create fix the login redirect")

    await until(lambda: len(place.cards()) == 1, "the card")
    assert len(place.slack.sockets.connections) == 1
    assert (await bot.ask(manifest.REQUEST_PATH))[0] == 404


@pytest.mark.real_start
async def test_a_whole_story_goes_over_http(tmp_path: Path) -> None:
    """If the settings have a signing secret and no app token, commands, replies, buttons and dialogs all
    arrive over HTTP at one URL."""
    slack = SlackSandbox(
        mode="http", manifest=manifest.make_manifest("https://taskwire.example.com/slack/events")
    )
    async with new_place(tmp_path, slack) as place:
        place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
        bot = await place.run_ready()
        slack.requests.override = f"http://127.0.0.1:{await bot.port()}{manifest.REQUEST_PATH}"
        assert await slack.requests.verify()

        await slack.command("alice", "general", "/task", "create fix the login redirect")
        await until(lambda: place.coder.tasks, "the task")
        card = str(slack.messages("general")[0]["ts"])
        task = place.coder.tasks[0]
        await until(lambda: "Stop" in json.dumps(slack.message("general", card)), "the card's buttons")

        reply = await slack.post("alice", "general", "please add a test", card)
        await until(lambda: "white_check_mark" in slack.reactions("general", reply), "the receipt")
        assert task.inputs == ["please add a test"]

        await slack.command("alice", "general", "/task", f"delete {task.name}")
        await until(lambda: slack.views("alice"), "the dialog")
        await until(
            lambda: "cannot be undone" in json.dumps(slack.views("alice")[-1].content), "its question"
        )
        assert (await slack.submit("alice", slack.views("alice")[-1])).ok

        await until(lambda: not place.coder.tasks, "the task to be gone")
        assert slack.violations == []


async def test_over_http_only_what_slack_brings_shows_that_it_comes(tmp_path: Path, redis_url: str) -> None:
    """In HTTP mode, only requests from Slack count as contact with Slack, however long the process runs.
    After a silence, Slack's next request starts a backfill."""
    slack = SlackSandbox(
        mode="http", manifest=manifest.make_manifest("https://taskwire.example.com/slack/events")
    )
    async with new_place(tmp_path, slack) as place, connection.open(redis_url) as store:
        place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
        bot = await place.run_ready(REDIS_URL=redis_url)
        slack.requests.override = f"http://127.0.0.1:{await bot.port()}{manifest.REQUEST_PATH}"
        keys = Keys(slack.workspace.team_id)

        async def reached() -> int:
            return int(await store.commands.get(keys.named("heartbeat:request")) or 0)

        async def used() -> int:
            return int(await store.commands.hget(keys.named("server"), "at") or 0)

        await until(used, "the store is used")
        at_first = await reached()
        await slack.command("alice", "general", "/task", "pause nothing")
        await until(reached, "Slack has come")
        heard = await reached()

        async def is_used_long_after() -> bool:
            return await used() > heard + 6_000

        await until(is_used_long_after, "the bot goes on")

        assert (at_first, await reached()) == (0, heard)


async def test_what_slack_has_not_signed_is_refused(tmp_path: Path) -> None:
    """In HTTP mode, a request with a wrong signature, or with a signature from yesterday, is refused."""
    slack = SlackSandbox(
        mode="http", manifest=manifest.make_manifest("https://taskwire.example.com/slack/events")
    )
    async with new_place(tmp_path, slack) as place:
        place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
        bot = await place.run_ready()
        url = f"http://127.0.0.1:{await bot.port()}{manifest.REQUEST_PATH}"
        body = b"command=%2Ftask&text=create+something"

        answers = [
            await _posted(url, body, secret, at)
            for secret, at in (("another secret", time.time()), (slack.signing_secret, time.time() - 86_400))
        ]

        assert answers == [401, 401]
        assert place.coder.tasks == []


async def _posted(url: str, body: bytes, secret: str, at: float) -> int:
    signed = hmac.new(secret.encode(), b"v0:%d:" % int(at) + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": str(int(at)),
        "X-Slack-Signature": f"v0={signed}",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        return answer.status


async def test_a_slack_that_is_away_at_the_start_is_waited_for(place: Place) -> None:
    """If Slack does not answer at the start, the bot is alive and /readyz says why it is not ready. When
    Slack answers, the bot works."""
    await place.slack.go_down()
    bot = await place.run()
    health = await bot.ask("/healthz")
    await bot.says("Slack cannot be reached yet")
    status, told = await bot.readiness()

    await place.slack.come_back()
    await bot.wait_until_ready()

    assert health == (200, "ok\n")
    assert (status, told["ready"], told["store"]) == (503, False, "ok")
    assert str(told["slack"]).startswith("Slack cannot be reached yet: auth.test: ")
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: len(place.cards()) == 1, "the card")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "SLACK_BOT_TOKEN",
            "Slack refuses SLACK_BOT_TOKEN (invalid_auth). "
            "Copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.\n",
        ),
        (
            "SLACK_APP_TOKEN",
            "Slack refuses SLACK_APP_TOKEN (invalid_auth). Make one in your Slack app, Basic Information, "
            "App-Level Tokens, with connections:write.\n",
        ),
    ],
)
async def test_a_token_that_slack_refuses_ends_it_with_a_sentence(
    place: Place, name: str, sentence: str
) -> None:
    """If Slack refuses a token, the bot ends with a sentence, because a retry is useless. The sentence says
    which token is refused and where to find the right token."""
    bot = await place.run(TASKWIRE_LOG_LEVEL="warning", **{name: f"{place.settings[name]}-of-yesterday"})

    code = await bot.wait_for_exit()

    assert (code, _last_words(bot)) == (2, sentence)


async def test_an_address_that_is_taken_ends_it_with_a_sentence(place: Place) -> None:
    """If another program uses the address for HTTP, the bot ends with a sentence that says what to set for a
    second bot on one machine."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        bot = await place.run(TASKWIRE_HTTP_ADDR=address)

        code = await bot.wait_for_exit()

    assert (code, _last_words(bot)) == (
        2,
        f"Taskwire cannot listen on {address}: Address already in use. "
        "Set TASKWIRE_HTTP_ADDR to an address and port that are free here.\n",
    )


async def test_a_data_directory_that_cannot_be_used_ends_it_with_a_sentence(place: Place) -> None:
    """If the data directory cannot be used, the bot ends with a sentence that names the directory. The path
    may be mistyped, or another user may own the directory."""
    (place.directory / "file").write_text("")
    data_dir = place.directory / "file" / "data"
    bot = await place.run(TASKWIRE_DATA_DIR=str(data_dir))

    code = await bot.wait_for_exit()

    assert (code, _last_words(bot)) == (
        2,
        f"Taskwire cannot use its data directory {data_dir}: Not a directory. "
        "Set TASKWIRE_DATA_DIR to a directory.\n",
    )


@pytest.mark.real_start
async def test_missing_settings_are_named_and_nothing_else_is_said(
    start_taskwire: StartTaskwire, tmp_path: Path
) -> None:
    """If settings are missing, `taskwire run` prints one sentence for each of them, and nothing else."""
    bot = await start_taskwire("run")

    code = await bot.wait_for_exit()

    assert (code, _last_words(bot)) == (
        2,
        "SLACK_BOT_TOKEN is missing: copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.\n"
        "SLACK_APP_TOKEN is missing: set it for Socket Mode (Slack app, Basic Information, "
        "App-Level Tokens), "
        "or set SLACK_SIGNING_SECRET for HTTP mode.\n"
        "CODER_URL is missing: set it to the address of your Coder, for example https://coder.example.com.\n"
        "CODER_SESSION_TOKEN is missing: make a token on Coder's page Settings, Tokens, with an account of "
        "role Owner; or set TASKWIRE_ACCOUNTS=personal, with which each person connects their own account.\n"
        f"There is no .env in {tmp_path}.\n",
    )


@pytest.mark.real_start
async def test_last_words_are_plain_where_a_person_reads_the_log(place: Place) -> None:
    """If the log format is text and a start fails, the last line is a plain sentence, whether the settings
    are valid or not."""
    place.settings["TASKWIRE_LOG_FORMAT"] = "text"
    bots = [
        await place.run(SLACK_BOT_TOKEN="xoxp-of-a-person"),
        await place.run(REDIS_URL="redis://127.0.0.1:1/0"),
    ]

    assert [(await bot.wait_for_exit(), bot.output) for bot in bots] == [
        (2, "SLACK_BOT_TOKEN is wrong: it must be the bot's own token, which begins with xoxb-.\n"),
        (
            2,
            "redis://127.0.0.1:1 cannot be reached: Connection refused. "
            "Check REDIS_URL, and that Redis or Valkey runs there.\n",
        ),
    ]


async def test_it_runs_where_its_user_has_no_home(place: Place, tmp_path: Path) -> None:
    """The bot runs if its user has no home directory, as in a container whose user is only a number.
    slack_sdk asks for this directory when it is imported."""
    (tmp_path / "nobody").mkdir()
    (tmp_path / "nobody" / "sitecustomize.py").write_text(
        "import os, pwd\n"
        "def find_nobody(uid):\n"
        "    raise KeyError(f'getpwuid(): uid not found: {uid}')\n"
        "pwd.getpwuid = find_nobody\n"
        "del os.environ['HOME']\n"
    )
    around = os.environ.get("PYTHONPATH")
    await place.run_ready(
        PYTHONPATH=os.pathsep.join([str(tmp_path / "nobody"), *([around] if around else [])])
    )

    await place.slack.command("alice", "general", "/task", "create fix the login redirect")

    await until(lambda: len(place.cards()) == 1, "the card")


@pytest.mark.real_start
async def test_settings_may_stand_in_a_file(place: Place) -> None:
    """If the working directory has a `.env` file, the bot reads settings from it. A setting in the
    environment overrides the same setting in the file."""
    select_findings = [f"{name}={value}\n" for name, value in place.settings.items()]
    (place.directory / ".env").write_text("".join(select_findings) + "TASKWIRE_LOG_FORMAT=text\n")
    place.settings.clear()
    by_file = await place.run_ready()
    await end(by_file)
    by_environment = await place.run_ready(TASKWIRE_LOG_FORMAT="json")

    assert not any(line.startswith("{") for line in by_file.output.splitlines())
    assert all(line.startswith("{") for line in by_environment.output.splitlines())


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "redis://:hunter2@127.0.0.1:1/0",
            "redis://127.0.0.1:1 cannot be reached: Connection refused. "
            "Check REDIS_URL, and that Redis or Valkey runs there.\n",
        ),
        (
            "postgres://:hunter2@127.0.0.1/0",
            "REDIS_URL does not begin with redis://, rediss://, unix:// or redis+sentinel://. "
            "It looks like "
            "redis://host:6379/0, rediss://… for TLS, unix:///path/to/socket, or "
            "redis+sentinel://host:26379,host2:26379/mymaster/0.\n",
        ),
    ],
)
async def test_a_redis_that_is_not_there_ends_it_with_a_sentence(
    place: Place, url: str, sentence: str
) -> None:
    """If there is no Redis at the URL, the bot ends with a sentence that has the URL without its password."""
    bot = await place.run(REDIS_URL=url)

    code = await bot.wait_for_exit()

    assert (code, _last_words(bot)) == (2, sentence)


def _last_words(bot: Taskwire) -> str:
    """Return the sentences with which the bot ended. Check that its whole output consists of these sentences,
    as lines of JSON."""
    select_findings = [json.loads(line) for line in bot.output.splitlines()]
    assert {(line["level"], line["logger"]) for line in select_findings} == {("critical", "taskwire")}
    return "".join(f"{line['event']}\n" for line in select_findings)
