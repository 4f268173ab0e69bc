"""The Slack client against the stand-in, and against servers that misbehave at the level of bytes."""
