"""Signed submissions of dialogs that somebody has changed or sent again."""

import copy
import json
from collections.abc import Mapping

import pytest

from taskwire_sandbox.slack.interaction_payloads import common_fields
from taskwire_sandbox.slack.ledger import Delivery

from .people import Person
from .world import World


async def _sends(
    world: World, who: Person, dialog: str, about: Mapping[str, object], prompt: str = ""
) -> None:
    at = world.slack.backend.ids.ts()
    entered = {"form.prompt": {"form.prompt": {"type": "plain_text_input", "value": prompt}}}
    view = {"id": f"V{at}", "hash": at, "type": "modal", "callback_id": dialog, "state": {"values": entered}}
    view["private_metadata"] = json.dumps({"at": at, **about})
    user = world.slack.workspace.user(who.name)
    payload = common_fields(world.slack.backend, "view_submission", user) | {"view": view}
    await world.slack.backend.dispatcher.deliver_now(Delivery("interactive", "view_submission", payload))
    await world.settles()


@pytest.mark.parametrize("place", ["there", "where they are", "nowhere"])
@pytest.mark.parametrize("dialog", ["delete", "edit"])
async def test_a_dialog_about_anothers_task_does_nothing(world: World, dialog: str, place: str) -> None:
    """Bob submits an invented dialog that names Alice's task in a private channel. Nothing happens to the
    task, and Bob learns nothing about it."""
    hidden = world.slack.add_channel("hidden", ["alice"], kind="private")
    thread = await world.alice.runs("/task create the secret plan", "hidden")
    task = world.task("the-secret-plan")
    task.pause()
    await world.polls()
    thread.new_messages()
    here = world.slack.workspace.channel("general").id
    channel = {"there": hidden.id, "where they are": here, "nowhere": ""}[place]

    about = {"task": task.id, "channel": channel, "thread_ts": thread.ts if place == "there" else None}
    await _sends(world, world.bob, dialog, about, "do that")

    said = "\n".join(world.bob.reads() + [str(each["text"]) for each in world.slack.messages("general")])
    assert (task.prompt, task.is_deleted) == ("the secret plan", False)
    assert "secret" not in said.lower()
    assert thread.new_messages() == []


async def test_a_dialog_that_comes_again_creates_one_task(world: World) -> None:
    """The submission of a form comes again, once unchanged and then with another prompt. The bot creates no
    second task."""
    await world.alice.types("/task create")
    await world.alice.submits(prompt="fix it")
    sent = next(each for each in reversed(world.slack.deliveries) if each.name == "view_submission")
    again = copy.deepcopy(sent.payload)
    state = again["view"]["state"]["values"]
    next(iter(state["form.prompt"].values()))["value"] = "do that"

    for payload in (sent.payload, again, again):
        await world.slack.backend.dispatcher.deliver_now(Delivery("interactive", "view_submission", payload))
        await world.settles()

    assert [task.prompt for task in world.coder.tasks] == ["fix it"]
    assert len(world.cards()) == 1


async def test_an_answer_goes_to_no_address_of_anothers(world: World) -> None:
    """Bob submits an invented dialog with the response URL of another server. The bot sends nothing to that
    URL, and answers Bob in the channel."""
    here = world.slack.workspace.channel("general").id
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    for url in ("https://evil.example/answer", "http://127.0.0.1:1/", "https://slack.com.evil.example/x"):
        about = {"task": task.id, "channel": here, "response_url": url}
        await _sends(world, world.bob, "delete", about)

    assert [said.split(",")[0] for said in world.bob.reads()] == [
        "*Fix it* belongs to Alice",
    ] * 3
    assert not task.is_deleted
    assert thread.new_messages() == []
