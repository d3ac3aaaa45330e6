"""A model that answers by rule, as a judge; and gradings with it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tau.domain.chat import Completion, ModelRequest
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.domain.spend import Spend, Usage
from tau.ports.clock import SystemClock
from tau.ports.grader import Grader, GraderContext
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanRecorder
from tau.testing.grader import graded_example

ROW = graded_example({"prompt": "What is 3 + 4?", "expected": "7", "context": "3 + 4 is 7."})


def verdict(label: object, reason: str = "because") -> str:
    return json.dumps({"reason": reason, "verdict": label})


@dataclass
class ScriptedJudge:
    """Says what `answer` makes of the request; `asked` keeps what it was sent."""

    answer: Callable[[ModelRequest], str | Completion | Exception]
    ref: str = "openai/judge"
    provider: str = "openai"
    asked: list[ModelRequest] = field(default_factory=list)

    async def complete(self, request: ModelRequest) -> Completion:
        self.asked.append(request)
        said = self.answer(request)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Completion):
            return said
        usage = Usage(input_tokens=5, output_tokens=1)
        return Completion(text=said, finish_reason="stop", model="judge", usage=usage)

    def price(self, usage: Usage) -> int | None:
        return usage.total_tokens

    async def aclose(self) -> None:
        pass


def saying(*answers: str | Completion | Exception) -> ScriptedJudge:
    """One answer after the other, of which the last one stays."""
    rest = list(answers)
    return ScriptedJudge(lambda _: rest.pop(0) if len(rest) > 1 else rest[0])


def by_output(good: str = "7") -> ScriptedJudge:
    """Says yes where the material's last part holds `good`; the last message counts."""

    def answer(request: ModelRequest) -> str:
        shown = request.messages[1].content.rpartition("output (material)")[2]
        return verdict("yes" if good in shown else "no")

    return ScriptedJudge(answer)


def context(model: ScriptedJudge, **more: Any) -> GraderContext:  # noqa: ANN401
    return GraderContext(name="judge", model=model, **more)


def judge_of(
    plugin: Any,  # noqa: ANN401
    model: ScriptedJudge,
    params: Mapping[str, Any] | None = None,
    base_dir: Path = Path(),
    **settings: Any,  # noqa: ANN401
) -> Grader:
    """A grader as the wiring builds it, after its check."""
    made = plugin.Settings(**settings)
    place = context(model, params=params or {}, base_dir=base_dir)
    plugin.check(made, place, None)
    built: Grader = plugin.build(made, place)
    return built


def record_of(grader: Grader, replicate: int = 0) -> SpanRecorder:
    return SpanRecorder(
        clock=SystemClock(),
        pacing=Pacing(PacingSettings(), ceiling=64),
        reserved=Spend(rollouts=1, calls=grader.calls_per_attempt),
        replicate=replicate,
    )


async def judged(grader: Grader, text: str, record: SpanRecorder | None = None) -> Reward:
    return await grader.grade(ROW, Output(text=text), record or record_of(grader))
