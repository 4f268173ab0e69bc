"""What comes in from Slack: narrowed to typed values, written down, acknowledged."""
