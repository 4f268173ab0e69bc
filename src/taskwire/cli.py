"""The command line: run, doctor, audit, forget, store, new-key, manifest, demo."""

import argparse
import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, replace
from typing import TextIO

from taskwire import __version__, environment, sealing
from taskwire import settings as settings_module
from taskwire.app import audit_listing, forgetting
from taskwire.app.process import Process
from taskwire.doctor import examination
from taskwire.doctor.findings import Finding
from taskwire.doctor.opening import open_dead_letters
from taskwire.domain.errors import UserError
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.parsing.audit_command import Audit, parse_expected, parse_since
from taskwire.domain.text.printed import escape_one, escape_unseen, put_on_one_line
from taskwire.migration import command
from taskwire.migration.transfer import open_threads
from taskwire.queue.dead_letters import DeadLetter, DeadLetters, ResendResult
from taskwire.settings import Settings
from taskwire.settings_errors import SettingsError
from taskwire.slack import manifest
from taskwire.telemetry import configure_logs, logger

ALL = "all"
# What is printed for each result of sending a dead letter again.
_RESEND_TEXTS: dict[ResendResult, str] = {
    "sent": "It waits for its turn again.",
    "already_handled": "There is no such dead letter, or somebody has just dealt with it.",
    "no_link": "Its thread is linked to no task any more, so there is nobody to do it for.",
    "decided": "This reply was offered to its author for a week, or sent again by them: it stays with them.",
    "unreadable": "This version cannot read it. A newer one may.",
    "too_long": "It was too long to be kept.",
    "overtaken": "It only showed how something stood. What came later has shown more.",
}
# Patterns that an address after --url must not match. For each: what is wrong with an address that matches,
# and what to do.
_URL_PROBLEMS = (
    (r"^(?!https://)", "must begin with https://", "Slack takes no other."),
    (r"^https://(?:$|[/:?#])", "names no host", "It looks like https://taskwire.example.com."),
    (r"\s", "has a blank in it", "Leave it out."),
    (r"[?#]", "has a ? or a # in it", "Leave out what begins there: Taskwire reads nothing of it."),
    (r"@", "has an @ in it", "Leave a user name and password out: Taskwire knows Slack by its signature."),
)

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")

