"""The agent gets a reply as the author saw it in Slack."""

import pytest

from taskwire_sandbox.slack import Attachment
from taskwire_sandbox.slack.errors import Json

from .waiting import a_waiting_agent
from .world import World

LOG = Attachment("build.log", b"error: it ```failed```\r\nat line 7\r\n")
SNIPPET = Attachment("Untitled", b"SELECT 1;\n", "text/plain")
PICTURE = Attachment("screen.png", b"\x89PNG\r\n\x1a\n\x00\x00", "image/png")


@pytest.mark.parametrize(
    ("typed", "got"),
    [
        ("  use a < b && c > d  ", "use a < b && c > d"),
        ("see https://example.com/a?b=1&c=2.", "see https://example.com/a?b=1&c=2."),
        ("<https://example.com/docs|the docs> say so", "the docs (https://example.com/docs) say so"),
        ("ask in #general", "ask in #general"),
        ("<@{bot}> @bob wrote it", "@Bob wrote it"),
        (
            "run `make test` then\n```\nmake && make install\n```",
            "run `make test` then\n```\nmake && make install\n```",
        ),
        (":tada:", ":tada:"),
        ("pause the music", "pause the music"),
        ("status", "status"),
        ("1", "1"),
    ],
)
async def test_the_agent_gets_what_the_person_saw(world: World, typed: str, got: str) -> None:
    """Slack sends a reply with escaped characters, link marks and ids. The agent gets the characters, the
    addresses of links, and the names of people and channels. Code stays as it is."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, typed.format(bot=world.slack.bot_user_id))

    assert task.inputs == [got]


async def test_lists_and_styles_arrive_as_markdown(world: World) -> None:
    """The agent gets lists and styles of Slack's editor as Markdown."""
    thread, task = await a_waiting_agent(world)

    await world.slack.post(world.alice.id, thread.channel, "Do • one • two", thread.ts, blocks=_a_list())
    await world.settles()

    assert task.inputs == ["**Do**\n- one\n- two\n1. then `make`\n\n> and rest"]


async def test_words_sent_by_command_arrive_as_they_were_typed(world: World) -> None:
    """A person sends words by `/task send`. The bot quotes the words in the thread, and the quotation gets
    the receipt. The agent gets the words as they were typed."""
    thread, task = await a_waiting_agent(world)

    await world.alice.types("/task send fix-the-login use <b> & *x* &lt; `y`, @bob")
    quoted = thread.new_messages()

    assert task.inputs == ["use <b> & *x* &lt; `y`, @bob"]
    assert quoted == [
        "Alice says: use &lt;b&gt; &amp; *x* &amp;lt; `y`, @bob\n> use <b> & *x* &lt; `y`, @bob"
    ]
    assert world.alice.reads() == [
        "Posted in the thread of *Fix the login*. The reaction there shows when the agent has it."
    ]


async def test_text_files_come_with_the_words_under_their_names(world: World) -> None:
    """A reply has words and text files. The agent gets the words first, and then each file with its name."""
    thread, task = await a_waiting_agent(world)

    reply = await world.alice.replies(thread, "look at this", (LOG, SNIPPET))

    assert task.inputs == [
        "look at this\n\nbuild.log:\n````\nerror: it ```failed```\nat line 7\n````"
        "\n\nUntitled:\n```\nSELECT 1;\n```"
    ]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_file_alone_is_a_reply(world: World) -> None:
    """A reply with a text file and no words goes to the agent."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "", (SNIPPET,))

    assert task.inputs == ["Untitled:\n```\nSELECT 1;\n```"]


async def test_other_files_are_refused_by_name_and_the_reply_waits(world: World) -> None:
    """A reply has a file that is no text, and the bot's question names the file. The bot sends the reply
    without the file only if the author decides so."""
    thread, task = await a_waiting_agent(world)

    reply = await world.alice.replies(thread, "like in the picture", (PICTURE, SNIPPET))
    waiting = (task.inputs, thread.receipt(reply))
    question = thread.new_messages()
    await world.alice.clicks(thread, "Send without them")
    await world.passes(seconds=3.1)

    assert waiting == ([], ["hourglass_flowing_sand"])
    assert question == [
        "The agent can get only text files of up to 100 kB, so not this file: `screen.png`. Send the reply "
        "without it? Later replies wait.\n"
        "> like in the picture\n"
        "[Send without them] [Don't send]"
    ]
    assert thread.all_messages()[-1] == "Sent without `screen.png`.\n> like in the picture"
    assert task.inputs == ["like in the picture\n\nUntitled:\n```\nSELECT 1;\n```"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_reply_with_a_refused_file_can_be_left(world: World) -> None:
    """The bot asks whether to send a reply without its picture, and the author presses *Don't send*. The
    agent does not get the reply, and the reply has no mark any more."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "like in the picture", (PICTURE,))
    later = await world.alice.replies(thread, "and this")
    thread.new_messages()

    await world.alice.clicks(thread, "Don't send")

    assert task.inputs == ["and this"]
    assert (thread.receipt(reply), thread.receipt(later)) == ([], ["white_check_mark"])


async def test_a_reply_of_nothing_but_a_picture_says_that_nothing_was_sent(world: World) -> None:
    """A reply is only a picture. The agent cannot get any part of it, so the bot says that nothing was sent,
    and asks nothing."""
    thread, task = await a_waiting_agent(world)

    reply = await world.alice.replies(thread, "", (PICTURE,))
    await world.alice.replies(thread, "in words then")

    assert thread.receipt(reply) == ["warning"]
    assert thread.new_messages() == [
        "The agent can get only text files of up to 100 kB, so not this file: `screen.png`. Nothing was sent."
    ]
    assert task.inputs == ["in words then"]


async def test_a_text_file_that_is_too_long_is_refused_too(world: World) -> None:
    """The bot does not send a text file that is too long, because the file is typed into a terminal."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "all of it", (Attachment("huge.txt", b"x" * 100_001),))

    assert task.inputs == []
    assert thread.new_messages() == [
        "The agent can get only text files of up to 100 kB, so not this file: `huge.txt`. Send the reply "
        "without it? Later replies wait.\n"
        "> all of it\n"
        "[Send without them] [Don't send]"
    ]
    await world.alice.clicks(thread, "Don't send")


def _a_list() -> list[Json]:
    def text(words: str, **style: bool) -> Json:
        return {"type": "text", "text": words} | ({"style": style} if style else {})

    def part(kind: str, *elements: Json, **more: object) -> Json:
        return {"type": f"rich_text_{kind}", "elements": list(elements)} | more

    items = [part("section", text("one")), part("section", text("two"))]
    then = part("section", text("then "), text("make", code=True))
    elements = [
        part("section", text("Do", bold=True)),
        part("list", *items, style="bullet", indent=0),
        part("list", then, style="ordered", indent=0),
        part("quote", text("and rest")),
    ]
    return [{"type": "rich_text", "elements": elements}]
