"""What agents and people write: terminal screens, answers, questions, Markdown, Slack's rich text."""
