"""The one door to Coder."""
