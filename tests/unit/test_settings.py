"""Settings: the bot reads each setting by its name. An error about a setting does not contain its value."""

import os
import re
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from taskwire import environment, settings
from taskwire.domain.masking.secrets import Masker
from taskwire.settings_errors import SERVICE_ACCOUNT_UNUSED, SettingsError
from tests.keys import KEY

ROOT = Path(__file__).parents[2]
# A key as `taskwire new-key` prints it.
OLD_KEY = "b2xkZXIgdGhhbiB0aGUgb3RoZXIga2V5IG9mIHRlc3Q="
SECRETS = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "CODER_SESSION_TOKEN", "REDIS_URL"),
    *("TASKWIRE_SECRET_KEYS", "TASKWIRE_WEBHOOK_TOKEN", "TASKWIRE_ADMIN_TOKEN"),
    "TASKWIRE_CODER_OAUTH_SECRET",
)
GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-bot",
    "SLACK_APP_TOKEN": "xapp-app",
    "SLACK_SIGNING_SECRET": "signing-secret",
    "SLACK_API_URL": "https://slack.example.com/api/",
    "CODER_URL": "https://coder.example.com/",
    "CODER_SESSION_TOKEN": "abc-def",
    "REDIS_URL": "redis://:hunter2@redis:6379/0",
    "TASKWIRE_SECRET_KEYS": f"{KEY},{OLD_KEY}",
    "TASKWIRE_KEY_PREFIX": "staging",
    "TASKWIRE_DATA_DIR": "/var/lib/taskwire",
    "TASKWIRE_HTTP_ADDR": "[::1]:9000",
    "TASKWIRE_ADMIN_ADDR": "127.0.0.1:9001",
    "TASKWIRE_ADMIN_TOKEN": "a-word-of-operators",
    "TASKWIRE_POLL_INTERVAL": "0.2",
    "TASKWIRE_SETTLE": "0",
    "TASKWIRE_STUCK": "600",
    "TASKWIRE_REMINDER": "3600",
    "TASKWIRE_TEMPLATE": "docker",
    "TASKWIRE_PRESET": "small",
    "TASKWIRE_WEBHOOK_TOKEN": "webhook-token",
    "TASKWIRE_ADMINS": "U0ALICE1, S0ADMINS1",
    "TASKWIRE_ACCOUNTS": "Both",
    "TASKWIRE_CODER_OAUTH_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
    "TASKWIRE_CODER_OAUTH_SECRET": "coder_prefix_secret",
    "TASKWIRE_PUBLIC_URL": "https://taskwire.example.com/",
    "TASKWIRE_CREATE_LIMIT": "0",
    "TASKWIRE_RUNNING_LIMIT": "5",
    "TASKWIRE_CHANNEL_CREATE_LIMIT": "40",
    "TASKWIRE_CHANNEL_RUNNING_LIMIT": "0",
    "TASKWIRE_AUDIT_ENTRIES": "1000",
    "TASKWIRE_AUDIT_DAYS": "90",
    "TASKWIRE_ENDED_DAYS": "14",
    "TASKWIRE_EXCERPT_DAYS": "2",
    "TASKWIRE_ALLOWED_WORKSPACES": "T0ACME",
    "TASKWIRE_ALLOWED_CHANNELS": "C0GENERAL,G0OLDONE1",
    "TASKWIRE_ALLOWED_GROUPS": "S0ADMINS1",
    "TASKWIRE_SHARED_CHANNELS": "C0PARTNERS, G0OLDONE1",
    "TASKWIRE_EMOJI": ":Ticket:",
    "TASKWIRE_FORGES": "GitHub.com, git.example.com:8443",
    "TASKWIRE_LOG_LEVEL": "DEBUG",
    "TASKWIRE_LOG_FORMAT": "Text",
}
ADDRESS = "it must be an address that begins with https:// or http://."
SECONDS = "it must be a number of seconds, for example 5."
PLACE = "it must be HOST:PORT, for example 127.0.0.1:8080."
COUNT = "it must be a whole number, for example 20, or 0 for any number of tasks."
FROM_ONE = "it must be a whole number from 1 on, for example 365."
HOSTS = "it must be hosts with commas between them, for example github.com,git.example.com."
QUOTED = (
    "it must have no quotation marks around it, which are part of a value where Docker reads it from a file; "
    "leave them out."
)
KEYS = (
    "it must be keys that `taskwire new-key` prints, with commas between them and the newest first, and "
    "number {} is not one."
)
WORD = "it must be one word of plain letters, digits and signs."
PREFIX = "it must be a word of at most 40 letters, digits, dots, dashes and underscores."
# Each row has a setting, a wrong value, and the words that follow "NAME is wrong: " in the error.
WRONG = [
    ("SLACK_BOT_TOKEN", "xapp-1-swapped", "it must be the bot's own token, which begins with xoxb-."),
    ("SLACK_BOT_TOKEN", "xoxp-somebodys", "it must be the bot's own token, which begins with xoxb-."),
    ("SLACK_BOT_TOKEN", "xoxb-with blank", WORD),
    ("TASKWIRE_SECRET_KEYS", "hunter2", KEYS.format(1)),
    ("TASKWIRE_SECRET_KEYS", f"{KEY}, {KEY[:-4]}", KEYS.format(2)),
    ("SLACK_BOT_TOKEN", "xoxb-…", WORD),
    ("SLACK_APP_TOKEN", "xoxb-swapped", "it must be an app-level token, which begins with xapp-."),
    ("SLACK_SIGNING_SECRET", "two words", WORD),
    ("SLACK_API_URL", "slack.com/api/", ADDRESS),
    ("SLACK_API_URL", "https://slack.example.com", "it must end in /api/, as https://slack.com/api/ does."),
    ("CODER_URL", "coder.example.com", ADDRESS),
    ("CODER_URL", "ftp://coder.example.com", ADDRESS),
    ("CODER_URL", "https://coder example", ADDRESS),
    ("CODER_URL", "https://coder:port", ADDRESS),
    ("CODER_URL", "https://me:hunter2@coder", "it must be an address without a user name, a ? or a #."),
    ("CODER_URL", "https://coder/?token=hunter2", "it must be an address without a user name, a ? or a #."),
    ("CODER_SESSION_TOKEN", "<paste here>", WORD),
    ("TASKWIRE_KEY_PREFIX", "two words", PREFIX),
    ("TASKWIRE_KEY_PREFIX", "a{b}", PREFIX),
    ("TASKWIRE_KEY_PREFIX", "a:b", PREFIX),
    ("TASKWIRE_KEY_PREFIX", "a*", PREFIX),
    ("TASKWIRE_KEY_PREFIX", 41 * "a", PREFIX),
    ("TASKWIRE_HTTP_ADDR", "9090", PLACE),
    ("TASKWIRE_HTTP_ADDR", "localhost", PLACE),
    ("TASKWIRE_HTTP_ADDR", "127.0.0.1:99999", PLACE),
    ("TASKWIRE_HTTP_ADDR", "127.0.0.1:http", PLACE),
    ("TASKWIRE_ADMIN_ADDR", "9090", PLACE),
    ("TASKWIRE_ADMIN_TOKEN", "two words", "it must be one word of plain letters, digits and signs."),
    ("TASKWIRE_ADMIN_TOKEN", 15 * "a", "it must have at least 16 characters, so that nobody guesses it."),
    ("TASKWIRE_POLL_INTERVAL", "0.1", "it must be at least 0.2 seconds."),
    ("TASKWIRE_POLL_INTERVAL", "5s", SECONDS),
    ("TASKWIRE_POLL_INTERVAL", "nan", SECONDS),
    ("TASKWIRE_POLL_INTERVAL", "inf", SECONDS),
    ("TASKWIRE_SETTLE", "-1", "it must be 0 seconds or more."),
    ("TASKWIRE_SETTLE", "soon", SECONDS),
    ("TASKWIRE_STUCK", "-1", "it must be 0 seconds or more."),
    ("TASKWIRE_REMINDER", "4h", SECONDS),
    (
        "TASKWIRE_ADMINS",
        "U0ALICE1,xoxb-hunter2",
        "it must be Slack ids of people (U…) or user groups (S…) with commas between them, and number 2 is "
        "not one; a profile's menu in Slack has Copy member ID.",
    ),
    ("TASKWIRE_CREATE_LIMIT", "-1", COUNT),
    ("TASKWIRE_CREATE_LIMIT", "2.5", COUNT),
    ("TASKWIRE_CREATE_LIMIT", "many", COUNT),
    ("TASKWIRE_AUDIT_DAYS", "0", FROM_ONE),
    ("TASKWIRE_ENDED_DAYS", "ever", FROM_ONE),
    ("TASKWIRE_EXCERPT_DAYS", "0", FROM_ONE),
    (
        "TASKWIRE_ALLOWED_WORKSPACES",
        "acme",
        "it must be Slack ids of workspaces (T…) with commas between them.",
    ),
    (
        "TASKWIRE_ALLOWED_GROUPS",
        "S0ADMINS1,@platform",
        "it must be Slack ids of user groups (S…) with commas between them.",
    ),
    ("TASKWIRE_AUDIT_ENTRIES", "1e5", FROM_ONE),
    (
        "TASKWIRE_SHARED_CHANNELS",
        "C0PARTNERS,#general",
        "it must be Slack ids of channels (C…) with commas between them, and number 2 is not one; a "
        "channel's details in Slack end with its id.",
    ),
    ("TASKWIRE_EMOJI", "two words", "it must be the name of an emoji, for example robot_face, or none."),
    (
        "TASKWIRE_EMOJI",
        "octagonal_sign",
        "it must be another emoji than the stop sign, which stops tasks.",
    ),
    ("TASKWIRE_FORGES", "github.com,https://git.example.com", HOSTS),
    ("TASKWIRE_FORGES", "github.com git.example.com", HOSTS),
    ("SLACK_BOT_TOKEN", '"xoxb-quoted"', QUOTED),
    ("SLACK_APP_TOKEN", "'xapp-quoted'", QUOTED),
    ("SLACK_SIGNING_SECRET", "“curly”", QUOTED),
    ("CODER_URL", '"https://coder.example.com"', QUOTED),
    ("CODER_SESSION_TOKEN", "'a-token'", QUOTED),
    ("REDIS_URL", '"redis://:hunter2@redis:6379/0"', QUOTED),
    ("TASKWIRE_TEMPLATE", '"docker"', QUOTED),
    ("TASKWIRE_ADMINS", '"U0ALICE1"', QUOTED),
    ("TASKWIRE_LOG_LEVEL", "loud", "it must be debug, info, warning or error."),
    ("TASKWIRE_LOG_FORMAT", "xml", "it must be json or text."),
]


