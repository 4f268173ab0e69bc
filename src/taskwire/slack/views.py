"""Calls for dialogs and for the Home tab.

They are a part of the client for Slack's Web API (`outbound.py`).
"""

from slack_sdk.web.async_client import AsyncWebClient

from taskwire.domain.ids import UserId
from taskwire.domain.text.message import View
from taskwire.slack import models
from taskwire.slack.calls import Calls, Method
from taskwire.slack.drafts import Drafts


class Views:
    """What the bot shows in dialogs and in Home tabs. A call raises the errors in `errors`."""

    def __init__(self, client: AsyncWebClient, calls: Calls, drafts: Drafts, timeout_seconds: float) -> None:
        self._client = client
        self._calls = calls
        self._drafts = drafts
        self._timeout_seconds = timeout_seconds

    async def open(self, trigger_id: str, view: View) -> str:
        """Open a dialog and return the dialog's id.

        Raises `DialogGone` if the trigger is older than 3 seconds.
        """
        call = self._client.views_open(trigger_id=trigger_id, view=self._drafts.prepare_view(view))
        answer = await self._calls.make(Method.OPEN_VIEW, self._timeout_seconds, call)
        return models.require_text(Method.OPEN_VIEW, answer, "view", "id")

    async def update(self, view_id: str, view: View) -> None:
        """Replace a dialog's content. Raises `DialogGone` if the dialog is closed."""
        call = self._client.views_update(view_id=view_id, view=self._drafts.prepare_view(view))
        await self._calls.make(Method.UPDATE_VIEW, self._timeout_seconds, call)

    async def publish(self, person: UserId, view: View) -> None:
        """Replace the content of a person's Home tab.

        The caller must first take a place in Slack's rate limits with `Outbound.reserve`.
        """
        call = self._client.views_publish(user_id=person, view=self._drafts.prepare_view(view))
        await self._calls.make(Method.PUBLISH_VIEW, self._timeout_seconds, call, is_reserved=True)
