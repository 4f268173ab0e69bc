"""What the features share: posting once, private answers, questions, texts for the agent, retries."""
