"""An operator replaces secrets in their files while `taskwire run` runs. No request of a person is lost."""

import signal
from pathlib import Path

from redis.asyncio import Redis

from taskwire import sealing
from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox

from .processes import Place, Taskwire, new_place, until


def write(file: Path, token: str) -> None:
    """Replace the file's content by the token in one step, as an operator should."""
    new = file.with_suffix(".new")
    new.write_text(f"{token}\n", encoding="utf-8")
    new.rename(file)


def with_file(place: Place, setting: str = "CODER_SESSION_TOKEN") -> Path:
    """Write the secret of a setting into a file. In the settings, replace the secret by the file's name."""
    file = place.directory / setting.lower()
    write(file, place.settings.pop(setting))
    place.settings[f"{setting}_FILE"] = str(file)
    return file


async def replace(running: Taskwire, file: Path, setting: str, secret: str) -> None:
    """Write a new secret into the file, let Taskwire read the file, and wait until Taskwire uses the
    secret."""
    write(file, secret)
    running.send_signal(signal.SIGHUP)
    await running.says(f'"setting": "{setting}", "event": "a secret was replaced"')


def revoke(place: Place, token: str) -> None:
    """Delete a token in Coder."""
    del place.coder.world.tokens[token.partition("-")[0]]


async def test_a_new_token_is_used_without_a_restart(place: Place) -> None:
    """If an operator replaces Coder's token in its file, Taskwire uses the new token without a restart. It
    then no longer needs the old token."""
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
    """If Coder refuses the new token in the file, Taskwire does not use this token. It uses the old one until
    the file has a valid token."""
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


async def test_new_tokens_of_slack_are_used_and_nothing_is_lost(place: Place) -> None:
    """If Slack's tokens are replaced, Slack refuses the old ones immediately. Taskwire reads the new tokens
    from their files. No request is lost or done twice."""
    bot_file, app_file = with_file(place, "SLACK_BOT_TOKEN"), with_file(place, "SLACK_APP_TOKEN")
    running = await place.run_ready()
    place.slack.rotate(bot_token="xoxb-another-bot-token", app_token="xapp-another-app-token")

    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await replace(running, bot_file, "SLACK_BOT_TOKEN", place.slack.bot_token)
    await replace(running, app_file, "SLACK_APP_TOKEN", place.slack.app_token)
    await place.slack.command("alice", "general", "/task", "create mend the fence")
    await until(lambda: len(place.coder.tasks) == 2, "both tasks")
    await until(lambda: not any(card.startswith("Creating") for card in place.cards()), "both cards")

    assert len(place.cards()) == 2
    assert place.slack.bot_token not in running.output
    assert place.slack.app_token not in running.output


async def test_a_token_of_another_bot_is_not_used(place: Place) -> None:
    """If the file has a token of another bot, or a token that Slack refuses, Taskwire does not use it. The
    old token stays in use."""
    file = with_file(place, "SLACK_BOT_TOKEN")
    running = await place.run_ready()

    write(file, "xoxb-of-nobody")
    running.send_signal(signal.SIGHUP)
    await running.says("a new secret is not used, the present one stays in use")
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")

    await until(lambda: len(place.coder.tasks) == 1, "the task")
    assert "xoxb-of-nobody" not in running.output


async def test_slack_signs_with_a_new_secret(tmp_path: Path) -> None:
    """For five minutes after a change of the signing secret, the bot also accepts requests that are signed
    with the old secret. Such requests may still be on their way."""
    made = manifest.make_manifest("https://taskwire.example.com/slack/events")
    async with new_place(tmp_path, SlackSandbox(mode="http", manifest=made)) as place:
        former = place.slack.signing_secret
        place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": former}
        file = with_file(place, "SLACK_SIGNING_SECRET")
        running = await place.run_ready()
        place.slack.requests.override = f"http://127.0.0.1:{await running.port()}{manifest.REQUEST_PATH}"

        await replace(running, file, "SLACK_SIGNING_SECRET", "another-signing-secret")
        late = await place.slack.command("alice", "general", "/task", "create fix the login redirect")
        place.slack.rotate(signing_secret="another-signing-secret")
        new = await place.slack.command("alice", "general", "/task", "create mend the fence")
        place.slack.rotate(signing_secret="of-nobody")
        forged = await place.slack.command("alice", "general", "/task", "create a hole")

        await until(lambda: len(place.coder.tasks) == 2, "two tasks")
        assert (late.ok, new.ok, forged.ok) == (True, True, False)


async def test_redis_gets_a_new_password(place: Place, redis_url: str) -> None:
    """If Redis gets a new password, new connections use it. Jobs that waited while Redis refused the old
    password are done."""
    place.settings["REDIS_URL"] = redis_url
    file = with_file(place, "REDIS_URL")
    running = await place.run_ready()
    new_url = redis_url.replace("hunter2-and-more", "hunter3-and-more")

    async with Redis.from_url(redis_url) as admin:
        await admin.config_set("requirepass", "hunter3-and-more")
        await replace(running, file, "REDIS_URL", new_url)
        await admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call] # untyped
    await running.wait_until_ready()
    await until(lambda: place.slack.command("alice", "general", "/task", "create fix it"), "a command")

    await until(lambda: len(place.coder.tasks) == 1, "the task")
    assert "hunter3-and-more" not in running.output


async def test_a_new_key_is_used_by_all_replicas(place: Place, redis_url: str) -> None:
    """If one of two replicas gets a new key first, the jobs that this replica writes wait until the other
    replica has the key too."""
    place.settings["REDIS_URL"] = redis_url
    old, new = place.settings["TASKWIRE_SECRET_KEYS"], sealing.make_key()
    file = with_file(place, "TASKWIRE_SECRET_KEYS")
    first, second = await place.run_ready(), await place.run_ready()

    for running in (first, second):
        write(file, f"{new},{old}")
        running.send_signal(signal.SIGHUP)
        await running.says('"setting": "TASKWIRE_SECRET_KEYS"')
        await place.slack.command("alice", "general", "/task", f"create task {running.process.pid}")
    await first.says("every stored value is encrypted with the newest key")
    write(file, new)
    for running in (first, second):
        running.send_signal(signal.SIGHUP)
        await until(lambda: running.output.count('"setting": "TASKWIRE_SECRET_KEYS"') == 2, "the key alone")  # noqa: B023 - awaited here
    await place.slack.command("alice", "general", "/task", "create one more")

    await until(lambda: len(place.coder.tasks) == 3, "three tasks")
    assert new not in first.output + second.output


async def test_a_directory_holds_all_secrets(place: Place) -> None:
    """If all secrets are in one directory, as the chart mounts them, Taskwire reads them from there. The name
    of each file is the name of its setting."""
    directory = place.directory / "secrets"
    directory.mkdir()
    for setting in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "CODER_SESSION_TOKEN"):
        write(directory / setting, place.settings.pop(setting))
    place.settings["TASKWIRE_SECRETS_DIR"] = str(directory)
    running = await place.run_ready()
    place.slack.rotate(bot_token="xoxb-another-bot-token")

    await replace(running, directory / "SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN", place.slack.bot_token)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")

    await until(lambda: len(place.coder.tasks) == 1, "the task")
