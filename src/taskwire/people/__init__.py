"""Finds out who a person is in Slack and in Coder, and what the person may do."""
