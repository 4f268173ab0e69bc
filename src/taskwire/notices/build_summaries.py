"""Reads what Coder shows about a workspace's latest build, for the notices of errors and pauses."""

import asyncio
from typing import NamedTuple

from taskwire.agent.observing import LONGEST_REPORT
from taskwire.coder.client import CoderClient
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.telemetry import logger

BUILD_LOG_LINES = 15
# In characters. At most this much of a build log is masked. Much less is shown.
LONGEST_BUILD_LOG = 50_000
# Coder's status of a build that succeeded.
BUILD_SUCCEEDED = "succeeded"

_log = logger("taskwire.notices.build_summaries")


class BuildSummary(NamedTuple):
    """What a workspace's latest build says about an error or a pause.

    For an error, `log` is the end of the build's log, `why` is Coder's error message, `is_well` is true if
    the build succeeded, and `is_stop` is true if it was to stop the workspace. For a pause, `reason` is why
    Coder made the build.
    """

    log: str = ""
    why: str = ""
    reason: str = ""
    is_well: bool = False
    is_stop: bool = False


async def read_build(deps: Dependencies, coder: CoderClient, link: Link, kind: str) -> BuildSummary:
    """Return what Coder shows about the latest build; an empty summary if the build cannot be read.

    `kind` is the kind of the notice. For an error, the summary has the end of the build's log. For a pause,
    it has Coder's reason for the pause. For all other kinds, it is empty.
    """
    workspace_id = link.observation.workspace_id if link.observation else None
    if workspace_id is None or kind not in ("error", "paused"):
        return BuildSummary()
    try:
        build = (await coder.get_workspace(workspace_id)).latest_build
        if kind == "paused":
            return BuildSummary(reason=build.reason)
        if build.job.status == BUILD_SUCCEEDED:
            return BuildSummary(is_well=True)
        lines = await coder.list_build_logs(build.id)
    except OutsideError as error:
        _log.info(
            "workspace build not readable, notice posted without its log or reason",
            link=link.id,
            error=str(error),
        )
        return BuildSummary()
    tail = [line.output for line in lines if line.output.strip()][-BUILD_LOG_LINES:]
    rows = [row for output in tail for row in output.splitlines() if row.strip()][-BUILD_LOG_LINES:]
    why = build.job.error
    log = "\n".join([*rows, *([why] if why else [])])
    # Mask before cutting: half of a secret is not recognised.
    log = await asyncio.to_thread(deps.mask, log[-LONGEST_BUILD_LOG:])
    # The card shows only the beginning of the error, so the link stores only this beginning.
    why = await asyncio.to_thread(mask_beginning, deps.mask, why, LONGEST_REPORT)
    return BuildSummary(log, why, is_stop=build.transition == "stop")
