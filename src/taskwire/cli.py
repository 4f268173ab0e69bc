"""The command line: run, doctor, store, manifest, demo."""

import argparse
import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, replace

from taskwire import __version__
from taskwire import settings as settings_module
from taskwire.app.process import Process
from taskwire.doctor import examination
from taskwire.doctor.findings import Finding
from taskwire.domain.errors import UserError
from taskwire.domain.secrets import Masker
from taskwire.migration import command
from taskwire.migration.transfer import open_threads
from taskwire.queue.dead_letters import DeadLetter, DeadLetters, ResendResult
from taskwire.settings import Settings, SettingsError
from taskwire.slack import manifest
from taskwire.telemetry import configure_logs, logger

ALL = "all"
# Results of sending a dead letter again.
_SENT_AGAIN: dict[ResendResult, str] = {
    "sent": "It waits for its turn again.",
    "already_handled": "There is no such dead letter, or somebody has just dealt with it.",
    "no_link": "Its thread is linked to no task any more, so there is nobody to do it for.",
    "decided": "This reply was offered to its author for a week, or sent again by them: it stays with them.",
    "unreadable": "This version cannot read it. A newer one may.",
    "too_long": "It was too long to be kept.",
    "overtaken": "It only showed how something stood. What came later has shown more.",
}
# Patterns that an address after --url must not match, what is wrong then, and what to do.
_NO_URLS = (
    (r"^(?!https://)", "must begin with https://", "Slack takes no other."),
    (r"^https://(?:$|[/:?#])", "names no host", "It looks like https://taskwire.example.com."),
    (r"\s", "has a blank in it", "Leave it out."),
    (r"[?#]", "has a ? or a # in it", "Leave out what begins there: Taskwire reads nothing of it."),
    (r"@", "has an @ in it", "Leave a user name and password out: Taskwire knows Slack by its signature."),
)

