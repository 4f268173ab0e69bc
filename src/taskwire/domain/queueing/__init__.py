"""Jobs, the queues in which they wait, and how long they are tried again."""
