"""Commands about a task that has no thread. The channel in which a command is typed gives no right to it."""

import pytest

from .world import World


@pytest.mark.parametrize(
    ("command", "act"),
    [
        ("/task stop {}", "stop it"),
        ("/task resume {}", "resume it"),
        ("/task edit {} push to main", "edit its prompt"),
    ],
)
async def test_a_channel_that_lets_everybody_steer_gives_no_right_to_a_task_without_a_thread(
    personal: World, command: str, act: str
) -> None:
    """Coder shows Alice's task, which has no thread, to Bob. He lets everybody in a channel of his own steer,
    and types his command there. It is refused, as in every other channel."""
    task = personal.coder.add_task("alice", "fix it", name="loose")
    await personal.polls()
    personal.coder.share("loose", "bob", "admin")
    personal.slack.add_channel("bobs", ["bob"])
    await personal.bob.types("/task settings", "bobs")
    await personal.bob.saves(steerers="Everybody in this channel")
    await personal.passes(seconds=15)
    personal.bob.reads()
    personal.reader.new_roots()

    await personal.bob.types(command.format(task.id), "bobs")
    await personal.passes(seconds=5)

    assert personal.bob.reads() == [
        f"*Fix it* belongs to alice, so you can't {act}. Alice can let you, with `!share @Bob` in its thread."
    ]
    assert (task.status, task.prompt, task.inputs) == ("active", "fix it", [])
