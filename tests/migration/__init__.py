"""Tests of moving a store to another Redis."""
