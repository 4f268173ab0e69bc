"""A hostile agent's log has very many messages. The bot reads the newest ones, and says that older ones are
missing."""

import json

from taskwire.coder.long_answers import MOST_LOG_ENTRIES
from taskwire_sandbox.coder.faults import Fault
from taskwire_sandbox.coder.wire import Response

from .waiting import a_waiting_agent
from .world import World

OLDER = 3_000


async def test_a_log_with_very_many_messages_begins_later(world: World) -> None:
    """Alice asks for the log, privately and as a file, and replies. Only the file can show that something is
    missing."""
    thread, task = await a_waiting_agent(world)
    log = [
        {"id": number, "content": f"message {number}", "type": "output", "time": "2026-01-01T00:00:00Z"}
        for number in range(MOST_LOG_ENTRIES + OLDER)
    ]
    answer = Response(200, json.dumps({"logs": log}).encode())
    world.coder.plan_fault("tasks.logs", Fault("giant log", executes=False, answer=answer), times=None)

    await world.alice.replies(thread, "!logs")
    await world.alice.types(f"/task logs {task.name} full")
    await world.alice.replies(thread, "go on")

    shown, in_file = world.alice.reads()
    assert f"message {len(log) - 1}" in shown
    assert in_file.startswith("The whole log of")
    assert task.inputs == ["go on"]
    [file] = world.slack.backend.files.files.values()
    first, *rows = file.content.decode().split("\n\n")
    assert first == f"… {OLDER:,} older messages are left out above"
    assert rows == [f"message {number}" for number in range(OLDER, len(log))]
    thread.new_messages()
    world.cards()
