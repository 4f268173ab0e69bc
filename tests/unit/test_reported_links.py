"""The label and the short name of a link that an agent reported. Only a pull request is called one."""

import pytest

from taskwire.messages.blocks import link_label, link_name
from tests.unit.message_examples import CODER, FORGES

PULL_REQUESTS = {
    "https://github.com/acme/site/pull/12": "PR #12",
    "https://github.com/acme/site/pull/12/": "PR #12",
    "https://github.com/acme/site/pull/12/files#diff-1": "PR #12",
    "https://github.com/acme/site/pull/12/commits/0a1b2c3d4e": "PR #12",
    "https://git.example.com/acme/site/pulls/12/files": "PR #12",
    "https://git.example.com/acme/site/pull-requests/12/overview": "PR #12",
    "https://git.example.com/projects/ACME/repos/site/pull-requests/12/diff": "PR #12",
    "https://git.example.com/acme/My%20Shop/_git/site/pullrequest/12?_a=files": "PR #12",
    "https://gitlab.example.com/acme/shop/web/site/-/merge_requests/3/diffs": "MR !3",
    "https://gitlab.example.com/acme/site/merge_requests/3": "MR !3",
    "https://gitlab.example.com/acme/site/-/issues/9": "issue #9",
    "https://github.com/acme/site/issues/9": "issue #9",
}
OTHERS = [
    "https://github.com/evil/tools/raw/main/pull/12/setup.exe",
    "https://github.com/evil/tools/raw/main/pull/12",
    "https://github.com/evil/tools/blob/main/-/merge_requests/3",
    "https://github.com/evil/tools/raw/main/_git/x/pullrequest/3",
    "https://github.com/evil/tools/releases/download/v1/-/merge_requests/3",
    "https://github.com/login/oauth/authorize/pull/1?client_id=evil&scope=repo",
    "https://github.com/acme/site/pull/12/files/setup.exe",
    "https://github.com/acme/site/pull/12/../../../../evil/tools",
    "https://github.com/acme/../pull/12",
    "https://github.com/acme/site/pull/12%2f..%2fevil",
    "https://github.com/acme/site/pull/\u0661\u0662",
    "https://gitlab.example.com/evil/tools/-/raw/main/-/merge_requests/3",
    "https://gitlab.example.com/evil/tools/-/jobs/5/artifacts/file/-/issues/9",
    "https://git.example.com/projects/EVIL/repos/tools/raw/pull-requests/12",
    "https://github.com/pull/12",
    # A forge below a path. A file `12` of the branch `pull` has an address of the same shape, the next one.
    "https://git.example.com/git/acme/site/pull/12",
    "https://github.com/evil/tools/raw/pull/12",
]


@pytest.mark.parametrize(("url", "name"), PULL_REQUESTS.items())
def test_the_pages_of_each_forge_are_known(url: str, name: str) -> None:
    """A pull request, a merge request and an issue have a label and a short name, on each of their tabs."""
    kind = {"PR": "View pull request", "MR": "View merge request", "issue": "View issue"}[name.split()[0]]

    assert (link_label(url), link_name(url, CODER, FORGES)) == (kind, name)


@pytest.mark.parametrize("url", OTHERS)
def test_a_file_with_such_words_in_its_path_is_only_a_link(url: str) -> None:
    """An agent reports a file whose path contains the words of a pull request. It is only called a link."""
    assert (link_label(url), link_name(url, CODER, FORGES)) == ("Open link", "link")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/tasks/alice/t-1", "link"),
        ("/tasks/alice/pull/12", "PR #12 (coder.example.com)"),
        ("/@alice/ws.main/apps/preview/pull/12", "link (coder.example.com)"),
        ("/@alice/ws.main/apps/preview/tasks/alice/t-1", "link (coder.example.com)"),
        ("/tasks/../@alice", "link (coder.example.com)"),
        ("/", "link (coder.example.com)"),
    ],
)
def test_only_a_tasks_page_in_coder_has_no_host(path: str, name: str) -> None:
    """Agents and templates show pages of their own under Coder's address, so the host is shown."""
    assert link_name(f"{CODER}{path}", CODER, FORGES) == name
