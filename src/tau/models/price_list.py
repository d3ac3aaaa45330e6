"""What tokens cost, from the data bundled with genai-prices; nothing is fetched.

Its library is an extra: everybody else asks `tau.models.prices`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from tau.domain.spend import Usage

_NANO_PER_TOKEN = 1000  # a dollar per million tokens, in nano-dollars per token
_ZERO = Decimal(0)

Price = Decimal | TieredPrices | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Dollars per million tokens of one model at one time; tiers go by the input's length."""

    input: Price
    cached: Price
    output: Price
    reasoning: Price = None

    def nano_usd(self, usage: Usage) -> int:
        """The price of a call, in whole nano-dollars."""
        length = usage.input_tokens
        fresh = usage.input_tokens - usage.cached_tokens
        spoken = usage.output_tokens - usage.reasoning_tokens
        total = (
            fresh * _at(self.input, length)
            + usage.cached_tokens * _at(_or(self.cached, self.input), length)
            + spoken * _at(self.output, length)
            + usage.reasoning_tokens * _at(_or(self.reasoning, self.output), length)
        )
        return int((total * _NANO_PER_TOKEN).to_integral_value(ROUND_HALF_EVEN))


def cost_nano_usd(
    provider: str, models: Sequence[str | None], usage: Usage, now_unix_ms: int
) -> int | None:
    """The price by the first of `models` that has one, or None. `provider` as in genai-prices."""
    for model in models:
        tariff = _tariff_at(provider, model, now_unix_ms // 1000) if model else None
        if tariff is not None:
            return tariff.nano_usd(usage)
    return None


@lru_cache(maxsize=256)
def _tariff_at(provider: str, model: str, unix_s: int) -> Tariff | None:
    """What holds in that second; looking it up takes longer than multiplying."""
    known = _known(provider, model)
    if isinstance(known, ModelInfo):
        return _tariff(known.get_prices(datetime.fromtimestamp(unix_s, UTC)))
    return known


@lru_cache(maxsize=256)  # names come from answers, too
def _known(provider: str, model: str) -> Tariff | ModelInfo | None:
    """The tariff, or the model where it changes by date or time of day."""
    try:
        _, known = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return _tariff(known.prices) if isinstance(known.prices, ModelPrice) else known


def _tariff(price: ModelPrice) -> Tariff:
    return Tariff(
        input=price.input_mtok,
        cached=price.cache_read_mtok,
        output=price.output_mtok,
        reasoning=price.output_reasoning_mtok,
    )


def _or(price: Price, other: Price) -> Price:
    return other if price is None else price


def _at(price: Price, length: int) -> Decimal:
    """The price per million; crossing a tier's start applies that tier to all tokens."""
    if not isinstance(price, TieredPrices):
        return price or _ZERO
    for tier in reversed(price.tiers):
        if length > tier.start:
            return tier.price
    return price.base
