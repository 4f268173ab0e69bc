"""Slack's door, against the look-alike and against servers that misbehave on the level of bytes."""
