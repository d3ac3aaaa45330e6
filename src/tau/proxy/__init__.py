"""Agents' own model calls: passed on, counted and recorded, whatever client they use."""
