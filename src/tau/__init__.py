"""Tau improves the prompts of language-model applications against examples."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tau.api import certify, evaluate, optimize
    from tau.errors import RetryLater

__all__ = ["RetryLater", "__version__", "certify", "evaluate", "optimize"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the Python interface when it is first used: `import tau` alone stays light."""
    if name in ("certify", "evaluate", "optimize"):
        from tau import api  # noqa: PLC0415

        return getattr(api, name)
    if name == "RetryLater":
        from tau import errors  # noqa: PLC0415

        return errors.RetryLater
    raise AttributeError(f"module 'tau' has no attribute '{name}'")
