"""What tokens cost. The list of prices is an extra: without it no price is known."""

import importlib
from collections.abc import Sequence
from functools import cache
from types import ModuleType

from tau.domain.spend import Usage
from tau.models.providers import PROVIDERS
from tau.plugins import missing_fix

_LIBRARY = "genai_prices"


def cost_nano_usd(
    provider: str, models: Sequence[str | None], usage: Usage, now_unix_ms: int
) -> int | None:
    """The price by the first of `models` that has one, or None. `provider` as in genai-prices."""
    listed = _price_list()
    if listed is None:
        return None
    cost: int | None = listed.cost_nano_usd(provider, models, usage, now_unix_ms)
    return cost


def unlisted_fix(provider: str) -> str | None:
    """How to install the list, where it may have prices of `provider` and is not installed."""
    row = PROVIDERS.get(provider)
    if row is None or row.prices is None or _price_list() is not None:
        return None
    return missing_fix(_LIBRARY)


@cache
def _price_list() -> ModuleType | None:
    """Read when a price is first asked for; None where it is not installed."""
    try:
        return importlib.import_module("tau.models.price_list")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != _LIBRARY:
            raise
        return None
