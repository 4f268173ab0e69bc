"""Look-alikes of Slack and Coder: real, strict servers on loopback, for the demo and the tests."""
