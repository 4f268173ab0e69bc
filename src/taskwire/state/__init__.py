"""The stored state of links and tasks, in Redis: links, observations, notes, heartbeat."""
