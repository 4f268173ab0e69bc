"""Quiet hours in the person's own time zone, and the settings that a submitted dialog can change."""

from datetime import UTC, datetime, timedelta

import pytest

from taskwire.domain.ids import UserId
from taskwire.domain.person_settings import (
    CallPlan,
    HeldCall,
    PersonSettings,
    find_quiet_period,
    make_zone,
)
from taskwire.messages.person_settings_form import (
    PersonField,
    describe_settings,
    person_fields,
    read_person_settings,
)
from taskwire_sandbox.slack.block_rules import MODAL, problems

NIGHT = PersonSettings(quiet_from_hour=22, quiet_until_hour=7)
BERLIN = make_zone("Europe/Berlin", 3600)


@pytest.mark.parametrize(
    ("settings", "zone", "now", "until"),
    [
        (NIGHT, UTC, "2026-05-01 21:59", None),
        (NIGHT, UTC, "2026-05-01 22:00", "2026-05-02 07:00"),
        (NIGHT, UTC, "2026-05-02 03:00", "2026-05-02 07:00"),
        (NIGHT, UTC, "2026-05-02 07:00", None),
        # 23:30 in Berlin, where summer time is two hours ahead of UTC.
        (NIGHT, BERLIN, "2026-05-01 21:30", "2026-05-02 05:00"),
        # In Berlin, summer time begins in the night to the last Sunday of March.
        (NIGHT, BERLIN, "2026-03-28 22:00", "2026-03-29 05:00"),
        (PersonSettings(quiet_from_hour=9, quiet_until_hour=12), UTC, "2026-05-01 10:00", "2026-05-01 12:00"),
        (PersonSettings(quiet_from_hour=9, quiet_until_hour=12), UTC, "2026-05-01 08:00", None),
        (PersonSettings(quiet_from_hour=9, quiet_until_hour=9), UTC, "2026-05-01 09:00", None),
        (PersonSettings(quiet_from_hour=22), UTC, "2026-05-01 23:00", None),
        (PersonSettings(), UTC, "2026-05-01 23:00", None),
    ],
)
def test_quiet_hours_are_those_of_the_persons_clock(
    settings: PersonSettings, zone: object, now: str, until: str | None
) -> None:
    """Quiet hours are in the person's own time zone. If their end is earlier than their start, they end on
    the next day. `until` is None if the time is not in the quiet hours."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)

    found = find_quiet_period(settings, zone, moment)  # type: ignore[arg-type] # a table of zones

    assert (found.ends.astimezone(UTC) if found else None) == (
        datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None
    )


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../etc/passwd", "\x00"])
def test_an_unknown_zone_has_the_offset_that_slack_says(name: str) -> None:
    """Slack may name a time zone that this machine does not know. Slack's offset is used then."""
    zone = make_zone(name, -7200)

    assert datetime(2026, 5, 1, tzinfo=zone).utcoffset() == timedelta(hours=-2)


@pytest.mark.parametrize(
    ("entered", "settings"),
    [
        ({}, PersonSettings()),
        ({"calls": "both", "quiet_from": "22", "quiet_until": "7"},
         PersonSettings(calls="both", quiet_from_hour=22, quiet_until_hour=7)),
        ({"calls": "direct", "quiet_from": "none", "quiet_until": "7"}, PersonSettings(calls="direct")),
        ({"calls": "loudly", "quiet_from": "25", "quiet_until": "-1"}, PersonSettings()),
        ({"quiet_from": "9", "quiet_until": "9"}, PersonSettings()),
    ],
)  # fmt: skip
def test_a_submission_sets_only_what_the_menus_offer(
    entered: dict[str, str], settings: PersonSettings
) -> None:
    """An invented value that no menu offers is ignored."""
    assert read_person_settings({f"person.{name}": value for name, value in entered.items()}) == settings


@pytest.mark.parametrize("settings", [PersonSettings(), NIGHT, PersonSettings(calls="nothing")])
def test_the_fields_show_what_is_set(settings: PersonSettings) -> None:
    """If a person saves the dialog without a change, no setting changes."""
    fields = person_fields(settings)
    chosen = [block["element"]["initial_option"]["value"] for block in fields]  # type: ignore[index,call-overload] # as made
    shown = {str(block["block_id"]): str(value) for block, value in zip(fields, chosen, strict=True)}

    assert problems(fields, MODAL) == []
    assert set(shown) == set(PersonField)
    assert read_person_settings(shown) == settings


def test_what_is_set_is_said_in_one_sentence() -> None:
    """A person's settings become one sentence. The Home tab shows this sentence."""
    assert describe_settings(NIGHT) == (
        "When a task needs you, I mention you in its thread, but not from 22:00 to 07:00. At 07:00, I "
        "send you a summary by direct message."
    )
    assert describe_settings(PersonSettings(calls="nothing", quiet_from_hour=1, quiet_until_hour=2)) == (
        "I never call you."
    )


def test_a_plan_is_limited_to_who_is_still_called() -> None:
    """The bot has planned whom a notice notifies, and tries again to post it. `limited_to` leaves out the
    people who no longer want a notification."""
    one, other = UserId("U1"), UserId("U2")
    held = HeldCall(person=other, quiet_since_ms=1, quiet_until_ms=2)
    plan = CallPlan(mentioned=(one,), told_directly=(one, other), held=(held,), is_chosen=True)

    assert plan.limited_to([other]) == CallPlan(told_directly=(other,), held=(held,), is_chosen=True)
    assert plan.limited_to([]) == CallPlan(is_chosen=True)
