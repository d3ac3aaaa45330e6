"""How executors let agents use the endpoint."""

from collections.abc import Mapping
from typing import Final

from tau.domain.json import Json
from tau.errors import InputError
from tau.ports.executor import ExecutorContext

_LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens", "max_new_tokens")


def check_endpoint(calls: int, endpoint: bool | None, context: ExecutorContext) -> None:
    """Refuse an endpoint that could not answer.

    Raises:
        InputError: there is no model behind it, or no call is allowed.
    """
    if endpoint and not calls:
        raise InputError(
            "the endpoint allows no call",
            where="executor.calls",
            fix="set executor.calls to the most calls that one rollout makes",
        )
    if calls and endpoint is not False and context.model is None:
        raise InputError(
            "the agent may call the model, but there is none",
            where="executor.calls",
            fix="give --model provider/model, or 'model' in the config",
        )


def output_limit(params: Mapping[str, Json]) -> int | None:
    """What one call may generate by the run's parameters; None where they do not say."""
    given = [value for name in _LIMITS if isinstance(value := params.get(name), int)]
    return max(given, default=None)
