"""The models of Slack's answers about the bot and about people accept answers that lack fields which Slack
sends today."""

import pytest

from taskwire.slack import metadata, models, payload_fields
from taskwire.slack.errors import UnexpectedSlackAnswer

OWN = models.parse_identity({"ok": True, "team_id": "T1", "user_id": "U0BOT"})
META = {"event_type": metadata.EVENT_TYPE, "event_payload": {"id": "one", "kind": "card"}}


@pytest.mark.parametrize(
    ("told", "is_confirmed"),
    [({}, False), ({"is_email_confirmed": True}, True), ({"is_email_confirmed": False}, False)],
)
def test_only_a_plain_yes_confirms_an_address(told: dict[str, object], is_confirmed: bool) -> None:
    found = models.parse_profile({"ok": True, "user": {"id": "U1", "profile": {"email": "a@b.test"}} | told})

    assert (found.email, found.is_email_confirmed) == ("a@b.test", is_confirmed)


def test_an_identity_needs_a_workspace_and_a_user() -> None:
    assert (OWN.team_id, OWN.bot_user_id, OWN.bot_id) == ("T1", "U0BOT", "")
    with pytest.raises(UnexpectedSlackAnswer):
        models.parse_identity({"ok": True, "user_id": "U0BOT"})


@pytest.mark.parametrize(
    ("author", "is_ours"),
    [({"user": "U0BOT"}, True), ({"user": "U0ELSE"}, False), ({"bot_id": "B1"}, False), ({}, False)],
)
def test_a_copy_is_known_by_its_author(author: dict[str, object], is_ours: bool) -> None:
    assert metadata.is_copy({"ts": "1.000001", "metadata": META} | author, OWN, "one") is is_ours


@pytest.mark.parametrize("found", ["U1", "W012A3CDE", "Ualice", "U_ALICE-2"])
def test_ids_are_taken_as_they_come(found: str) -> None:
    assert payload_fields.read_user({"user": found}, "user") == found


@pytest.mark.parametrize("found", ["", "U", "U1>", "U1|x", "U 1", "B0BOT"])
def test_what_could_break_out_of_a_mention_is_no_id(found: str) -> None:
    assert payload_fields.read_user({"user": found}, "user") is None


@pytest.mark.parametrize("found", ["1700000000.000100", "1700000000.1", "1700000000.1234567"])
def test_a_ts_may_have_any_number_of_digits(found: str) -> None:
    assert payload_fields.read_ts({"ts": found}, "ts") == found
