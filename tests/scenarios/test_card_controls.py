"""The controls of a card: *Answer*, *Stop* and the menu. When a person uses a control, the card shows it at
once."""

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import Fault, server_error
from taskwire_sandbox.coder.wire import Response

from .people import Thread, buttons
from .running_tasks import TITLE, a_task, card
from .world import CARD_SECONDS, SETTLE_SECONDS, World


async def a_question(world: World) -> tuple[Thread, SandboxTask]:
    """Create a task whose agent asks a question, and wait until its card shows this. Return its thread and
    the task."""
    thread, task = await a_task(world)
    task.says("There are two configs, `old.toml` and `new.toml`.\n\nWhich one should I keep?")
    task.becomes("idle", "Waiting for a decision")
    await world.polls()
    await world.passes(SETTLE_SECONDS)
    await world.passes(CARD_SECONDS)
    assert len(thread.new_messages()) == 1
    return thread, task


async def test_a_question_is_answered_from_the_card(world: World) -> None:
    """A person presses *Answer* on the card. The dialog shows the agent's question, and the person submits an
    answer. The bot sends the answer to the agent, and posts it in the thread with the person's name and a
    receipt."""
    thread, task = await a_question(world)

    await world.alice.clicks(thread, "Answer")
    dialog = world.alice.dialog()
    await world.alice.submits(prompt="  Keep new.toml  ")
    await world.passes(seconds=5)

    assert dialog == (
        f"[Answer]\n{TITLE}\nWhich one should I keep?\nThere are two configs, old.toml and new.toml.\n"
        "Your reply: \n[Send]"
    )
    assert task.inputs == ["Keep new.toml"]
    assert thread.new_messages() == ["Alice says: Keep new.toml\n> Keep new.toml"]
    assert thread.receipt(last_ts(world, thread)) == ["white_check_mark"]
    assert world.alice.reads() == []


async def test_an_answer_to_a_paused_task_resumes_it(world: World) -> None:
    """The question stays open while the task is paused, and the card still has *Answer*. An answer resumes
    the task."""
    thread, task = await a_question(world)
    task.pause()
    await world.polls()
    await world.passes(seconds=4)
    offered = thread.card().rpartition("\n")[2]

    await world.alice.clicks(thread, "Answer")
    await world.alice.submits(prompt="the new one")
    await world.polls()
    await world.passes(seconds=30)
    await world.polls()
    await world.passes(seconds=30)

    assert (
        offered
        == "[Answer] [Resume] [⋯ Open in Coder, Logs, Edit prompt, Watch, Mute, New like this, Share, "
        "Detach, Delete]"
    )
    assert task.inputs == ["the new one"]
    assert "Alice says: the new one\n> the new one" in thread.new_messages()


async def test_an_empty_answer_and_a_command_are_refused_in_the_dialog(world: World) -> None:
    """A person submits an empty answer, and then an answer that begins with `!`. Each time the dialog shows
    an error and stays open, so that the person can correct the text."""
    thread, task = await a_question(world)
    await world.alice.clicks(thread, "Answer")

    empty = await world.alice.submits(prompt="  ")
    command = await world.alice.submits(prompt="!rm -rf .")

    assert empty == {"form.prompt": "Write your reply."}
    assert command == {"form.prompt": "Agents run what begins with ! as a shell command. Put a word first."}
    assert task.inputs == []


async def test_only_people_who_may_steer_get_the_dialog(world: World) -> None:
    """Bob, who may not steer, presses *Answer* on Alice's card. The dialog has no field for an answer. It
    tells Bob to reply in the thread and to ask Alice to pass the reply on."""
    thread, _ = await a_question(world)

    await world.bob.clicks(thread, "Answer")

    assert world.bob.dialog() == (
        f"[Answer]\n*{TITLE}* belongs to Alice, so you can't reply to its agent yourself. If you write in "
        "its thread, you can ask Alice to pass your reply on."
    )


