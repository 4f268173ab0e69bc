"""The command line: run, doctor, manifest, demo."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Sequence

from redis.exceptions import RedisError

from taskwire import settings as settings_of
from taskwire.model.errors import UserError
from taskwire.model.secrets import Masker
from taskwire.running import running
from taskwire.settings import Settings, SettingsError
from taskwire.slack.errors import TokenProblem
from taskwire.store import connection, embedded
from taskwire.store.connection import Connections
from taskwire.telemetry import configure_logs, logger

# Draining, closing the socket and what hangs: SIGTERM ends within 20 s.
STOP_SECONDS = 18.0

_log = logger("taskwire")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code: 0 done, 1 not well, 2 a setting or word is wrong."""
    words = _parser().parse_args(arguments)
    try:
        code: int = words.call(words)
    except SettingsError as error:
        for sentence in error.sentences:
            print(sentence, file=sys.stderr)  # noqa: T201 - the command line speaks here
        return 2
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line speaks here
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskwire", description="Coder AI tasks in Slack.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser("run", help="run the bot")
    run.set_defaults(call=_run)
    return parser


def _run(_: argparse.Namespace) -> int:
    loaded = settings_of.load()
    configure_logs(loaded.log_level, loaded.log_format, Masker(loaded.secrets()).mask)
    return asyncio.run(_serve(loaded))


async def _serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT, or until our own store dies."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with connected(settings) as (connections, died):
        run = asyncio.create_task(_until(settings, connections, stop))
        died.add_done_callback(lambda _: stop.set())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({run, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done() and not run.done() and not await _has_ended(run):
            run.cancel()
        stopped.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await run
        except TokenProblem as problem:
            raise UserError(
                f"Slack refuses SLACK_BOT_TOKEN ({problem.code}).",
                "Copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.",
            ) from problem
        if died.done() and not died.cancelled():
            print(died.result(), file=sys.stderr)  # noqa: T201 - the command line speaks here
            return 1
    return 0


async def _has_ended(run: "asyncio.Task[None]") -> bool:
    """Give it the time that draining may take."""
    ended, _ = await asyncio.wait({run}, timeout=STOP_SECONDS)
    return bool(ended)


async def _until(settings: Settings, connections: Connections, stop: asyncio.Event) -> None:
    async with running(settings, connections) as bot:
        _log.info("running", mode="socket" if settings.is_socket_mode else "http", port=bot.port)
        await stop.wait()
        _log.info("stopping")


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[tuple[Connections, "asyncio.Future[str]"]]:
    """The store that the settings name, or our own, whose death the future tells."""
    async with contextlib.AsyncExitStack() as stack:
        died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
        else:
            store = await stack.enter_async_context(embedded.store(settings.data_dir))
            url, died = store.url, store.died
        connections = await stack.enter_async_context(connection.open(url))
        try:
            await connection.check(connections)
        except RedisError as error:
            raise UserError(
                f"Redis at {connections.where} cannot be used: {error}.", "Check REDIS_URL and that it runs."
            ) from error
        yield connections, died


if __name__ == "__main__":
    raise SystemExit(main())
