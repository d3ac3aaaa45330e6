"""Passing an agent's own requests on to a provider, as they are."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tau.domain.json import Json
from tau.domain.spend import Usage
from tau.errors import ModelError
from tau.ports.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedRequest:
    """What a client sent. `path` is beneath the base URL, such as `/chat/completions`."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class ForwardedReply(Protocol):
    """What comes back, as it comes."""

    status: int
    headers: Mapping[str, str]

    def pieces(self) -> AsyncIterator[bytes]:
        """The body, whenever a part of it has arrived. Raises ModelError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredBody:
    """What a body says a call has used; `cost_nano_usd` is None where that is not known."""

    usage: Usage
    whole: bool
    cost_nano_usd: int | None


class Upstream(Protocol):
    """A provider's own door: what goes through it is the client's, only the key is ours."""

    def open(self, request: ForwardedRequest) -> AbstractAsyncContextManager[ForwardedReply]:
        """Send it; the reply is there when its head has come. Raises ModelError."""
        ...

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """What an answer of failure means."""
        ...

    def metered(self, body: Json) -> MeteredBody:
        """What a body tells of usage and cost."""
        ...

    def masked(self, data: bytes) -> bytes:
        """`data` without the key, should the other side repeat it."""
        ...


@runtime_checkable
class ForwardingModel(Protocol):
    """A model whose provider can be asked in a client's own words."""

    def upstream(self) -> Upstream | None:
        """The provider's door; None where there is none after all."""
        ...

    def standing_in(self, call: Model) -> Model:
        """`call` with whatever this model does around its calls, such as recording them."""
        ...
