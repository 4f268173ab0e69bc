"""The answer to `/task templates`: each template with its presets, and the button that opens the form."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskwire.domain.text.message import Block, Button, Message
from taskwire.messages import blocks
from taskwire.messages.blocks import (
    button,
    context,
    cut,
    escape_line,
    line,
    mrkdwn,
    one_line,
    section,
    text_piece,
)

MOST_TEMPLATES = 20


@dataclass(frozen=True)
class TemplateLine:
    """A template in a list. `id` is the template's id in Coder."""

    id: str
    name: str
    title: str = ""
    description: str = ""
    organization: str = ""
    presets: tuple[str, ...] = ()
    default_preset: str = ""


def template_list(items: Sequence[TemplateLine]) -> Message:
    """Show the templates that this person may use, each with its presets and *Use*."""
    if not items:
        nothing = "You have no template for tasks. Ask a Coder administrator for one."
        return Message(text=nothing, blocks=(section("none", nothing),))
    shown = items[:MOST_TEMPLATES]
    layout = [line("heading", [text_piece("Templates for tasks", is_bold=True)])]
    has_several = len({item.organization for item in items}) > 1
    layout += [
        _template(f"template.{number}", item, shows_organization=has_several)
        for number, item in enumerate(shown)
    ]
    if left := len(items) - len(shown):
        words = "There is 1 more" if left == 1 else f"There are {left} more"
        layout.append(context("more", [mrkdwn(f"{words}; the form of `/task create` has all of them.")]))
    named = [f"•  {escape_line(item.name, 40)}{_presets_text(item)}" for item in shown]
    return Message(text=blocks.join_lines(["Templates for tasks:", *named]), blocks=tuple(layout))


def _template(block_id: str, item: TemplateLine, *, shows_organization: bool) -> Block:
    """Return a template as plain text, with the button that opens the form for this template."""
    name, title = one_line(item.name, 40), one_line(item.title, 60)
    first = f"{title} ({name})" if title and name and title != name else title or name or "-"
    described = one_line(item.description, 120)
    facts = [_presets(item)] if item.presets else []
    facts += (
        [f"organization: {one_line(item.organization, 60)}"]
        if item.organization and shows_organization
        else []
    )
    lines = [f"{first}: {described}" if described else first, " · ".join(facts)]
    shown = cut("\n".join(each for each in lines if each), 500)
    return {
        "type": "section",
        "block_id": block_id,
        "text": {"type": "plain_text", "text": shown, "emoji": False},
        "accessory": button(Button.USE_TEMPLATE, "Use", item.id),
    }


def _presets(item: TemplateLine) -> str:
    names = [f"{name} (default)" if name == item.default_preset else name for name in item.presets]
    shown = ", ".join(one_line(name, 40) for name in names[:10])
    more = f" and {len(names) - 10} more" if names[10:] else ""
    return f"{'Presets' if len(names) > 1 else 'Preset'}: {shown}{more}"


def _presets_text(item: TemplateLine) -> str:
    return f" ({escape_line(_presets(item), 100)})" if item.presets else ""
