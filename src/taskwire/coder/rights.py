"""Rights: what an account may do with the tasks of all people.

The roles of the account, and the scopes of its token, give the rights. A right has the same name as the scope
that allows the same thing, for example `task:read`. Coder says for each right whether the account has it.
This answer includes the rights of custom roles, which no other answer of Coder includes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import RootModel, ValidationError

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import BadRequest, Forbidden, NotFound, UnexpectedCoderAnswer
from taskwire.coder.models import User

# The rights that each feature needs. `docs/security.md` has the same table. Two things need no role: a
# template's own list says who may use the template, and an account may always read its own token.
FEATURE_RIGHTS: dict[str, tuple[str, ...]] = {
    "find people's Coder accounts": ("user:read",),
    "list and show tasks": ("task:read", "workspace:read"),
    "show what an agent reported and why a build failed": ("workspace:read",),
    "create tasks for people": ("user:read", "task:create", "workspace:create"),
    "read the log of a running agent": ("task:read", "workspace:read", "workspace:application_connect"),
    "send replies to agents": ("task:read", "workspace:read", "workspace:application_connect"),
    "pause tasks": ("task:read", "workspace:read", "workspace:stop"),
    "resume tasks": ("task:read", "workspace:read", "workspace:start"),
    "edit prompts": ("task:read", "task:update", "workspace:read"),
    "delete tasks": ("task:read", "task:delete", "workspace:read", "workspace:delete"),
}
NEEDED_RIGHTS = tuple(dict.fromkeys(right for needed in FEATURE_RIGHTS.values() for right in needed))
# The rights that Coder requires before it shows a task.
_SHOW_TASKS = frozenset(FEATURE_RIGHTS["list and show tasks"])
# People belong to the whole site, so no role of an organization gives this right.
READ_USERS = "user:read"


class _Answers(RootModel[dict[str, bool]]):
    """Coder's answer: whether we have each right. Its keys are the names that our request gave the checks."""


@dataclass(frozen=True)
class AccountRights:
    """The rights that an account lacks, for each of its organizations."""

    missing: tuple[tuple[str, ...], ...]

    @property
    def fewest_missing(self) -> tuple[str, ...]:
        """The rights that the account lacks in the organization in which it has the most rights."""
        return min(self.missing, key=len)

    @property
    def sufficient_count(self) -> int:
        """The number of organizations in which the account lacks no right."""
        return self.missing.count(())


async def find_rights(client: CoderClient, account: User) -> AccountRights | None:
    """Ask Coder, in one call, for our account's rights in all of its organizations.

    Return None if Coder does not say.
    """
    organizations = account.organization_ids or ("",)
    checks = {
        _name_check(organization, right): _make_check(organization, right)
        for organization in organizations
        for right in NEEDED_RIGHTS
    }
    try:
        body = await client.request("check rights", "POST", "/authcheck", 200, {"checks": checks})
        answers = _Answers.model_validate_json(body).root
    except (NotFound, BadRequest, Forbidden, UnexpectedCoderAnswer, ValidationError):
        return None
    if checks.keys() - answers.keys():
        return None
    return AccountRights(
        tuple(
            tuple(right for right in NEEDED_RIGHTS if not answers[_name_check(organization, right)])
            for organization in organizations
        )
    )


def list_lost_features(missing: Iterable[str]) -> list[str]:
    """Return what Taskwire cannot do without these rights, in the words of `FEATURE_RIGHTS`."""
    lost = set(missing)
    return [feature for feature, needed in FEATURE_RIGHTS.items() if lost.intersection(needed)]


async def sees_everything(client: CoderClient) -> bool:
    """Return whether our account sees all people and, at least in one organization, all tasks."""
    account = await client.get_own_user()
    if account.is_owner:
        return True
    found = await find_rights(client, account)
    return found is not None and not {READ_USERS, *_SHOW_TASKS}.intersection(found.fewest_missing)


async def sees_every_task(client: CoderClient, account: User) -> bool:
    """Return whether our account sees all tasks in all of its organizations.

    If it does, a task that Coder does not show to the account is gone.
    """
    if account.is_owner:
        return True
    found = await find_rights(client, account)
    return found is not None and not any(_SHOW_TASKS.intersection(lacks) for lacks in found.missing)


def _name_check(organization: str, right: str) -> str:
    return f"{right} {organization}".strip()


def _make_check(organization: str, right: str) -> dict[str, object]:
    resource, _, action = right.partition(":")
    where = {"organization_id": organization} if organization and right != READ_USERS else {}
    return {"object": {"resource_type": resource, **where}, "action": action}
