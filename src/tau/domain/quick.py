"""Frozen dataclasses that are made by the dozen for each rollout."""

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quickly_made(cls: type[T]) -> type[T]:
    """Halve what it takes to make a frozen dataclass with slots; nothing else of it changes.

    The `__init__` of `dataclass` has `object.__setattr__` look up each slot by its name. This one
    calls the slots' own setters, bound once. Not for classes with `__post_init__` or InitVar.
    """
    known: dict[str, Any] = {"_MISSING": MISSING}
    parameters: list[str] = []
    lines: list[str] = []
    for field in fields(cls):  # type: ignore[arg-type]  # whoever decorates has made it one
        name = field.name
        known[f"_set_{name}"] = getattr(cls, name).__set__
        if field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            parameters.append(f"{name}=_MISSING")
            lines.append(f"_set_{name}(self, _make_{name}() if {name} is _MISSING else {name})")
            continue
        if field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f"_set_{name}(self, {name})")
    text = "\n    ".join([f"def __init__(self, *, {', '.join(parameters)}):", *lines])
    exec(text, known)
    made = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = dict(cls.__init__.__annotations__)
    cls.__init__ = made  # type: ignore[method-assign]
    return cls
