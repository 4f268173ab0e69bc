"""Hostile names in Coder mention nobody, link nowhere and break nothing."""

import pytest

from taskwire_sandbox.coder.rows import Preset

from .world import World

HOSTILE = (
    "<!channel> <@U0TW000009> <https://evil.example|click> @here",
    "*a* _b_ ~c~ `d` ```e``` & &lt;",
    "x" * 10_000,
    "one\ntwo\r\n\tthree \u202egnol\u2066",
    "\u200b",
)


def _live(node: object) -> list[str]:
    """Return the parts of a message that mention anybody but Alice, or that link to another address than they
    show."""
    if isinstance(node, list):
        return [found for each in node for found in _live(each)]
    if not isinstance(node, dict):
        return []
    text = node.get("text", "")
    if node.get("type") in ("plain_text", "text") or not isinstance(text, str):
        text = ""
    found = [text for live in ("<!channel", "<@U0TW000009", "<https://evil.example|") if live in text]
    if node.get("type") in ("broadcast", "user") or "evil.example" in str(node.get("url", "")):
        found.append(str(node))
    return found + [each for value in node.values() for each in _live(value)]


@pytest.mark.parametrize("name", HOSTILE, ids=["calls", "marks", "long", "lines", "unseen"])
async def test_names_of_templates_presets_and_organizations_are_data(world: World, name: str) -> None:
    """Templates, presets and organizations have hostile names. The form, its menus, the list of templates,
    the card, a status and a notice show these names as plain text."""
    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in (0, 1)]
    made = [Preset(each, f"{name}{each[-1]}", {}, is_default=each == ids[0]) for each in ids]
    organization = next(iter(world.coder.world.organizations.values()))
    organization.display_name = name
    world.coder.add_template("evil", display_name=name, description=name, presets=made)
    await world.restarts(template="evil")

    await world.alice.types("/task create")
    form = world.alice.dialog()
    assert await world.alice.submits(prompt="do it", name="made-up") == {}
    await world.alice.types("/task templates")
    await world.alice.types("/task status made-up")
    world.task("made-up").row.display_name = name
    await world.polls()
    await world.alice.types("/task list")
    await world.alice.types("/task pause made-up")
    await world.polls()
    await world.passes(seconds=5)

    assert form.startswith("[New task]\nTemplate: ")
    (card,) = world.slack.messages("general")
    thread = world.slack.thread("general", str(card["ts"]))
    said = [*(told.body for told in world.slack.ephemerals("alice")), *thread]
    assert len(said) >= 6
    for each in said:
        assert not _live(each), each
    world.alice.reads()
    world.cards()
    world.reader.new_in(world.slack.workspace.channel("general").id, str(card["ts"]))
