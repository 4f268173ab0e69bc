"""The tokens of one Coder account: makes a named token, finds tokens by their name, and deletes them.

Each function takes the client of that account. The client's own token must have the right to manage tokens.
"""

from datetime import timedelta
from urllib.parse import quote

from taskwire.coder import models
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NameTaken, PersonTokenRefused
from taskwire.domain.errors import Refused
from taskwire.telemetry import logger

KEYS = "/users/me/keys"
_NANOSECONDS = 1_000
# Coder refuses a token whose lifetime is longer than its limit, and may round the lifetime.
LIFETIME_MARGIN = timedelta(minutes=1)

_log = logger("taskwire.coder.keys")


async def make_token(client: CoderClient, name: str, scopes: tuple[str, ...]) -> str:
    """Make a token that lives as long as possible, and return it.

    If the account has tokens of this name, they are deleted first, except the token that the client uses.
    There is such a token, for example, if Coder's answer with the token was lost.
    """
    lifetime = await get_longest_lifetime(client) - LIFETIME_MARGIN
    try:
        return await create_token(client, name, scopes, lifetime)
    except NameTaken:
        for key_id in await list_named(client, name):
            if key_id != client.key_id:
                await delete_quietly(client, key_id)
        return await create_token(client, name, scopes, lifetime)


async def get_own_key(client: CoderClient) -> models.ApiKey:
    """Return Coder's record of the client's own token."""
    body = await client.request("get key", "GET", f"{KEYS}/{quote(client.key_id, safe='')}", 200)
    return models.parse(models.ApiKey, body, "get key")


async def create_token(client: CoderClient, name: str, scopes: tuple[str, ...], lifetime: timedelta) -> str:
    """Make a token and return it. Without `scopes`, the token has all rights of the account.

    Raises `NameTaken` if the account has a token of this name.
    """
    wanted: dict[str, object] = {
        "token_name": name,
        "lifetime": lifetime // timedelta(microseconds=1) * _NANOSECONDS,
    }
    content = wanted | ({"scopes": list(scopes)} if scopes else {})
    body = await client.request("create token", "POST", f"{KEYS}/tokens", 201, content)
    return models.parse(models.NewKey, body, "create token").key


async def get_longest_lifetime(client: CoderClient) -> timedelta:
    """Return how long a token of this account may live."""
    body = await client.request("get token limits", "GET", f"{KEYS}/tokens/tokenconfig", 200)
    longest = models.parse(models.TokenConfig, body, "get token limits").max_token_lifetime
    return timedelta(microseconds=longest // _NANOSECONDS)


async def list_named(client: CoderClient, name: str) -> list[str]:
    """Return the ids of the account's tokens with this name."""
    body = await client.request("list tokens", "GET", f"{KEYS}/tokens", 200)
    return [key.id for key in models.parse_list(models.ApiKey, body, "list tokens") if key.token_name == name]


async def delete_key(client: CoderClient, key_id: str) -> None:
    """Delete a token of this account, named or not."""
    await client.request("delete token", "DELETE", f"{KEYS}/{quote(key_id, safe='')}", 204)


async def delete_quietly(client: CoderClient, key_id: str) -> None:
    """Delete a token, if Coder still has the token and allows the deletion."""
    try:
        await delete_key(client, key_id)
    except (Refused, PersonTokenRefused) as error:
        _log.info("token not deleted in Coder, will not retry", key=key_id, error=str(error))
