"""The client for Slack: incoming payloads, Web API calls, limits, and the meaning of each error."""
