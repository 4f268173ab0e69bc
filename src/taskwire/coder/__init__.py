"""The client for Coder: calls, answers as values, and what each error means."""
