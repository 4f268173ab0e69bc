"""Tokens of services are masked wherever they stand alone, by the letters with which they begin."""

import pytest

from taskwire.domain.masking.secrets import Masker

A10, A40 = "aB3dE6gH9j", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6kL9m"
HEX = "0a1b2c3d"

TOKENS = [
    # Of Coder's OAuth2 provider: an app's secret, a code, an access token or a refresh token.
    (f"coder_{A10}_{A40}", f"coder_{A10}_•••"),
    (f"Coder_{A10}_{A40}", f"Coder_{A10}_•••"),
    (
        f"https://t.example/coder/callback?x=coder_{A10}_{A40}&y=1",
        f"https://t.example/coder/callback?x=coder_{A10}_•••&y=1",
    ),
    # Databricks, Supabase, Figma, Replicate, Doppler, CircleCI, Postman, New Relic, Bitbucket, Google.
    (f"dapi{HEX * 4}", "dapi•••"),
    (f"dapi{HEX * 4}-2", "dapi•••"),
    (f"sbp_{HEX * 5}", "sbp_•••"),
    (f"sb_secret_{A40[:31]}", "sb_secret_•••"),
    (f"figd_{A40}", "figd_•••"),
    (f"r8_{A40[:37]}", "r8_•••"),
    (f"dp.pt.{A40}abc", "dp.pt.•••"),
    (f"dp.st.dev_1.{A40}", "dp.st.dev_1.•••"),
    (f"CCIPAT_{A40[:22]}_{HEX * 5}", "CCIPAT_•••"),
    (f"CCIPRJ_{A40[:22]}_{HEX * 5}", "CCIPRJ_•••"),
    (f"PMAK-{HEX * 3}-{HEX * 4}0a", "PMAK-•••"),
    (f"NRAK-{A40[:27].upper()}", "NRAK-•••"),
    (f"NRII-{A40[:32]}", "NRII-•••"),
    (f"ATBB{A40[:32]}", "ATBB•••"),
    (f"GOCSPX-{A40[:28]}", "GOCSPX-•••"),
    (
        f"https://discord.com/api/webhooks/123456789012345678/{A40}-{A40[:27]}",
        "https://discord.com/api/webhooks/123456789012345678/•••",
    ),
    (
        f"https://discordapp.com/api/v10/webhooks/123456789012345678/{A40}_{A40[:27]}",
        "https://discordapp.com/api/v10/webhooks/123456789012345678/•••",
    ),
]


@pytest.mark.parametrize(("text", "masked"), TOKENS)
@pytest.mark.parametrize(
    "around", ["{}", "It is {}.", "`{}`", "('{}')", "first line\nX={} and\nlast line", "→{}←"]
)
def test_a_token_that_stands_alone_is_masked(text: str, masked: str, around: str) -> None:
    """A token has no name before it that says what it is. It is masked by its own form, in a single line and
    in a text of several lines. Masking the result again does not change it."""
    assert Masker().mask(around.format(text)) == around.format(masked)
    assert Masker().mask(around.format(masked)) == around.format(masked)


@pytest.mark.parametrize(
    "text",
    [
        "coder_agent and coder_workspace_preset_parameter are resources",
        "module.coder_parameter_of_the_workspace_that_is_started_first",
        'resource "coder_app" "coder_1234567890_name"',
        f"decoder_{A10}_{A40}",
        "dapi and dapi_client and dapichecksum",
        f"a commit {HEX * 5}",
        "sbp_ and figd_ and r8_ and sb_secret_ are prefixes",
        "sb_secret_short and figd_short and r8_minify_of_classes",
        f"or8_{A40}",
        "R8_OPTIMIZE_THE_CLASSES_OF_THE_APPLICATION_ONCE is r8_optimize_the_classes_of_the_application",
        "dp.pt. and dp.st.dev. and np.dp.pt.of_arrays and dp.append(x)",
        "CCIPAT_ and CCIPAT_SHORT and PMAK- and PMAK-1234",
        "NRAK- and NRII-SHORT-NAME and ATBB and ATBBEGINNINGS",
        "GOCSPX- and GOCSPX-short",
        "https://discord.com/api/webhooks/123456789012345678 and https://discord.com/channels/1234/5678",
        "https://docs.example/api/webhooks/123456789012345678/a-long-title-of-a-page-about-all-of-the-webhooks",
    ],
)
def test_what_only_looks_like_a_token_is_left_alone(text: str) -> None:
    """Names of resources, prefixes, commits and words are no tokens."""
    assert Masker().mask(text) == text
