"""Language models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from tau.domain.chat import Completion, ModelRequest
from tau.domain.json import Json
from tau.domain.spend import Usage


class Model(Protocol):
    """A language model that can be called; one object serves many concurrent calls.

    It never retries: the queue owns retries, and every call that may cost something is counted.
    """

    @property
    def ref(self) -> str:
        """`provider/model` as the user wrote it."""
        ...

    @property
    def provider(self) -> str:
        """The value of `gen_ai.provider.name`."""
        ...

    async def complete(self, request: ModelRequest) -> Completion:
        """Make one call.

        Raises:
            ModelError: one of its subclasses for whatever went wrong; cancellation closes the
                connection and passes.
        """
        ...

    def price(self, usage: Usage) -> int | None:
        """What these tokens cost in nano-dollars; 0 where calls are free, None if unknown."""
        ...

    async def aclose(self) -> None:
        """Release connections; calling again does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContext:
    """What a model plug-in is built from.

    `provider` and `name` are the two sides of the first slash of `provider/model`. `environ` is
    the environment as config read it: the plug-in takes its own key from it and nothing else.
    `max_connections` is the most calls that will be in flight.
    """

    provider: str
    name: str
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    base_url: str | None = None
    timeout_s: float = 120.0
    max_connections: int = 256


class ModelPlugin(Protocol):
    """What the entry-point group `tau.models` holds: the name is the provider.

    `Settings` is a frozen dataclass of the provider's own options in the config.
    """

    Settings: ClassVar[type[Any]]

    @classmethod
    def check(cls, settings: Any, context: ModelContext) -> None:  # noqa: ANN401
        """Find what is missing before anything starts; no network, no files written.

        Raises:
            MissingKey: names the variable and where to set it.
            InputError: the name or an option cannot be used.
        """
        ...

    @classmethod
    def build(cls, settings: Any, context: ModelContext) -> Model:  # noqa: ANN401
        """Make the model; call it inside the event loop that will use it. Connects lazily."""
        ...


Params = Mapping[str, Json]
