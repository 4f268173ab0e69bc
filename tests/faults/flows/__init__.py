"""Flows: what people and agents set going, and what must have come of it whatever went wrong on the way.

One file a family: `creating`, `replying`, `deciding`. To add one, see CONTRIBUTING.md.
"""

from .creating import Creating
from .deciding import Deciding
from .flow import Flow
from .replying import Replying

FLOWS: tuple[type[Flow], ...] = (Creating, Replying, Deciding)
