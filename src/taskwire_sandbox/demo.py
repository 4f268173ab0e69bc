"""`taskwire demo`: runs the real bot with the stand-ins for Slack and Coder, and a page for a browser.

All servers listen on this machine only, and no data is kept. The demo ends when the bot ends.
"""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from taskwire import settings as settings_module
from taskwire.app.process import Process
from taskwire.domain.errors import UserError
from taskwire.domain.parsing.grammar import THREAD_VERBS, VERBS
from taskwire.settings import Settings
from taskwire.slack import manifest
from taskwire.telemetry import configure_logs
from taskwire_sandbox import page
from taskwire_sandbox.coder import CoderSandbox, scripts
from taskwire_sandbox.slack import SlackSandbox

HOST = "127.0.0.1"
PORT = 8000
# In seconds. Both are shorter than the defaults, because a person who tries the demo does not wait long.
POLL_SECONDS, SETTLE_SECONDS = 1, 4
# Display names by user name. The page first shows the view of the first person.
PEOPLE = {"alice": "Alice Adams", "bob": "Bob Brown", "carol": "Carol Chen"}
# A guest is in one channel, has no Coder account, and may use nothing of Taskwire.
GUEST, GUEST_NAME = "dora", "Dora Diaz"
TEMPLATE = "tasks-docker"


async def run_demo(port: int | None) -> int:
    """Run the demo until it is stopped. Return the exit code of the program.

    If `port` is None, the page uses the usual port, or a free port if the usual port is taken.
    """
    # The environment may name a proxy. Servers on this machine must be reached without it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = f"{HOST},localhost"
    with tempfile.TemporaryDirectory(prefix="taskwire-demo-", ignore_cleanup_errors=True) as kept:
        async with CoderSandbox() as coder, _slack(coder, port) as slack:
            settings = _settings(slack, coder, Path(kept))
            # While Coder is made unreachable, the bot's warnings would flood the terminal.
            configure_logs("error", "text", settings.masker.mask)
            code = await Process(settings, lambda: _announce(slack)).run()
    if code == 0:
        # The terminal has just shown "^C".
        print("\n  Stopped. Nothing was kept.", flush=True)  # noqa: T201 - as in `_announce`
    return code


@contextlib.asynccontextmanager
async def _slack(coder: CoderSandbox, wanted: int | None) -> AsyncIterator[SlackSandbox]:
    _furnish_coder(coder)
    async with contextlib.AsyncExitStack() as stack:
        slack = await _listening(stack, coder, wanted)
        for name, real_name in PEOPLE.items():
            slack.add_user(name, real_name=real_name, email=f"{name}@example.com")
        slack.add_user(GUEST, real_name=GUEST_NAME, email=f"{GUEST}@elsewhere.example", is_restricted=True)
        slack.add_channel("shop", [*PEOPLE, GUEST])
        slack.add_channel("general", list(PEOPLE))
        slack.add_channel("checkout-team", ["alice", "bob"], kind="private")
        yield slack


def _furnish_coder(coder: CoderSandbox) -> None:
    coder.add_user("taskwire", roles=("owner",))
    for name, real_name in PEOPLE.items():
        coder.add_user(name, name=real_name)
    coder.template.script = scripts.pick
    presets = [coder.new_preset("Small", is_default=True), coder.new_preset("Large")]
    coder.add_template(
        "tasks-kubernetes", display_name="Tasks on Kubernetes", presets=presets, script=scripts.pick
    )


def _settings(slack: SlackSandbox, coder: CoderSandbox, data_dir: Path) -> Settings:
    return settings_module.from_values(
        {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "CODER_URL": coder.url,
            "CODER_SESSION_TOKEN": coder.add_token("taskwire"),
            "TASKWIRE_DATA_DIR": str(data_dir),
            "TASKWIRE_HTTP_ADDR": f"{HOST}:0",
            "TASKWIRE_POLL_INTERVAL": str(POLL_SECONDS),
            "TASKWIRE_SETTLE": str(SETTLE_SECONDS),
            "TASKWIRE_TEMPLATE": TEMPLATE,
            "TASKWIRE_ACCOUNTS": "both",
        }
    )


def _hints() -> Iterator[page.Hint]:
    for verb in VERBS:
        yield page.Hint(f"{manifest.SLASH_COMMAND} {verb.usage}", verb.meaning)
    for thread_verb in THREAD_VERBS:
        yield page.Hint(thread_verb.usage, thread_verb.meaning)


async def _listening(
    stack: contextlib.AsyncExitStack, coder: CoderSandbox, wanted: int | None
) -> SlackSandbox:
    """Start the Slack stand-in on the port `wanted`, inside `stack`.

    If `wanted` is None, try the usual port, then any free port. Raise UserError if no port can be used.
    """
    for port in (PORT, 0) if wanted is None else (wanted,):
        routes = page.routes(coder_url=coder.url, person=next(iter(PEOPLE)), hints=_hints())
        slack = SlackSandbox(
            port=port, manifest=manifest.make_manifest(coder_host="127.0.0.1"), routes=routes
        )
        try:
            return await stack.enter_async_context(slack)
        except OSError:
            continue
        except OverflowError:
            raise UserError(f"There is no port {port}.", "Leave --port out: any will do.") from None
    raise UserError(
        f"Port {wanted} is taken on this machine.", "Name another, or leave --port out: any will do."
    )


def _announce(slack: SlackSandbox) -> None:
    print(  # noqa: T201 - the command prints for its user
        "\n  Taskwire's demo is ready. Open this address in a browser:\n\n"
        f"      {slack.backend.base_url}/\n\n"
        "  Nothing leaves this machine, and nothing is kept. Ctrl-C ends it.\n",
        flush=True,
    )
