"""The dialog of `/task settings` with a person's own settings beside the channel's: what each Save says."""

from taskwire.domain.ids import UserId
from taskwire.domain.person_settings import PersonSettings
from taskwire.queue.batch import Batch

from .test_channel_settings import USUAL, dialog, place
from .world import World


async def test_the_dialog_has_a_persons_own_settings_too(world: World) -> None:
    """The dialog also has the settings of the person who opens it, and nobody else sees these. If Alice
    chooses another template, the dialog is drawn again and keeps what she has entered."""
    world.coder.add_template("big", display_name="Big ones")
    await world.alice.types("/task settings")
    view = world.slack.views(world.alice.id)[-1]
    await world.slack.enter(world.alice.id, view, {"person.calls": "direct"})

    await world.alice.chooses("settings.template", "Big ones")
    await world.alice.saves()
    told = world.alice.reads()
    await world.alice.types("/task settings")
    await world.bob.types("/task settings")

    own = USUAL.replace("By a mention in the thread", "By a direct message")
    assert told == [
        f"Saved the settings of {place(world)}, and your own. When a task needs you, I send you "
        "a direct message."
    ]
    assert world.alice.dialog() == dialog(world, template="Big ones", own=own)
    assert world.bob.dialog() == dialog(world, template="Big ones")


async def test_nothing_is_said_of_settings_of_the_channel_that_did_not_change(world: World) -> None:
    """Alice changes only her own settings. The answer does not mention the channel."""
    await world.alice.types("/task settings")
    view = world.slack.views(world.alice.id)[-1]
    await world.slack.enter(world.alice.id, view, {"person.calls": "direct"})

    await world.alice.saves()

    assert world.alice.reads() == ["Saved. When a task needs you, I send you a direct message."]


async def test_a_dialog_that_changes_nothing_says_so(world: World) -> None:
    """Alice saves the dialog as it is, in a channel and in a direct message. Each answer is one sentence."""
    await world.alice.types("/task settings")
    await world.alice.saves()
    in_channel = world.alice.reads()

    await world.alice.writes_directly("settings")
    world.alice.reads()
    await world.alice.presses("Settings")
    await world.alice.saves()

    assert in_channel == ["Nothing changed."]
    assert world.alice.reads() == ["Nothing changed."]


async def test_quiet_hours_need_an_end(world: World) -> None:
    """Alice chooses when her quiet hours begin and not when they end. The dialog stays open and says so."""
    await world.alice.types("/task settings")
    view = world.slack.views(world.alice.id)[-1]
    await world.slack.enter(world.alice.id, view, {"person.quiet_from": "22:00"})

    missing = await world.alice.saves()
    await world.slack.enter(world.alice.id, view, {"person.quiet_until": "22:00"})
    same = await world.alice.saves()
    await world.slack.enter(world.alice.id, view, {"person.quiet_until": "07:00"})
    saved = await world.alice.saves()

    assert missing == {"person.quiet_until": "Choose when your quiet hours end."}
    assert same == {"person.quiet_until": "Choose another hour: your quiet hours begin at this one."}
    assert saved == {}
    assert world.alice.reads() == [
        "Saved. When a task needs you, I mention you in its thread, but not from 22:00 to 07:00. At "
        "07:00, I send you a summary by direct message."
    ]


async def test_own_settings_that_a_dialog_did_not_change_stay(world: World) -> None:
    """Alice's own settings change while she has the dialog open. She then saves only a change for the
    channel, and her own settings stay."""
    await world.alice.types("/task settings")
    deps = world.bot.parts.deps
    direct = PersonSettings(calls="direct")
    await deps.queues.write(deps.person_settings.write(Batch(), UserId(world.alice.id), direct))

    await world.alice.saves(settle="5 min")

    assert world.alice.reads() == [f"Saved the settings of {place(world)}."]
    assert await deps.person_settings.get(UserId(world.alice.id)) == direct
