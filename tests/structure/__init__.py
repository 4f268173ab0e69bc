"""Tests of the project as it lies there: its sizes and what is shipped."""
