"""The regex grader: does the output match a pattern, within a time limit?"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import regex
from annotated_types import Gt, Le, MinLen

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.excerpt import excerpt
from tau.ports.grader import Grader, GraderContext
from tau.ports.record import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexSettings:
    """The pattern, in the syntax of Python's `regex` package, and how it is applied."""

    pattern: Annotated[str, MinLen(1)]
    """What to look for, anywhere in the output."""
    full: bool = False
    """The whole output, trimmed, must match."""
    ignore_case: bool = False
    """Ignore case."""
    multiline: bool = False
    """`^` and `$` stand for the ends of lines too."""
    dotall: bool = False
    """`.` stands for line ends too."""
    absent: bool = False
    """Turn the verdict round: right is what does not match."""
    time_limit_s: Annotated[float, Gt(0), Le(60)] = 1.0
    """A pattern that takes longer than this leaves the row unscored."""


class Regex:
    """1 if the output matches, else 0."""

    Settings: ClassVar[type[Any]] = RegexSettings

    def __init__(self, name: str, settings: RegexSettings, pattern: regex.Pattern[str]) -> None:
        self._name = name
        self._settings = settings
        self._pattern = pattern

    @classmethod
    def check(
        cls, settings: RegexSettings, context: GraderContext, example: Example | None
    ) -> None:
        _compiled(settings)

    @classmethod
    def build(cls, settings: RegexSettings, context: GraderContext) -> Grader:
        return cls(context.name, settings, _compiled(settings))

    @property
    def name(self) -> str:
        return self._name

    @property
    def calls_per_attempt(self) -> int:
        return 0

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        # In a thread and without the interpreter lock: a slow pattern must not stop the workers.
        matched = await asyncio.to_thread(self._matches, output.text)
        passed = matched != self._settings.absent
        pattern = excerpt(self._settings.pattern, 120)
        wanted = f"no match of {pattern}" if self._settings.absent else f"a match of {pattern}"
        reason = f"{'matches' if matched else 'does not match'} {pattern}"
        return Reward(
            name=self._name,
            score=1.0 if passed else 0.0,
            passed=passed,
            reason=reason,
            feedback=reason if passed else f"expected {wanted}, got {excerpt(output.text)}",
        )

    async def aclose(self) -> None:
        return

    def _matches(self, text: str) -> bool:
        limit_s = self._settings.time_limit_s
        try:
            if self._settings.full:
                found = self._pattern.fullmatch(text.strip(), timeout=limit_s, concurrent=True)
            else:
                found = self._pattern.search(text, timeout=limit_s, concurrent=True)
        except TimeoutError as error:
            raise GraderFailed(
                f"the pattern took longer than {limit_s:g} s and was stopped",
                where=self._settings.pattern[:200],
                why="it can match one text in very many ways",
                fix="avoid repetition inside repetition, or raise 'time_limit_s'",
            ) from error
        return found is not None


def _compiled(settings: RegexSettings) -> regex.Pattern[str]:
    flags = regex.VERSION0
    flags |= regex.IGNORECASE if settings.ignore_case else 0
    flags |= regex.MULTILINE if settings.multiline else 0
    flags |= regex.DOTALL if settings.dotall else 0
    try:
        return regex.compile(settings.pattern, flags)
    except regex.error as error:
        raise InputError(
            "the pattern is no regular expression",
            where=settings.pattern[:200],
            why=str(error),
            fix="in JSON every backslash of a pattern is written twice",
        ) from error
