"""Only some modules may send requests to Coder with the service account. All others use the account of the
person who asks."""

from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/taskwire"
# These modules send requests that belong to no person: who a person is, the list of all tasks, and our own
# account.
ASK_FOR_NOBODY = {
    "app/bot.py",
    "app/new_secrets.py",
    "app/wiring.py",
    "dependencies.py",
    "outbox/coder_health.py",
    "outbox/service_token.py",
    "outbox/whole_list.py",
    "people/accounts.py",
    "people/suspensions.py",
    "people/directory.py",
    "polling/poller.py",
    "tasks/connect.py",
    "tasks/connect_by_oauth.py",
    "tasks/lookup.py",
}


def test_only_what_belongs_to_no_person_is_asked_with_the_service_account() -> None:
    """Only the listed modules may use the service account. All other modules use the account that was chosen
    for the person."""
    users = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if "service_coder" in path.read_text(encoding="utf-8")
    }

    assert users == ASK_FOR_NOBODY
