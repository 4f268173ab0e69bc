"""agents.sessions.*: methods for Slack's own surface for agents.

This surface shows the status of a thread's agent, and has a button that stops the agent. The method has two
errors that other methods do not have. Both errors are listed below.
"""

from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json, invalid_arguments
from taskwire_sandbox.slack.methods.spec import get_visible_channel, method
from taskwire_sandbox.slack.sessions import STOPPED_EVENT, AgentSession

STATUSES = ("active", "processing", "suspended", "closed")
_LONGEST_TITLE = 200


def _set_status(slack: Backend, arguments: Json) -> Json:
    if not slack.app.manifest.is_agent:
        raise ApiError("not_authorized")
    status, title = arguments["status"], arguments.get("title", "")
    if status not in STATUSES or len(title) > _LONGEST_TITLE:
        raise invalid_arguments("status or title")
    channel = get_visible_channel(slack, arguments.get("channel_id", ""))
    thread_ts = arguments.get("thread_ts", "")
    root = channel.messages.get(thread_ts)
    if root is None or root.body.get("thread_ts", thread_ts) != thread_ts:
        raise invalid_arguments("thread_ts")
    session = slack.sessions.setdefault((channel.id, thread_ts), AgentSession(title=title))
    session.status, session.set_at = status, slack.ids.clock()
    answer: Json = {"status": status, "agent_status": status, "title": session.title}
    if status == "processing" and not slack.app.manifest.wants(STOPPED_EVENT):
        answer["warning"] = "missing_agent_session_stopped_event_subscription"
    return answer


METHODS = (
    method(
        "agents.sessions.setStatus",
        _set_status,
        "channel_id status! thread_ts title initiator_user_id icon_emoji icon_url username",
        tier=3,
        scopes="chat:write",
        errors="channel_not_found not_authorized",
    ),
)
