"""The real bot as a process, with shorter times: what a kill leaves behind is taken up in seconds.

Everything else is as `taskwire run` has it: settings from the environment, a store of its own.
"""

import asyncio
import sys

from taskwire import settings as settings_of
from taskwire.app import Timings
from taskwire.coder.client import Timeouts as CoderTimeouts
from taskwire.lifetime import connected
from taskwire.model.secrets import Masker
from taskwire.running import running
from taskwire.slack.outbound import Timeouts as SlackTimeouts
from taskwire.store.queue import TurnTimes
from taskwire.telemetry import configure_logs

SECONDS = 1.5
TIMINGS = Timings(
    slack=SlackTimeouts(post=SECONDS),
    coder=CoderTimeouts(create=SECONDS, send=SECONDS, change=SECONDS),
    turns=TurnTimes(lease_ms=1_000, longest_lease_ms=4_000, landing_margin_ms=500, second_look_ms=100),
)


async def main() -> None:
    """Run until killed."""
    loaded = settings_of.load()
    configure_logs("info", "json", Masker(loaded.secrets()).mask, sys.stdout)
    async with connected(loaded) as (connections, _), running(loaded, connections, timings=TIMINGS):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
