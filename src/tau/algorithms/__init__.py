"""Algorithms: one file each; none of them calls a model or sees the store."""
