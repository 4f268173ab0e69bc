"""The story: one file per thing that happens."""