def _complaints(values: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings.from_values(values)
    return caught.value.sentences


@pytest.mark.parametrize("value", ["secret'", '"secret', "'secret\"", "'", "\u201csecret", 'it\'s "mine" 2'])
def test_a_value_may_have_a_quotation_mark_at_one_end(value: str) -> None:
    """A password may begin or end with a quotation mark. Only a pair of marks around the value is removed."""
    found = settings.from_values(GOOD | {"TASKWIRE_WEBHOOK_TOKEN": value})

    assert found.webhook_token is not None
    assert found.webhook_token.get_secret_value() == value


def test_coders_token_may_be_in_a_file(tmp_path: Path) -> None:
    """The bot reads Coder's token from a file, without blanks at both ends, such as a line break."""
    file, without = tmp_path / "token", {k: v for k, v in GOOD.items() if k != "CODER_SESSION_TOKEN"}
    file.write_text("abc-def\n")

    found = settings.from_values(without | {"CODER_SESSION_TOKEN_FILE": str(file)})

    assert found.coder_session_token == SecretStr("abc-def")
    assert found.masker.mask("it is abc-def") == "it is •••"
    other = found.model_copy(update={"admin_token": SecretStr("another-secret")})
    assert other.masker.mask("it is another-secret") == "it is •••"


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_may_be_in_a_file_or_in_a_directory_of_files(tmp_path: Path, name: str) -> None:
    """The bot reads a secret from the file that the secret's `_FILE` setting names, or from the directory
    `TASKWIRE_SECRETS_DIR`. If both have the secret, the bot uses the `_FILE` setting."""
    without = {each: text for each, text in GOOD.items() if each != name}
    (tmp_path / name).write_text(f"{GOOD[name]}\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / name).write_text("not this one")
    both = {"TASKWIRE_SECRETS_DIR": str(tmp_path / "other"), f"{name}_FILE": str(tmp_path / name)}

    by_file = settings.from_values(without | {f"{name}_FILE": str(tmp_path / name)})
    by_directory = settings.from_values(without | {"TASKWIRE_SECRETS_DIR": str(tmp_path)})
    by_both = settings.from_values(without | both)

    assert by_file.texts_of_secrets() == by_directory.texts_of_secrets() == by_both.texts_of_secrets()
    assert by_file.texts_of_secrets()[name] == GOOD[name]
    assert by_directory.find_files() == {name: tmp_path / name}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "The file in CODER_SESSION_TOKEN_FILE cannot be read: No such file or directory."),
        (b"", "The file in CODER_SESSION_TOKEN_FILE must hold one token and nothing else."),
        (b"two words", "The file in CODER_SESSION_TOKEN_FILE must hold one token and nothing else."),
        (b"\xff\xfe", "The file in CODER_SESSION_TOKEN_FILE cannot be read: it is not text in UTF-8."),
    ],
)
def test_a_file_without_a_token_is_a_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """The error about a file without a token is a sentence that does not quote the file's content."""
    file, without = tmp_path / "token", {k: v for k, v in GOOD.items() if k != "CODER_SESSION_TOKEN"}
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError) as refused:
        settings.from_values(without | {"CODER_SESSION_TOKEN_FILE": str(file)})

    assert refused.value.sentences == [sentence]


