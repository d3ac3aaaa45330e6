"""What work costs, and the limits on it."""

from dataclasses import dataclass, field

from tau.domain.quick import quickly_made

NANO = 1_000_000_000


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of model calls. Cached tokens are part of input, reasoning tokens of output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """Field by field."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """An amount of budget. Money is whole nano-dollars, so that sums do not depend on order.

    `assumed_tokens` and `assumed_cost_nano_usd` are what of it no provider has told: counted as it
    was reserved. They say how the amount is known and are no part of it: equal amounts stay equal.
    """

    rollouts: int = 0
    calls: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0
    assumed_tokens: int = field(default=0, compare=False)
    assumed_cost_nano_usd: int = field(default=0, compare=False)

    @property
    def assumed_cost_usd(self) -> float:
        """The assumed money in dollars."""
        return self.assumed_cost_nano_usd / NANO

    @property
    def cost_usd(self) -> float:
        """The money in dollars."""
        return self.cost_nano_usd / NANO

    def __add__(self, other: "Spend") -> "Spend":
        """Field by field."""
        return Spend(
            rollouts=self.rollouts + other.rollouts,
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            cost_nano_usd=self.cost_nano_usd + other.cost_nano_usd,
            assumed_tokens=self.assumed_tokens + other.assumed_tokens,
            assumed_cost_nano_usd=self.assumed_cost_nano_usd + other.assumed_cost_nano_usd,
        )

    def __sub__(self, other: "Spend") -> "Spend":
        """Field by field."""
        return Spend(
            rollouts=self.rollouts - other.rollouts,
            calls=self.calls - other.calls,
            tokens=self.tokens - other.tokens,
            cost_nano_usd=self.cost_nano_usd - other.cost_nano_usd,
            assumed_tokens=self.assumed_tokens - other.assumed_tokens,
            assumed_cost_nano_usd=self.assumed_cost_nano_usd - other.assumed_cost_nano_usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a model call costs as far as that is known; `whole` where it is known in full."""

    tokens: int = 0
    cost_nano_usd: int = 0
    tokens_whole: bool = False
    cost_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Hard limits of a run; None means no limit. `seconds` counts time spent running."""

    rollouts: int | None = None
    calls: int | None = None
    tokens: int | None = None
    cost_nano_usd: int | None = None
    seconds: float | None = None

    def refuses(self, spent: Spend) -> tuple[str, ...]:
        """The names of the limits that `spent` (settled and reserved together) would exceed."""
        over = []
        for name in ("rollouts", "calls", "tokens", "cost_nano_usd"):
            limit = getattr(self, name)
            if limit is not None and getattr(spent, name) > limit:
                over.append("usd" if name == "cost_nano_usd" else name)
        return tuple(over)
