"""Shared by the features: posting once, private answers, questions, the agent's input, retries."""