def test_a_token_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    """If a token and a file with a token are both set, the bot refuses them, because either could count."""
    with pytest.raises(SettingsError) as refused:
        settings.from_values(GOOD | {"CODER_SESSION_TOKEN_FILE": str(tmp_path / "token")})

    assert refused.value.sentences == [
        "CODER_SESSION_TOKEN and CODER_SESSION_TOKEN_FILE are both set: remove one of them."
    ]


def test_every_setting_is_read_by_its_name() -> None:
    """Each setting is read by the name that operators use. These names must not change."""
    files = {f"{name}_FILE" for name in SECRETS}
    assert set(settings.list_names()) == {*GOOD, *files, "TASKWIRE_SECRETS_DIR"}

    found = settings.from_values(GOOD)

    assert [key.get_secret_value() for key in found.secret_keys] == [KEY, OLD_KEY]
    shown = found.model_dump(exclude={"secret_keys"})
    plain = {name: value for name, value in shown.items() if not isinstance(value, SecretStr)}
    assert plain == {
        **{f"{name.lower().removeprefix('taskwire_')}_file": None for name in SECRETS},
        "secrets_dir": None,
        "slack_api_url": "https://slack.example.com/api/",
        "coder_url": "https://coder.example.com",
        "coder_oauth_client_id": "11111111-2222-4333-8444-555555555555",
        "public_url": "https://taskwire.example.com",
        "key_prefix": "staging",
        "data_dir": Path("/var/lib/taskwire"),
        "http_addr": "[::1]:9000",
        "admin_addr": "127.0.0.1:9001",
        "poll_interval": 0.2,
        "settle": 0.0,
        "stuck": 600.0,
        "reminder": 3600.0,
        "template": "docker",
        "preset": "small",
        "admins": ("U0ALICE1", "S0ADMINS1"),
        "accounts": "both",
        "create_limit": 0,
        "running_limit": 5,
        "channel_create_limit": 40,
        "channel_running_limit": 0,
        "audit_entries": 1000,
        "audit_days": 90,
        "ended_days": 14,
        "excerpt_days": 2,
        "allowed_workspaces": ("T0ACME",),
        "allowed_channels": ("C0GENERAL", "G0OLDONE1"),
        "allowed_groups": ("S0ADMINS1",),
        "shared_channels": ("C0PARTNERS", "G0OLDONE1"),
        "emoji": "ticket",
        "forges": ("github.com", "git.example.com:8443"),
        "log_level": "debug",
        "log_format": "text",
    }
    assert found.is_socket_mode
    assert settings.host_and_port(found.http_addr) == ("::1", 9000)


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_setting_is_named_and_its_value_is_not(name: str, value: str, said: str) -> None:
    """A person may have put a token into the wrong setting, so the error does not contain the value."""
    sentences = _complaints({**GOOD, name: value})

    assert sentences == [f"{name} is wrong: {said}"]
    assert value not in sentences[0]


