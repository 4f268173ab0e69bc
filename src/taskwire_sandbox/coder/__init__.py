"""The stand-in for Coder's Tasks API: a real HTTP server on loopback, whose agents follow scripts.

The stand-in is strict. It does what Coder does, not only what the bot needs. It imports nothing from
`taskwire`. Start the stand-in with `CoderSandbox`. `steps` describes what agents do, `scripts` has ready-made
agents, and `faults` makes calls fail.
"""

from taskwire_sandbox.coder.clock import Clock, RealClock, SteppedClock
from taskwire_sandbox.coder.control import CoderSandbox
from taskwire_sandbox.coder.sandbox_task import SandboxTask
from taskwire_sandbox.coder.world import Settings

__all__ = ["Clock", "CoderSandbox", "RealClock", "SandboxTask", "Settings", "SteppedClock"]
