"""`/task doctor`: examines the running bot, and shows administrators what is wrong.

`tasks/queries.py` checks that the person may use this command. `examination.py` has the checks.
"""

from taskwire.coder.client import CoderClient
from taskwire.coder.oauth import OAuthClient
from taskwire.doctor.examination import Examination, RunningClients
from taskwire.domain.text.message import Message
from taskwire.messages.doctor import ShownFinding, show_findings
from taskwire.redis.connection import Connections
from taskwire.settings import Settings
from taskwire.single_flight import SingleFlight
from taskwire.slack.outbound import Outbound


class DoctorInSlack:
    """Makes one examination at a time. People who ask during an examination share the next examination."""

    def __init__(
        self,
        settings: Settings,
        slack: Outbound,
        coder: CoderClient,
        connections: Connections,
        oauth: OAuthClient | None,
    ) -> None:
        self._settings = settings
        self._running = RunningClients(slack, coder, connections, oauth)
        self._examinations = SingleFlight(self._examine)

    async def examine(self) -> Message:
        """Return the findings of an examination, without secrets."""
        return await self._examinations.get()

    async def _examine(self) -> Message:
        mask = self._settings.masker.mask
        found = [
            ShownFinding(finding.name, finding.state, mask(finding.says), mask(finding.hint))
            async for finding in Examination(self._settings, self._running).findings()
        ]
        return show_findings(found)