def test_everything_that_is_missing_is_said_at_once() -> None:
    """If several settings are missing, one error names all of them."""
    assert [sentence.partition(":")[0] for sentence in _complaints({})] == [
        "SLACK_BOT_TOKEN is missing",
        "SLACK_APP_TOKEN is missing",
        "CODER_URL is missing",
        "CODER_SESSION_TOKEN is missing",
    ]


def test_without_a_service_account_its_token_is_refused() -> None:
    """Without a service account, the settings must not have its token, because an unused token is a risk."""
    personal = {**GOOD, "TASKWIRE_ACCOUNTS": "personal"}
    assert _complaints(personal) == [SERVICE_ACCOUNT_UNUSED]
    assert settings.from_values({**personal, "CODER_SESSION_TOKEN": ""}).coder_session_token is None


def test_a_shared_redis_needs_a_key() -> None:
    """With a shared Redis, TASKWIRE_SECRET_KEYS is required. Without it, each process would make a key of its
    own, and could not read the values of other processes."""
    assert _complaints({**GOOD, "TASKWIRE_SECRET_KEYS": ""}) == [
        "TASKWIRE_SECRET_KEYS is missing: with REDIS_URL, all processes need the same key, which encrypts "
        "what is stored. `taskwire new-key` prints one."
    ]
    assert settings.from_values({**GOOD, "TASKWIRE_SECRET_KEYS": "", "REDIS_URL": ""}).secret_keys == ()


