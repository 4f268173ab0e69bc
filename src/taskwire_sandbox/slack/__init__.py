"""A strict stand-in for Slack on loopback: Web API, Socket Mode, Events API, and the people who use Slack.

It does what Slack does, not only what the bot needs. It imports nothing from `taskwire`.
"""

from taskwire_sandbox.slack.backend import Ephemeral
from taskwire_sandbox.slack.errors import PersonCannot
from taskwire_sandbox.slack.faults import CallFault, DeliveryFault
from taskwire_sandbox.slack.file_store import Attachment
from taskwire_sandbox.slack.interacting import Answer
from taskwire_sandbox.slack.ledger import Call, Delivery
from taskwire_sandbox.slack.server import SlackSandbox
from taskwire_sandbox.slack.submitting import Submitted
from taskwire_sandbox.slack.view_stacks import View

__all__ = [
    "Answer",
    "Attachment",
    "Call",
    "CallFault",
    "Delivery",
    "DeliveryFault",
    "Ephemeral",
    "PersonCannot",
    "SlackSandbox",
    "Submitted",
    "View",
]
