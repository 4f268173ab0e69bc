"""A strict stand-in of Coder's Tasks API: a real server on loopback, with agents that follow a script.

It is judged by what Coder does, not by what the bot happens to need, and imports nothing of the rest. Start
with `CoderSandbox`; agents' behaviour is written in `steps`, ready-made agents are in `scripts`, misbehaviour
is in `faults`.
"""

from taskwire_sandbox.coder.clock import Clock, RealClock, SteppedClock
from taskwire_sandbox.coder.control import CoderSandbox
from taskwire_sandbox.coder.puppet import PuppetTask
from taskwire_sandbox.coder.world import Settings

__all__ = ["Clock", "CoderSandbox", "PuppetTask", "RealClock", "Settings", "SteppedClock"]
