"""The client for Slack: incoming payloads, Web API calls, rate limits, and the meaning of each error."""
