"""What the graders without input or output of their own have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed
from tau.graders.reference import as_input_error
from tau.ports.grader import Grader, GraderContext
from tau.ports.record import Recorder

S = TypeVar("S")


class Deterministic(ABC, Generic[S]):
    """A grader that reads the example and the output and nothing else."""

    Settings: ClassVar[type[Any]]

    def __init__(self, name: str, settings: S) -> None:
        self._name = name
        self.settings = settings

    @property
    def name(self) -> str:
        return self._name

    @property
    def calls_per_attempt(self) -> int:
        return 0

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        if example is not None:
            try:
                cls(context.name, settings).check_reference(example)
            except GraderFailed as failure:
                raise as_input_error(failure) from failure

    @classmethod
    def check_rows(
        cls,
        settings: Any,  # noqa: ANN401
        context: GraderContext,
        rows: Iterable[Example],
    ) -> Iterator[tuple[Example, GraderFailed]]:
        """The rows that cannot be graded, each with why; nothing is spent on finding them."""
        if cls.check_reference is Deterministic.check_reference:
            return
        grader = cls(context.name, settings)
        for row in rows:
            try:
                grader.check_reference(row)
            except GraderFailed as failure:
                yield row, failure

    @classmethod
    def build(cls, settings: Any, context: GraderContext) -> Grader:  # noqa: ANN401
        return cls(context.name, settings)

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        return self.judge(example, output)

    @abstractmethod
    def judge(self, example: Example, output: Output) -> Reward:
        """Grade one output."""

    def check_reference(self, example: Example) -> None:
        """See that the row has the reference answer this grader needs.

        Raises:
            GraderFailed: it has not.
        """

    async def aclose(self) -> None:
        return

    def reward(
        self,
        score: float,
        *,
        passed: bool | None,
        reason: str,
        feedback: str | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> Reward:
        """A reward of this grader; the feedback is the reason unless it says more."""
        return Reward(
            name=self._name,
            score=score,
            passed=passed,
            reason=reason,
            feedback=reason if feedback is None else feedback,
            metrics=metrics or {},
        )
