"""Slack's answers to many posts are lost at once, and the rate limit for looking for these posts is low. All
jobs finish."""

import asyncio
from pathlib import Path

from taskwire.domain.ids import ChannelId, Ts
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import to_thread
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, Outcome, done
from taskwire.outbox.posting import post_once
from taskwire.queue.batch import Batch
from taskwire.queue.rate_limiter import Limit, MethodLimits
from taskwire.redis import connection, embedded
from taskwire.slack.metadata import Metadata
from taskwire_sandbox.slack import CallFault, SlackSandbox

from .dependencies import new_worker, open_dependencies

POSTS = 8
SCARCE = {"conversations.replies": MethodLimits(Limit(interval_ms=100, burst=1))}


async def test_posts_of_unknown_outcome_do_not_take_each_other_s_places_for_ever(tmp_path: Path) -> None:
    """The outcomes of many posts are unknown. The bot has to look for each post twice, and the rate limit
    allows only one look at a time. No post waits for ever."""
    async with (
        SlackSandbox() as slack,
        embedded.store(tmp_path) as running,
        connection.open(running.url) as connections,
        open_dependencies(slack, connections, limits=SCARCE) as deps,
    ):
        person = slack.add_user("alice").id
        channel = ChannelId(slack.add_channel("general", [person]).id)
        root = Ts(await slack.post(person, channel, "the root"))
        slack.faults.add("chat.postMessage", CallFault.SERVER_ERROR, times=POSTS)

        async def say(context: JobContext) -> Outcome:
            meta = Metadata(id=f"{context.link_id}:{context.job.id}", kind="answer")
            message = context.work(PostText).message
            await post_once(deps, context, context.link_id, channel, root, message, meta)
            return done()

        batch = Batch()
        for number in range(POSTS):
            work = PostText(message=Message(text=f"word {number}"))
            batch.append(to_thread(f"L{number}"), Job(id="say", work=work))
        await deps.queues.write(batch)
        worker = new_worker(deps, say)
        working = asyncio.create_task(worker.run())
        try:
            await slack.until(lambda: len(slack.thread(channel, root)) > POSTS, "all posts", 30)
        finally:
            await worker.stop(5)
            await working

        said = sorted(str(message["text"]) for message in slack.thread(channel, root)[1:])

    assert said == [f"word {number}" for number in range(POSTS)]
