"""Access: the policy that a store carries."""

from collections.abc import Mapping
from dataclasses import dataclass

from tau.domain.json import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedPolicy:
    """A policy in a store; the one with the highest number holds, the others are its history."""

    number: int
    document: Mapping[str, Json]
    principal: str
    reason: str
    installed_unix_ms: int
