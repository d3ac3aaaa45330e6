"""Graders that put several opinions together: a jury, and a cascade from cheap to dear."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import InputError
from tau.graders.combine import Children, Combinator, graded_in_span, score_of
from tau.graders.judge_asking import SAMPLE
from tau.ports.grader import Grader, GraderContext
from tau.ports.record import Recorder

DISAGREEMENT = "disagreement"
"""The metric of a jury: 0 where all say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JurySettings:
    """Who votes, and how the votes are counted."""

    graders: Children
    """The judges, as they stand anywhere else; each has a name of its own."""
    samples: Annotated[int, Ge(1), Le(25)] = 1
    """How often each is asked; more than once only tells something of a judge that varies."""
    decide: Literal["majority", "mean"] = "majority"
    """The score that most of the votes give (of several such ones the mean), or the mean."""
    pass_at: Annotated[float, Ge(0), Le(1)] | None = None
    """The least score that passes. Unset: what most of the votes say, where they say it."""


class Jury(Combinator[JurySettings]):
    """The majority or the mean of several votes; how much they disagree is kept.

    The metric `disagreement` is the share of votes beside the majority's score, or with `mean` the
    distance from the lowest to the highest.
    """

    Settings: ClassVar[type[Any]] = JurySettings

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        if len(settings.graders) * settings.samples < 2:
            raise InputError(
                "a jury of one vote is no jury", fix="give more 'graders', or 'samples' of one"
            )
        names = [str(each.get("name", each.get("type"))) for each in settings.graders]
        if twice := [name for name, times in Counter(names).items() if times > 1]:
            raise InputError(
                f"two graders of the jury are named '{twice[0][:80]}'",
                fix="give each its own 'name'",
            )

    @property
    def calls_per_attempt(self) -> int:
        return self.settings.samples * super().calls_per_attempt

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        votes = [
            self._vote(child, number, example, output, record)
            for child in self.children
            for number in range(self.settings.samples)
        ]
        # Whoever fails, the others end first: what they say is paid for, and kept by the judges.
        found = await asyncio.gather(*votes, return_exceptions=True)
        rewards = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            rewards.append(each)
        return self.combined(rewards)

    def combined(self, rewards: Sequence[Reward]) -> Reward:
        scores = [score_of(each) for each in rewards]
        if self.settings.decide == "mean":
            score = min(1.0, math.fsum(scores) / len(scores))
            apart = max(scores) - min(scores)
        else:
            counts = Counter(scores)
            most = max(counts.values())
            leading = [each for each, count in counts.items() if count == most]
            score = min(1.0, math.fsum(leading) / len(leading))
            apart = 1 - most / len(scores)
        pass_at = self.settings.pass_at
        passed = _majority(rewards) if pass_at is None else score >= pass_at
        votes = ", ".join(f"{each:g}" for each in scores)
        said = "all agree" if apart == 0 else f"they disagree (votes {votes})"
        reason = "\n".join(f"{each.name}: {each.reason}" for each in rewards)
        told = [each for each in rewards if score_of(each) < 1]
        return Reward(
            name=self.name,
            score=score,
            passed=passed,
            reason=f"{said}; {reason}",
            feedback="\n".join(f"{each.name}: {each.feedback or each.reason}" for each in told)
            if score < 1
            else "",
            metrics={**_by_judge(rewards), DISAGREEMENT: apart},
        )

    async def _vote(
        self,
        child: Grader,
        number: int,
        example: Example,
        output: Output,
        record: Recorder,
    ) -> Reward:
        SAMPLE.set(number)  # of this vote's own task
        return await graded_in_span(child, example, output, record)


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeSettings:
    """From cheap to dear."""

    graders: Annotated[tuple[dict[str, Any], ...], MinLen(2), MaxLen(10)]
    """The graders in the order they are asked; the last one is always sure."""
    low: Annotated[float, Ge(0), Le(1)] = 0.0
    """A score up to this is sure."""
    high: Annotated[float, Ge(0), Le(1)] = 1.0
    """A score from this on is sure; between the two the next grader is asked."""


class Cascade(Combinator[CascadeSettings]):
    """The first grader that is sure; a jury that disagrees is not. Dear ones are asked last."""

    Settings: ClassVar[type[Any]] = CascadeSettings

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        if settings.low >= settings.high:
            raise InputError(
                f"'low' {settings.low:g} is not below 'high' {settings.high:g}",
                why="no score would be unsure",
                fix="scores between the two go to the next grader",
            )

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        rewards = []
        for child in self.children:
            rewards.append(await graded_in_span(child, example, output, record))
            if self._sure(rewards[-1]):
                break
        return self.combined(rewards)

    def combined(self, rewards: Sequence[Reward]) -> Reward:
        last = rewards[-1]
        return Reward(
            name=self.name,
            score=score_of(last),
            passed=last.passed,
            reason=f"{last.name}: {last.reason}",
            feedback=f"{last.name}: {last.feedback}" if last.feedback else "",
            metrics={
                **{each.name: score_of(each) for each in rewards},
                "asked": float(len(rewards)),
            },
        )

    def _sure(self, reward: Reward) -> bool:
        if reward.metrics.get(DISAGREEMENT, 0.0) > 0:
            return False
        return not self.settings.low < score_of(reward) < self.settings.high


def _majority(rewards: Sequence[Reward]) -> bool | None:
    verdicts = [each.passed for each in rewards if each.passed is not None]
    yes = sum(verdicts)
    if len(verdicts) < len(rewards) or 2 * yes == len(verdicts):
        return None
    return 2 * yes > len(verdicts)


def _by_judge(rewards: Sequence[Reward]) -> dict[str, float]:
    """Each judge's mean over its samples."""
    scores: dict[str, list[float]] = {}
    for each in rewards:
        scores.setdefault(each.name, []).append(score_of(each))
    return {name: math.fsum(found) / len(found) for name, found in scores.items()}
