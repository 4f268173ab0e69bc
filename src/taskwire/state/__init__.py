"""What is known of links and tasks, in Redis: links, observations, notes, heartbeat."""
