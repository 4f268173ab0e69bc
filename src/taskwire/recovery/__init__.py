"""Recovers what was missed or lost: missed messages, lost threads, and jobs of newer versions."""
