"""The Home tab of each person: their tasks, and how they are called."""