# Runs the demo on a port, or on any free port, and returns the exit code.
RunDemo = Callable[[int | None], Coroutine[None, None, int]]
_log = logger("taskwire")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 success, 1 a problem, 2 a wrong setting or argument."""
    args = _parser().parse_args(arguments)
    try:
        code: int = args.call(args)
    except (SettingsError, UserError) as error:
        for sentence in _list_sentences(error):
            _print_error(sentence)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskwire", description="Coder AI tasks in Slack.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(call=lambda _: _help(parser))
    verbs = parser.add_subparsers(metavar="VERB")
    run = verbs.add_parser(
        "run",
        help="run the bot",
        description="Run the bot until SIGTERM or Ctrl-C. Its settings come from the environment and .env.",
    )
    run.set_defaults(call=_run)
    doctor = verbs.add_parser(
        "doctor",
        help="check everything that Taskwire needs",
        description="Check the settings, Slack, Coder and the store, and say what to do about each problem. "
        "The check changes nothing and works beside a running bot. The options about dead letters do "
        "something else instead: they list, repeat or delete the jobs that were given up.",
    )
    _add_doctor_options(doctor)
    audit = verbs.add_parser(
        "audit",
        help="show who did what, and check that nobody changed it",
        description="Print the audit trail, the oldest entry first, and say where its chain breaks. "
        "The exit code is 1 if it does.",
    )
    _add_audit_options(audit)
    _add_forget(verbs)
    store = verbs.add_parser("store", help="move Taskwire's data to another Redis")
    _add_store_verbs(store)
    new_key = verbs.add_parser(
        "new-key",
        help="print a new key for TASKWIRE_SECRET_KEYS",
        description="Print a new random key. Put it before the others in TASKWIRE_SECRET_KEYS.",
    )
    new_key.set_defaults(call=_new_key)
    app_manifest = verbs.add_parser("manifest", help="print the manifest of the Slack app")
    app_manifest.add_argument(
        "--url", metavar="https://HOST", help="for HTTP mode: where Slack finds Taskwire"
    )
    app_manifest.add_argument(
        "--agent", action="store_true", help="declare the app as an agent: Slack shows its status, with Stop"
    )
    app_manifest.set_defaults(call=_manifest)
    demo = verbs.add_parser(
        "demo",
        help="try it here, without accounts",
        description="Run the bot between stand-ins for Slack and Coder, with a page for the browser. "
        "It listens on this machine only and keeps nothing.",
    )
    demo.add_argument(
        "--port", type=int, help="the port of the page; without it 8000, or any free port if that is taken"
    )
    demo.set_defaults(call=_demo)
    return parser


def _add_doctor_options(doctor: argparse.ArgumentParser) -> None:
    doctor.add_argument("--json", action="store_true", help="print JSON, for programs")
    doctor_actions = doctor.add_mutually_exclusive_group()
    doctor_actions.add_argument(
        "--dead-letters", action="store_true", help="list the dead letters: jobs that were given up"
    )
    doctor_actions.add_argument(
        "--resend", metavar="ID", help="queue the job of one dead letter again, or of `all`"
    )
    doctor_actions.add_argument(
        "--forget",
        nargs="?",
        const=ALL,
        metavar="ID",
        help="delete one dead letter, or `all` (also without an ID)",
    )
    doctor.set_defaults(call=_doctor)


def _add_audit_options(audit: argparse.ArgumentParser) -> None:
    audit.add_argument("--since", metavar="TIME", help="an age like 7d or 12h, or a day like 2026-11-27")
    audit.add_argument("--person", default="", metavar="ID", help="a Slack id, or a user name in Coder")
    audit.add_argument("--task", default="", metavar="NAME", help="a task's id, or its name or beginning")
    audit.add_argument("--verb", default="", help="only this verb")
    audit.add_argument("--json", action="store_true", help="print one JSON object a line, for programs")
    audit.add_argument(
        "--expect",
        nargs=2,
        metavar=("NUMBER", "HASH"),
        help="an entry or a seal from the log; say if the trail has no such entry",
    )
    audit.set_defaults(call=_audit)


def _add_forget(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    forgetter = verbs.add_parser(
        "forget",
        help="remove what is stored about a person",
        description="Remove what Taskwire stores about one person, and say what was removed and what stays. "
        "It works beside a running bot, which removes the person from threads. Run it again to see that "
        "nothing is left. The exit code is 1 if something could not be removed yet.",
    )
    forgetter.add_argument("--person", required=True, metavar="WHO", help="a Slack id, or an e-mail address")
    forgetter.set_defaults(call=_forget)


def _add_store_verbs(store: argparse.ArgumentParser) -> None:
    store.set_defaults(call=lambda _: _help(store))
    store_verbs = store.add_subparsers(metavar="VERB")
    move = store_verbs.add_parser(
        "move", help="move all data to the store that REDIS_URL or TASKWIRE_DATA_DIR names now"
    )
    move.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="PLACE",
        help="where it is: `embedded` (in TASKWIRE_DATA_DIR), a data directory, an address as in REDIS_URL, "
        "or - to read the address from standard input, where nobody else on this machine sees its password",
    )
    move.add_argument("--from-prefix", metavar="WORD", help="its TASKWIRE_KEY_PREFIX there, if another")
    move.add_argument("--replace", action="store_true", help="drop what this Taskwire has in the new place")
    move.set_defaults(call=_move_store)
    reopen = store_verbs.add_parser("reopen", help="use a store again that was moved, or partly moved")
    reopen.set_defaults(call=_reopen_store)


def _help(parser: argparse.ArgumentParser) -> int:
    _print(parser.format_help().rstrip("\n"))
    return 0


def _run(_: argparse.Namespace) -> int:
    # The last messages have the log's format, because programs read these messages together with the log.
    log_format = environment.log_format()
    try:
        loaded = settings_module.load()
    except SettingsError as error:
        if log_format == "text":
            raise
        configure_logs("error", log_format, Masker().mask)
        return _log_fatal(error)
    unknown = environment.list_unknown()
    settings_module.remove_from_environment()
    configure_logs(loaded.log_level, loaded.log_format, loaded.masker.mask)
    for sentence in unknown:
        _log.warning("unknown setting, ignored", says=sentence)
    try:
        return asyncio.run(Process(loaded).run())
    except UserError as error:
        if log_format == "text":
            raise
        return _log_fatal(error)
    except KeyboardInterrupt:
        raise
    except Exception:  # noqa: BLE001 - the log is masked; Python's own traceback would not be
        _log.exception("unexpected exception, process stops")
        return 1


def _log_fatal(error: SettingsError | UserError) -> int:
    for sentence in _list_sentences(error):
        _log.critical(sentence)
    return 2


def _list_sentences(error: SettingsError | UserError) -> list[str]:
    if isinstance(error, UserError):
        return [str(error)]
    # A missing setting may be present under an unknown name.
    return [*error.sentences, *environment.list_unknown()]


def _doctor(args: argparse.Namespace) -> int:
    is_about_dead_letters = args.dead_letters or args.resend or args.forget
    try:
        loaded = settings_module.load()
    except SettingsError as error:
        if is_about_dead_letters:
            raise
        found = [Finding("Settings", "wrong", sentence) for sentence in error.sentences]
        found += [Finding("Settings", "note", sentence) for sentence in environment.list_unknown()]
        return _report(found, is_json=args.json)
    # Hide the warnings of libraries: they are no findings.
    configure_logs("error", "text", loaded.masker.mask)
    if is_about_dead_letters:
        return asyncio.run(_manage_dead_letters(loaded, args))
    return asyncio.run(_examine(loaded, is_json=args.json))


async def _examine(settings: Settings, *, is_json: bool) -> int:
    mask, found = settings.masker.mask, []
    async for finding in examination.Examination(settings).findings():
        found.append(replace(finding, says=mask(finding.says), hint=mask(finding.hint)))
        if not is_json:
            _print(_format_finding(found[-1]))
    return _report(found, is_json=True) if is_json else _exit_code(found)


def _report(found: Sequence[Finding], *, is_json: bool) -> int:
    if is_json:
        _print(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            _print(_format_finding(finding))
    return _exit_code(found)


def _format_finding(finding: Finding) -> str:
    mark = {"ok": "ok", "note": "note", "wrong": "WRONG"}[finding.state]
    head = f"{mark:<6} {finding.name:<16} "
    says = f"{finding.says}\n{finding.hint}" if finding.hint else finding.says
    # Indent the lines after a line break, so that a name cannot add a line that looks like a finding.
    return head + says.replace("\n", f"\n{' ' * len(head)}")


def _exit_code(found: Sequence[Finding]) -> int:
    return 1 if any(finding.state == "wrong" for finding in found) else 0


async def _manage_dead_letters(settings: Settings, args: argparse.Namespace) -> int:
    mask = settings.masker.mask
    async with open_dead_letters(settings) as dead_letters:
        if args.forget:
            count = await dead_letters.forget(None if args.forget == ALL else args.forget)
            _print("There were none." if not count else f"Forgotten: {count}.")
            return 0
        if args.resend:
            return await _resend(dead_letters, args.resend)
        found = [
            dead_letter
            for each in await dead_letters.list_ids()
            if (dead_letter := await dead_letters.find(each))
        ]
    if args.json:
        # Mask the values first: a mask inside JSON text could break it.
        shown = [{**dead_letter._asdict(), "at": dead_letter.at.isoformat()} for dead_letter in found]
        rows = [
            {key: mask(value) if isinstance(value, str) else value for key, value in row.items()}
            for row in shown
        ]
        _print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    for dead_letter in found:
        _print_row(mask(_format_dead_letter(dead_letter)))
    if not found:
        _print("There are none.")
    return 0


def _format_dead_letter(dead_letter: DeadLetter) -> str:
    what = f"{dead_letter.kind} ({dead_letter.name})" if dead_letter.name else dead_letter.kind
    return f"{dead_letter.id}  {dead_letter.at:%Y-%m-%d %H:%M} UTC  {what}: {dead_letter.reason}"


async def _resend(dead_letters: DeadLetters, wanted: str) -> int:
    """Send the dead letter with the id `wanted` again. If `wanted` is ALL, send all, the oldest first.

    Return 1 if a dead letter could not be sent, else 0.
    """
    ids = await dead_letters.list_ids() if wanted == ALL else [wanted]
    answers = [(each, await dead_letters.send_again(each)) for each in ids]
    for each, answer in answers:
        _print_row(f"{each}  {_RESEND_TEXTS[answer]}")
    if not answers:
        _print("There are none.")
    return 0 if all(answer == "sent" for _, answer in answers) else 1


def _audit(args: argparse.Namespace) -> int:
    wanted = Audit(args.person, args.task, args.verb, parse_since(args.since) if args.since else None)
    expected = parse_expected(*args.expect) if args.expect else None
    printing = audit_listing.print_trail(_load_quietly(), wanted, _print_row, expected, is_json=args.json)
    return asyncio.run(printing)


def _forget(args: argparse.Namespace) -> int:
    return asyncio.run(forgetting.forget(_load_quietly(), args.person, _print_row))


def _move_store(args: argparse.Namespace) -> int:
    loaded = _load_quietly()
    mask = loaded.masker.mask
    move = command.move(
        loaded, args.source, args.from_prefix, lambda text: _print(mask(text)), replaces=args.replace
    )
    moved = asyncio.run(move)
    if moved is None:
        _print("It was moved before. Start Taskwire with these settings.")
        return 0
    threads = open_threads(moved.threads)
    _print(f"Moved and compared: {moved.keys} keys, with {threads}. Start Taskwire with these settings now.")
    return 0


def _reopen_store(_: argparse.Namespace) -> int:
    found = asyncio.run(command.reopen(_load_quietly()))
    if found is None:
        _print("Nothing keeps Taskwire from this store.")
    elif found.state == "left":
        _print(
            f"It is open again, as it was on {found.time_text}. What was done at {found.other} is not in it."
        )
    else:
        _print(f"It is open again. What a move has taken to {found.other} so far is of no use there.")
    return 0


def _load_quietly() -> Settings:
    loaded = settings_module.load()
    # Hide the warnings of libraries.
    configure_logs("error", "text", loaded.masker.mask)
    return loaded


def _new_key(_: argparse.Namespace) -> int:
    _print(sealing.make_key())
    return 0


def _manifest(args: argparse.Namespace) -> int:
    made = manifest.make_manifest(_request_url(args.url), environment.find_coder_host(), is_agent=args.agent)
    _print(manifest.to_yaml(made).rstrip("\n"))
    return 0


def _request_url(url: str | None) -> str:
    """Return the URL for Slack's requests in HTTP mode; empty for Socket Mode. `url` is the option --url.

    Raises UserError if HTTP mode needs the option and it is missing, or if the URL cannot be used.
    """
    if url is None and environment.is_http_only():
        raise UserError(
            "The manifest for HTTP mode (SLACK_SIGNING_SECRET alone) says where Slack finds Taskwire.",
            "Add it: taskwire manifest --url https://taskwire.example.com",
        )
    if url is None:
        return ""
    for pattern, sentence, hint in _URL_PROBLEMS:
        if re.search(pattern, url):
            raise UserError(f"The address after --url {sentence}.", hint)
    path = manifest.REQUEST_PATH
    return url.rstrip("/").removesuffix(path) + path


def _demo(args: argparse.Namespace) -> int:
    # Imported only here and by name, because the shipped package does not contain the stand-ins and must not
    # depend on them.
    if importlib.util.find_spec("taskwire_sandbox") is None:
        raise UserError(
            "The demo is not part of this installation: install Git and Python 3.11 or later, get Taskwire's "
            "source, and run `make demo` in it."
        )
    run_demo: RunDemo = importlib.import_module("taskwire_sandbox.demo").run_demo
    settings_module.remove_from_environment()
    return asyncio.run(run_demo(args.port))


def _print(text: str) -> None:
    print(_escape(text, sys.stdout), flush=True)  # noqa: T201 - output of the command line


def _print_error(text: str) -> None:
    print(_escape(text, sys.stderr), file=sys.stderr)  # noqa: T201 - output of the command line


def _print_row(text: str) -> None:
    """Print an entry of a list as one line, so that a name in it cannot look like another entry."""
    _print(put_on_one_line(text))


def _escape(text: str, stream: TextIO) -> str:
    """Return the text with each character that nobody sees as an escape.

    Names from Coder and Slack may contain such characters, which could hide other lines of the terminal or
    change the window's title. If the terminal's encoding lacks a letter of the text, every letter beyond
    ASCII is an escape.
    """
    escaped = escape_unseen(text)
    try:
        escaped.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return _BEYOND_ASCII.sub(lambda found: escape_one(found[0]), escaped)
    return escaped


if __name__ == "__main__":
    raise SystemExit(main())
