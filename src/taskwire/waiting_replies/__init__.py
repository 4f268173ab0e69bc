"""Replies that no agent has yet: what waits, what was given up, and what an owner may pass on.

Replies, acts and buttons share these modules.
"""
