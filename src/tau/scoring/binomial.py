"""Binomial probabilities and tails."""

import math
from functools import lru_cache


def binomial_tail(n: int, least: int) -> float:
    """P(X >= least) for X ~ Binomial(n, 1/2), exact but for the last division."""
    if least <= 0:
        return 1.0
    if 2 * least <= n:
        return 1 - binomial_tail(n, n - least + 1)
    term = math.comb(n, least) if least <= n else 0
    total = 0
    for k in range(least, n + 1):
        total += term
        term = term * (n - k) // (k + 1)
    return total / (1 << n)


@lru_cache(maxsize=1024)
def half_tails(n: int) -> tuple[float, ...]:
    """P(X >= k) for k = 0..n and X ~ Binomial(n, 1/2)."""
    term, total, found = 1, 0, []
    for k in range(n, -1, -1):
        total += term
        found.append(total / (1 << n))
        term = term * k // (n - k + 1)
    return tuple(reversed(found))


def binomial(n: int, k: int, p: float) -> float:
    """P(X = k) for X ~ Binomial(n, p)."""
    if p in (0.0, 1.0):
        return float(k == n * p)
    choices = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choices + k * math.log(p) + (n - k) * math.log1p(-p))


def at_least(n: int, least: int, p: float) -> float:
    """P(X >= least) for X ~ Binomial(n, p), summed from its smaller side."""
    if least <= 0:
        return 1.0
    if least > n:
        return 0.0
    if least <= n * p:
        return max(0.0, 1 - at_least(n, n - least + 1, 1 - p))
    term, total = binomial(n, least, p), 0.0
    odds = p / (1 - p) if p < 1 else math.inf
    for k in range(least, n + 1):
        total += term
        if term < 1e-18 * total or k == n:
            break
        term *= (n - k) / (k + 1) * odds
    return min(1.0, total)


@lru_cache(maxsize=4096)
def bulk(n: int, p: float) -> tuple[int, tuple[float, ...]]:
    """The first k and P(X = k) from there on, leaving out what adds up to less than 1e-12."""
    spread = 7.5 * math.sqrt(n * p * (1 - p)) + 12
    first, last = max(0, math.floor(n * p - spread)), min(n, math.ceil(n * p + spread))
    return first, tuple(binomial(n, k, p) for k in range(first, last + 1))
