"""Everything that the bot says in Slack: values in, text and blocks out."""
