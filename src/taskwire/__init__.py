"""Taskwire: Coder AI tasks in Slack threads."""

from importlib.metadata import version

__version__ = version("taskwire")
