"""What one attempt at a rollout may spend at most, reserved before it is handed out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tau.config.run_settings import RunConfig
from tau.domain.json import Json, canonical
from tau.domain.rollout import RolloutKind, RolloutRequest
from tau.domain.spend import Spend, Usage
from tau.wiring.parts import ExecutionParts, JudgeParts

_BYTES_PER_TOKEN = 3
"""Few bytes for a token, so that the reservation is rather too large."""
_PROMPT_OVERHEAD_TOKENS = 64
_DEFAULT_OUTPUT_TOKENS = 2_048
_LARGEST = 1_000_000_000
_OUTPUT_PARAMS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "max_new_tokens")

Price = Callable[[Usage], int | None]
"""Nano-dollars for tokens, None where no price is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tariff:
    """What an attempt at one kind of rollout needs at most; `output_tokens` for each call."""

    calls: int
    output_tokens: int
    price: Price
    judges: tuple[JudgeParts, ...] = ()


class Reservation:
    """Estimates attempts: calls exactly, tokens and money generously.

    An evaluation calls what executor and graders declare, a proposal calls the reflection model
    once, at that model's price. Where judges are asked too, every call reserves what the dearest of
    them takes: a call whose bill nobody tells is then never booked below its price. Tokens and
    money are only estimated where the budget limits them.
    """

    def __init__(self, config: RunConfig, parts: ExecutionParts) -> None:
        limits = config.budget
        self._tokens_matter = limits.tokens is not None or limits.cost_nano_usd is not None
        self._tariffs = {
            RolloutKind.EVALUATE: _Tariff(
                calls=parts.calls_per_attempt,
                output_tokens=_output_tokens(config.params),
                price=_free if parts.model is None else parts.model.price,
                judges=parts.judges,
            ),
            RolloutKind.PROPOSE: _Tariff(
                calls=1,
                output_tokens=_output_tokens(config.reflection.params),
                price=_free if parts.proposer is None else parts.proposer.price,
            ),
        }

    def __call__(self, request: RolloutRequest) -> Spend:
        """What to reserve for one attempt at `request`."""
        tariff = self._tariffs[request.kind]
        if not self._tokens_matter:
            return Spend(rollouts=1, calls=tariff.calls)
        prompt = len(canonical(dict(request.resources.values)))
        if request.example is not None:
            prompt += len(canonical(request.example.value))
        elif request.proposal is not None:
            prompt += len(canonical(request.proposal))
        usage = Usage(
            input_tokens=prompt // _BYTES_PER_TOKEN + _PROMPT_OVERHEAD_TOKENS,
            output_tokens=tariff.output_tokens,
        )
        tokens, cost = usage.total_tokens, tariff.price(usage) or 0
        for judge in tariff.judges:
            asked = _judging(judge, prompt, tariff.output_tokens)
            tokens = max(tokens, asked.total_tokens)
            cost = max(cost, judge.model.price(asked) or 0)
        return Spend(
            rollouts=1,
            calls=tariff.calls,
            tokens=tariff.calls * tokens,
            cost_nano_usd=tariff.calls * cost,
        )


def _judging(judge: JudgeParts, row_bytes: int, answer_tokens: int) -> Usage:
    """The most tokens of one call of a judge: the row, the answer, and an answer to be repaired."""
    own = _output_tokens(judge.params)
    shown = (row_bytes + judge.told_bytes) // _BYTES_PER_TOKEN
    return Usage(input_tokens=shown + answer_tokens + own, output_tokens=own)


def _output_tokens(params: Mapping[str, Json]) -> int:
    """The largest answer that is asked for, `n` times where so many are."""
    limits = [size for name in _OUTPUT_PARAMS if (size := _positive(params.get(name)))]
    return max(limits, default=_DEFAULT_OUTPUT_TOKENS) * (_positive(params.get("n")) or 1)


def _positive(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        return 0
    return min(math.ceil(value), _LARGEST) if value < math.inf else _LARGEST


def _free(_usage: Usage) -> int | None:
    return 0
