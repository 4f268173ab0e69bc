"""The dialog of *Share* shows who may steer a task, and changes it."""

import pytest

from .running_tasks import TITLE, a_task
from .test_share import LET_STEER, LET_STEER_NO_LONGER, NOT_BOBS, NOT_SHARED, and_bob
from .world import World

DIALOG = (
    f"[Share]\n{TITLE}\nPeople who can steer it: {{people}}\n{{groups}}"
    "These people can reply to the agent, stop and resume the task, and edit its prompt. They can't delete, "
    "detach or share it. Guests can't steer a task.\n"
    "[Save]"
)


async def test_share_in_the_menu_opens_a_dialog_with_who_may_steer(world: World) -> None:
    """The owner shares and unshares in the dialog of *Share*. A person who was removed cannot steer."""
    thread, task = await a_task(world)
    carol = world.person("carol")
    group = world.slack.add_group("reviewers", [carol.id])
    await world.alice.clicks(thread, "Share")
    before = world.alice.dialog()

    await world.alice.shares(people=[world.bob.id], groups=[group.id])
    told = world.alice.reads()
    await world.alice.clicks(thread, "Share")
    between = world.alice.dialog()
    await world.alice.shares(people=[carol.id], groups=None)
    await world.bob.clicks(thread, "Stop")

    assert before == DIALOG.format(people="", groups="User groups: \n")
    assert between == DIALOG.format(people=world.bob.id, groups="User groups: reviewers\n")
    assert told == [and_bob(f"Bob and <!subteam^{group.id}>", task.name)]
    assert world.alice.reads() == [and_bob("Carol", task.name)]
    assert (world.bob.hears(), carol.hears()) == ([LET_STEER, LET_STEER_NO_LONGER], [LET_STEER])
    assert (world.bob.reads(), task.status) == ([NOT_BOBS], "active")


async def test_a_share_that_is_made_while_the_dialog_is_open_stays(world: World) -> None:
    """A share is made while somebody has the dialog *Share* open. This share stays when the dialog is saved,
    because the dialog changes only the shares that it has shown."""
    thread, task = await a_task(world)
    carol = world.person("carol")
    await world.alice.clicks(thread, "Share")
    await world.alice.replies(thread, f"!share <@{carol.id}>")

    await world.alice.shares(people=[world.bob.id])

    assert world.alice.reads() == [
        and_bob("Carol"),
        f"Carol and Bob can steer *{TITLE}*, but not delete, detach or share it. `/task unshare {task.name} "
        "@Bob` ends that for Bob.",
    ]
    assert (world.bob.hears(), carol.hears()) == ([LET_STEER], [LET_STEER])


async def test_the_dialog_is_refused_to_who_may_not_share(world: World) -> None:
    """Everybody sees the card's menu. The bot checks who may share when *Share* opens and again when it is
    saved."""
    admin = world.person("root", roles=("owner",))
    world.slack.workspace.channel("general").members.append(admin.id)
    await world.restarts(admins=(admin.id,))
    thread, task = await a_task(world)
    await world.bob.presses_made_up("task.share", await _link_of(world))
    refused = world.bob.dialog()
    await admin.presses_made_up("task.share", await _link_of(world))
    await world.restarts(admins=())

    await admin.shares(people=[world.bob.id])
    await world.bob.replies(thread, "!pause")

    assert refused == "[Share]\n" + NOT_SHARED.format("share it")
    assert (admin.reads(), world.bob.reads(), task.status) == (
        [NOT_SHARED.format("share it")],
        [NOT_BOBS],
        "active",
    )


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ({"is_restricted": True}, "Gina can't steer a task. Guests in this Slack cannot use Taskwire."),
        (
            {"in_coder": False},
            "Gina can't steer a task. No Coder account has the e-mail address that they use in Slack.",
        ),
        (None, "Alice owns the task, and can steer it anyway."),
    ],
    ids=["guest", "no account", "owner"],
)
async def test_the_dialog_says_who_cannot_be_chosen(
    world: World, profile: dict[str, bool] | None, why: str
) -> None:
    """Slack's picker offers everybody. If a chosen person can get no share, the dialog stays open and says
    why."""
    thread, task = await a_task(world)
    gina = world.person("gina", **profile) if profile else world.alice  # type: ignore[arg-type] # as it takes
    await world.alice.clicks(thread, "Share")
    view = world.slack.views(world.alice.id)[-1]

    submitted = await world.slack.submit(world.alice.id, view, {"share.people": [world.bob.id, gina.id]})
    await world.settles()

    assert submitted.errors == {"share.people": why}
    assert world.alice.dialog() != ""
    await world.bob.replies(thread, "!pause")
    assert (world.bob.reads(), task.status) == ([NOT_BOBS], "active")


async def _link_of(world: World) -> str:
    [link] = (await world.bot.parts.deps.links.list_open()).values()
    return link
