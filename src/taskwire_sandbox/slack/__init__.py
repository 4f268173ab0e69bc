"""A strict stand-in for Slack on loopback: Web API, Socket Mode, Events API, and the people who use Slack.

The stand-in does what Slack does, not only what the bot needs. It imports nothing from `taskwire`.
"""

from taskwire_sandbox.slack.app_actions import ActionResult
from taskwire_sandbox.slack.backend import Ephemeral
from taskwire_sandbox.slack.errors import ImpossibleAction
from taskwire_sandbox.slack.faults import CallFault, DeliveryFault
from taskwire_sandbox.slack.file_store import CANVAS, Attachment
from taskwire_sandbox.slack.ledger import Call, Delivery
from taskwire_sandbox.slack.server import SlackSandbox
from taskwire_sandbox.slack.submissions import SubmitResult
from taskwire_sandbox.slack.view_stacks import View

__all__ = [
    "CANVAS",
    "ActionResult",
    "Attachment",
    "Call",
    "CallFault",
    "Delivery",
    "DeliveryFault",
    "Ephemeral",
    "ImpossibleAction",
    "SlackSandbox",
    "SubmitResult",
    "View",
]
