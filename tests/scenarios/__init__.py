"""User stories that run the real bot between stand-ins for Slack and Coder, with a clock that the test
moves."""
