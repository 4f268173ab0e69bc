"""What a thread is told about a change in Coder, the card, and the receipts."""
