"""`taskwire doctor`: what it says of each thing, beside a running bot and without one."""

import asyncio
import json
import ssl
from datetime import timedelta
from pathlib import Path

from redis.asyncio import Redis

from taskwire.sandbox.slack import SlackSandbox
from taskwire.slack import manifest
from taskwire.store import datadir
from tests.faults import certificates

from .conftest import Starts
from .processes import Place, new_place


async def _doctor(place: Place, *arguments: str, **settings: str) -> tuple[int, str]:
    looking = await place.runs("doctor", *arguments, **settings)
    return await looking.ends(), looking.output


def _lines(output: str, *names: str) -> str:
    """What is said of these things, with what to do."""
    kept, keeps = [], False
    for line in output.splitlines():
        keeps = line[7:].startswith(names) if line[:1].strip() else keeps
        if keeps:
            kept.append(" ".join(line.split()))
    return "\n".join(kept)


async def test_all_is_well_beside_a_running_bot(place: Place) -> None:
    """It looks into the store that the bot holds, and ends with 0."""
    await place.one()

    code, said = await _doctor(place)

    ends = (await _coder_token_end(place))[:10]
    assert (
        said
        == f"""\
ok     Settings         Socket Mode, with a store of its own.
ok     Slack bot token  Slack knows it, in the workspace acme.
ok     Slack scopes     All are there, and no others.
ok     Slack app token  It may open sockets.
ok     Coder            It is version v2.34.1+8ab3f1c.
ok     Coder account    It is taskwire, who has the role Owner.
ok     Coder token      It is good until {ends}.
ok     Coder tasks      This Coder has them.
ok     Templates        For tasks: tasks-docker.
ok     Store            It is Valkey 9.1.2 at {_socket(place)}.
ok     Persistence      Everything is written down.
ok     Eviction         Nothing is thrown away.
ok     Dead letters     Nothing was given up.
ok     Clocks           This machine's agrees with Slack's, Coder's, the store's.
"""
    )
    assert code == 0


def _socket(place: Place) -> str:
    """Where a bot's own store listens: in its directory, or a temporary one where that path is too long."""
    return f"unix://{datadir.recorded_socket(place.data_dir)}"


async def _coder_token_end(place: Place) -> str:
    row = next(token for token in place.coder.world.tokens.values() if token.user.username == "taskwire")
    return row.expires_at.isoformat()


async def test_before_the_first_run_nothing_is_made(place: Place) -> None:
    """Somebody may look as another user than the bot will be."""
    code, said = await _doctor(place)

    assert _lines(said, "Store", "Dead") == (
        f"ok Store Its own (valkey-server), to be kept in {place.data_dir} from the first run on."
    )
    assert code == 0
    assert not place.data_dir.exists()


async def test_a_place_where_nothing_can_be_made_is_told(place: Place) -> None:
    """Neither doctor nor run claims otherwise, and neither sends anybody to a log that is not there."""
    (place.data_dir.parent / "file").touch()
    nowhere = str(place.data_dir.parent / "file" / "data")

    code, said = await _doctor(place, TASKWIRE_DATA_DIR=nowhere)

    assert _lines(said, "Store") == (
        f"WRONG Store The data directory {nowhere} cannot be made: Not a directory.\n"
        "Set TASKWIRE_DATA_DIR to a directory that can be written."
    )
    assert code == 1


async def test_a_bot_that_has_ended_left_a_store_to_look_into(place: Place) -> None:
    """Its dead letters can be read, and forgotten, while nobody runs."""
    bot = await place.one()
    await bot.stops()

    code, said = await _doctor(place)
    forgetting = await _doctor(place, "--forget")

    assert _lines(said, "Dead") == "ok Dead letters Nothing was given up."
    assert code == 0
    assert forgetting == (0, "There were none.\n")


async def test_refused_tokens_are_told_with_what_to_do(place: Place) -> None:
    """One that is refused does not keep the others from being looked at."""
    place.coder.suspend("taskwire")
    wrong = {"SLACK_BOT_TOKEN": "xoxb-of-yesterday", "SLACK_APP_TOKEN": "xapp-of-yesterday"}

    code, said = await _doctor(place, **wrong)

    assert _lines(said, "Slack", "Coder account", "Coder token") == (
        "WRONG Slack bot token Slack refuses SLACK_BOT_TOKEN (invalid_auth).\n"
        "Copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.\n"
        "WRONG Slack app token Slack refuses SLACK_APP_TOKEN (invalid_auth).\n"
        "Make one in your Slack app, Basic Information, App-Level Tokens, with connections:write.\n"
        "WRONG Coder account Coder refuses CODER_SESSION_TOKEN.\n"
        "Make a new one, with an account of role Owner."
    )
    assert code == 1
    assert "of-yesterday" not in said


async def test_what_coder_lacks_is_told(place: Place) -> None:
    """No rights, a token about to end, no tasks, no such template."""
    place.coder.settings.tasks_enabled = False
    token = place.coder.add_token("alice", lifetime=timedelta(hours=5))

    code, said = await _doctor(place, CODER_SESSION_TOKEN=token, TASKWIRE_TEMPLATE="nowhere")

    told = _lines(said, "Coder account", "Coder tasks", "Templates")
    assert told == (
        "WRONG Coder account The Coder account alice lacks the role Owner, so it cannot act for other "
        "people.\n"
        "Let an administrator of Coder give it that role.\n"
        "WRONG Coder tasks This Coder has no Tasks.\n"
        "They are part of Coder 2.28 to 2.36, and of the 2.34 support line.\n"
        "WRONG Templates No template for tasks has the name in TASKWIRE_TEMPLATE.\n"
        "There is: tasks-docker."
    )
    assert "WRONG  Coder token      The token in CODER_SESSION_TOKEN ends on" in said
    assert code == 1


