"""A program's own functions in the shape that executors and graders call."""

import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from tau import plugins
from tau.domain.json import Json
from tau.executors.python import is_async
from tau.graders.python import takes_details

Answer: TypeAlias = Callable[..., str | Awaitable[str]]

PROMPT = "system_prompt"
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


class Functions:
    """The functions of one call: each gets a name of its own, however alike two look."""

    def __init__(self) -> None:
        self._marks: set[str] = set()
        self._names: set[str] = set()

    def grader(self, function: Callable[..., Any]) -> Json:
        """The function as a grader of a configuration.

        Raises:
            InputError: it cannot be called as one.
        """
        name = name_of(function)
        takes_details(function, name)
        return {
            "type": "python",
            "name": _unused(name, self._names),
            "function": plugins.offer(function, self._mark(function)),
        }

    def task(self, task: Answer, *, alone: bool, with_session: bool) -> str:
        """The function as the executor calls it; `alone`: there is one prompt, given as a text."""

        def arguments(resources: Mapping[str, Json], session: object) -> list[object]:
            given: object = resources[PROMPT] if alone else resources
            return [given, session] if with_session else [given]

        async def awaited(
            example: Mapping[str, Json], resources: Mapping[str, Json], session: object = None
        ) -> object:
            return await task(example, *arguments(resources, session))  # type: ignore[misc]

        def called(
            example: Mapping[str, Json], resources: Mapping[str, Json], session: object = None
        ) -> object:
            return task(example, *arguments(resources, session))

        return plugins.offer(awaited if is_async(task) else called, self._mark(task))

    def _mark(self, function: Callable[..., Any]) -> str:
        """Name and hash of the source: a changed function is another run, the same one goes on.

        Several functions may share a line, or a source with other values around it.
        """
        try:
            source = inspect.getsource(function)
        except (OSError, TypeError):
            source = repr(getattr(function, "__code__", type(function)).__class__)
        code = getattr(getattr(function, "__code__", None), "co_code", b"")
        digest = hashlib.sha256(source.encode() + code).hexdigest()[:12]
        return _unused(f"{name_of(function)}-{digest}", self._marks)


def name_of(function: Callable[..., Any]) -> str:
    """What people call a function, as far as a grader's name can hold it."""
    found = getattr(function, "__qualname__", None) or type(function).__name__
    return _NOT_IN_NAMES.sub("_", found.rpartition("<locals>.")[2]).strip("_") or "function"


def _unused(name: str, used: set[str]) -> str:
    """`name`, or with a number where it is taken already."""
    found, number = name, 1
    while found in used:
        number += 1
        found = f"{name}_{number}"
    used.add(found)
    return found
