"""`taskwire doctor` reports what it finds, beside a running bot and without one."""

import asyncio
import json
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection
from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from taskwire.state.heartbeat import ReceivedKinds
from taskwire_sandbox.slack import SlackSandbox
from tests.faults import certificates

from .conftest import StartTaskwire
from .doctor_runs import LOOK_SECONDS, doctor, select_findings, socket_of
from .processes import Place, new_place, until


@pytest.mark.real_start
async def test_all_is_well_beside_a_running_bot(place: Place) -> None:
    """If a bot is running and everything is right, doctor reads the bot's embedded store and exits with 0."""
    await place.run_ready()

    await _something_of_each_kind_comes(place)

    code, said = await doctor(place, TASKWIRE_ADMINS=place.slack.workspace.user("alice").id)

    ends = (await _coder_token_end(place))[:10]
    assert (
        said
        == f"""\
ok     Settings         Socket Mode, with a store of its own.
ok     Addresses        Taskwire can listen on 127.0.0.1:0.
ok     Slack bot token  Slack knows it, in the workspace acme.
ok     Slack scopes     All are there, and no others.
ok     E-mails          Slack shows them, so people are found in Coder.
ok     Administrators   Slack knows all of them.
ok     Slack app token  It may open sockets.
ok     Coder            It is version v2.34.1+8ab3f1c.
ok     Coder account    It is taskwire, who has the role Owner.
ok     Coder token      It is good until {ends}. Taskwire makes the next one itself, three days before.
ok     Coder tasks      This Coder has them.
ok     Templates        For tasks: tasks-docker.
ok     Store            It is Valkey 9.1.2 at {socket_of(place)}.
ok     Persistence      Everything is written down.
ok     Eviction         Nothing is thrown away.
{_as_it_stands(said, "Disk")}
ok     Installation     The store is this Slack app's and this Coder's.
ok     Versions         This version can read everything that waits.
ok     Dead letters     Nothing was given up.
ok     Audit trail      Its end is as it was sealed.
ok     Encryption       All that people and agents wrote is encrypted with the newest key.
{_as_it_stands(said, "From Slack")}
ok     Clocks           This machine's agrees with Slack's, Coder's, the store's.
"""
    )
    assert code == 0


async def _something_of_each_kind_comes(place: Place) -> None:
    """Send a command, a message and a click, and wait until Taskwire has stored them."""
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: len(place.cards()) == 1, "the card")
    ts = str(place.slack.messages("general")[0]["ts"])
    await place.slack.post("alice", "general", "use main", ts)
    await until(lambda: "Mute" in json.dumps(place.slack.message("general", ts)), "the card's buttons")
    await place.clicks("alice", ts, "Mute")

    keys = Keys(place.slack.workspace.team_id)
    async with connection.open(socket_of(place)) as store:
        heard = ReceivedKinds(store, keys, ServerClock())

        async def is_noted() -> bool:
            return {"command", "message", "click"} <= (await heard.list_latest()).keys()

        await until(is_noted, "what came to be noted")


def _as_it_stands(output: str, name: str) -> str:
    return "\n".join(line for line in output.splitlines() if line[7:].startswith(name))


async def _coder_token_end(place: Place) -> str:
    row = next(token for token in place.coder.world.tokens.values() if token.user.username == "taskwire")
    return row.expires_at.isoformat()


async def test_before_the_first_run_nothing_is_made(place: Place) -> None:
    """Before the first run, doctor does not create the data directory. The bot may later run as another user,
    who could not use it."""
    code, said = await doctor(place)

    assert select_findings(said, "Store", "Dead") == (
        f"ok Store Its own (valkey-server), to be kept in {place.data_dir} from the first run on."
    )
    assert code == 0
    assert not place.data_dir.exists()


async def test_a_place_that_everybody_may_change_is_told_before_it_is_there(place: Place) -> None:
    """If everybody may change the directory in which the data directory will be, doctor reports this before
    the data directory exists. `run` refuses it too."""
    (open_place := place.data_dir.parent / "open").mkdir()
    open_place.chmod(0o777)
    data_dir = str(open_place / "data")

    code, said = await doctor(place, TASKWIRE_DATA_DIR=data_dir)
    bot = await place.run("run", TASKWIRE_DATA_DIR=data_dir, TASKWIRE_LOG_FORMAT="text")

    refused = (
        f"Taskwire keeps nothing in the data directory {data_dir}, since others can change it: everybody may "
        f"write to {open_place}."
    )
    assert select_findings(said, "Store").startswith(
        f"WRONG Store {refused}\nMake it this user's alone (`chmod "
    )
    assert code == 1
    assert await bot.wait_for_exit() == 2
    assert refused in bot.output


