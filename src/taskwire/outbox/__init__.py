"""What several features share: posting once, private answers, questions, the agent's input, retries."""
