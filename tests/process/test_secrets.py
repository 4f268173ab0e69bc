"""No secret is ever written: at no log level, in no error, in no metric. Nor is what people say."""

import pytest

from taskwire_sandbox.coder import faults
from taskwire_sandbox.slack import CallFault

from .processes import Place


@pytest.mark.real_start
@pytest.mark.parametrize("form", ["json", "text"])
async def test_no_secret_is_written_whatever_goes_wrong(place: Place, redis_url: str, form: str) -> None:
    """Normal work, failing stand-ins and a refused token bring no secret to light."""
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
    # The debug level, the error, the metrics and the health page must have been written, or this proves
    # nothing.
    assert [
        said for said in ("debug", "poll of Coder failed", "taskwire_", '"ready"') if said not in written
    ] == []


_SECRET = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "CODER_SESSION_TOKEN",
    "REDIS_URL",
    "TASKWIRE_ADMIN_TOKEN",
    "TASKWIRE_SECRET_KEYS",
)
