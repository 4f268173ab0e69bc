"""Why a person has no Coder account that they can use."""

from taskwire.domain.errors import AccountRefused, UserError
from taskwire.domain.ids import UserId


class AccountNeeded(AccountRefused):
    """The person has no Coder account yet. The request of the person waits until they have connected one."""

    def __init__(self, person: UserId) -> None:
        super().__init__("the person has connected no account")
        self.person = person


class NoAccount(UserError):
    """No Coder user can be found by the person's e-mail address.

    Slack shows no confirmed address, or the address belongs to no Coder user, or to several.
    """


class Suspended(UserError):
    """The person's Coder account is suspended. An administrator of Taskwire is refused too.

    `user_id` is the id of the Coder user, if Coder has just said so.
    """

    def __init__(self, sentence: str, hint: str, user_id: str = "") -> None:
        super().__init__(sentence, hint, reason="suspended")
        self.user_id = user_id
