"""A strict look-alike of Slack on loopback: Web API, Socket Mode, Events API, and the people in it."""

from taskwire.sandbox.slack.backend import Ephemeral
from taskwire.sandbox.slack.errors import PersonCannot
from taskwire.sandbox.slack.faults import CallFault, DeliveryFault
from taskwire.sandbox.slack.file_store import Attachment
from taskwire.sandbox.slack.interacting import Answer
from taskwire.sandbox.slack.ledger import Call, Delivery
from taskwire.sandbox.slack.server import SlackSandbox
from taskwire.sandbox.slack.submitting import Submitted
from taskwire.sandbox.slack.view_stacks import View

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
