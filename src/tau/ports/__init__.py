"""Protocols only: what the rooms of the house may ask of each other."""
