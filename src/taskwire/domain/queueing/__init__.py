"""Jobs, the queues that they wait in, and for how long they are tried again."""
