"""Stores: where runs, the queue and everything that came of it are kept."""
