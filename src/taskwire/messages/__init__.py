"""Everything that the bot says in Slack. Functions take values and return text and blocks."""
