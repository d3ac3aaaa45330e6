"""Executors: ways of running one example with one set of resources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.placeholders import Template
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.domain.text_source import TextSource
from tau.ports.endpoint import AgentEndpoint
from tau.ports.model import Model
from tau.ports.record import Recorder


class Executor(Protocol):
    """Runs an example; one object serves many concurrent rollouts."""

    @property
    def calls_per_attempt(self) -> int:
        """The most model calls one attempt makes, for budget reservation."""
        ...

    async def execute(self, example: Example, resources: Resources, record: Recorder) -> Output:
        """Produce the output.

        The runner applies the time limit by cancelling; on cancellation all work must have
        stopped when this returns (child processes and their groups included).

        Raises:
            AttemptError: classified failures; anything else is taken as ExecutorFailed.
        """
        ...

    async def aclose(self) -> None:
        """Release threads, processes and connections; calling again does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorContext:
    """What an executor plug-in is built from.

    `model` is None where the run names none. `base_dir` is the folder relative paths in the config
    are relative to. `concurrency` is the most rollouts in flight. `environ` is what child
    processes may inherit: provider keys are already taken out. `template` is how texts ask for the
    fields of an example. With `keep_reasoning`, reasoning in the text of an answer is part of it.
    `endpoint` is what agents call with their own clients; None where there is no model.
    `sources` tell which resources are files of a folder.
    """

    model: Model | None
    params: Mapping[str, Json] = field(default_factory=dict)
    base_dir: Path = Path()
    concurrency: int = 1
    template: Template = Template.PYTHON
    keep_reasoning: bool = False
    endpoint: AgentEndpoint | None = None
    sources: Mapping[str, TextSource] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


class ExecutorPlugin(Protocol):
    """What the entry-point group `tau.executors` holds.

    `Settings` is a frozen dataclass; config validates it with pydantic and writes its JSON Schema.
    """

    Settings: ClassVar[type[Any]]

    @classmethod
    def check(
        cls,
        settings: Any,  # noqa: ANN401
        context: ExecutorContext,
        resources: Resources,
        example: Example | None,
    ) -> None:
        """Find what cannot work before anything starts (a missing module, an unknown placeholder).

        `example` is one row of the dataset, if any.

        Raises:
            InputError: what, why and the fix.
        """
        ...

    @classmethod
    def build(cls, settings: Any, context: ExecutorContext) -> Executor:  # noqa: ANN401
        """Make the executor inside the event loop that will use it."""
        ...


@runtime_checkable
class TemplatedPlugin(Protocol):
    """An executor plug-in that fills texts of the resources from the fields of an example."""

    @classmethod
    def templates(cls, settings: Any, resources: Resources) -> Mapping[str, str]:  # noqa: ANN401
        """The texts that it fills, by where they stand in the configuration."""
        ...

    @classmethod
    def check_row(
        cls,
        settings: Any,  # noqa: ANN401
        context: ExecutorContext,
        resources: Resources,
        example: Example,
    ) -> None:
        """Find out whether `example` can be sent; nothing is called.

        Raises:
            ExampleInvalid: it cannot, whichever model is asked.
        """
        ...
