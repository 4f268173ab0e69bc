"""Dead letters on the command line: listed, sent again beside a running bot, and forgotten."""

from .processes import Place, Taskwire, until


async def _doctor(place: Place, *arguments: str) -> tuple[int, str]:
    looking = await place.runs("doctor", *arguments)
    return await looking.ends(), looking.output


async def test_what_could_not_be_told_is_told_once_it_can(place: Place) -> None:
    """A channel was archived by mistake: the operator sends again what its thread should have heard."""
    bot = await place.one()
    ts = await _a_task_that_ends_in_an_archived_channel(place)
    letter = await _letter(place, bot)
    place.slack.workspace.channel("general").is_archived = False

    sent = await _doctor(place, "--resend", "all")
    await until(lambda: len(place.slack.thread("general", ts)) > 1, "the notice")
    forgetting = await _doctor(place, "--forget", letter[:10])

    assert letter.endswith(": the channel takes no message: is_archived\n")
    assert "tell (fix-the-login-redirect-" in letter
    assert sent == (0, f"{letter[:10]}  It waits for its turn again.\n")
    assert forgetting == (0, "There were none.\n")
    said = [str(notice["text"]) for notice in place.slack.thread("general", ts)[1:]]
    assert ["Done: Fix the login redirect" in notice for notice in said] == [True]


async def _a_task_that_ends_in_an_archived_channel(place: Place) -> str:
    """A task of Alice's that ends where nobody can be told; its card's ts comes back."""
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks and place.coder.tasks[0].status == "active", "the task")
    (card,) = place.slack.messages("general")
    await place.slack.archive("alice", "general")
    place.coder.tasks[0].becomes("complete", "Opened PR #12")
    return str(card["ts"])


async def _letter(place: Place, bot: Taskwire) -> str:
    """The list of letters, once there is one."""
    await bot.says("a thread is closed to us")
    listed = ""

    async def is_there() -> bool:
        nonlocal listed
        _, listed = await _doctor(place, "--letters")
        return "There are none" not in listed

    await until(is_there, "a dead letter")
    return listed