async def test_the_dialog_opens_without_the_agents_words_while_its_log_cannot_be_read(world: World) -> None:
    """A person presses *Answer* while the agent's log cannot be read. The dialog shows the agent's last
    report, because the bot cannot read what the agent wrote."""
    thread, task = await a_question(world)
    world.coder.plan_fault("tasks.logs", server_error(), times=1)

    await world.alice.clicks(thread, "Answer")
    dialog = world.alice.dialog()
    await world.alice.submits(prompt="both")
    await world.passes(seconds=5)

    assert dialog == f"[Answer]\n{TITLE}\nWaiting for a decision\nYour reply: \n[Send]"
    assert task.inputs == ["both"]
    assert thread.new_messages() == ["Alice says: both\n> both"]


async def test_a_press_shows_on_the_card_at_once(world: World) -> None:
    """The card shows a press before Coder answers. The bot makes this edit at once, although it otherwise
    waits three seconds between two edits."""
    thread, task = await a_task(world)
    task.becomes("working", "Step 1")
    await world.polls()
    before = len(shown_cards(world, thread))

    await world.alice.clicks(thread, "Stop")

    at_once = shown_cards(world, thread)[before:]
    await world.polls()
    paused = await card(world, thread)
    assert [text.partition(". ")[0] for text in at_once] == [f"Pausing…: {TITLE}"]
    assert paused.startswith(f"Paused: {TITLE}. ")
    assert len(thread.new_messages()) == 1
    world.alice.reads()


async def test_a_stop_that_no_poll_has_seen_does_not_stay_on_the_card(world: World) -> None:
    """A person stops the task, and the card shows *Pausing…*. The task is paused and resumed before the next
    poll. After this poll the card shows *Working*."""
    thread, task = await a_task(world)
    await world.alice.clicks(thread, "Stop")
    at_once = thread.card()
    await world.coder.catch_up()
    was_paused = task.status
    task.resume()
    await world.coder.catch_up()
    task.becomes("working", "Reading the code again")

    await world.polls()
    await world.passes(CARD_SECONDS)

    assert at_once.startswith(f"Pausing…: {TITLE}.")
    assert was_paused == "paused"
    assert (await card(world, thread)).startswith(f"Working: {TITLE}. Reading the code again. Owner: Alice.")
    thread.new_messages()
    world.alice.reads()


async def test_a_press_that_came_to_nothing_leaves_the_card_as_it_was(world: World) -> None:
    """A person presses *Stop*, and Coder refuses the pause. The card shows the same phase as before the
    press. The bot tells the person Coder's reason."""
    thread, task = await a_task(world)
    forbidden = Response(403, b'{"message":"Forbidden."}')
    world.coder.plan_fault("tasks.pause", Fault("forbidden", executes=False, answer=forbidden))

    await world.alice.clicks(thread, "Stop")
    after = await card(world, thread)

    assert after.startswith(f"Working: {TITLE}. ")
    assert task.status == "active"
    assert len(world.alice.reads()) == 1


async def test_a_press_of_somebody_without_rights_does_not_touch_the_card(world: World) -> None:
    """A person who may not steer presses a control of the card. The card does not change, and only that
    person is told that nothing was done."""
    thread, task = await a_task(world)
    before = len(shown_cards(world, thread))

    await world.bob.clicks(thread, "Stop")
    await world.passes(seconds=5)

    assert len(shown_cards(world, thread)) == before
    assert task.status == "active"
    assert len(world.bob.reads()) == 1


async def test_the_menu_can_be_used_again_after_it_was_used(world: World) -> None:
    """If a person chooses an entry twice, Slack reports only the first choice. So the bot gives the menu a
    new id after each choice, and each entry can be chosen again."""
    thread, _ = await a_task(world)
    before = menu_id(world, thread)

    await world.alice.clicks(thread, "Logs")
    await world.passes(CARD_SECONDS)
    after_logs = menu_id(world, thread)
    await world.alice.clicks(thread, "Mute")
    await world.passes(CARD_SECONDS)

    assert len({before, after_logs, menu_id(world, thread)}) == 3
    assert thread.card().endswith("Watch, Unmute, New like this, Share, Detach, Delete]")
    assert len(world.alice.reads()) == 1


