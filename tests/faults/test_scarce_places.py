"""Many answers of Slack's are lost at once, and reading what became of them is limited: all get on."""

import asyncio
from pathlib import Path

from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.posting import post_once
from taskwire.bridge.work import Worker
from taskwire.model.ids import ChannelId, Ts
from taskwire.model.jobs import Job, Say, tell
from taskwire.model.messages import Message
from taskwire.sandbox.slack import CallFault, SlackSandbox
from taskwire.slack.outbound import Metadata
from taskwire.store import connection, embedded
from taskwire.store.pace import Limit, Limits
from taskwire.store.steps import Step
from taskwire.telemetry import Metrics

from .doors import open_doors

POSTS = 8
SCARCE = {"conversations.replies": Limits(Limit(interval_ms=100, burst=1))}


async def test_posts_in_doubt_do_not_take_each_other_s_places_for_ever(tmp_path: Path) -> None:
    """Each needs two looks, and there is one place at a time for all of them."""
    async with (
        SlackSandbox() as slack,
        embedded.store(tmp_path) as running,
        connection.open(running.url) as connections,
        open_doors(slack, connections, limits=SCARCE) as doors,
    ):
        person = slack.add_user("alice").id
        channel = ChannelId(slack.add_channel("general", [person]).id)
        root = Ts(await slack.post(person, channel, "the root"))
        slack.faults.add("chat.postMessage", CallFault.SERVER_ERROR, times=POSTS)

        async def say(hand: Hand) -> Ending:
            meta = Metadata(id=f"{hand.link_id}:{hand.job.id}", kind="answer")
            message = hand.work(Say).message
            await post_once(doors, hand, hand.link_id, channel, root, message, meta)
            return done()

        step = Step()
        for number in range(POSTS):
            work = Say(message=Message(text=f"word {number}"))
            step.append(tell(f"L{number}"), Job(id="say", work=work))
        await doors.queue.write(step)
        worker = Worker(doors, {"say": say}, Metrics())
        working = asyncio.create_task(worker.run())
        try:
            await slack.until(lambda: len(slack.thread(channel, root)) > POSTS, "all posts", 30)
        finally:
            await worker.stop(5)
            await working

        said = sorted(str(message["text"]) for message in slack.thread(channel, root)[1:])

    assert said == [f"word {number}" for number in range(POSTS)]
