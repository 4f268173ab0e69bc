"""What the bot says in Slack, except refusals of typed text (`domain/parsing/`) and findings (`doctor/`).

Functions take values and return text and blocks."""
