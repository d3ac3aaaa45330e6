"""Arithmetic on rewards; no input, no output."""