async def test_a_certificate_that_is_not_trusted_is_told(place: Place, tmp_path: Path) -> None:
    """A company's own authority is known to its machines, and not to a container."""
    tls = await certificates.make(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", ssl=context) as far:
        where = f"127.0.0.1:{far.sockets[0].getsockname()[1]}"
        _, said = await _doctor(place, CODER_URL=f"https://{where}")
        _, trusting = await _doctor(place, CODER_URL=f"https://{where}", SSL_CERT_FILE=str(tls.authority))

    assert _lines(said, "Coder ") == (
        f"WRONG Coder https://{where} does not answer as Coder does: build info: the certificate of {where} "
        "is not trusted here (unable to get local issuer certificate); SSL_CERT_FILE names a file with those "
        "that are.\nCheck CODER_URL, and that this machine may reach it."
    )
    assert "Server disconnected" in _lines(trusting, "Coder ")


async def test_names_that_nobody_has_are_told(place: Place) -> None:
    """A preset and an administrator that are mistyped would else be missed when they are needed."""
    place.coder.add_template("tasks-vm", presets=[place.coder.new_preset("Large")])
    group = place.slack.add_group("operators", ["alice"])
    alice = place.slack.workspace.user("alice").id

    names = f"{alice},U0NOBODY1,{group.id},S0NOBODY1"
    code, said = await _doctor(place, TASKWIRE_ADMINS=names, TASKWIRE_PRESET="Larg")
    mended = {"TASKWIRE_ADMINS": f"{alice},{group.id}", "TASKWIRE_PRESET": "large"}
    _, after = await _doctor(place, **mended)

    assert _lines(said, "Administrators", "Templates") == (
        "WRONG Administrators TASKWIRE_ADMINS names U0NOBODY1, S0NOBODY1, whom Slack does not know here.\n"
        "Only administrators hear of what they alone can mend. A profile's menu has Copy member ID.\n"
        "WRONG Templates TASKWIRE_PRESET names a preset that no template for tasks has.\n"
        "There is: Large."
    )
    assert code == 1
    assert _lines(after, "Administrators", "Templates") == (
        "ok Administrators Slack knows all of them.\nok Templates For tasks: tasks-docker, tasks-vm."
    )


async def test_systems_that_are_away_are_told(place: Place) -> None:
    """Each thing is a finding of its own, and nothing hangs on another."""
    await place.slack.go_down()
    await place.coder.go_away()

    code, said = await _doctor(place)

    assert said.count("WRONG") == 3
    assert "WRONG  Slack bot token  It could not be asked: auth.test: Connection refused (127.0.0.1:" in said
    assert (
        f"WRONG  Coder            {place.coder.url} does not answer as Coder does: build info: Conn" in said
    )
    assert "Check CODER_URL, and that this machine may reach it." in said
    assert code == 1


async def test_missing_scopes_are_named(tmp_path: Path) -> None:
    """An app that was made from an older manifest lacks what newer code asks for."""
    older = manifest.make()
    older["oauth_config"] = {"scopes": {"bot": [scope for scope in manifest.SCOPES if "files" not in scope]}}
    async with new_place(tmp_path, SlackSandbox(manifest=older)) as place:
        code, said = await _doctor(place)

    assert _lines(said, "Slack scopes") == (
        "WRONG Slack scopes The Slack app lacks files:read, files:write.\n"
        "Put what `taskwire manifest` prints into the app's page App Manifest, then install it again."
    )
    assert code == 1


async def test_a_redis_that_may_lose_things_is_told(place: Place, redis_url: str) -> None:
    """It must write down what it gets, and throw nothing away."""
    async with Redis.from_url(redis_url) as redis:
        await redis.config_set("appendonly", "no")
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("maxmemory", "1mb")

    code, said = await _doctor(place, REDIS_URL=redis_url)

    assert "WRONG  Memory           It uses " in said
    assert _lines(said, "Persistence", "Eviction") == (
        "WRONG Persistence The store does not write down what it is given: its restart would lose threads "
        "and work.\n"
        "Set appendonly yes in its configuration.\n"
        "WRONG Eviction When its memory is full the store throws data away (maxmemory-policy allkeys-lru).\n"
        "Set maxmemory-policy noeviction in its configuration."
    )
    assert code == 1
    assert "hunter2" not in said


async def test_programs_can_read_it(place: Place) -> None:
    """The same findings as JSON."""
    code, said = await _doctor(place, "--json")

    assert {found["state"] for found in json.loads(said)} == {"ok"}
    assert code == 0


async def test_missing_settings_are_findings(starts: Starts) -> None:
    """Without settings there is nothing else to look at."""
    looking = await starts("doctor", SLACK_APP_TOKEN="xapp-1", CODER_URL="nowhere")

    code = await looking.ends()

    assert (code, looking.output) == (
        1,
        "WRONG  Settings         SLACK_BOT_TOKEN is missing: copy the bot token (xoxb-…) from your Slack "
        "app, OAuth & Permissions.\n"
        "WRONG  Settings         CODER_URL is wrong: it must be an address that begins with https:// or "
        "http://.\n"
        "WRONG  Settings         CODER_SESSION_TOKEN is missing: make a token on Coder's page Settings, "
        "Tokens, with an account of role Owner.\n",
    )
