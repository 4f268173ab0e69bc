"""The command line: run, doctor, manifest, demo."""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from taskwire import __version__, doctor
from taskwire import settings as settings_of
from taskwire.findings import Finding
from taskwire.lifetime import Life
from taskwire.model.errors import UserError
from taskwire.model.secrets import Masker
from taskwire.settings import Settings, SettingsError
from taskwire.slack import manifest
from taskwire.store.letters import Answer, Letter, Letters
from taskwire.telemetry import configure_logs, logger

ALL = "all"
# What became of a dead letter that was to be sent again.
_SENT_AGAIN: dict[Answer, str] = {
    "sent": "It waits for its turn again.",
    "dealt_with": "There is no such letter, or somebody has just dealt with it.",
    "no_link": "Its thread is linked to no task any more, so there is nobody to do it for.",
    "decided": "This reply was offered to its author for a week, or sent again by them: it stays with them.",
    "unreadable": "This version cannot read it. A newer one may.",
    "too_long": "It was too long to be kept.",
    "overtaken": "It only showed how something stood. What came later has shown more.",
}

_log = logger("taskwire")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code: 0 done, 1 not well, 2 a setting or word is wrong."""
    words = _parser().parse_args(arguments)
    try:
        code: int = words.call(words)
    except SettingsError as error:
        for sentence in error.sentences:
            _complain(sentence)
        return 2
    except UserError as error:
        _complain(str(error))
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
    look = verbs.add_parser("doctor", help="say of each thing that Taskwire needs whether it is right")
    look.add_argument("--json", action="store_true", help="say it for programs")
    about = look.add_mutually_exclusive_group()
    about.add_argument("--letters", action="store_true", help="list the dead letters: what was given up")
    about.add_argument("--resend", metavar="ID", help="do what one of them was to do, or `all` of them")
    about.add_argument("--forget", nargs="?", const=ALL, metavar="ID", help="forget one of them, or all")
    look.set_defaults(call=_doctor)
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
    loaded = settings_of.load()
    settings_of.hide()
    configure_logs(loaded.log_level, loaded.log_format, Masker(loaded.secrets()).mask)
    try:
        return asyncio.run(Life(loaded).live())
    except (UserError, KeyboardInterrupt):
        raise
    except Exception:  # noqa: BLE001 - in the log it is masked; Python's own last words would not be
        _log.exception("ended by something unexpected")
        return 1


def _doctor(words: argparse.Namespace) -> int:
    is_about_letters = words.letters or words.resend or words.forget
    try:
        loaded = settings_of.load()
    except SettingsError as error:
        if is_about_letters:
            raise
        found = [Finding("Settings", "wrong", sentence) for sentence in error.sentences]
        return _reported(found, is_json=words.json)
    # What libraries have to say is no finding.
    configure_logs("error", "text", Masker(loaded.secrets()).mask)
    if is_about_letters:
        return asyncio.run(_about_letters(loaded, words))
    return asyncio.run(_examine(loaded, is_json=words.json))


async def _examine(settings: Settings, *, is_json: bool) -> int:
    mask, found = Masker(settings.secrets()).mask, []
    async for finding in doctor.Examination(settings).findings():
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
    mask = Masker(settings.secrets()).mask
    async with doctor.opened_letters(settings) as letters:
        if words.forget:
            count = await letters.forget(None if words.forget == ALL else words.forget)
            _say("There were none." if not count else f"Forgotten: {count}.")
            return 0
        if words.resend:
            return await _resent(letters, words.resend)
        found = [letter for each in await letters.list_ids() if (letter := await letters.find(each))]
    if words.json:
        rows = [{**letter._asdict(), "at": letter.at.isoformat()} for letter in found]
        _say(mask(json.dumps(rows, indent=2, ensure_ascii=False)))
        return 0
    for letter in found:
        _say(mask(_row(letter)))
    if not found:
        _say("There are none.")
    return 0


def _row(letter: Letter) -> str:
    what = f"{letter.kind} ({letter.name})" if letter.name else letter.kind
    return f"{letter.id}  {letter.at:%Y-%m-%d %H:%M} UTC  {what}: {letter.why}"


async def _resent(letters: Letters, wanted: str) -> int:
    """Send letters again, the oldest first; 1 if one of them could not be."""
    ids = await letters.list_ids() if wanted == ALL else [wanted]
    answers = [(each, await letters.send_again(each)) for each in ids]
    for each, answer in answers:
        _say(f"{each}  {_SENT_AGAIN[answer]}")
    if not answers:
        _say("There are none.")
    return 0 if all(answer == "sent" for _, answer in answers) else 1


def _manifest(words: argparse.Namespace) -> int:
    _say(manifest.to_yaml(manifest.make(_request_url(words.url))).rstrip("\n"))
    return 0


def _request_url(url: str | None) -> str:
    """Where Slack finds Taskwire in HTTP mode; nothing for Socket Mode."""
    if url is None and settings_of.is_http_only():
        raise UserError(
            "The manifest for HTTP mode (SLACK_SIGNING_SECRET alone) says where Slack finds Taskwire.",
            "Add it: taskwire manifest --url https://taskwire.example.com",
        )
    if url is not None and not re.fullmatch(r"https://[^/\s?#@]+(?:/[^\s?#]*)?", url):
        raise UserError("The address after --url must begin with https://.", "Slack takes no other.")
    path = manifest.REQUEST_PATH
    return "" if url is None else url.rstrip("/").removesuffix(path) + path


def _demo(words: argparse.Namespace) -> int:
    from taskwire import demo  # here, since the bot itself never loads the look-alikes

    settings_of.hide()
    return asyncio.run(demo.show(words.port))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the command line speaks here


def _complain(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - the command line speaks here


if __name__ == "__main__":
    raise SystemExit(main())
