"""The baseline of acknowledgements: a Bolt app as its documentation shows one, which acks and does no more.

`--first` lets Bolt run the listener before it responds, as Taskwire does, instead of looking every 10 ms
whether it has acked.
"""

import asyncio
import os
import sys

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


async def main(*, acks_first: bool) -> None:
    """Ack until killed."""
    client = AsyncWebClient(os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
    app = AsyncApp(client=client, process_before_response=acks_first)

    async def only_ack(ack: AsyncAck) -> None:
        await ack()

    app.command("/task")(only_ack)
    handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
    await handler.start_async()  # type: ignore[no-untyped-call] # Bolt's own gap


if __name__ == "__main__":
    asyncio.run(main(acks_first="--first" in sys.argv))
