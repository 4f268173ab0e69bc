"""Tests of the stored state of links, tasks and owners."""
