"""What Slack's surface for agents shows about a thread. `methods/sessions.py` sets it."""

from dataclasses import dataclass

# The event of Slack's own button that stops an agent.
STOPPED_EVENT = "agent_session_stopped"
# How long Slack shows that an agent works, unless the app sets the status again.
SESSION_SECONDS = 3600


@dataclass
class AgentSession:
    """The session of one thread. `set_at` is the time at which its status was set."""

    title: str
    status: str = ""
    set_at: float = 0.0
