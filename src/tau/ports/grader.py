"""Graders: what says how good an output is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.ports.model import Model
from tau.ports.record import Recorder


class Grader(Protocol):
    """Grades one output; one object serves many concurrent rollouts."""

    @property
    def name(self) -> str:
        """The reward's name, unique within a run."""
        ...

    @property
    def calls_per_attempt(self) -> int:
        """The most model calls one grading makes, for budget reservation."""
        ...

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        """Score in 0..1 with a reason and feedback.

        What the output itself did wrong is a low score. What makes grading impossible (no
        reference answer, a crashed command) raises, and the row stays unscored.

        Raises:
            AttemptError: classified failures; anything else is taken as GraderFailed.
        """
        ...

    async def aclose(self) -> None:
        """Release threads, processes and connections; calling again does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderContext:
    """What a grader plug-in is built from.

    `children` are the already built graders of a combinator, in the order of its settings. `model`
    is the task's, or the judge where the plug-in says `asks_model`; `params` are the judge's.
    """

    name: str
    children: Sequence[Grader] = ()
    model: Model | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    base_dir: Path = Path()
    concurrency: int = 1
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


class GraderPlugin(Protocol):
    """What the entry-point group `tau.graders` holds.

    `Settings` is a frozen dataclass. A combinator names its children in a field `graders` (a
    sequence) or `grader` (one), typed as JSON mappings: config validates them like any grader and
    wiring builds them first. A class attribute `asks_model` that is true makes a judge of it: its
    Settings have `model` and `params`, and its context holds the judge's.
    """

    Settings: ClassVar[type[Any]]

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        """Find what cannot work before anything starts (a bad pattern, a missing module).

        Raises:
            InputError: what, why and the fix.
        """
        ...

    @classmethod
    def build(cls, settings: Any, context: GraderContext) -> Grader:  # noqa: ANN401
        """Make the grader inside the event loop that will use it."""
        ...
