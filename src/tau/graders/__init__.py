"""Graders: one file per family."""
