"""Secrets are masked before the bot posts a text: known tokens by their values, other secrets by their
form."""

import string
import threading
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.masking.own_tokens import is_plain_word
from taskwire.domain.masking.secrets import Masker, has_mask_instead, mask_beginning

# A slow machine must not fail these tests.
patient = settings(deadline=None)
LETTERS = string.ascii_letters + string.digits
A22 = "aB3dE6gH9jK2mN5pQ8sT1v"
A36 = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"
AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
PEM = "MIIEpAIBAAKCAQEAabcdefghijklmnop\nqrstuvwxyz0123456789\n"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nBG5vbmUAAAAEbm9uZQ==\n"
CUT = f"export GITHUB=1 and then use this one for the push to the other remote: ghp_{A36}"
SPLIT = 79
tokens = st.text(alphabet=LETTERS + "-_.+/=", min_size=8, max_size=60)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"use ghp_{A36}.", "use ghp_•••."),
        (f"gho_{A36} ghs_{A36}", "gho_••• ghs_•••"),
        (f"github_pat_11AAAA_{A36}", "github_pat_•••"),
        (f"glpat-{A22}", "glpat-•••"),
        ("xoxb-123456789012-1234567890123-abcDEF", "xoxb-•••"),
        ("xoxp-1-2-3-abcdef xapp-1-A1-2-abcdef", "xoxp-••• xapp-•••"),
        ("xoxe.xoxp-1-Mi0yLTEyMzQ xoxe-1-My0xLTEy", "xoxe.xoxp-••• xoxe-•••"),
        (f"sk-{A36} sk-ant-api03-{A36} sk-proj-{A36}", "sk-••• sk-ant-••• sk-proj-•••"),
        (f"sk_live_{A22}", "sk_live_•••"),
        # A title begins with a capital letter, so a token at its beginning does too.
        (f"*Ghp_{A36}* Github_pat_{A36}", "*Ghp_•••* Github_pat_•••"),
        (f"Glpat-{A22} Npm_{A36} Sk_live_{A22}", "Glpat-••• Npm_••• Sk_live_•••"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA•••"),
        (f"//x.example/:_authToken=npm_{A36}", "//x.example/:_authToken=•••"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "eyJ•••"),
        ("https://hooks.slack.com/services/T000/B000/XXXX1234", "https://hooks.slack.com/services/•••"),
        (f"token aB3dE6gH9j-{A22} ok", "token ••• ok"),
        ("Authorization: Bearer abcdef", "Authorization: Bearer •••"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic •••"),
        ("{'Authorization': 'token abcdef'}", "{'Authorization': 'token •••'}"),
        (f"-H 'X: Bearer {A22}'", "-H 'X: Bearer •••'"),
        ("https://bob:hunter2@x.example/a", "https://bob:•••@x.example/a"),
        ("postgres://bob:hun:ter2@db/a", "postgres://bob:•••@db/a"),
        ("https://x.example/?a=1&access_token=abc&b=2", "https://x.example/?a=1&access_token=•••&b=2"),
        ("SLACK_BOT_TOKEN=abcdef DB_PASSWORD='hunter2'", "SLACK_BOT_TOKEN=••• DB_PASSWORD='•••'"),
        ('{"password": "hunter2", "a": 1}', '{"password": "•••", "a": 1}'),
        ("db:\n  password: hunter2", "db:\n  password: •••"),
        (
            KEY + "-----END OPENSSH PRIVATE KEY-----\nok",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n•••\n-----END OPENSSH PRIVATE KEY-----\nok",
        ),
        (KEY + "The rest was cut off.", "-----BEGIN OPENSSH PRIVATE KEY-----\n•••\nThe rest was cut off."),
        (
            "a: -----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B\\n",
            "a: -----BEGIN PRIVATE KEY-----\n•••\\n",
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    """Text that looks like a secret is masked. The result still shows what kind of secret it was."""
    assert Masker().mask(text) == masked


# Secrets in files, headers and tables.
OF_FILES = [
    (f"aws_secret_access_key = {AWS}", "aws_secret_access_key = •••"),
    (f"AWS_SECRET_ACCESS_KEY={AWS}", "AWS_SECRET_ACCESS_KEY=•••"),
    (f'"SecretAccessKey": "{AWS}"', '"SecretAccessKey": "•••"'),
    (f"AWS Secret Access Key [None]: {AWS}", "AWS Secret Access Key [None]: •••"),
    (f"aws configure set aws_secret_access_key {AWS}", "aws configure set aws_secret_access_key •••"),
    (
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{PEM}=abcd\n-----END PGP PRIVATE KEY BLOCK-----\nok",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n•••\n-----END PGP PRIVATE KEY BLOCK-----\nok",
    ),
    (
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{PEM}It was cut off.",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n•••\nIt was cut off.",
    ),
    ("    client-key-data: LS0tLS1CRUdJTiBSU0E=", "    client-key-data: •••"),
    ('"client-key-data":"LS0tLS1CRUdJTiBSU0E="', '"client-key-data":"•••"'),
    ("ya29.a0AfH6SMBx1234567890", "ya29.•••"),
    ("hvs.CAESIJ1234567890abcdefAB", "hvs.•••"),
    (f"SG.{A22}.{A36}", "SG.•••"),
    ("AccountName=x;AccountKey=aB3dE6gH9jK2mN5pQ8==;A=b", "AccountName=x;AccountKey=•••;A=b"),
    (f"dckr_pat_{A36}", "dckr_pat_•••"),
    ('{"auths": {"x": {"auth": "dXNlcjpwYXNz"}}}', '{"auths": {"x": {"auth": "•••"}}}'),
    (f"npm_{A36}", "npm_•••"),
    ("//x.example/:_authToken=01234567-89ab", "//x.example/:_authToken=•••"),
    ("_auth = dXNlcjpwYXNz", "_auth = •••"),
    ("X-Api-Key: abc123", "X-Api-Key: •••"),
    ("curl -H 'X-API-KEY: abc123' x", "curl -H 'X-API-KEY: •••' x"),
    (f"Coder-Session-Token: aB3dE6gH9j-{A22}", "Coder-Session-Token: •••"),
    ("{'coder-session-token': 'abc123'}", "{'coder-session-token': '•••'}"),
    ("Cookie: session=abc; theme=dark", "Cookie: •••"),
    ("Set-Cookie: sid=abc; Path=/; HttpOnly", "Set-Cookie: •••"),
    ("curl -b 'a=b; c=d' x", "curl -b 'a=•••' x"),
    ("curl --cookie a=b x", "curl --cookie •••"),
    ("mysql --password hunter2 -u root", "mysql --password ••• -u root"),
    ("mysql --password=hunter", "mysql --password=•••"),
    ("x --db-password 'correcthorse' --token abcdef", "x --db-password '•••' --token •••"),
    ("curl -u bob:hunter https://x.example", "curl -u bob:••• https://x.example"),
    ("curl -sSu 'bob:hunter' x", "curl -sSu 'bob:•••' x"),
    ("curl x \\\n  --user=bob:hunter", "curl x \\\n  --user=bob:•••"),
    ("db_password=hunter PGPASSWORD=hunter", "db_password=••• PGPASSWORD=•••"),
    ("spring.datasource.password=hunter", "spring.datasource.password=•••"),
    ("db_password = hunter2", "db_password = •••"),
    ("connect(password='hunter2')", "connect(password='•••')"),
    ('{"db_password": "hunter2"}', '{"db_password": "•••"}'),
    (r"{\"password\": \"hunter2\"}", r"{\"password\": \"•••\"}"),
    ("Uid=x;Pwd=hunter2;Timeout=3", "Uid=x;Pwd=•••"),
    (f"|  SecretAccessKey |  {AWS}  |", "|  SecretAccessKey |  •••  |"),
    (f"│ SecretAccessKey │ {AWS} │", "│ SecretAccessKey │ ••• │"),
    (f"|  SessionToken  |  IQoJ{A36}  |", "|  SessionToken  |  •••  |"),
    (rf"{{\"SecretAccessKey\": \"{AWS}\"}}", r"{\"SecretAccessKey\": \"•••\"}"),
    (f'{{"SecretAccessKey":"{AWS}","Expiration":1}}', '{"SecretAccessKey":"•••","Expiration":1}'),
    (f"AKIAIOSFODNN7EXAMPLE,{AWS}", "AKIA•••,•••"),
    (f"ACCESSKEY\tAKIAIOSFODNN7EXAMPLE\t{AWS}\tActive", "ACCESSKEY\tAKIA•••\t•••\tActive"),
    ("dop_v1_" + "0a1b2c3d" * 8, "dop_v1_•••"),
    (
        "https://api.telegram.org/bot123456789:AAF-b3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF/getMe",
        "https://api.telegram.org/bot123456789:•••/getMe",
    ),
    ("bot is 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1.", "bot is 110201543:•••."),
    ("gh\u200bp_" + "\u2060".join(A36), "gh\u200bp_•••"),
    ("glpat\u00ad-" + "\ufe0f".join(A22) + " ok", "glpat\u00ad-••• ok"),
    ("PASS\u2063WORD=hun\u200bter2", "PASS\u2063WORD=•••"),
    ("क\u094d\u200dष ghp_" + A36, "क\u094d\u200dष ghp_•••"),
]
OF_WORDS = [
    ("--password 'correct horse battery'", "--password '•••'"),
    ("DB_PASSWORD='a b c d' x", "DB_PASSWORD='•••' x"),
    ('"password": "correct horse battery"', '"password": "•••"'),
    ("$password = 'my 1 password';", "$password = '•••';"),
    ('password: "correct horse battery staple is my…', 'password: "•••…'),
    ('mend it. password: "correct…. Owner: bob', 'mend it. password: "•••…. Owner: bob'),
    ("db_password='correct horse battery", "db_password='•••"),
    ('x --db-password "correct horse…', 'x --db-password "•••…'),
    ('password := "hunter2"', 'password := "•••"'),
    ("<password>hunter2</password>", "<password>•••</password>"),
    (f"<SecretAccessKey>{AWS}</SecretAccessKey>", "<SecretAccessKey>•••</SecretAccessKey>"),
    (f"kubeconfig:\n    token: {A36}", "kubeconfig:\n    token: •••"),
    (f"client_secret: {A22} api_key: '{A22}'", "client_secret: ••• api_key: '•••'"),
    ("machine x\n  login bob\n  password hunter", "machine x\n  login bob\n  password •••"),
    ("SSHPASS=hunter2 DB_PASS=hunter2 db_pass=hunter2", "SSHPASS=••• DB_PASS=••• db_pass=•••"),
    (f"https://{A36}@github.com/a", "https://•••@github.com/a"),
    ("postgresql://bob:p@ss2@db/x", "postgresql://bob:•••@db/x"),
    (f"-H Authorization:\\ Bearer\\ {A22}", "-H Authorization:\\ Bearer\\ •••"),
    (f"whsec_{A36} lin_api_{A36} sntrys_{A36}", "whsec_••• lin_api_••• sntrys_•••"),
    (f"shpat_{'0a1b2c3d' * 4} glsa_{A36}_1a2b3c4d", "shpat_••• glsa_•••"),
    (f"tskey-auth-{A22} gsk_{A36}{A36} xai-{A36}{A36}", "tskey-auth-••• gsk_••• xai-•••"),
    (f"sk-or-v1-{'0a1b2c3d' * 8}", "sk-or-v1-•••"),
    (f"AGE-SECRET-KEY-1{A36.upper()}{A22.upper()}", "AGE-SECRET-KEY-1•••"),
]
# Secrets in command lines.
OF_COMMANDS = [
    ("mysql -u root -phunter2 shop", "mysql -u root -p••• shop"),
    ("mysqldump --single-transaction -p'my own' shop", "mysqldump --single-transaction -p'•••' shop"),
    ("sshpass -p hunter2 ssh a@b", "sshpass -p ••• ssh a@b"),
    ('sshpass -p "correct horse" ssh -p 22 a@b', 'sshpass -p "•••" ssh -p 22 a@b'),
    ("sshpass -phunter2 ssh a@b", "sshpass -p••• ssh a@b"),
    ("docker login -u bob -p hunter2 r.example", "docker login -u bob -p ••• r.example"),
    ("docker --config /x login r.example -p=hunter2", "docker --config /x login r.example -p=•••"),
    ("helm registry login -p 'a b c' r.example", "helm registry login -p '•••' r.example"),
    ("sudo podman login \\\n  -u bob \\\n  -p hunter2", "sudo podman login \\\n  -u bob \\\n  -p •••"),
    ("mongosh -u root -p hunter2", "mongosh -u root -p •••"),
    ("zip -r -P hunter2 x.zip d; 7z a -phunter2 x.7z", "zip -r -P ••• x.zip d; 7z a -p••• x.7z"),
    ("ldapsearch -D cn=a -w hunter2 -b dc=x", "ldapsearch -D cn=a -w ••• -b dc=x"),
    ("ssh-keygen -t rsa -N 'my own' -f k", "ssh-keygen -t rsa -N '•••' -f k"),
    ("redis-cli -h r -a hunter2 ping", "redis-cli -h r -a ••• ping"),
    ("openssl rsa -in k.pem -passin pass:hunter2", "openssl rsa -in k.pem -passin pass:•••"),
    ("curl 'https://x.example?a=1&b=2' -u bob:hunter2", "curl 'https://x.example?a=1&b=2' -u bob:•••"),
    ("curl https://x.example?a=1&b=2 -u 'bob:my own'", "curl https://x.example?a=1&b=2 -u 'bob:•••'"),
    ("curl " + "-H 'A: b' " * 90 + "-u bob:hunter2", "curl " + "-H 'A: b' " * 90 + "-u bob:•••"),
]


@pytest.mark.parametrize(("text", "masked"), [*OF_FILES, *OF_WORDS, *OF_COMMANDS])
def test_secrets_of_many_tools_are_masked(text: str, masked: str) -> None:
    """Secrets are masked in the files, headers and command lines of many tools. Masking the result again does
    not change it."""
    assert Masker().mask(text) == masked
    assert Masker().mask(masked) == masked


ORDINARY = [
    "Fixed the token refresh in src/auth.py (see task-runner).",
    "sk-fading-circle-animation is a class",
    "commit 9db75776c1a0b2f3e4d5a6978876655443322110",
    "task 5f6c1f0e-6d0f-4b8e-9a53-0c8c3d0a1e11",
    "https://x.example:8080/a@b and git@x.example:a/b.git",
    "MAX_TOKENS=4096 TOKEN=$GITHUB_TOKEN",
    "interface Login {\n  password: string;\n}",
    "token = get_token()",
    "The bearer of this ticket",
    "-----BEGIN PRIVATE KEY----- is how it starts.",
    "MAX_TOKENS=unlimited max_tokens=4096 n_tokens=12",
    "TOKENIZER=gpt2-base tokenizer=gpt2-base",
    "SECRETARY=alice-example2",
    "pip install sk-learn sk-learn-contrib-package-2",
    "Authorization: required",
    "Authorization: it is required for 2 of them",
    "X-Api-Key: required",
    "Cookie: we use cookies, as all do",
    "--password is asked for with --password-stdin",
    "--token <TOKEN> --password=$PASSWORD",
    "docker run -u 1000:1000 x",
    "curl -u $USER:$PASS https://x.example/a:b",
    "password=get_password() token=self.token secret=None",
    "db_password=settings.DB_PASSWORD",
    "PASSWORD_FILE=/run/secrets/db TOKEN_URL=https://x.example/token2",
    "PWD=/home/coder/project1 OLDPWD=/home/coder/project2",
    '"auth": "required"',
    "sort_key=name2 primary-key: id2",
    "ya29. and hvs. and SG. are prefixes",
    "mkdir -p dir/of/mine2 && cp -p a1 b2",
    "docker run -p 80:80 -p 127.0.0.1:8080:8080 x",
    "ssh -p 22 a@b && scp -P 2222 c d",
    "mysql -u root -p shop; mkdir -pv a1",
    "mysql -P 3306 -h db1 | grep -p4ttern",
    "mysqld --port 3306 -port",
    "docker login -u bob --password-stdin < p1 | tee -p log1",
    "docker login -p $PASSWORD -p ${P4SS} -p <password1>",
    "sshpass -e ssh a@b; sshpass -f file1 ssh -p 2222 b",
    "docker build -t login -p2 .",
    "the login -p 1234 of a page",
    "redis-cli -h r -p 6379 -n 1 --scan",
    "| SecretAccessKey | (hidden) |\n| UserName | alice-of-the-long-name-2 |",
    "dop_v1_ is how they begin, dop_v1_short",
    "12:30:45 1700000000:INFO-of-the-long-line-of-words-here",
    "at 1700000000000:AAF-b3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF by the clock",
    "❤\ufe0f it: क\u094d\u200dष, \U0001f469\u200d\U0001f4bb",
    "AKIA and AKIAIOSFODNN are no whole ids",
    "token: src/components/Auth2Token.py and secret: see docs/Secrets2/Readme.md",
    'label = {"password": "Your password"}; password: str = "unset"',
    "run_pass=True first_pass=None PASS=3 FAIL=2 bypass=yes2 compass=n0rth tests PASS: 12",
    "gunzip -p x; zip -r a.zip b; 7z x a.7z; ssh-keygen -t ed25519 -f key1",
    "def token(self) -> Optional[Token]: List<Token>tokens",
    "https://user2@x.example/a https://x.example:8443/p@th",
    "tskey-auth- and lin_api_ and whsec_ are prefixes",
    '{"password": "Password must be at least 8 characters"}',
    "password: 'must be 8 chars'",
    "Unexpected token: SyntaxErrorAt12Line",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Text without secrets does not change, even code that mentions tokens."""
    assert Masker().mask(text) == text


@pytest.mark.parametrize(
    ("known", "text", "masked"),
    [
        ("s3cret/value+1", "it is s3cret/value+1!", "it is •••!"),
        ("s3cret/value+1", "?t=s3cret%2Fvalue%2B1", "?t=•••"),
        ("s3cretvalue", "it is s3cret\n   value!", "it is •••!"),
        ("s3cretvalue", "\u2502 it is s3cret   \u2502\n\u2502 value \u2502", "\u2502 it is ••• \u2502"),
        ("xoxb-a-known-one", "is xoxb-a-known-one", "is xoxb-•••"),
        ("abc", "abc is too short to be one", "abc is too short to be one"),
        ("taskwire", "it is taskwire, in .taskwire/store.sock", "it is •••, in .taskwire/store.sock"),
    ],
)
def test_a_known_token_is_masked_by_value(known: str, text: str, masked: str) -> None:
    """A token that the bot knows is masked, whether it is plain, URL-encoded, or broken into two lines by a
    terminal."""
    assert Masker([known, ""]).mask(text) == masked


def test_a_token_that_the_terminal_broke_is_masked() -> None:
    """A terminal breaks a token at the edge of the screen. Both parts are masked, and both lines keep the
    words beside the token."""
    text = f"{CUT[:SPLIT]}\n  {CUT[SPLIT:]} and go"

    assert Masker().mask(text) == f"{CUT[: CUT.index('ghp_')]}ghp_•••\n  and go"


def test_a_token_over_many_lines_is_masked() -> None:
    """A JSON Web Token (JWT) that a terminal has broken into several lines is masked."""
    token = "eyJhbGciOiJIUzI1NiJ9." + "eyJz" * 50 + "." + "dozj" * 10
    lines = [token[at : at + 80] for at in range(0, len(token), 80)]

    assert Masker().mask("\n".join(["It is", *lines, "ok"])) == "It is\neyJ•••\n\n\n\nok"


@patient
@given(st.text(), tokens, st.text(), st.integers(1, 7), st.sampled_from(["", "\n", "  \n    ", "\r\n"]))
def test_no_known_token_survives(before: str, token: str, after: str, at: int, gap: str) -> None:
    """A token that the bot knows is masked in any text, even if a line break is in the token or it is
    URL-encoded. One exception: a token that is a plain word may stay within a path."""
    if is_plain_word(token):
        before, after = before.replace("/", ""), after.replace("/", "")

    masked = Masker([token, "other-token"]).mask(f"{before}{token}{after}{token[:at]}{gap}{token[at:]}")

    assert token not in masked
    assert f"{token[:at]}{gap}{token[at:]}" not in masked
    assert quote(token, safe="") not in masked


@patient
@given(
    st.lists(
        st.sampled_from(
            [f"ghp_{A36}", "a" * 75, "•••", "\n", " ", "://a:", "b@c", "TOKEN=", "eyJ", "x.y", KEY]
        )
    )
)
def test_masking_twice_is_masking_once(pieces: list[str]) -> None:
    """A second pass does not change masked text."""
    text = "".join(pieces)

    once = Masker(["aaaaaaaa"]).mask(text)

    assert Masker(["aaaaaaaa"]).mask(once) == once
    assert len(once) <= len(text)


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "eyJ",
        "sk-",
        "://a:",
        "TOKEN_",
        "?token=",
        "bearer ",
        "-----BEGIN PRIVATE KEY-----\n",
        "a" * 79 + "\n",
    ],
)
def test_a_long_log_is_masked_at_once(unit: str) -> None:
    """The log has 200 kB of text that is slow for regular expressions. Masking takes less than the test's
    time limit."""
    assert Masker(["s3cretvalue"]).mask(unit * (200_000 // len(unit)))


@pytest.mark.parametrize("border", [8_192, 10_240])
def test_a_secret_at_the_border_of_a_window_is_masked(border: int) -> None:
    """A long text is masked in windows. A secret between two windows is masked too."""
    secret, masked = f"x ghp_{A36}{A36} y", "x ghp_••• y"
    masker = Masker()

    for at in range(border - len(secret) - 1, border + 2):
        assert masker.mask(" " * at + secret + "\n" * border) == " " * at + masked + "\n" * border


def test_a_secret_that_is_longer_than_a_window_is_masked_whole() -> None:
    """A long text is masked in windows. If a secret is longer than a window, masking looks for the secret's
    end in the rest of the text. The secret is masked whole."""
    assert Masker().mask("a ghp_" + "a" * 100_000 + " b") == "a ghp_••• b"


def test_only_our_own_tokens_are_masked_in_what_people_write() -> None:
    """In what people write, only Taskwire's own tokens are masked. Other text that looks like a token stays,
    because the person may want the agent to have it."""
    masker = Masker(own=["xoxb-1-our-own-token", "short-one"])

    masked = masker.mask_own(f"use xoxb-1-our-own-token, short-one or ghp_{A36}")

    assert masked == f"use •••, ••• or ghp_{A36}"


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 2_147, 2_148, 2_149, 9_000])
def test_of_a_text_without_secrets_the_beginning_is_kept_as_it_is(length: int) -> None:
    """`mask_beginning` keeps the beginning of a text, up to a limit. If the text has no secret, the beginning
    does not change."""
    text = ("one two " * 2_000)[:length]

    assert mask_beginning(Masker().mask, text, 100) == text[:100]


@patient
@given(st.integers(0, 300), st.sampled_from(["x ", "ghp_" + A36 + " ", "it is\n"]), st.integers(0, 50))
def test_a_secret_at_the_edge_of_what_is_kept_is_not_shown_in_half(at: int, unit: str, shift: int) -> None:
    """`mask_beginning` keeps the beginning of a long text. If the limit falls within a secret, no part of the
    secret is shown, even if earlier masking has shortened the text."""
    secret = "x" * shift + f" glpat-{A36 * 3} "
    text = unit * (4_000 // len(unit)) + "y" * at + secret + "z " * 4_000

    kept = mask_beginning(Masker().mask, text, 4_100)

    assert A36[:6] not in kept
    assert len(kept) <= 4_100


@patient
@given(
    st.lists(
        st.sampled_from(
            [f"{kind}{A36}" for kind in ("ghp_", "xoxb-", "sk-", "AKIA", "hvs.", "ya29.", "sk_live_", "eyJ")]
            + [
                "password",
                "_pwd",
                "sig",
                "api-key",
                "Cookie",
                "auth",
                "curl -u ",
                "https://",
                "?",
                "=",
                ":",
                "'",
            ]
            + ["aB3dE6gH9j-", A22, "a", "•", " ", "@", "--", "bearer "]
        )
    )
)
def test_a_single_line_is_masked_as_it_is_among_others(pieces: list[str]) -> None:
    """A short text of one line is masked on a faster path than a text of several lines. The result is the
    same."""
    line = "".join(pieces)

    assert Masker().mask(line) == Masker().mask(f"{line}\n").removesuffix("\n")


async def test_a_long_prompt_is_masked_in_a_thread() -> None:
    """A person edits a prompt. It is masked to see whether the person had seen a mask in it."""
    threads: list[int] = []

    def mask(text: str) -> str:
        threads.append(threading.get_ident())
        return text.replace("secret", "•••")

    assert await has_mask_instead(mask, "use secret", "use ••• twice")
    assert not await has_mask_instead(mask, "use nothing", "use ••• twice")
    assert not await has_mask_instead(mask, "use secret", "use nothing")
    assert len(threads) == 2
    assert threading.get_ident() not in threads
