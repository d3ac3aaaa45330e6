"""What one attempt at a rollout may spend at most, reserved before it is handed out."""

from collections.abc import Callable

from tau.config.settings import RunConfig
from tau.domain.json import canonical
from tau.domain.rollout import RolloutRequest
from tau.domain.spend import Spend, Usage

_BYTES_PER_TOKEN = 3
"""Few bytes for a token, so that the reservation is rather too large."""
_PROMPT_OVERHEAD_TOKENS = 64
_DEFAULT_OUTPUT_TOKENS = 2_048
_OUTPUT_PARAMS = ("max_completion_tokens", "max_tokens")

Price = Callable[[Usage], int | None]
"""Nano-dollars for tokens, None where no price is known."""


class Reservation:
    """Estimates attempts: calls exactly, tokens and money generously.

    Tokens and money are only estimated where the budget limits them.
    """

    def __init__(self, config: RunConfig, *, calls: int, price: Price) -> None:
        self._calls = calls
        self._price = price
        limits = config.budget
        self._tokens_matter = limits.tokens is not None or limits.cost_nano_usd is not None
        self._output_tokens = _output_tokens(config)

    def __call__(self, request: RolloutRequest) -> Spend:
        """What to reserve for one attempt at `request`."""
        if not self._tokens_matter:
            return Spend(rollouts=1, calls=self._calls)
        prompt = len(canonical(dict(request.resources.values)))
        if request.example is not None:
            prompt += len(canonical(request.example.value))
        elif request.proposal is not None:
            prompt += len(canonical(request.proposal))
        usage = Usage(
            input_tokens=prompt // _BYTES_PER_TOKEN + _PROMPT_OVERHEAD_TOKENS,
            output_tokens=self._output_tokens,
        )
        return Spend(
            rollouts=1,
            calls=self._calls,
            tokens=self._calls * usage.total_tokens,
            cost_nano_usd=self._calls * (self._price(usage) or 0),
        )


def _output_tokens(config: RunConfig) -> int:
    for name in _OUTPUT_PARAMS:
        value = config.params.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return _DEFAULT_OUTPUT_TOKENS