# Runs the demo on a port, or on any free port, and returns the exit code.
Show = Callable[[int | None], Coroutine[None, None, int]]
_log = logger("taskwire")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 success, 1 a problem, 2 a wrong setting or argument."""
    words = _parser().parse_args(arguments)
    try:
        code: int = words.call(words)
    except (SettingsError, UserError) as error:
        for sentence in _sentences(error):
            _complain(sentence)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskwire", description="Coder AI tasks in Slack.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(call=lambda _: _help(parser))
    verbs = parser.add_subparsers(metavar="VERB")
    run = verbs.add_parser("run", help="run the bot")
    run.set_defaults(call=_run)
    look = verbs.add_parser("doctor", help="check everything that Taskwire needs")
    look.add_argument("--json", action="store_true", help="print JSON")
    about = look.add_mutually_exclusive_group()
    about.add_argument(
        "--dead-letters", action="store_true", help="list the dead letters: jobs that were given up"
    )
    about.add_argument("--resend", metavar="ID", help="queue a dead letter's job again, or `all` of them")
    about.add_argument("--forget", nargs="?", const=ALL, metavar="ID", help="forget one dead letter, or all")
    look.set_defaults(call=_doctor)
    store = verbs.add_parser("store", help="move Taskwire's data to another Redis")
    store.set_defaults(call=lambda _: _help(store))
    about_store = store.add_subparsers(metavar="VERB")
    moving = about_store.add_parser(
        "move", help="move all data to the store that REDIS_URL or TASKWIRE_DATA_DIR names now"
    )
    moving.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="PLACE",
        help="where it is: `embedded` (in TASKWIRE_DATA_DIR), a data directory, an address as in REDIS_URL, "
        "or - to read the address from standard input, where nobody else on this machine sees its password",
    )
    moving.add_argument("--from-prefix", metavar="WORD", help="its TASKWIRE_KEY_PREFIX there, if another")
    moving.add_argument("--replace", action="store_true", help="drop what this Taskwire has in the new place")
    moving.set_defaults(call=_move_store)
    reopening = about_store.add_parser("reopen", help="use a store again that was moved, or partly moved")
    reopening.set_defaults(call=_reopen_store)
    app = verbs.add_parser("manifest", help="print the manifest of the Slack app")
    app.add_argument("--url", metavar="https://HOST", help="for HTTP mode: where Slack finds Taskwire")
    app.set_defaults(call=_manifest)
    demo = verbs.add_parser("demo", help="try it here, without accounts")
    demo.add_argument("--port", type=int, help="the port of the demo's page")
    demo.set_defaults(call=_demo)
    return parser


def _help(parser: argparse.ArgumentParser) -> int:
    _say(parser.format_help().rstrip("\n"))
    return 0


def _run(_: argparse.Namespace) -> int:
    # The last messages have the log's format, because programs that read the log read them too.
    form = settings_module.log_format()
    try:
        loaded = settings_module.load()
    except SettingsError as error:
        if form == "text":
            raise
        configure_logs("error", form, Masker().mask)
        return _ended(error)
    unknown = settings_module.list_unknown()
    settings_module.remove_from_environment()
    configure_logs(loaded.log_level, loaded.log_format, Masker(loaded.secrets(), loaded.tokens()).mask)
    for sentence in unknown:
        _log.warning("unknown setting", says=sentence)
    try:
        return asyncio.run(Process(loaded).run())
    except UserError as error:
        if form == "text":
            raise
        return _ended(error)
    except KeyboardInterrupt:
        raise
    except Exception:  # noqa: BLE001 - the log is masked; Python's own traceback would not be
        _log.exception("unexpected exception, stopping")
        return 1


def _ended(error: SettingsError | UserError) -> int:
    for sentence in _sentences(error):
        _log.critical(sentence)
    return 2


def _sentences(error: SettingsError | UserError) -> list[str]:
    if isinstance(error, UserError):
        return [str(error)]
    # A missing setting may be present under an unknown name.
    return [*error.sentences, *settings_module.list_unknown()]


def _doctor(words: argparse.Namespace) -> int:
    is_about_letters = words.dead_letters or words.resend or words.forget
    try:
        loaded = settings_module.load()
    except SettingsError as error:
        if is_about_letters:
            raise
        found = [Finding("Settings", "wrong", sentence) for sentence in error.sentences]
        found += [Finding("Settings", "note", sentence) for sentence in settings_module.list_unknown()]
        return _reported(found, is_json=words.json)
    # Warnings of libraries are no findings.
    configure_logs("error", "text", Masker(loaded.secrets(), loaded.tokens()).mask)
    if is_about_letters:
        return asyncio.run(_about_letters(loaded, words))
    return asyncio.run(_examine(loaded, is_json=words.json))


async def _examine(settings: Settings, *, is_json: bool) -> int:
    mask, found = Masker(settings.secrets(), settings.tokens()).mask, []
    async for finding in examination.Examination(settings).findings():
        found.append(replace(finding, says=mask(finding.says), hint=mask(finding.hint)))
        if not is_json:
            _say(_line(found[-1]))
    return _reported(found, is_json=True) if is_json else _code(found)


def _reported(found: Sequence[Finding], *, is_json: bool) -> int:
    if is_json:
        _say(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            _say(_line(finding))
    return _code(found)


def _line(finding: Finding) -> str:
    mark = {"ok": "ok", "note": "note", "wrong": "WRONG"}[finding.state]
    head = f"{mark:<6} {finding.name:<16} "
    return head + finding.says + (f"\n{' ' * len(head)}{finding.hint}" if finding.hint else "")


def _code(found: Sequence[Finding]) -> int:
    return 1 if any(finding.state == "wrong" for finding in found) else 0


async def _about_letters(settings: Settings, words: argparse.Namespace) -> int:
    mask = Masker(settings.secrets(), settings.tokens()).mask
    async with examination.opened_letters(settings) as letters:
        if words.forget:
            count = await letters.forget(None if words.forget == ALL else words.forget)
            _say("There were none." if not count else f"Forgotten: {count}.")
            return 0
        if words.resend:
            return await _resent(letters, words.resend)
        found = [letter for each in await letters.list_ids() if (letter := await letters.find(each))]
    if words.json:
        # Mask the values first: a mask inside JSON text could break it.
        shown = [{**letter._asdict(), "at": letter.at.isoformat()} for letter in found]
        rows = [
            {key: mask(value) if isinstance(value, str) else value for key, value in row.items()}
            for row in shown
        ]
        _say(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    for letter in found:
        _say(mask(_row(letter)))
    if not found:
        _say("There are none.")
    return 0


def _row(letter: DeadLetter) -> str:
    what = f"{letter.kind} ({letter.name})" if letter.name else letter.kind
    return f"{letter.id}  {letter.at:%Y-%m-%d %H:%M} UTC  {what}: {letter.reason}"


async def _resent(letters: DeadLetters, wanted: str) -> int:
    """Send dead letters again, the oldest first. Return 1 if one of them could not be sent."""
    ids = await letters.list_ids() if wanted == ALL else [wanted]
    answers = [(each, await letters.send_again(each)) for each in ids]
    for each, answer in answers:
        _say(f"{each}  {_SENT_AGAIN[answer]}")
    if not answers:
        _say("There are none.")
    return 0 if all(answer == "sent" for _, answer in answers) else 1


def _move_store(words: argparse.Namespace) -> int:
    loaded = _quietly_loaded()
    mask = Masker(loaded.secrets(), loaded.tokens()).mask
    moving = command.move(
        loaded, words.source, words.from_prefix, lambda text: _say(mask(text)), replaces=words.replace
    )
    moved = asyncio.run(moving)
    if moved is None:
        _say("It was moved before. Start Taskwire with these settings.")
        return 0
    threads = open_threads(moved.threads)
    _say(f"Moved and compared: {moved.keys} keys, with {threads}. Start Taskwire with these settings now.")
    return 0


def _reopen_store(_: argparse.Namespace) -> int:
    found = asyncio.run(command.reopen(_quietly_loaded()))
    if found is None:
        _say("Nothing keeps Taskwire from this store.")
    elif found.state == "left":
        _say(
            f"It is open again, as it was on {found.time_text}. What was done at {found.other} is not in it."
        )
    else:
        _say(f"It is open again. What a move has taken to {found.other} so far is of no use there.")
    return 0


def _quietly_loaded() -> Settings:
    loaded = settings_module.load()
    # Hide the warnings of libraries.
    configure_logs("error", "text", Masker(loaded.secrets(), loaded.tokens()).mask)
    return loaded


def _manifest(words: argparse.Namespace) -> int:
    _say(manifest.to_yaml(manifest.make_manifest(_request_url(words.url))).rstrip("\n"))
    return 0


def _request_url(url: str | None) -> str:
    """Return the URL for Slack's requests in HTTP mode; empty for Socket Mode."""
    if url is None and settings_module.is_http_only():
        raise UserError(
            "The manifest for HTTP mode (SLACK_SIGNING_SECRET alone) says where Slack finds Taskwire.",
            "Add it: taskwire manifest --url https://taskwire.example.com",
        )
    if url is None:
        return ""
    for pattern, sentence, hint in _NO_URLS:
        if re.search(pattern, url):
            raise UserError(f"The address after --url {sentence}.", hint)
    path = manifest.REQUEST_PATH
    return url.rstrip("/").removesuffix(path) + path


def _demo(words: argparse.Namespace) -> int:
    # Imported by name: the stand-ins are not part of the shipped package, which must not depend on them.
    if importlib.util.find_spec("taskwire_sandbox") is None:
        raise UserError(
            "The demo is not part of this installation: install Git and Python 3.11 or later, get Taskwire's "
            "source, and run `make demo` in it."
        )
    show: Show = importlib.import_module("taskwire_sandbox.demo").show
    settings_module.remove_from_environment()
    return asyncio.run(show(words.port))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - output of the command line


def _complain(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - output of the command line


if __name__ == "__main__":
    raise SystemExit(main())
