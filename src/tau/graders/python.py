"""A Python function as a grader."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, MinLen

from tau.domain.client_errors import ClientErrors
from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError, boundary
from tau.graders.answer import to_reward
from tau.plugins import load_callable, spoken
from tau.ports.grader import Grader, GraderContext
from tau.ports.record import Recorder
from tau.processes.threads import CallThreads, TooManyStuck


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonGraderSettings:
    """Which function grades."""

    function: Annotated[str, MinLen(3)]
    """`package.module:name` or `path/file.py:name`."""
    stuck_limit: Annotated[int, Ge(1)] = 16
    """How many cancelled calls of a plain function may still run before no more are started."""


class PythonGrader:
    """Calls `fn(example, output)`, or `fn(example, output, details)` if it needs three.

    `example` is the function's own dict of the row's fields (`prompt`, `expected`, ...), `output`
    the output's text, `details` the whole `Output`. It returns a truth value, a number from 0 to
    1, a dict as in graders/answer, or a `Reward`. An async function runs on the event loop, a
    plain one on a thread; Python cannot end a thread, so a cancelled plain call goes on alone.
    """

    Settings: ClassVar[type[Any]] = PythonGraderSettings

    def __init__(
        self, settings: PythonGraderSettings, context: GraderContext, function: Callable[..., Any]
    ) -> None:
        self._name = context.name
        self._who = f"'{spoken(settings.function)}'"
        self._function = function
        self._with_details = takes_details(function, settings.function)
        self._threads = CallThreads(
            limit=max(1, context.concurrency),
            stuck_limit=settings.stuck_limit,
            name=f"tau-{spoken(settings.function)}",
        )

    @classmethod
    def check(
        cls, settings: PythonGraderSettings, context: GraderContext, example: Example | None
    ) -> None:
        takes_details(load_callable(settings.function, context.base_dir), settings.function)

    @classmethod
    def build(cls, settings: PythonGraderSettings, context: GraderContext) -> Grader:
        return cls(settings, context, load_callable(settings.function, context.base_dir))

    @property
    def name(self) -> str:
        return self._name

    @property
    def calls_per_attempt(self) -> int:
        return 0

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        arguments: list[object] = [copy.deepcopy(dict(example.fields)), output.text]
        if self._with_details:
            arguments.append(copy.deepcopy(output))
        with boundary(GraderFailed, self._who), ClientErrors(self._who):
            answer = await self._answer(partial(self._function, *arguments))
        return to_reward(self._name, answer, self._who)

    async def aclose(self) -> None:
        self._threads.close()

    async def _answer(self, call: Callable[[], Any]) -> object:
        if _is_async(self._function):
            return await call()
        try:
            return await self._threads.run(call)
        except TooManyStuck as error:
            raise GraderFailed(
                f"{self._who} was not called: cancelled calls still run",
                why=str(error),
                fix="give the function time limits of its own, or make it async",
            ) from error


def _is_async(function: Callable[..., Any]) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004  (an object may have an async one)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def takes_details(function: Callable[..., Any], target: str) -> bool:
    """Whether the function wants the whole output too.

    Raises:
        InputError: it takes neither two nor three arguments.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return False  # one written in C that does not tell
    for count in (2, 3):
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return count == 3
    raise InputError(
        f"'{spoken(target)}' cannot be called as a grader",
        why=f"its parameters are {signature}",
        fix="let it take two arguments: the example (a dict) and the output (a text)",
    )
