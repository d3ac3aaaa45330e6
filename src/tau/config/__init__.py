"""Configuration: files, datasets and the environment become one validated value.

The names below are loaded when they are first used: commands that only need paths or the
environment must not wait for a validation library.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tau.config.json_schema import schema as schema
    from tau.config.loading import load as load
    from tau.config.run_settings import RunConfig as RunConfig
    from tau.config.starting import starter as starter

_HOMES = {
    "RunConfig": "run_settings",
    "load": "loading",
    "schema": "json_schema",
    "starter": "starting",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (PEP 562)
    """The public name `name`, from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
