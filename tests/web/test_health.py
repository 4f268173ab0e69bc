"""Everybody sees whether Taskwire is ready. The reasons are shown only with the token for operators."""

import io
import json

from .site import SECRET, command, new_site, request

TOKEN = "a-word-of-operators"
TROUBLED = {
    "slack": "ok",
    "store": "Redis does not answer.",
    "coder": "The Coder account alice lacks the role Owner.",
}


def _readyz(authorization: str = "") -> bytes:
    header = f"Authorization: {authorization}\r\n" if authorization else ""
    return f"GET /readyz HTTP/1.1\r\nHost: taskwire\r\n{header}\r\n".encode("latin-1")


async def test_without_the_token_only_the_side_is_told(log: io.StringIO) -> None:
    """If a client asks /readyz without the token for operators, it learns only which system is not ok. The
    answer has no names of accounts or settings."""
    async with new_site(log, admin_token=TOKEN) as site:
        well = await site.ask_once(_readyz())
        site.health = TROUBLED
        troubled = await site.ask_once(_readyz())

    assert (well[0], json.loads(well[1])) == (
        200,
        {"ready": True, "slack": "ok", "store": "ok", "coder": "ok"},
    )
    assert (troubled[0], json.loads(troubled[1])) == (
        503,
        {"ready": False, "slack": "ok", "store": "not ok", "coder": "not ok"},
    )


async def test_with_the_token_all_is_told(log: io.StringIO) -> None:
    """If a client asks /readyz with the token for operators, the answer also has the reasons and the counts
    of refused requests. Without the token, it has neither."""
    async with new_site(log, admin_token=TOKEN) as site:
        site.health = TROUBLED
        await site.ask_once(request(command("list"), secret="another"))

        status, told = await site.ask_once(_readyz(f"Bearer {TOKEN}"))

    assert status == 503
    assert json.loads(told) == {
        "ready": False,
        **TROUBLED,
        "requests": "Refused since the start: 1, the last one 0 s ago (1 with a wrong signature). "
        "None was taken. Compare SLACK_SIGNING_SECRET with your Slack app's page Basic Information.",
    }


async def test_another_token_is_refused(log: io.StringIO) -> None:
    """If a client asks with a wrong token, even one that is not valid text, the request is refused. A request
    without a token gets a different answer."""
    async with new_site(log, admin_token=TOKEN) as site:
        wrong = [await site.ask_once(_readyz(f"Bearer {word}")) for word in ("guessed", "\xff\xfe", SECRET)]

    assert wrong == [(401, "The token is not the one of TASKWIRE_ADMIN_TOKEN.\n")] * 3


async def test_guesses_of_the_token_are_counted_and_logged(log: io.StringIO) -> None:
    """If a client guesses the token for operators, each guess is counted as a refusal, and one line a minute
    is logged. No line has a guess. Requests with the right token, or with none, are not counted."""
    async with new_site(log, admin_token=TOKEN) as site:
        for number in range(50):
            await site.ask_once(_readyz(f"Bearer guess-{number}"))
        await site.ask_once(_readyz())
        _, told = await site.ask_once(_readyz(f"Bearer {TOKEN}"))

        assert site.count_refused("admin_token") == 50
    assert json.loads(told)["requests"] == (
        "Refused since the start: 50, the last one 0 s ago "
        "(50 to /readyz with another token than TASKWIRE_ADMIN_TOKEN)."
    )
    lines = [json.loads(line) for line in log.getvalue().splitlines() if "refused" in line]
    assert [(line["event"], line["why"]) for line in lines] == [("HTTP requests are refused", "admin_token")]
    assert "guess" not in log.getvalue()


async def test_where_no_token_is_set_none_is_right(log: io.StringIO) -> None:
    """If no token for operators is set, every token is refused, even an empty one."""
    async with new_site(log) as site:
        answers = [(await site.ask_once(_readyz(word)))[0] for word in ("Bearer None", "Bearer ", "Bearer")]

    assert answers == [401, 401, 401]
