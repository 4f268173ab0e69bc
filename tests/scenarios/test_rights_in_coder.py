"""Taskwire's own Coder account has too few rights. The bot then says that this account lacks rights, and does
not blame the person who asks."""

from pathlib import Path

from taskwire.coder import rights
from taskwire.polling.poller import ACCOUNT
from taskwire_sandbox.coder.access import Rules
from taskwire_sandbox.coder.faults import server_error

from .running_tasks import TITLE, a_task
from .waiting import a_waiting_agent
from .world import World, new_world

LACKS = (
    "My Coder account lacks rights, so I can't see your tasks. Tell a Taskwire administrator: `taskwire "
    "doctor` says what to do."
)
KEPT_OUT = (
    "The Coder account taskwire can see tasks, but not write to agents, so no agent gets a reply. Start "
    "Coder without CODER_DISABLE_OWNER_WORKSPACE_ACCESS."
)


def keep_owners_out(world: World) -> None:
    """Let Coder close people's workspaces to the role Owner, as CODER_DISABLE_OWNER_WORKSPACE_ACCESS does."""
    world.coder.settings.rules = Rules(owner_may_access_workspaces=False)


def has_custom_role(world: World) -> None:
    """Give Taskwire's account a custom role with enough rights, in place of the role Owner."""
    everything = [right for right in rights.NEEDED_RIGHTS if right != rights.READ_USERS]
    world.coder.settings.rules = Rules(custom_roles={"custom": everything})
    account = world.coder.user("taskwire")
    account.roles, account.org_roles = {"user-admin"}, {each: {"custom"} for each in account.org_roles}


async def test_an_account_with_too_few_rights_says_so_in_the_list(world: World) -> None:
    """Taskwire's account has too few rights, so a person's list is empty. The answer warns that the account
    may not see all tasks."""
    await world.alice.runs("/task create fix it")
    world.coder.user("taskwire").roles = {"user-admin"}

    await world.alice.types("/task list")
    await world.alice.types("/task list failed")

    assert world.alice.reads() == [LACKS, LACKS]


async def test_an_account_with_a_custom_role_that_suffices_is_not_accused(world: World) -> None:
    """Taskwire's account has a custom role with enough rights. A person's `/task list` is empty, and the
    answer does not warn of a missing role."""
    has_custom_role(world)

    await world.alice.types("/task list failed")

    assert LACKS not in world.alice.reads()


async def test_such_an_account_sees_that_a_task_is_gone(world: World) -> None:
    """Taskwire's account has a custom role with which it sees every task. So a task that it does not see is
    gone. The bot says so after a restart, and when a person deletes such a task."""
    has_custom_role(world)
    thread, task = await a_task(world)
    other = await world.alice.runs("/task create tidy the docs")
    await world.polls()
    await world.alice.clicks(other, "Delete")

    task.delete()
    world.coder.plan_fault(
        "tasks.delete", server_error("Resource not found or you do not have access to this resource", 404)
    )
    await world.alice.submits()
    world.coder.tasks[-1].delete()
    await world.restarts()
    await world.bot.parts.deps.notes.forget("account_roles", ACCOUNT)
    await world.polls(times=3)
    await world.passes(seconds=5)

    assert thread.new_messages()[-1].startswith(f"Gone: {TITLE}. The task is no longer in Coder.")
    assert other.new_messages()[-1].startswith("Gone: Tidy the docs. Alice deleted it.")
    world.alice.reads()


async def test_a_person_who_is_not_found_by_such_an_account_is_not_to_blame(world: World) -> None:
    """Taskwire's account has only the role Member, so it sees no other users. The bot answers that its
    account lacks rights, and does not blame the person."""
    world.coder.user("taskwire").roles = set()

    await world.alice.types("/task list")
    await world.alice.types("/task create fix it")

    assert world.alice.reads() == [LACKS, LACKS]


async def test_a_person_without_tasks_is_still_told_that(world: World) -> None:
    """A person without tasks types `/task list`, and Taskwire's account has its rights. The answer says that
    the person has no tasks."""
    await world.alice.types("/task list")

    assert world.alice.reads() == [
        "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form."
    ]


async def test_a_reply_to_a_workspace_that_is_closed_to_owners_says_what_it_is(world: World) -> None:
    """Coder closes a workspace to Taskwire's account, and answers as if the task were gone. The bot says that
    its account may not talk to the agent, and who can change that."""
    thread, task = await a_waiting_agent(world)
    keep_owners_out(world)

    reply = await world.alice.replies(thread, "use main")
    said = thread.new_messages()
    world.coder.settings.rules = Rules()
    await world.alice.clicks(thread, "Try again")
    await world.settles()

    assert said == [
        "This reply was not delivered. My account in Coder can see *Fix the login*, but not write to its "
        "agent. A Coder administrator can change that; `taskwire doctor` says how.\n"
        "> use main\n"
        "[Try again]"
    ]
    assert (task.inputs, thread.receipt(reply)) == (["use main"], ["white_check_mark"])
    assert thread.new_messages() == []


async def test_logs_of_a_workspace_that_is_closed_to_owners_say_what_it_is(world: World) -> None:
    """Coder closes a workspace to Taskwire's account. `/task logs` and `!logs` both answer that the account
    may not talk to the agent."""
    thread, task = await a_task(world)
    thread.new_messages()
    keep_owners_out(world)

    await world.alice.types(f"/task logs {task.name}")
    await world.alice.replies(thread, "!logs")

    said = (
        "My account in Coder can see *Fix the login redirect*, but not write to its agent. A Coder "
        "administrator can change that; `taskwire doctor` says how."
    )
    assert world.alice.reads() == [said, said]


async def test_administrators_and_readyz_hear_that_owners_are_kept_out(tmp_path: Path) -> None:
    """Coder closes people's workspaces to Taskwire's account. The bot notices this at its check of the
    account. It tells the administrators, and /readyz reports it, before a reply fails."""
    async with new_world(tmp_path, TASKWIRE_ADMINS="U0TW000001") as world:
        keep_owners_out(world)

        troubles = await world.bot.parts.account.check()
        await world.settles()

        assert (troubles, (await world.bot.health())["coder"]) == ((KEPT_OUT,), KEPT_OUT)
        assert world.cards() == [f":warning: {KEPT_OUT}"]
