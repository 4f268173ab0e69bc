"""A strict look-alike of Coder's Tasks API: a real server on loopback, with agents that follow a script.

It is judged by what Coder does, not by what the bot happens to need, and imports nothing of the rest. Start
with `CoderSandbox`; agents' behaviour is written in `steps`, ready-made agents are in `scripts`, misbehaviour
is in `faults`.
"""

from taskwire.sandbox.coder.clock import Clock, RealClock, SteppedClock
from taskwire.sandbox.coder.puppet import PuppetTask
from taskwire.sandbox.coder.sandbox import CoderSandbox
from taskwire.sandbox.coder.world import Settings

__all__ = ["Clock", "CoderSandbox", "PuppetTask", "RealClock", "Settings", "SteppedClock"]
