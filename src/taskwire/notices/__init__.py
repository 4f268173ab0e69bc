"""Notices, the card, and receipts: they show the state of a task and of the replies in its thread."""
