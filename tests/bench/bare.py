"""The baseline for acks: a Bolt app as in Bolt's documentation, which only acks.

With `--first`, Bolt runs the listener before Bolt responds, as in Taskwire. Without `--first`, Bolt checks
every 10 ms whether the listener has acked. With `--http`, the app serves HTTP requests instead of a socket,
and prints its port.
"""

import asyncio
import json
import os
import sys

from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from taskwire.slack.manifest import REQUEST_PATH


async def main(*, acks_first: bool, takes_requests: bool) -> None:
    """Ack commands until the process is killed. `acks_first` stands for `--first`, and `takes_requests` for
    `--http`."""
    client = AsyncWebClient(os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    secret = os.environ.get("SLACK_SIGNING_SECRET")
    app = AsyncApp(client=client, process_before_response=acks_first, signing_secret=secret)

    async def only_ack(ack: AsyncAck) -> None:
        await ack()

    app.command("/task")(only_ack)
    if takes_requests:
        runner = web.AppRunner(app.server(path=REQUEST_PATH).web_app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)  # noqa: T201 - to our parent
        await asyncio.Event().wait()
    handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
    await handler.start_async()  # type: ignore[no-untyped-call] # Bolt's own gap


if __name__ == "__main__":
    asyncio.run(main(acks_first="--first" in sys.argv, takes_requests="--http" in sys.argv))
