"""The Home tab of each person: their tasks, and how notices reach them."""
