"""Stand-ins for Slack and Coder: strict servers on loopback, for the demo and the tests of Taskwire."""
