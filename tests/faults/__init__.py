"""What breaks: networks, processes, answers."""
