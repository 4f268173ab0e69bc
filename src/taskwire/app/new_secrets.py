"""Uses each new secret that was written into its file while the bot runs.

No call is lost. Calls that have begun end with the previous secret. A second connection to Slack is opened
before the first is closed. For five minutes, requests to Taskwire with the previous secret are also accepted.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

from redis.exceptions import AuthenticationError, RedisError

from taskwire import sealing
from taskwire.app.http_secrets import HttpSecrets
from taskwire.app.secret_files import UseSecret
from taskwire.app.wiring import Parts
from taskwire.coder.errors import TokenRefused
from taskwire.domain.errors import OutsideError, UserError
from taskwire.messages import troubles
from taskwire.redis import connection, key_file
from taskwire.redis.connection import Connections
from taskwire.settings import Settings
from taskwire.settings_secrets import list_redis_passwords
from taskwire.slack.errors import TokenProblem
from taskwire.state.owner import Ownership
from taskwire.telemetry import logger

_log = logger("taskwire.app.new_secrets")


class NewSecrets:
    """Uses new secrets in one running bot."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        parts: Parts,
        http: HttpSecrets,
        ownership: Ownership,
        reconnect: Callable[[str], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._connections = connections
        self._parts = parts
        self._http = http
        self._ownership = ownership
        self._reconnect = reconnect

    def by_setting(self) -> Mapping[str, UseSecret]:
        """Return for each setting, by its name, the function that uses a new secret."""
        uses: dict[str, UseSecret] = {
            "CODER_SESSION_TOKEN": self._use_coder_token,
            "SLACK_BOT_TOKEN": self._use_bot_token,
            "TASKWIRE_SECRET_KEYS": self._use_keys,
            "REDIS_URL": self._use_redis_url,
        }
        if (oauth := self._parts.deps.oauth) is not None:
            uses["TASKWIRE_CODER_OAUTH_SECRET"] = self._receive(
                "TASKWIRE_CODER_OAUTH_SECRET", oauth.use_secret
            )
        if self._settings.is_socket_mode:
            uses["SLACK_APP_TOKEN"] = self._use_app_token
        if (signatures := self._http.signatures) is not None:
            uses["SLACK_SIGNING_SECRET"] = self._receive("SLACK_SIGNING_SECRET", signatures.replace)
        if (webhook := self._http.webhook) is not None:
            uses["TASKWIRE_WEBHOOK_TOKEN"] = self._receive("TASKWIRE_WEBHOOK_TOKEN", webhook.replace)
        if (admin := self._http.admin) is not None:
            uses["TASKWIRE_ADMIN_TOKEN"] = self._receive("TASKWIRE_ADMIN_TOKEN", admin.replace)
        return uses

    def _receive(self, setting: str, replace: Callable[[str], None]) -> UseSecret:
        """Return a function that calls `replace` with a new secret of a setting.

        The new secret is used at once, because no call to Slack or Coder can test such a secret before.
        """

        async def use(secret: str) -> bool:
            self._settings.masker.learn(secret)
            replace(secret)
            _log.info("a secret was replaced", setting=setting)
            return True

        return use

    async def _use_coder_token(self, token: str) -> bool:
        # Nothing may show the token, not even an error of the first request with it.
        self._settings.masker.learn(token)
        parts, coder = self._parts, self._parts.deps.service_coder
        try:
            account = await coder.for_person(token, "").get_own_user()
        except TokenRefused:
            _log.error("Coder refuses the new token, the present one stays in use")
            await parts.alerts.warn("new token", troubles.new_token_refused())
            return True
        except OutsideError as error:
            _log.warning("Coder's new token cannot be tried yet, will retry", error=str(error))
            return False
        coder.use_token(token)
        parts.account.expect_change()
        _log.info("Coder's token was replaced", account=account.username)
        return True

    async def _use_bot_token(self, token: str) -> bool:
        self._settings.masker.learn(token)
        slack, bot = self._parts.deps.slack, self._parts.deps.bot
        try:
            identity = await slack.get_identity_of(token)
        except TokenProblem:
            return self._refused("SLACK_BOT_TOKEN", "Slack refuses it")
        except OutsideError as error:
            return self._not_tried("SLACK_BOT_TOKEN", error)
        if (identity.team_id, identity.bot_user_id) != (bot.team_id, bot.bot_user_id):
            return self._refused("SLACK_BOT_TOKEN", "it belongs to another app or workspace")
        slack.use_token(token)
        _log.info("a secret was replaced", setting="SLACK_BOT_TOKEN")
        return True

    async def _use_app_token(self, token: str) -> bool:
        self._settings.masker.learn(token)
        try:
            await self._reconnect(token)
        except TokenProblem:
            return self._refused("SLACK_APP_TOKEN", "Slack refuses it")
        except OutsideError as error:
            return self._not_tried("SLACK_APP_TOKEN", error)
        _log.info("a secret was replaced", setting="SLACK_APP_TOKEN")
        return True

    async def _use_keys(self, text: str) -> bool:
        keys = sealing.parse_keys(text)
        for key in keys:
            self._settings.masker.learn(key)
        if not keys or not all(sealing.is_key(key) for key in keys):
            return self._refused("TASKWIRE_SECRET_KEYS", "not all of it are keys")
        own = () if not self._connections.is_embedded else key_file.read(self._settings.data_dir.absolute())
        ring = sealing.KeyRing((*keys, *own))
        if not set(ring.ids) & set(sealing.key_ring().ids):
            return self._refused("TASKWIRE_SECRET_KEYS", "it has none of the present keys")
        sealing.install_keys((*keys, *own))
        self._parts.sweeps.stored_keys.start_again()
        owner = await self._ownership.find()
        if owner is not None:
            await self._ownership.claim(owner)
        _log.info("a secret was replaced", setting="TASKWIRE_SECRET_KEYS", newest=ring.newest_id)
        return True

    async def _use_redis_url(self, url: str) -> bool:
        try:
            if not connection.is_same_place(self._connections, url):
                return self._refused("REDIS_URL", "another place needs a restart")
            if self._connections.password.provider is None:
                return self._refused("REDIS_URL", "a first password needs a restart")
            for password in list_redis_passwords(url):
                self._settings.masker.learn(password)
                self._settings.masker.learn(unquote(password))
            async with connection.open(url) as tried:
                await tried.commands.ping()
        except UserError as error:
            return self._refused("REDIS_URL", str(error))
        except AuthenticationError:
            return self._refused("REDIS_URL", "Redis refuses the user name or password")
        except RedisError as error:
            return self._not_tried("REDIS_URL", error)
        connection.use_password(self._connections, url)
        _log.info("a secret was replaced", setting="REDIS_URL")
        return True

    def _refused(self, setting: str, why: str) -> bool:
        _log.error("a new secret is not used, the present one stays in use", setting=setting, why=why)
        return True

    def _not_tried(self, setting: str, error: Exception) -> bool:
        _log.warning("a new secret cannot be tried yet, will retry", setting=setting, error=str(error))
        return False
