"""Who somebody is in Slack and in Coder, and what they may do."""
