"""The demo's page: a stand-in of Slack's window in the browser, and beside it what Coder sees.

It stands on the control interface of the Slack stand-in and knows nothing else of it: `routes` gives what
`SlackSandbox(routes=...)` serves along, so that page and control interface have one origin.
"""

from taskwire_sandbox.page.serving import Hint, routes

__all__ = ["Hint", "routes"]