async def test_a_place_where_nothing_can_be_made_is_told(place: Place) -> None:
    """If the data directory cannot be created, doctor names it. Doctor does not mention the store's log,
    which does not exist."""
    (place.data_dir.parent / "file").touch()
    nowhere = str(place.data_dir.parent / "file" / "data")

    code, said = await doctor(place, TASKWIRE_DATA_DIR=nowhere)

    assert select_findings(said, "Store") == (
        f"WRONG Store The data directory {nowhere} cannot be made: Not a directory.\n"
        "Set TASKWIRE_DATA_DIR to a directory that can be written."
    )
    assert code == 1


async def test_a_bot_that_has_ended_left_a_store_to_look_into(place: Place) -> None:
    """After a bot has ended, doctor lists the dead letters in its embedded store, and can forget them."""
    bot = await place.run_ready()
    await bot.stop()

    code, said = await doctor(place)
    forgetting = await doctor(place, "--forget")

    assert select_findings(said, "Dead") == "ok Dead letters Nothing was given up."
    assert code == 0
    assert forgetting == (0, "There were none.\n")


async def test_refused_tokens_are_told_with_what_to_do(place: Place) -> None:
    """If Slack or Coder refuses a token, doctor names the token and says what to do. It still checks the
    other tokens."""
    place.coder.suspend("taskwire")
    wrong = {"SLACK_BOT_TOKEN": "xoxb-of-yesterday", "SLACK_APP_TOKEN": "xapp-of-yesterday"}

    code, said = await doctor(place, **wrong)

    assert select_findings(said, "Slack", "Coder ") == (
        "WRONG Slack bot token Slack refuses SLACK_BOT_TOKEN (invalid_auth).\n"
        "Copy the bot token (xoxb-…) from your Slack app, OAuth & Permissions.\n"
        "WRONG Slack app token Slack refuses SLACK_APP_TOKEN (invalid_auth).\n"
        "Make one in your Slack app, Basic Information, App-Level Tokens, with connections:write.\n"
        f"ok Coder It is version {place.coder.settings.version}.\n"
        "WRONG Coder token Coder refuses CODER_SESSION_TOKEN.\n"
        "Make a new token, from an account with the role Owner."
    )
    assert code == 1
    assert "of-yesterday" not in said


async def test_what_coder_lacks_is_told(place: Place) -> None:
    """Doctor reports missing rights in Coder, a token that ends soon, a Coder without Tasks, and a template
    that does not exist."""
    place.coder.settings.tasks_enabled = False
    token = place.coder.add_token("alice", lifetime=timedelta(hours=5))

    code, said = await doctor(place, CODER_SESSION_TOKEN=token, TASKWIRE_TEMPLATE="nowhere")

    told = select_findings(said, "Coder account", "Coder tasks", "Templates")
    assert told == (
        "WRONG Coder account The Coder account alice lacks the role Owner, so it cannot act for other "
        "people.\n"
        "Ask a Coder administrator to give it that role.\n"
        "WRONG Coder tasks Coder has no Tasks feature.\n"
        "Taskwire needs Coder 2.28 to 2.36.\n"
        "WRONG Templates No template for tasks has the name in TASKWIRE_TEMPLATE.\n"
        "There is: tasks-docker."
    )
    assert "WRONG  Coder token      The token in CODER_SESSION_TOKEN ends on" in said
    assert code == 1


