"""Creates tasks and opens their threads, finds tasks by name, and answers questions about tasks."""
