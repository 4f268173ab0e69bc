"""The Web API client as it must be: it asks once, waits only so long, and follows nothing.

slack_sdk 3.48 as it comes repeats a request whose connection was cut, makes a session for each call, sends
requests to a proxy that NO_PROXY excludes, follows redirects, and stumbles over answers that are not JSON.
"""

import logging
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from taskwire import transport


class _Client(AsyncWebClient):
    """Follows no redirect, and hands on an answer that is no JSON object as an empty one."""

    async def _request(
        self,
        *,
        http_verb: str,
        api_url: str,
        req_args: dict[str, Any],  # the SDK's own type
    ) -> dict[str, Any]:
        """Ask once."""
        arguments = req_args | {"allow_redirects": False}
        answer = await super()._request(http_verb=http_verb, api_url=api_url, req_args=arguments)
        if isinstance(answer["data"], dict):
            return answer
        return answer | {"data": {}}


def make_client(
    token: str | None, base_url: str, *, session: aiohttp.ClientSession | None = None
) -> AsyncWebClient:
    """Make the client over a session of `transport.make_session`; whoever makes it closes its session.

    Call it inside the running loop. How long a call may take is said with each call, in `outbound`.
    """
    proxy = transport.proxy_for(base_url)
    # At its own level (none) the SDK writes out every request, and with it what people say, for the log.
    logger = logging.getLogger("taskwire.slack.sdk")
    logger.setLevel(logging.INFO)
    client = _Client(
        token=token,
        base_url=base_url,
        session=session or transport.make_session(proxy=proxy),
        retry_handlers=[],
        logger=logger,
    )
    # Without one it has taken what the environment names, whatever NO_PROXY says.
    client.proxy = proxy
    return client
