"""Tests of the repository itself: sizes, guides, and what is shipped."""
