"""Slack's door, against the stand-in and against servers that misbehave on the level of bytes."""
