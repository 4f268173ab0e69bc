"""Sharing a text as a file, once.

The text is given to Slack first, where nobody sees it; its id is written down; then it is shown. A showing
whose answer was lost is looked for among the file's own shares, for half a minute, and only then repeated
with the same id.
"""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, in_doubt, later
from taskwire.bridge.posting import since_when
from taskwire.model.jobs import ShareFile
from taskwire.slack.calls import Method
from taskwire.slack.errors import ChannelProblem
from taskwire.telemetry import logger

# files.info shows a share some seconds after it was made.
LOOKS = 6
LOOK_SECONDS = 5.0

_log = logger("taskwire.files")


async def share_file(doors: Doors, hand: Hand) -> Ending:
    """Put a text into a thread as a file."""
    work = hand.work(ShareFile)
    if not work.file_id:
        if hand.turn.is_suspect and await _was_shared(doors, hand, work):
            return done()
        file_id = await doors.slack.start_upload(work.name, work.text)
        return later(0, hand.job.knowing(file_id=file_id))
    if hand.is_in_doubt:
        if await doors.slack.find_share(work.file_id, work.channel) is not None:
            hand.settled(has_landed=True)
            return done()
        if work.looks < LOOKS:
            return in_doubt(hand.job.knowing(looks=work.looks + 1), LOOK_SECONDS)
        hand.settled()
    elif hand.turn.is_suspect and await doors.slack.find_share(work.file_id, work.channel) is not None:
        return done()
    await doors.slack.make_room(Method.COMPLETE_UPLOAD)
    try:
        await hand.attempt(
            work.file_id,
            doors.slack.timeouts.post,
            lambda: doors.slack.complete_upload(work.file_id, work.title, work.channel, work.thread_ts),
        )
    except ChannelProblem as problem:
        _log.warning("a file cannot be shared", channel=work.channel, code=problem.code)
    return done()


async def _was_shared(doors: Doors, hand: Hand, work: ShareFile) -> bool:
    """Whether a file of ours with this name and this text was shown before Redis went back in time."""
    since = since_when(doors, hand)
    return await doors.slack.has_file(work.channel, work.thread_ts, since, work.name, work.text)
