"""Redis never gets, in readable form, a text that people or agents wrote."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from urllib.parse import quote

from redis.asyncio import Redis

from taskwire_sandbox.slack import Attachment

from .world import World

# The story writes each word in one place only.
WORDS = (
    "Zanzibar", "quokkas", "tamarinds", "oubliette", "periwinkle", "halcyonic", "marmalade", "cinnabar",
    "wombats",
)  # fmt: skip
# What an agent asks, with two choices.
ASKS = """\
⏺ There are two animals.

  Which one shall I read about?

  1. the bandicoot
  2. the echidna
"""
END = "end-of-the-record"


@contextlib.asynccontextmanager
async def _recorded(world: World) -> AsyncIterator[list[str]]:
    """Record every command that Redis gets until the block ends, with all its arguments."""
    pool = world.connections.commands.connection_pool.connection_kwargs
    commands: list[str] = []
    async with Redis(unix_socket_path=str(pool["path"])) as redis, redis.monitor() as monitor:

        async def listen() -> None:
            async for row in monitor.listen():
                commands.append(str(row["command"]))
                if END in commands[-1]:
                    return

        listening = asyncio.create_task(listen())
        yield commands
        await world.connections.commands.get(END)
        await listening


def _forms(word: str) -> set[str]:
    """Return the forms in which a word may be in Redis: plain, lower case, hex, escaped, and base64 at each
    offset."""
    raw = word.encode()
    shifted = (base64.b64encode(b"\0" * shift + raw).decode() for shift in range(3))
    # In base64, the characters at both ends depend on the text beside the word.
    encoded = {text.rstrip("=")[4 if shift else 0 : -2] for shift, text in enumerate(shifted)}
    return {word, word.lower(), raw.hex(), quote(word), json.dumps(word)[1:-1], *encoded}


async def test_no_word_of_anybody_is_readable_in_redis(world: World) -> None:
    """No command that Redis gets contains, in readable form, a word that a person or an agent wrote. This
    also holds for a value that exists only for a moment, and for the name of a task, which is made from its
    prompt. The log has no such word either."""
    async with _recorded(world) as commands:
        thread = await world.alice.runs("/task create fix the Zanzibar page")
        task = world.task("fix-the-zanzibar-page")
        task.becomes("working", "I count halcyonic days")
        await world.polls()
        reply = await world.alice.replies(thread, "and look at the quokkas")
        await world.alice.edits(thread, reply, "and look at the tamarinds")
        await world.alice.replies(
            thread, "see the file", (Attachment("periwinkle.txt", b"keep the oubliette shut"),)
        )
        await world.bob.replies(thread, "I would ask the wombats")
        await world.alice.replies(thread, "!pause")
        await world.passes(seconds=3)
        await world.alice.clicks(thread, "Resume and send")
        await world.passes(seconds=60)
        task.says("There is marmalade in it. Is that right?")
        task.becomes("idle", "Waiting for the cinnabar")
        await world.polls()
        await world.passes(seconds=30)
        await world.alice.replies(thread, "!logs")
        await world.alice.types("/task list")
        await world.alice.types(f"/task mute {task.name}")
        await world.alice.types("/task create fix the Zanzibar page")

    for each in (world.alice, world.bob):
        each.reads()
    thread.new_messages()
    world.reader.unread()
    world.cards()
    assert len(commands) > 200
    assert sum("tws1." in command for command in commands) > 50
    found = {
        (word, form, command[:300])
        for word in WORDS
        for form in _forms(word)
        for command in commands
        if form in command
    }
    assert found == set()
    assert [line for line in world.logged if any(word.lower() in line.lower() for word in WORDS)] == []


async def test_no_choice_that_an_agent_offers_is_readable_in_redis(world: World) -> None:
    """An agent offers choices, which become buttons. No command that Redis gets contains one of them in
    readable form."""
    async with _recorded(world) as commands:
        thread = await world.alice.runs("/task create fix the page")
        task = world.task("fix-the-page")
        await world.polls()
        task.says(ASKS)
        task.becomes("idle", "Waiting for your choice")
        await world.polls()
        for _ in range(3):
            await world.passes(seconds=20)

    assert "[1. the bandicoot]" in thread.new_messages()[-1]
    words = {form for word in ("bandicoot", "echidna") for form in _forms(word)}
    assert [command[:300] for command in commands if any(word in command for word in words)] == []
