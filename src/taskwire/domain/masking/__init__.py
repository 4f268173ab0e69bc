"""Secrets in texts: how they are recognised and masked."""
