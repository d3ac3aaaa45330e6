"""Anytime-valid evidence by betting on paired differences: look as often as you like."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

BETS = (0.1, 0.25, 0.5, 0.75)
"""Shares of the wealth that are put at risk; the process averages over them."""

_CLOSE = 1e-9
"""What rounding may make of equal means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bets:
    """Wealth won by betting that the mean of values in [-1, 1] is above `null`.

    Start from `Bets()` (or another null, population) and take values with `after`; the order must
    have been fixed without looking at them. If the mean is at most `null`, the wealth reaches
    1 / alpha with probability at most alpha, whenever one looks (J. Ville, 1939; capital process:
    I. Waudby-Smith and A. Ramdas, J. Roy. Stat. Soc. B 86, 2024, 1-27). With a `population` of N
    the values are drawn without replacement from N and the mean is that of all N (the same paper,
    section 5): each bet is against the mean that the values still to come would have.

    `logs` are the log wealths of BETS; `total` and `n` belong to the values taken so far; `peak`
    is the highest log wealth so far.
    """

    null: float = 0.0
    population: int | None = None
    n: int = 0
    total: float = 0.0
    logs: tuple[float, ...] = (0.0,) * len(BETS)
    peak: float = 0.0

    def after(self, values: Sequence[float]) -> "Bets":
        """This process and `values`, in their order.

        Raises:
            ValueError: a value outside [-1, 1], or more values than the population holds.
        """
        logs, total, peak = self.logs, self.total, self.peak
        for n, value in enumerate(values, self.n):
            if not -1 <= value <= 1:
                raise ValueError(f"values must be in [-1, 1], got {value}")
            expected = _expected(self.null, self.population, n, total)
            logs = tuple(
                log + _gain(bet, value, expected) for bet, log in zip(BETS, logs, strict=True)
            )
            total += value
            if _refuted(self.null, self.population, n + 1, total):
                logs = (math.inf,) * len(BETS)
            peak = max(peak, _mixed(logs))
        return Bets(
            null=self.null,
            population=self.population,
            n=self.n + len(values),
            total=total,
            logs=logs,
            peak=peak,
        )

    @property
    def log_wealth(self) -> float:
        """Log of the wealth now; infinite where the null has become impossible."""
        return _mixed(self.logs)

    def rejects(self, alpha: float) -> bool:
        """Whether the wealth has ever reached 1 / alpha."""
        return self.peak >= -math.log(alpha)


def bet(values: Sequence[float], *, null: float = 0.0, population: int | None = None) -> Bets:
    """The process that bets on `values` in order that their mean is above `null`."""
    return Bets(null=null, population=population).after(values)


def _expected(null: float, population: int | None, n: int, total: float) -> float:
    """The mean of the next value under the null, given the `n` before."""
    if population is None:
        return null
    if n >= population:
        raise ValueError(f"more values than the population of {population} holds")
    return (population * null - total) / (population - n)


def _refuted(null: float, population: int | None, n: int, total: float) -> bool:
    """Whether even -1 for all that is still to come would leave the mean above the null."""
    if population is None:
        return False
    return (total - (population - n)) / population > null + _CLOSE


def _gain(bet: float, value: float, expected: float) -> float:
    """Log of 1 + bet (value - expected) / (1 + expected): never below 1 - bet."""
    room = 1 + expected
    if room <= _CLOSE:
        # Under the null only -1 can come; anything else refutes it for good.
        return 0.0 if value <= -1 + _CLOSE else math.inf
    return math.log1p(bet * ((1 + value) / room - 1))


def _mixed(logs: Sequence[float]) -> float:
    """Log of the mean of exp(logs)."""
    top = max(logs)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs))
