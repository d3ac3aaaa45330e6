"""Tau improves the prompts of language-model applications against examples."""

__all__ = ["__version__"]

__version__ = "0.1.0"
