"""`taskwire doctor`: shows what works, what does not work, and how to mend it."""
