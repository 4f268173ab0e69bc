"""The deployment's own tokens never reach an agent or the store, in any encoding."""

from base64 import b64encode

import pytest
from pydantic import SecretStr

from taskwire_sandbox.coder.faults import refused
from taskwire_sandbox.slack import Attachment

from .test_secrets_kept import kept
from .unknown_outcomes import LANDING_SECONDS
from .waiting import a_waiting_agent
from .world import World

ADMIN = "adm1n-pw"
REDIS = "r3dis-pw"


def tokens(world: World) -> list[str]:
    """Return the secret tokens that no agent and no store may have."""
    settings = world.settings
    held = (settings.slack_bot_token, settings.slack_app_token, settings.coder_session_token)
    return [*(token.get_secret_value() for token in held if token is not None), ADMIN, REDIS]


async def with_secrets(world: World) -> None:
    """Restart the bot with an administrator's token and a Redis password."""
    await world.restarts(
        admin_token=SecretStr(ADMIN), redis_url=SecretStr(f"redis://:{REDIS}@never-asked:6379/0")
    )


async def test_an_attachment_brings_no_token_of_ours_to_an_agent(world: World) -> None:
    """A person attaches the bot's log or settings file. The agent gets the file with its tokens masked."""
    await with_secrets(world)
    thread, task = await a_waiting_agent(world)
    lines = [f"TOKEN {number} is {token}, ok" for number, token in enumerate(tokens(world))]

    await world.alice.replies(
        thread, "look", (Attachment("bot.env", b"\n".join(map(str.encode, lines)), "text/plain"),)
    )

    masked = "\n".join(f"TOKEN {number} is •••, ok" for number in range(len(lines)))
    assert task.inputs == [f"look\n\nbot.env:\n```\n{masked}\n```"]


async def test_an_attempt_of_unknown_outcome_keeps_no_token_and_is_read_back(world: World) -> None:
    """Coder closes the connection, so the bot does not know whether the agent got a reply that contains
    tokens. Until the bot has found out, the store has the reply only in masked form. In the end, the agent
    has the masked text once."""
    await with_secrets(world)
    thread, task = await a_waiting_agent(world)
    log = Attachment("bot.log", f"it was {tokens(world)[0]} and {REDIS}".encode())
    world.coder.plan_fault("tasks.send", refused())

    reply = await world.alice.replies(thread, f"use {ADMIN}", (log,))
    stored = await kept(world)
    await world.passes(LANDING_SECONDS)

    assert "it was ••• and •••" in stored
    assert [token for token in tokens(world) if token in stored] == []
    assert task.inputs == ["use •••\n\nbot.log:\n```\nit was ••• and •••\n```"]
    assert thread.receipt(reply) == ["white_check_mark"]
    thread.new_messages()


DRESSES = {
    "bold": lambda token: f"{token[:9]}*{token[9:15]}*{token[15:]}",
    "code": lambda token: f"{token[:9]}`{token[9:15]}`{token[15:]}",
    "upper case": str.upper,
    "for a URL": lambda token: token.replace("-", "%2D"),
    "base64": lambda token: b64encode(token.encode()).decode(),
    "word joiners": "\u2060".join,
    "soft hyphens": "\u00ad".join,
    "selectors": "\ufe0f".join,
}


@pytest.mark.parametrize("dress", DRESSES)
async def test_a_token_in_another_dress_is_neither_kept_nor_sent(world: World, dress: str) -> None:
    """A person writes a token in another form, for example encoded or split up. The bot masks it in a reply,
    in a prompt and in `/task send`."""
    thread, task = await a_waiting_agent(world)
    dressed = DRESSES[dress](tokens(world)[0])
    # Neither the store nor an agent may get even 14 characters of the token.
    parts = [dressed[at : at + 14] for at in range(0, len(dressed) - 13, 7)]

    await world.alice.replies(thread, f"use {dressed} now")
    task.becomes("idle")
    await world.alice.types(f"/task send fix-the-login and {dressed} then")
    other = await world.alice.runs(f"/task create name=other try {dressed} here")

    got = [*task.inputs, world.task("other").prompt]
    written = await kept(world)
    assert [(text.split()[0], text.split()[-1]) for text in got] == [
        ("use", "now"),
        ("and", "then"),
        ("try", "here"),
    ]
    assert [text for text in got if "•••" not in text] == []
    assert [part for part in parts if part in written or part in "\n".join(got)] == []
    assert [part for part in parts if part in other.card() + "\n".join(thread.new_messages())] == []
    world.alice.reads()


async def test_a_token_in_several_blocks_is_neither_kept_nor_sent(world: World) -> None:
    """The middle of a token is bold, so Slack sends the token in three pieces. The bot masks the token before
    it stores or sends the text."""
    thread, task = await a_waiting_agent(world)
    token = tokens(world)[0]
    third = len(token) // 3
    parts = (token[:third], token[third:-third], token[-third:])
    elements = [
        {"type": "text", "text": f"use {parts[0]}"},
        {"type": "text", "text": parts[1], "style": {"bold": True}},
        {"type": "text", "text": f"{parts[2]} now"},
    ]
    blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}]
    task.becomes("working")

    await world.slack.post(
        world.alice.id, thread.channel, f"use {parts[0]}*{parts[1]}*{parts[2]} now", thread.ts, blocks=blocks
    )
    await world.settles()
    written = await kept(world)
    task.becomes("idle")
    await world.passes(seconds=31)

    assert [part for part in parts if part in written] == []
    assert task.inputs == ["use ••• now"]
    thread.new_messages()
