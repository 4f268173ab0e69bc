"""Notices, the card, and the receipts: what a thread shows of its task and of its replies."""
