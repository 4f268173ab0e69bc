"""The client for Slack: payloads in, Web API calls out, its limits, and what each error means."""