async def test_a_certificate_that_is_not_trusted_is_told(place: Place, tmp_path: Path) -> None:
    """If the machine does not trust Coder's certificate, doctor reports this. In a container, for example, a
    company's own certificate authority is not known."""
    tls = await certificates.make(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", ssl=context) as far:
        where = f"127.0.0.1:{far.sockets[0].getsockname()[1]}"
        _, said = await doctor(place, CODER_URL=f"https://{where}")
        _, trusting = await doctor(place, CODER_URL=f"https://{where}", SSL_CERT_FILE=str(tls.authority))

    assert select_findings(said, "Coder ") == (
        f"WRONG Coder Coder cannot be reached at https://{where}: the certificate of {where} "
        "is not trusted here (unable to get local issuer certificate); SSL_CERT_FILE names a file with those "
        "that are.\nCheck CODER_URL, and that this machine may reach it."
    )
    assert "Server disconnected" in select_findings(trusting, "Coder ")


async def test_names_that_nobody_has_are_told(place: Place) -> None:
    """If a preset or an administrator in the settings does not exist, doctor names it. Otherwise nobody would
    notice the mistake until the preset or administrator is needed."""
    place.coder.add_template("tasks-vm", presets=[place.coder.new_preset("Large")])
    group = place.slack.add_group("operators", ["alice"])
    alice = place.slack.workspace.user("alice").id

    names = f"{alice},U0NOBODY1,{group.id},S0NOBODY1"
    code, said = await doctor(place, TASKWIRE_ADMINS=names, TASKWIRE_PRESET="Larg")
    mended = {"TASKWIRE_ADMINS": f"{alice},{group.id}", "TASKWIRE_PRESET": "large"}
    _, after = await doctor(place, **mended)

    assert select_findings(said, "Administrators", "Templates") == (
        "WRONG Administrators TASKWIRE_ADMINS names U0NOBODY1, S0NOBODY1, whom Slack does not know here.\n"
        "Only administrators hear of what they alone can mend. A profile's menu in Slack has Copy member "
        "ID.\n"
        "WRONG Templates TASKWIRE_PRESET names a preset that no template for tasks has.\n"
        "There is: Large."
    )
    assert code == 1
    assert select_findings(after, "Administrators", "Templates") == (
        "ok Administrators Slack knows all of them.\nok Templates For tasks: tasks-docker, tasks-vm."
    )


async def test_systems_that_are_away_are_told(place: Place) -> None:
    """If several systems do not answer, doctor reports each of them as a separate finding."""
    await place.slack.go_down()
    await place.coder.go_down()

    code, said = await doctor(place)

    assert said.count("WRONG") == 3
    assert "WRONG  Slack bot token  It could not be asked: auth.test: Connection refused (127.0.0.1:" in said
    coder = f"WRONG  Coder            Coder cannot be reached at {place.coder.url}: connection refused ("
    assert coder in said
    assert "Check CODER_URL, and that this machine may reach it." in said
    assert code == 1


async def test_missing_scopes_are_named(tmp_path: Path) -> None:
    """If the Slack app lacks scopes, doctor names them. An app that was made from an older manifest lacks
    newer scopes."""
    older = manifest.make_manifest()
    older["oauth_config"] = {"scopes": {"bot": [scope for scope in manifest.SCOPES if "files" not in scope]}}
    async with new_place(tmp_path, SlackSandbox(manifest=older)) as place:
        code, said = await doctor(place)

    assert select_findings(said, "Slack scopes") == (
        "WRONG Slack scopes The Slack app lacks files:read, files:write.\n"
        "Put what `taskwire manifest` prints into the app's page App Manifest, then install it again."
    )
    assert code == 1


@pytest.mark.real_start
async def test_programs_can_read_it(place: Place) -> None:
    """`doctor --json` prints the same findings as JSON."""
    code, said = await doctor(place, "--json")

    states = {found["name"]: found["state"] for found in json.loads(said)}
    assert {name for name, state in states.items() if state != "ok"} == {"Administrators"}
    assert code == 0


async def test_a_file_of_settings_that_others_can_read_is_told(place: Place) -> None:
    """If other users can read the settings file, doctor reports this, because the file holds tokens. If only
    the file's owner can read it, doctor reports nothing."""
    env = place.directory / ".env"
    env.write_text("TASKWIRE_SETTLE=5\n")
    env.chmod(0o644)
    _, said = await doctor(place)
    env.chmod(0o600)
    _, then = await doctor(place)

    note = "note Settings Other users of this machine can read .env, which may hold tokens.\nchmod 600 .env"
    assert note in select_findings(said, "Settings")
    assert note not in select_findings(then, "Settings")


async def test_missing_settings_are_findings(start_taskwire: StartTaskwire, tmp_path: Path) -> None:
    """If settings are missing, doctor reports them and checks nothing else."""
    looking = await start_taskwire(
        "doctor", SLACK_APP_TOKEN="xapp-1", CODER_URL="nowhere", REDIS_URL="http://h"
    )

    code = await looking.wait_for_exit(LOOK_SECONDS)

    assert (code, looking.output) == (
        1,
        "WRONG  Settings         SLACK_BOT_TOKEN is missing: copy the bot token (xoxb-…) from your Slack "
        "app, OAuth & Permissions.\n"
        "WRONG  Settings         CODER_URL is wrong: it must be an address that begins with https:// or "
        "http://.\n"
        "WRONG  Settings         CODER_SESSION_TOKEN is missing: make a token on Coder's page Settings, "
        "Tokens, with an account of role Owner; or set TASKWIRE_ACCOUNTS=personal, with which each person "
        "connects their own account.\n"
        "WRONG  Settings         REDIS_URL does not begin with redis://, rediss://, unix:// or "
        "redis+sentinel://. It looks like redis://host:6379/0, rediss://… for TLS, unix:///path/to/socket, "
        "or redis+sentinel://host:26379,host2:26379/mymaster/0.\n"
        f"WRONG  Settings         There is no .env in {tmp_path}.\n",
    )


async def test_a_token_of_coders_with_too_few_scopes_is_named_as_that(place: Place) -> None:
    """If Coder's token lacks scopes, doctor names the scopes. It does not also report the failures that the
    missing scopes cause."""
    some = place.coder.add_token("taskwire", scopes=("api_key:*", "user:read", "task:read", "template:read"))
    none = place.coder.add_token("taskwire", scopes=("user:read",))
    enough = place.coder.add_token(
        "taskwire",
        scopes=(
            *("api_key:*", "user:*", "organization:*", "task:*", "template:*", "coder:workspaces.create"),
            *("coder:workspaces.operate", "coder:workspaces.delete", "coder:workspaces.access"),
        ),
    )

    code, said = await doctor(place, CODER_SESSION_TOKEN=some)
    _, blind = await doctor(place, CODER_SESSION_TOKEN=none)
    _, fine = await doctor(place, CODER_SESSION_TOKEN=enough)

    assert select_findings(said, "Coder token", "Coder account", "Coder tasks", "Templates") == (
        "WRONG Coder token The token in CODER_SESSION_TOKEN has too few scopes. Without workspace:read, "
        "organization:read, template:use, task:create, workspace:create, workspace:update, "
        "workspace:application_connect, task:update, workspace:ssh, workspace:stop, workspace:start, "
        "task:delete, workspace:delete, Taskwire can't do this: list and show tasks; show what an agent "
        "reported and why a build failed; create tasks for people; read the log of a running agent; send "
        "replies to agents; pause tasks; resume tasks; edit prompts; delete tasks.\n"
        "Make a new token with the scopes in the README, from an account with the role Owner."
    )
    assert (
        "too few scopes. Without api_key:read, Taskwire can't know when its token ends."
        in select_findings(blind, "Coder token")
    )
    assert select_findings(fine, "Coder token").startswith("ok Coder token It is good until ")
    assert code == 1


async def test_an_app_without_command_or_events_is_found_by_what_never_came(tmp_path: Path) -> None:
    """If no command or no event has ever arrived from Slack, doctor says what to try. Slack does not tell an
    app which commands and events it has."""
    lacking = cast("dict[str, Any]", manifest.make_manifest())
    lacking["features"].pop("slash_commands")
    lacking["settings"]["event_subscriptions"] = {"bot_events": ["app_mention"]}
    async with new_place(tmp_path, SlackSandbox(manifest=lacking)) as place:
        await place.run_ready()
        answer = await place.slack.command("alice", "general", "/task", "help")
        await place.slack.post("alice", "general", "is anybody there?")

        code, said = await doctor(place)

    assert not answer.ok
    assert select_findings(said, "From Slack") == (
        "note From Slack Not one command and not one message and not one press of a button has come so far. "
        "Slack does not tell why.\n"
        "While Taskwire runs, type `/task help` in Slack, write in a channel that the bot is in, press a "
        "button of the bot, and look here again a minute later. If nothing has come by then, put what "
        "`taskwire manifest` prints into the app's page App Manifest, and install it again."
    )
    assert code == 0


async def test_a_workspace_that_hides_addresses_is_told(place: Place) -> None:
    """If the Slack workspace hides email addresses, doctor reports this. Taskwire finds people's Coder
    accounts by their email addresses."""
    for user in place.slack.workspace.users.values():
        user.email = None

    code, said = await doctor(place)

    assert select_findings(said, "E-mails") == (
        "WRONG E-mails Slack shows nobody's e-mail address, by which Taskwire finds people's accounts in "
        "Coder.\n"
        "The bot needs the scope users:read.email, and the workspace must not hide addresses: its owners "
        "find that in Slack's Settings & Permissions."
    )
    assert code == 1


async def test_no_administrators_are_worth_a_note(place: Place) -> None:
    """If the settings name no administrators, doctor notes this, because Taskwire then tells nobody about
    failures."""
    code, said = await doctor(place)

    assert select_findings(said, "Administrators") == (
        "note Administrators No administrators (TASKWIRE_ADMINS): nobody is told when Coder refuses the "
        "token, the store goes back in time, or work waits for another version.\n"
        "Set it to their Slack ids. A profile's menu in Slack has Copy member ID."
    )
    assert code == 0


async def test_a_short_token_is_worth_a_note(place: Place) -> None:
    """If the operator has made a short token for TASKWIRE_WEBHOOK_TOKEN, doctor notes that somebody could
    guess it."""
    code, said = await doctor(place, TASKWIRE_WEBHOOK_TOKEN="w3bhook")

    assert (
        "note   Settings         TASKWIRE_WEBHOOK_TOKEN has fewer than 16 characters: set a longer one, "
        "which nobody can guess.\n"
    ) in said
    assert code == 0


async def test_a_taken_port_is_told_unless_taskwire_has_it(place: Place) -> None:
    """If another program uses Taskwire's port, doctor reports this. If the running bot uses the port, doctor
    reports nothing."""
    bot = await place.run_ready()
    own = f"127.0.0.1:{await bot.port()}"
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1") as other:
        taken = f"127.0.0.1:{other.sockets[0].getsockname()[1]}"
        code, said = await doctor(place, TASKWIRE_HTTP_ADDR=taken)
        _, beside = await doctor(place, TASKWIRE_HTTP_ADDR=own)

    assert select_findings(said, "Addresses") == (
        f"WRONG Addresses Taskwire cannot listen on {taken}: Address already in use.\n"
        "Set TASKWIRE_HTTP_ADDR to an address and port that are free here."
    )
    assert code == 1
    assert select_findings(beside, "Addresses") == f"ok Addresses Taskwire listens on {own} already."


async def test_of_two_addresses_the_one_that_another_program_has_is_named(place: Place) -> None:
    """If another program uses one of the two ports, doctor names this port, even if a bot uses the other
    port."""
    bot = await place.run_ready()
    own = f"127.0.0.1:{await bot.port()}"
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1") as other:
        taken = f"127.0.0.1:{other.sockets[0].getsockname()[1]}"
        code, said = await doctor(
            place, TASKWIRE_HTTP_ADDR=own, TASKWIRE_ADMIN_ADDR=taken, TASKWIRE_WEBHOOK_TOKEN="a-word" * 4
        )

    assert select_findings(said, "Addresses") == (
        f"WRONG Addresses Taskwire cannot listen on {taken}: Address already in use.\n"
        "Set TASKWIRE_ADMIN_ADDR to an address and port that are free here."
    )
    assert code == 1


async def test_settings_that_nobody_reads_are_named(place: Place) -> None:
    """If the environment has settings that Taskwire does not know, doctor and the log of `run` name them."""
    unknown = "There is no setting TASKWIRE_ADMIN, so it does nothing. Is it TASKWIRE_ADMINS?"

    code, said = await doctor(place, TASKWIRE_ADMIN="U0ALICE1")
    bot = await place.run_ready(TASKWIRE_ADMIN="U0ALICE1")

    assert f"note   Settings         {unknown}\n" in said
    assert code == 0
    assert unknown in bot.output


async def test_quoted_tokens_are_named(place: Place) -> None:
    """If a token is in quotation marks, doctor names it. In an env file of Docker, the marks become a part of
    the value."""
    quoted = f'"{place.settings["SLACK_BOT_TOKEN"]}"'

    code, said = await doctor(place, SLACK_BOT_TOKEN=quoted)
    bot = await place.run("run", SLACK_BOT_TOKEN=quoted)

    sentence = (
        "SLACK_BOT_TOKEN is wrong: it must have no quotation marks around it, which are part of a value "
        "where Docker reads it from a file; leave them out."
    )
    assert (code, said) == (1, f"WRONG  Settings         {sentence}\n")
    assert await bot.wait_for_exit(LOOK_SECONDS) == 2
    assert json.loads(bot.output)["event"] == sentence
