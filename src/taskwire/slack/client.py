"""Makes the SDK's client for the Web API.

The client sends each request once, with a timeout, without redirects.

By default, slack_sdk 3.48 repeats a request whose connection was cut. It also makes a session for each call,
ignores NO_PROXY, follows redirects, and fails on answers that are not JSON. The client of this module does
none of that.
"""

import logging
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from taskwire import transport


class _Client(AsyncWebClient):
    """Follows no redirects. If an answer is not a JSON object, returns an empty object."""

    async def _request(
        self,
        *,
        http_verb: str,
        api_url: str,
        req_args: dict[str, Any],  # the SDK's own type
    ) -> dict[str, Any]:
        """Send one request. The SDK calls this for every method."""
        arguments = req_args | {"allow_redirects": False}
        answer = await super()._request(http_verb=http_verb, api_url=api_url, req_args=arguments)
        if isinstance(answer["data"], dict):
            return answer
        return answer | {"data": {}}


def make_client(
    token: str | None, base_url: str, *, session: aiohttp.ClientSession | None = None
) -> AsyncWebClient:
    """Make a client that uses a session of `transport.make_session`. The caller must close the session.

    Call this inside the running event loop. `outbound` sets a timeout for each call.
    """
    proxy = transport.proxy_for(base_url)
    # Without a level, the SDK logs every request, including what people write.
    logger = logging.getLogger("taskwire.slack.sdk")
    logger.setLevel(logging.INFO)
    client = _Client(
        token=token,
        base_url=base_url,
        session=session or transport.make_session(proxy=proxy),
        retry_handlers=[],
        logger=logger,
    )
    # The SDK would take a proxy from the environment and ignore NO_PROXY, so set the proxy here.
    client.proxy = proxy
    return client
