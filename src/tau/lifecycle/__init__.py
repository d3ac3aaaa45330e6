"""Lifecycle control: commands, authorization, audit, recovery."""
