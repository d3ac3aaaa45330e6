"""The endpoint that agents call with their own client libraries."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from tau.errors import AttemptError
from tau.ports.record import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointAccess:
    """Where one attempt calls, and its key: neither is of use once the attempt has ended.

    `base_url` ends in `/v1`. `model` is the name the run's model goes by there.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment variables by which client libraries find it."""
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": self.api_key,
            "ANTHROPIC_BASE_URL": self.base_url.removesuffix("/v1"),
            "ANTHROPIC_API_KEY": self.api_key,
        }

    def added_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of a child process that calls it, past any proxy."""
        bypass = {
            name: ",".join(filter(None, (environ.get(name), "127.0.0.1")))
            for name in ("NO_PROXY", "no_proxy")
            if any(known.lower().endswith("_proxy") for known in environ)
        }
        return {**environ, **bypass, **self.variables}


class EndpointLease(Protocol):
    """One attempt's leave to call."""

    @property
    def access(self) -> EndpointAccess:
        """Where and with which key; the endpoint listens from now on. Any thread may ask."""
        ...

    @property
    def calls(self) -> int:
        """How many calls came so far, refused ones included."""
        ...

    @property
    def trouble(self) -> AttemptError | None:
        """What the last call ended with, None where it went well or there was none."""
        ...

    def environment(self, wait_s: float) -> AbstractContextManager[None]:
        """Set the variables in this process for as long as the block lasts.

        Raises:
            ExecutorFailed: another rollout still has them set after `wait_s`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """What an attempt may do: so many calls, of the run's model and of `models` besides.

    `max_tokens` bounds what one call may generate. With `expected`, an attempt without any call is
    told about at the end of the run.
    """

    calls: int
    models: Sequence[str] = ()
    max_tokens: int | None = None
    expected: bool = False


class AgentEndpoint(Protocol):
    """Gives each attempt an address and a key of its own; of one event loop."""

    def lease(self, record: Recorder, terms: LeaseTerms) -> AbstractContextManager[EndpointLease]:
        """Leave to call for as long as the block lasts; then the key is dead."""
        ...
