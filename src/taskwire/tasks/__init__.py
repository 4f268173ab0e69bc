"""Creating a task and opening its thread, finding tasks by name, and answering questions about them."""
