"""What `taskwire doctor` says about the OAuth app in Coder with which people connect their accounts."""

from taskwire_sandbox.coder import faults

from .doctor_runs import doctor, select_findings
from .processes import Place

ADDRESS = "https://taskwire.example.com"


async def test_what_is_wrong_with_the_app_is_told_before_a_person_finds_it(place: Place) -> None:
    """If the OAuth app in Coder is wrong, or Coder has no OAuth, doctor says what to correct, before a person
    presses a button. The check gets no token from Coder and changes nothing there."""
    app = place.coder.add_oauth_app("Taskwire", f"{ADDRESS}/coder/callback")
    well = {
        "TASKWIRE_ACCOUNTS": "both",
        "TASKWIRE_CODER_OAUTH_CLIENT_ID": app.id,
        "TASKWIRE_CODER_OAUTH_SECRET": app.secret,
        "TASKWIRE_PUBLIC_URL": ADDRESS,
    }
    keys = len(place.coder.world.tokens)

    _, right = await doctor(place, **well)
    _, secret = await doctor(place, **well | {"TASKWIRE_CODER_OAUTH_SECRET": "another-secret-of-some-app"})
    _, address = await doctor(place, **well | {"TASKWIRE_PUBLIC_URL": "https://other.example.com"})
    place.coder.plan_fault("oauth.tokens", faults.server_error("Route not found.", 404))
    code, absent = await doctor(place, **well)

    assert [select_findings(said, "Coder's page") for said in (right, secret, address, absent)] == [
        "ok Coder's page Coder knows Taskwire's app, its secret and its address.",
        "WRONG Coder's page Coder knows no app with TASKWIRE_CODER_OAUTH_CLIENT_ID, or refuses its secret.\n"
        "Copy both from the app's page in Coder.",
        "WRONG Coder's page Coder sends people back to another address than TASKWIRE_PUBLIC_URL.\n"
        "Give the app in Coder this address with /coder/callback at its end.",
        "WRONG Coder's page This Coder has no page on which people could connect their accounts.\n"
        "Start Coder with CODER_EXPERIMENTS=oauth2, or remove TASKWIRE_CODER_OAUTH_CLIENT_ID.",
    ]
    assert code == 1
    assert len(place.coder.world.tokens) == keys
