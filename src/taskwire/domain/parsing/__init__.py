"""Parses what people type: commands, replies, verbs, options, names, and texts that are nearly commands."""