async def test_logs_open_where_the_card_was_pressed(world: World) -> None:
    """A person presses *Logs* on the card, in the channel or in the open thread. Slack does not say in which,
    so the log opens in a dialog, which both show."""
    thread, _ = await a_question(world)

    await world.alice.clicks(thread, "Logs")

    assert world.alice.dialog() == (
        f"[Logs]\nWhat the agent of *{TITLE}* wrote last:\n"
        "There are two configs, old.toml and new.toml.\n\nWhich one should I keep?"
    )
    assert world.alice.reads() == []


async def test_the_menu_can_be_used_again_after_a_choice_was_refused(world: World) -> None:
    """Bob chooses an entry that only the owner may use, and the bot refuses him. Alice, the owner, can choose
    that entry afterwards."""
    thread, _ = await a_task(world)
    before = menu_id(world, thread)

    await world.bob.clicks(thread, "Mute")
    await world.passes(CARD_SECONDS)
    after_refusal = menu_id(world, thread)
    await world.alice.clicks(thread, "Mute")
    await world.passes(CARD_SECONDS)

    assert len({before, after_refusal, menu_id(world, thread)}) == 3
    assert world.bob.reads() == [
        f"*{TITLE}* belongs to Alice, so you can't mute it. "
        "Alice can let you, with `!share @Bob` in its thread."
    ]
    assert world.alice.reads() == [
        f"Muted: I call nobody about *{TITLE}*, not even its watchers. Its messages still come.\n[Undo]"
    ]


async def test_a_working_card_has_everything_in_its_menu(world: World) -> None:
    """While the agent works, the card has *Stop* and one menu with all other entries. The entries that end
    the task come last."""
    thread, task = await a_task(world)
    task.becomes("working", "Reading the code")
    await world.polls()
    await world.passes(CARD_SECONDS)

    assert thread.card().splitlines()[-1] == (
        "[Stop] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, Detach, Delete]"
    )


async def test_the_menu_leads_to_the_task_in_coder(world: World) -> None:
    """An entry of a menu cannot open a page. So *Open in Coder* opens a dialog with the link, and the card's
    title has the link too."""
    thread, task = await a_task(world)

    await world.bob.clicks(thread, "Open in Coder")

    [view] = world.slack.views(world.bob.id)
    [page] = buttons(view.content, "Open in Coder")
    assert page["url"] == f"{world.coder.url}/tasks/alice/{task.id}"
    assert world.bob.dialog() == f"[Open in Coder]\n*{TITLE}*"


def menu_id(world: World, thread: Thread) -> str:
    """Return the block id of the card's row that has the menu."""
    return str(world.slack.message(thread.channel, thread.ts)["blocks"][-1]["block_id"])


def last_ts(world: World, thread: Thread) -> str:
    """Return the ts of the newest message in a thread."""
    return str(world.slack.thread(thread.channel, thread.ts)[-1]["ts"])


def shown_cards(world: World, thread: Thread) -> list[str]:
    """Return the text of every edit of a card."""
    edits = [call.arguments for call in world.slack.calls if call.method == "chat.update"]
    return [str(each["text"]) for each in edits if each["ts"] == thread.ts]


async def test_a_share_says_that_a_question_is_open(world: World) -> None:
    """Alice shares a task with Bob while its agent waits for an answer. The bot's direct message to Bob says
    that the agent waits."""
    thread, _ = await a_question(world)

    await world.alice.replies(thread, f"!share <@{world.bob.id}>")

    assert world.bob.hears() == [
        f"Alice lets you steer *{TITLE}*. Its agent needs a reply now. Replies in its thread go to the "
        "agent. You can also stop and resume the task, and edit its prompt.\n[Open thread]"
    ]
    world.alice.reads()
