"""From an output to its rewards: graders, detectors, safety."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tau.domain.dataset import Example
from tau.domain.failure import TRANSIENT
from tau.domain.json import Json
from tau.domain.quick import quickly_made
from tau.domain.resources import Resources
from tau.domain.reward import EXECUTION_SUCCESS, Reward
from tau.domain.rollout import Output
from tau.domain.span import SpanKind
from tau.errors import AttemptError, GraderFailed, ModelError, boundary
from tau.graders.deterministic import Deterministic
from tau.ports.grader import Grader
from tau.runner.attributes import shortened
from tau.runner.circuit import FATAL
from tau.runner.deadline import Deadline
from tau.runner.recorder import SpanRecorder
from tau.scoring.safety import SafetyPolicy, apply_safety

_TEXT_CHARS = 4_000

_ANOTHER_TIME = TRANSIENT | FATAL
"""Of a grader's model: what a later attempt may be spared, and what no rollout will be."""

NOTHING_KNOWN: Mapping[str, Reward] = {}

Detector = Callable[[Output, Resources], Sequence[str]]
"""Looks at an output and the resources that led to it; the safety reason codes it finds."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """All rewards of an output after safety; `score` is the primary one, None where unscored.

    `given` are those that graders gave, before safety, by name. `error` is what kept a grader from
    asking its model, where another attempt may bring more: its row is unscored for the time being.
    """

    rewards: tuple[Reward, ...] = ()
    score: float | None = None
    given: Mapping[str, Reward] = field(default_factory=dict)
    error: ModelError | None = None


class Grading:
    """Grades outputs. The first grader's reward is the primary score."""

    def __init__(
        self,
        graders: Sequence[Grader],
        *,
        default: Grader | None,
        safety: SafetyPolicy,
        detectors: Sequence[Detector] = (),
        deadline: Deadline,
    ) -> None:
        """`default` grades where there are no `graders` and `expected` is a string."""
        self._graders = tuple(graders)
        self._default = default
        self._safety = safety
        self._detectors = tuple(detectors)
        self._deadline = deadline

    async def grade(
        self,
        example: Example | None,
        output: Output,
        resources: Resources,
        record: SpanRecorder,
        notes: Sequence[Reward],
        known: Mapping[str, Reward] = NOTHING_KNOWN,
    ) -> Graded:
        """Rewards of the graders in order, the execution's own, `notes`, then those of safety.

        Graders whose reward is `known` are not asked again.

        Raises:
            SafetyRejected: the policy fails outputs that trip the hard gate.
        """
        graders = self._of(example)
        rewards: list[Reward] = []
        errors: list[ModelError] = []
        for grader in graders if example is not None else ():
            assert example is not None
            reward = known.get(grader.name)
            if reward is None:
                reward = await self._ask(grader, example, output, record, errors)
            rewards.append(reward)
        decision = apply_safety(
            self._safety,
            [*rewards, executed(bool(output.text.strip())), *notes],
            reason_codes=[
                *record.reason_codes,
                *output.reason_codes,
                *self._found(output, resources),
            ],
            blocked_events=record.blocked_events + output.blocked_events,
        )
        score = decision.rewards[0].score if rewards else None
        _emit(decision.rewards, score, record)
        return Graded(
            rewards=decision.rewards,
            score=score,
            given={one.name: one for one in rewards if one.score is not None} if errors else {},
            error=errors[0] if errors else None,
        )

    def _of(self, example: Example | None) -> tuple[Grader, ...]:
        if self._graders or self._default is None or example is None:
            return self._graders
        return (self._default,) if isinstance(example.expected, str) else ()

    def _found(self, output: Output, resources: Resources) -> list[str]:
        return [code for detect in self._detectors for code in detect(output, resources)]

    async def _ask(
        self,
        grader: Grader,
        example: Example,
        output: Output,
        record: SpanRecorder,
        errors: list[ModelError],
    ) -> Reward:
        """The reward; a grader that fails leaves its row unscored, which is not a zero.

        What its model had to do with that, and the next attempt may mend, goes into `errors`.
        """
        name = grader.name
        about: dict[str, Json] = {"gen_ai.evaluation.name": name}
        try:
            with record.opening(f"grade {name}", SpanKind.GRADE, about):
                with boundary(GraderFailed, f"grader '{name}'"):
                    if isinstance(grader, Deterministic):
                        reward = _judged(grader, example, output)
                    else:
                        work = grader.grade(example, output, record)
                        reward = await self._deadline.run(work, held_s=lambda: record.held_s)
                    reward = _sound(reward, name)
                about["gen_ai.evaluation.score.value"] = reward.score
                about["gen_ai.evaluation.explanation"] = reward.reason
                return reward
        except AttemptError as error:
            if isinstance(error, ModelError) and error.code in _ANOTHER_TIME:
                errors.append(error)
            return Reward(name=name, score=None, error=shortened(str(error), _TEXT_CHARS))


_EXECUTED = Reward(name=EXECUTION_SUCCESS, score=1.0, passed=True)
_NOT_EXECUTED = Reward(name=EXECUTION_SUCCESS, score=0.0, passed=False)


def executed(well: bool) -> Reward:
    """The runner's own reward: whether the execution brought anything."""
    return _EXECUTED if well else _NOT_EXECUTED


def _judged(grader: Deterministic[Any], example: Example, output: Output) -> Reward:
    """What a grader says that never waits: no task and no time limit could interrupt it anyway."""
    try:
        return grader.judge(example, output)
    except SystemExit as error:  # it would end the event loop, and with it every other rollout
        raise GraderFailed("the grader tried to exit", why=repr(error)) from error


def _sound(reward: Reward, name: str) -> Reward:
    """`reward` under its grader's name, storable; GraderFailed for a score that is none."""
    if not isinstance(reward, Reward):
        raise GraderFailed(f"grader '{name}' returned {type(reward).__name__}, not a Reward")
    score = reward.score
    if score is not None and not (math.isfinite(score) and 0.0 <= score <= 1.0):
        raise GraderFailed(f"grader '{name}' gave the score {score}", fix="give one from 0 to 1")
    reason = shortened(reward.reason, _TEXT_CHARS)
    feedback = shortened(reward.feedback, _TEXT_CHARS)
    metrics = reward.metrics
    if metrics:
        metrics = {k: v for k, v in metrics.items() if math.isfinite(v)}
    kept = (reward.name, reward.reason, reward.feedback, len(reward.metrics))
    if kept == (name, reason, feedback, len(metrics)):
        return reward
    return replace(reward, name=name, reason=reason, feedback=feedback, metrics=metrics)


def _emit(rewards: Sequence[Reward], score: float | None, record: SpanRecorder) -> None:
    about: dict[str, Json] = {
        "tau.rewards": {reward.name: reward.score for reward in rewards},
        "tau.score": score,
    }
    record.happened("reward.emit", SpanKind.REWARD, about)
