"""Each kind of notice, checked with all its buttons. Other tests do not see *Open in Coder*, the button that
opens the task's page."""

from collections.abc import Callable, Mapping

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.steps import BuildPlan

from .people import Thread
from .reading import check_page, shown
from .running_tasks import TITLE, a_task
from .world import World

Act = Callable[[SandboxTask], object]


def whole(world: World, thread: Thread) -> list[tuple[str, list[str]]]:
    """Return the messages of a thread, each with its text, its buttons and the addresses that the buttons
    open."""
    return [_whole(message) for message in world.slack.thread(thread.channel, thread.ts)[1:]]


def _whole(message: Mapping[str, object]) -> tuple[str, list[str]]:
    blocks = message.get("blocks")
    assert isinstance(blocks, list)
    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    buttons = [f"[{each['text']['text']}] {each.get('url', '')}".strip() for row in rows for each in row]
    return str(message["text"]), buttons


KINDS: dict[str, tuple[Act, str, list[str]]] = {
    "needs input": (
        lambda task: task.becomes("idle", "Which branch?"),
        "{calls} Which branch?\nNeeds you: {title}. Reply here to go on.",
        ["[Open in Coder] {page}", "[Logs]"],
    ),
    "completed": (
        lambda task: task.becomes("complete", "Opened PR #12"),
        "{calls} Opened PR #12.\nDone: {title}. Reply here if there is more to do.",
        ["[Open in Coder] {page}"],
    ),
    "failed": (
        lambda task: task.becomes("failed", "No access"),
        "{calls} No access.\nFailed: {title}. Reply here to tell the agent how to go on.",
        ["[Open in Coder] {page}", "[Logs]"],
    ),
    "error": (
        lambda task: task.crashes(),
        "{calls} Broken: {title}. The agent crashed. Its workspace is running. *Retry* stops the "
        "workspace and starts it again.",
        ["[Retry]", "[Open in Coder] {page}"],
    ),
    "paused": (
        lambda task: task.pause(),
        "Paused: {title}. The workspace was stopped in Coder. Nothing is lost: a reply resumes it.",
        ["[Resume]", "[Edit prompt]", "[Open in Coder] {page}"],
    ),
    "gone": (
        lambda task: task.delete(),
        "Gone: {title}. The task is no longer in Coder. No agent gets replies here now.",
        ["[New task]"],
    ),
}


@pytest.mark.parametrize(("act", "text", "buttons"), KINDS.values(), ids=KINDS)
async def test_a_notice_leads_to_its_task_in_coder(
    world: World, act: Act, text: str, buttons: list[str]
) -> None:
    """Each kind of notice has the button *Open in Coder*, which opens the page of its task. Only the notice
    of a deleted task lacks it."""
    thread, task = await a_task(world)
    words = {
        "calls": f"<@{world.alice.id}>",
        "title": TITLE,
        "page": f"{world.coder.url}/tasks/alice/{task.id}",
    }

    await world.passes(seconds=400)
    act(task)
    await world.polls(times=2)
    await world.passes(seconds=60)
    await world.polls(times=2)

    assert whole(world, thread) == [(text.format(**words), [button.format(**words) for button in buttons])]
    thread.new_messages()


async def test_a_notice_of_a_resume_leads_to_its_task_in_coder(world: World) -> None:
    """A paused task is resumed. The notice of the resume has *Open in Coder*, and the older notice of the
    pause keeps it."""
    thread, task = await a_task(world)
    page = f"[Open in Coder] {world.coder.url}/tasks/alice/{task.id}"
    task.pause()
    await world.polls()

    task.resume()
    await world.polls()

    assert whole(world, thread) == [
        (f"Paused: {TITLE}. The workspace was stopped in Coder. Retried.", [page]),
        (f"Resumed: {TITLE}. The workspace is running. Reply here to talk to the agent.", [page]),
    ]
    thread.new_messages()


async def test_a_notice_of_a_broken_build_leads_to_its_task_in_coder(world: World) -> None:
    """A new task's first build fails. The notice has *Open in Coder*, although the task has never run."""
    world.coder.template.plan = BuildPlan(error="no space left on device")
    thread = await world.alice.runs("/task create fix the login redirect")

    await world.polls()

    page = f"{world.coder.url}/tasks/alice/{world.task('fix-the-login').id}"
    assert whole(world, thread)[0][1] == ["[Retry]", f"[Open in Coder] {page}"]
    thread.new_messages()


def _notice(*pages: str) -> dict[str, object]:
    def button(label: str, page: str) -> dict[str, object]:
        return {"type": "button", "text": {"type": "plain_text", "text": label}, "url": page}

    payload = {"id": "n1", "kind": "paused", "task_id": "t1"}
    buttons = [button("Open in Coder", page) for page in pages]
    return {
        "text": "Paused: Fix it.",
        "metadata": {"event_type": "taskwire_message", "event_payload": payload},
        "blocks": [
            {"type": "rich_text", "block_id": "headline", "elements": []},
            {"type": "actions", "elements": [*buttons, button("Logs", "")]},
        ],
    }


def test_reading_a_notice_leaves_its_way_to_coder_out() -> None:
    """`shown` returns the text that tests compare. This text has all buttons of a notice except *Open in
    Coder*."""
    page = "https://coder.example.com/tasks/alice/t1"

    assert shown(_notice(page)) == "Paused: Fix it.\n[Logs]"
    check_page(_notice(page), page)


@pytest.mark.parametrize(
    "pages",
    [
        (),
        ("https://coder.example.com/tasks/alice/t2",),
        ("https://coder.example.com/tasks/alice/t1", "https://coder.example.com/tasks/alice/t1"),
    ],
    ids=["none", "another's", "two"],
)
def test_no_notice_is_read_that_does_not_lead_to_its_task(pages: tuple[str, ...]) -> None:
    """`shown` fails for a notice that does not have exactly one *Open in Coder* with the address of its task.
    So a test fails even if it does not check the button."""
    with pytest.raises(AssertionError, match="Open in Coder"):
        shown(_notice(*pages))
