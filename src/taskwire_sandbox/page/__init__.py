"""The demo's page: a stand-in for Slack's window in the browser, with a panel that shows Coder.

The page uses only the control interface of the Slack stand-in. `routes` is passed to
`SlackSandbox(routes=...)`, so the page and the control interface have one origin.
"""

from taskwire_sandbox.page.serving import Hint, routes

__all__ = ["Hint", "routes"]
