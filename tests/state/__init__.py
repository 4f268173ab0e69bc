"""Tests of what the links know, in Redis."""
