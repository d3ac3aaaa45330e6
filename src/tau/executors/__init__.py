"""Executors: ways of running one example with one set of resources."""
