"""Graders made of graders.

A combinator is unscored as soon as one of its graders is, even where the others alone would decide
(an `all` with a zero in it): the failure is then seen and put right instead of hidden in a score.
Only `gate` does not ask graders behind a shut gate.
"""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.domain.span import SpanKind
from tau.errors import GraderFailed, InputError, boundary
from tau.ports.grader import Grader, GraderContext
from tau.ports.record import Recorder

S = TypeVar("S")

Children = Annotated[tuple[dict[str, Any], ...], MinLen(1)]


class Combinator(ABC, Generic[S]):
    """What all combinators share: they own their graders and grade one output with them."""

    Settings: ClassVar[type[Any]]

    def __init__(self, name: str, settings: S, children: Sequence[Grader]) -> None:
        self._name = name
        self.settings = settings
        self.children = tuple(children)

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        return

    @classmethod
    def build(cls, settings: Any, context: GraderContext) -> Grader:  # noqa: ANN401
        return cls(context.name, settings, context.children)

    @property
    def name(self) -> str:
        return self._name

    @property
    def calls_per_attempt(self) -> int:
        return sum(child.calls_per_attempt for child in self.children)

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        # Whoever fails, the others end first: nothing may still run when this returns.
        found = await asyncio.gather(
            *(graded_in_span(child, example, output, record) for child in self.children),
            return_exceptions=True,
        )
        rewards = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            rewards.append(each)
        return self.combined(rewards)

    @abstractmethod
    def combined(self, rewards: Sequence[Reward]) -> Reward:
        """One reward from those of the graders, all of them scored, in their order."""

    async def aclose(self) -> None:
        for child in self.children:
            await child.aclose()

    def reward(self, score: float, passed: bool | None, rewards: Sequence[Reward]) -> Reward:
        """A reward with what the graders had to say; feedback tells what was not perfect."""
        return Reward(
            name=self._name,
            score=score,
            passed=passed,
            reason="; ".join(f"{each.name}: {each.reason}" for each in rewards),
            feedback="\n".join(
                f"{each.name}: {each.feedback or each.reason}"
                for each in rewards
                if score_of(each) < 1
            )
            if score < 1
            else "",
            metrics={each.name: score_of(each) for each in rewards},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSettings:
    """The graders and what each one counts."""

    graders: Children
    """The graders, as they stand anywhere else."""
    weights: tuple[Annotated[float, Gt(0), Le(1e9)], ...] = ()
    """One weight for each grader, in their order; equal ones where none are given."""
    pass_at: Annotated[float, Ge(0), Le(1)] | None = None
    """The least score that passes; without it, passing does not apply."""


class Weighted(Combinator[WeightedSettings]):
    """The weighted mean of the scores; weights need not sum to 1."""

    Settings: ClassVar[type[Any]] = WeightedSettings

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        if settings.weights and len(settings.weights) != len(settings.graders):
            raise InputError(
                f"{len(settings.graders)} graders have {len(settings.weights)} weights",
                fix="give one weight for each grader, or none",
            )

    def combined(self, rewards: Sequence[Reward]) -> Reward:
        weights = self.settings.weights or (1.0,) * len(rewards)
        sums = math.fsum(w * score_of(r) for w, r in zip(weights, rewards, strict=True))
        score = min(1.0, sums / math.fsum(weights))
        pass_at = self.settings.pass_at
        return self.reward(score, None if pass_at is None else score >= pass_at, rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllSettings:
    """The graders."""

    graders: Children
    """The graders, as they stand anywhere else."""


class All(Combinator[AllSettings]):
    """The lowest of the scores; passed if all did, undecided where one that matters is."""

    Settings: ClassVar[type[Any]] = AllSettings

    def combined(self, rewards: Sequence[Reward]) -> Reward:
        verdicts = [each.passed for each in rewards]
        passed = False if False in verdicts else None if None in verdicts else True
        return self.reward(min(map(score_of, rewards)), passed, rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnySettings:
    """The graders."""

    graders: Children
    """The graders, as they stand anywhere else."""


class AnyOf(Combinator[AnySettings]):
    """The highest of the scores; passed if any did, undecided where one that matters is."""

    Settings: ClassVar[type[Any]] = AnySettings

    def combined(self, rewards: Sequence[Reward]) -> Reward:
        verdicts = [each.passed for each in rewards]
        passed = True if True in verdicts else None if None in verdicts else False
        return self.reward(max(map(score_of, rewards)), passed, rewards)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSettings:
    """The grader."""

    grader: dict[str, Any]
    """The grader whose verdict is turned round."""


class Not(Combinator[NotSettings]):
    """1 minus the score; passed if its grader did not."""

    Settings: ClassVar[type[Any]] = NotSettings

    def combined(self, rewards: Sequence[Reward]) -> Reward:
        (inner,) = rewards
        score = 1 - score_of(inner)
        said = f"{inner.name}: {inner.reason}"
        return Reward(
            name=self._name,
            score=score,
            passed=None if inner.passed is None else not inner.passed,
            reason=f"not ({said})",
            feedback="" if score == 1 else f"expected the opposite of this: {said}",
            metrics={inner.name: score_of(inner)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """The gates, and last the grader behind them."""

    graders: Annotated[tuple[dict[str, Any], ...], MinLen(2), MaxLen(100)]
    """All but the last one are gates; the last one gives the score."""
    otherwise: Annotated[float, Ge(0), Le(1)] = 0.0
    """The score where a gate is shut; an open gate changes nothing."""
    pass_at: Annotated[float, Ge(0), Le(1)] = 1.0
    """The least score that opens a gate which itself does not say passed or not."""


class Gate(Combinator[GateSettings]):
    """The last grader's reward if all those before it pass, asked in their order."""

    Settings: ClassVar[type[Any]] = GateSettings

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        rewards = []
        for child in self.children:
            rewards.append(await graded_in_span(child, example, output, record))
            if child is not self.children[-1] and not self._opens(rewards[-1]):
                break
        return self.combined(rewards)

    def combined(self, rewards: Sequence[Reward]) -> Reward:
        last = rewards[-1]
        if len(rewards) == len(self.children):
            return self.reward(score_of(last), last.passed, rewards)
        return self.reward(self.settings.otherwise, False, rewards)

    def _opens(self, reward: Reward) -> bool:
        if reward.passed is not None:
            return reward.passed
        return score_of(reward) >= self.settings.pass_at


def score_of(reward: Reward) -> float:
    """The score of a reward that is known to have one."""
    if reward.score is None:
        raise GraderFailed(f"grader '{reward.name}' gave no score", why=reward.error)
    return reward.score


async def graded_in_span(
    child: Grader, example: Example, output: Output, record: Recorder
) -> Reward:
    """The reward of a grader within another one, in a span of its own."""
    with (
        record.span(child.name, kind=SpanKind.GRADE) as span,
        boundary(GraderFailed, f"grader '{child.name}'"),
    ):
        reward = await child.grade(example, output, record)
        span.set("score", score_of(reward))
    return reward
