"""Flows: what people and agents do, and what must be true afterwards, whatever failed on the way.

There is one file for each family of flows: `creating` (create by command, form, mention, reaction, direct
message or a misspelt command; attach), `replying` (to an idle agent, to a busy agent, by *Send to its task*),
`deciding` (a person's decision about input of unknown outcome and about held input, a choice of the agent, an
answer by dialog), `sharing` (passing on a teammate's reply, and a share), `steering` (pause by verb, command,
bare word, its button and stop sign; resume, edit, mute, follow, detach, delete), `telling` (each kind of
notice), `showing` (the card, Slack's agent surface, the log as a file), `calling` (a direct message about a
notice, the summary after quiet hours), `overdue` (reminders), `setting_up` (the settings of a channel and of
a person, and a stuck task afterwards), `snoozing` (a reminder), `connecting` (a person connects their own
Coder account, or that of a task's former owner, by a pasted token), `authorizing` (a person does so on a page
of Coder, and the tokens are renewed).

docs/guarantees.md says how to add a flow.
"""

from .authorizing import Authorizing, Refreshing
from .calling import CallingDirectly, EndingQuietHours
from .connecting import Connecting, TakingOver
from .creating import (
    Attaching,
    Correcting,
    Creating,
    Filling,
    FillingFromMessage,
    Marking,
    Mentioning,
    Offering,
)
from .deciding import Answering, Choosing, Deciding, Releasing
from .flow import Flow
from .overdue import Reminding
from .replying import Replying, SendingToTask, Waiting
from .setting_up import SettingUp
from .sharing import Sharing
from .showing import Drawing, Logging, ShowingSession
from .snoozing import Snoozing
from .steering import (
    Deleting,
    Detaching,
    Editing,
    Following,
    Muting,
    Pausing,
    PausingByCommand,
    Resuming,
    Stopping,
    StoppingByOffer,
    StoppingBySign,
)
from .telling import (
    Breaking,
    Completing,
    Failing,
    Needing,
    PausedElsewhere,
    ResumedElsewhere,
    Vanishing,
)

FLOWS: tuple[type[Flow], ...] = (
    *(Snoozing, Reminding, SettingUp),
    *(Creating, Filling, FillingFromMessage, Mentioning, Marking, Offering, Correcting, Attaching),
    *(Replying, Waiting, SendingToTask, Deciding, Releasing, Choosing, Answering, Sharing),
    *(
        Pausing,
        PausingByCommand,
        Stopping,
        StoppingByOffer,
        StoppingBySign,
        Resuming,
        Editing,
        Muting,
        Following,
        Detaching,
        Deleting,
    ),
    *(Needing, Completing, Failing, Breaking, PausedElsewhere, ResumedElsewhere, Vanishing),
    *(Drawing, ShowingSession, Logging),
    *(CallingDirectly, EndingQuietHours),
    *(Connecting, TakingOver, Authorizing, Refreshing),
)
