"""The commands print names that other people choose, such as names of presets and accounts. A terminal would
obey control characters in these names, so the commands do not print them."""

import json

from taskwire_sandbox.coder.rows import Preset

from .doctor_runs import doctor
from .processes import Place, until

# A name that sets the window's title, clears the screen, and pretends to be a line of the output.
EVIL = "\x1b]0;PWNED\x07\x9b2J\u202e\nok     Store            All is well"
SHOWN = r"\u001b]0;PWNED\u0007\u009b2J\u202e"


async def test_doctor_prints_no_control_characters_of_a_template(place: Place) -> None:
    """If the name of a preset has control characters, doctor prints them as escapes. With --json, doctor
    prints valid JSON. A template's author chooses the names of its presets."""
    preset = Preset("00000000-0000-4000-8000-000000000001", f"fast{EVIL}", {}, is_default=True)
    place.coder.add_template("tasks-vm", presets=[preset])

    code, said = await doctor(place, TASKWIRE_PRESET="none-such")
    json_code, listed = await doctor(place, "--json", TASKWIRE_PRESET="none-such")

    assert (code, json_code) == (1, 1)
    assert f"There is: fast{SHOWN}\n                        ok     Store" in said
    assert not set("\x1b\x07\x9b\u202e") & set(said + listed)
    [found] = [each for each in json.loads(listed) if each["name"] == "Templates"]
    assert found["hint"] == f"There is: fast{EVIL}."


async def test_a_terminal_without_a_names_letters_gets_escapes(place: Place) -> None:
    """A terminal's encoding lacks a letter of a name, and the name has characters that nobody sees. The trail
    is printed with escapes, and the exit code does not say that somebody has changed it."""
    bot = await place.run_ready()
    for user in place.coder.world.users.values():
        if user.username == "alice":
            user.username = "al\u0142ice\u00ad\ufeff\u3164\U000e0041"
    await place.slack.command("alice", "general", "/task", "create fix the login")
    await until(lambda: '"event": "audit"' in bot.output, "the entry in the log")

    printed = await place.run("audit", "--verb", "create", PYTHONIOENCODING="ascii")
    code = await printed.wait_for_exit()

    assert code == 0
    assert r"(al\u0142ice\u00ad\ufeff\u3164\udb40\udc41)" in printed.output.splitlines()[0]


async def test_the_audit_trail_prints_one_line_for_an_entry(place: Place) -> None:
    """If the name of a Coder account has control characters, `taskwire audit` prints them as escapes, and one
    line for each entry. A name can neither hide an entry nor look like another one."""
    bot = await place.run_ready()
    for user in place.coder.world.users.values():
        if user.username == "alice":
            user.username = f"alice{EVIL}"
    await place.slack.command("alice", "general", "/task", "create fix the login")
    await until(lambda: '"event": "audit"' in bot.output, "the entry in the log")

    printed = await place.run("audit", "--verb", "create")
    code = await printed.wait_for_exit()

    assert code == 0
    assert rf"(alice{SHOWN}\nok     Store            All is well)" in printed.output.splitlines()[0]
    assert not set("\x1b\x07\x9b\u202e") & set(printed.output)
