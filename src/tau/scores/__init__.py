"""Scores that other tools and Tau itself wrote: read, paired by row, and claimed about."""
