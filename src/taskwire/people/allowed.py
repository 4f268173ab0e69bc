"""Refuses people, and channels, that the settings do not allow.

`permissions.py` finds out whether a person is barred.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import Barred, PlaceNotAllowed
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId
from taskwire.domain.queueing.jobs import Reply
from taskwire.domain.requester import Requester
from taskwire.messages import refusals

_BARRED = {
    "bot": refusals.NOT_FOR_BOTS,
    "stranger": refusals.NOT_FOR_STRANGERS,
    "guest": refusals.NOT_FOR_GUESTS,
    "group": refusals.NOT_IN_A_GROUP,
}


def require_not_barred(barred: Barred) -> None:
    """Raise UserError with the reason why the person may not use the bot, if there is one."""
    if barred:
        reason = "not_in_a_group" if barred == "group" else "not_a_member"
        raise UserError(*_BARRED[barred], reason=reason)


def require_allowed(deps: Dependencies, channel: ChannelId, asked: Requester | Reply | None = None) -> None:
    """Raise PlaceNotAllowed if the settings do not allow the bot in this channel.

    `asked` is the person's request or reply. If the settings did not allow the channel when it arrived, raise
    the error even if they allow the channel now. Raise UserError if it was known then that the person might
    not use the bot.
    """
    if (asked is not None and asked.is_out_of_place) or not deps.allowed.has_channel(channel):
        raise PlaceNotAllowed(*refusals.NOT_IN_THIS_CHANNEL, reason="place")
    if asked is not None:
        require_not_barred(asked.barred)