def test_a_signing_secret_alone_means_http_mode() -> None:
    """A signing secret without an app token selects HTTP mode, which needs no app token."""
    found = settings.from_values({name: value for name, value in GOOD.items() if name != "SLACK_APP_TOKEN"})

    assert not found.is_socket_mode


def test_blanks_around_a_value_are_not_part_of_it() -> None:
    """Blanks at both ends of a value are removed. A secret from a file often ends with a line break."""
    found = settings.from_values({**GOOD, "CODER_SESSION_TOKEN": " abc-def\n", "TASKWIRE_TEMPLATE": " "})

    assert found.coder_session_token == SecretStr("abc-def")
    assert found.template is None


def test_an_empty_setting_counts_as_not_set() -> None:
    """A setting with an empty value counts as not set. Helm charts and compose files pass empty values."""
    found = settings.from_values({**GOOD, "SLACK_APP_TOKEN": "", "REDIS_URL": ""})

    assert (found.slack_app_token, found.redis_url) == (None, None)


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` file sets only what the environment does not set."""
    monkeypatch.chdir(tmp_path)
    for name in settings.list_names():
        monkeypatch.delenv(name, raising=False)
    lines = "".join(f'{name}="{value}"\n' for name, value in GOOD.items())
    (tmp_path / ".env").write_text(f"# ours\nexport OTHER=1\n{lines}")
    monkeypatch.setenv("TASKWIRE_TEMPLATE", "kubernetes")

    found = settings.load()

    assert (found.template, found.preset) == ("kubernetes", "small")


def test_a_file_that_is_no_text_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file `.env` is not text in UTF-8. The error is one sentence that says so, and not a stack trace
    about the decoding."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"CODER_URL=\xff\xfe\n")

    with pytest.raises(SettingsError) as caught:
        settings.load()

    assert caught.value.sentences == ["The file .env is not text in UTF-8: write it anew, or take it away."]


def test_settings_that_nobody_reads_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment or `.env` has a setting that does not exist. The bot names it, because a mistyped name
    would otherwise be ignored silently."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TASKWIRE_")]:
        monkeypatch.delenv(name)
    (tmp_path / ".env").write_text('TASKWIRE_POL_INTERVAL="1"\nTASKWIRE_SETTLE=1\nOTHER=1\n')
    monkeypatch.setenv("TASKWIRE_ADMIN", "U0ALICE1")
    monkeypatch.setenv("TASKWIRE_COLOUR", "hunter2")
    # A cluster sets these variables itself if a service is called taskwire.
    for name in ("SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP_ADDR", "PORT_8080_TCP"):
        monkeypatch.setenv(f"TASKWIRE_{name}", "10.0.0.1")

    assert environment.list_unknown() == [
        "There is no setting TASKWIRE_ADMIN, so it does nothing. Is it TASKWIRE_ADMINS?",
        "There is no setting TASKWIRE_COLOUR, so it does nothing.",
        "There is no setting TASKWIRE_POL_INTERVAL, so it does nothing. Is it TASKWIRE_POLL_INTERVAL?",
    ]


def test_every_secret_is_known_to_the_mask() -> None:
    """The password within a Redis URL is masked too, because a client may log it alone."""
    found = settings.from_values(GOOD)

    tokens = {GOOD[name] for name in SECRETS if name not in ("REDIS_URL", "TASKWIRE_SECRET_KEYS")}
    assert set(found.secrets()) == {*tokens, "hunter2", KEY, OLD_KEY}
    assert not any(secret in repr(found) for secret in found.secrets())


def test_the_sentinels_password_is_a_secret_too() -> None:
    """The password of the Sentinels is masked, both as it is written in their URL and decoded."""
    url = "redis+sentinel://bot:one%2Fhunter@host,other/main?sentinel_username=bot&sentinel_password=two%26hunter"

    found = settings.from_values(GOOD | {"REDIS_URL": url})

    assert {"one/hunter", "two&hunter", "one%2Fhunter", "two%26hunter"} <= set(found.secrets())


@pytest.mark.parametrize("url", ["redis://redis.internal.invalid:6379", "rediss://localhost:6379/0"])
def test_where_the_store_is_may_be_said(url: str) -> None:
    """An address without a password is not masked in an error about the store."""
    found = settings.from_values(GOOD | {"REDIS_URL": url})

    said = f"{url} cannot be reached"
    assert Masker(found.secrets(), found.tokens()).mask(said) == said


@pytest.mark.parametrize(
    ("name", "value", "prefix", "what"),
    [
        ("REDIS_URL", "redis://:taskwire-dev@localhost", "taskwire-dev", "the password in REDIS_URL"),
        ("TASKWIRE_ADMIN_TOKEN", "adm1n-pw-of-ours", "tw.adm1n-pw-of-ours.x", "TASKWIRE_ADMIN_TOKEN"),
    ],
)
def test_a_prefix_that_holds_a_token_is_refused(name: str, value: str, prefix: str, what: str) -> None:
    """The bot refuses a prefix of Redis keys that contains one of its secrets. The secret would be masked in
    the names of keys, so the bot would write to keys that it never reads."""
    with pytest.raises(SettingsError) as refused:
        settings.from_values(GOOD | {name: value, "TASKWIRE_KEY_PREFIX": prefix})

    assert refused.value.sentences == [
        f"TASKWIRE_KEY_PREFIX holds {what}, which would stand in every key: set another prefix, "
        "or another secret."
    ]


def test_the_readme_and_the_chart_know_every_setting() -> None:
    """Every setting that the bot reads is documented, and the bot reads every documented setting."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    chart = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text(encoding="utf-8"))
    set_by_the_chart = {"TASKWIRE_HTTP_ADDR", "TASKWIRE_ADMIN_ADDR", "TASKWIRE_DATA_DIR"}
    # The chart mounts its Secret as a directory of files.
    set_by_the_chart |= {"TASKWIRE_SECRETS_DIR", "REDIS_URL_FILE"}
    not_in_the_chart = {f"{name}_FILE" for name in SECRETS}

    table = readme.partition("## Settings")[2].partition("\n## ")[0]
    documented = re.findall(
        r"`([A-Z_]+)`", "".join(row.split("|")[1] for row in table.splitlines() if "|" in row)
    )

    assert sorted(documented) == sorted(settings.list_names())
    assert {*chart["settings"], *chart["secrets"], *set_by_the_chart, *not_in_the_chart} == set(
        settings.list_names()
    )


def test_libraries_find_no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot removes Slack's settings from the environment, so that no library reads them. Bolt would take a
    client id there as an order to install the app by OAuth."""
    for name in ("SLACK_BOT_TOKEN", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET"):
        monkeypatch.setenv(name, "something")

    settings.remove_from_environment()

    assert not [name for name in os.environ if name.startswith("SLACK_")]
