"""Cost, against the library the data comes from."""

import warnings
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot

from tau.domain.spend import Usage
from tau.models.prices import cost_nano_usd
from tau.models.providers import PROVIDERS

WHEN = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
WHEN_MS = int(WHEN.timestamp() * 1000)
USAGES = [
    Usage(input_tokens=1234, output_tokens=567),
    Usage(input_tokens=90_001, output_tokens=3, cached_tokens=80_000, reasoning_tokens=1),
    Usage(input_tokens=300_001, output_tokens=70_000, cached_tokens=17),
    Usage(),
]


@pytest.mark.parametrize(
    "provider", sorted({row.prices for row in PROVIDERS.values() if row.prices is not None})
)
def test_equals_the_library_for_every_model(provider: str) -> None:
    """Where the library can price the usage at all; it refuses some combinations."""
    models = next(p for p in get_snapshot().providers if p.id == provider).models
    compared = 0
    for model in models:
        for usage in USAGES:
            name = f"accounts/fireworks/models/{model.id}" if provider == "fireworks" else model.id
            theirs = oracle(provider, name, usage)
            if theirs is not None:
                assert cost_nano_usd(provider, [name], usage, WHEN_MS) == theirs, name
                compared += 1

    assert compared >= len(models)


def oracle(provider: str, model: str, usage: Usage) -> int | None:
    given = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            price = genai_prices.calc_price(
                given, model, provider_id=provider, genai_request_timestamp=WHEN
            )
    except (ValueError, LookupError):
        return None
    return int((price.total_price * Decimal(10**9)).to_integral_value(ROUND_HALF_EVEN))


def test_the_first_known_name_counts() -> None:
    usage = Usage(input_tokens=1000)

    assert cost_nano_usd("openai", ["nobody-knows", None, "gpt-4o-mini"], usage, WHEN_MS) == 150_000
    assert cost_nano_usd("openai", ["nobody-knows"], usage, WHEN_MS) is None
    assert cost_nano_usd("nobody", ["gpt-4o-mini"], usage, WHEN_MS) is None
