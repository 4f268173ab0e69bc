"""Flows: what people and agents set going, and what must have come of it whatever went wrong on the way.

One file a family: `creating` (create by command and by form, attach), `replying` (to an agent that waits, to
one that is busy), `deciding` (a person's word on input in doubt), `steering` (pause by verb and by command,
resume, edit, mute, detach, delete), `telling` (each kind of notice), `showing` (the card, the log as a file).
To add one, see CONTRIBUTING.md.
"""

from .creating import Attaching, Creating, Filling
from .deciding import Deciding
from .flow import Flow
from .replying import Replying, Waiting
from .showing import Drawing, Logging
from .steering import Deleting, Detaching, Editing, Muting, Pausing, PausingByCommand, Resuming
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
    *(Creating, Filling, Attaching, Replying, Waiting, Deciding),
    *(Pausing, PausingByCommand, Resuming, Editing, Muting, Detaching, Deleting),
    *(Needing, Completing, Failing, Breaking, PausedElsewhere, ResumedElsewhere, Vanishing),
    *(Drawing, Logging),
)
