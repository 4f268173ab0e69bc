"""Tests of Taskwire."""
