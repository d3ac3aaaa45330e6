"""Student's t distribution, which the standard library lacks."""

import math

_STEPS = 300
_SMALL = 1e-300


def t_beyond(t: float, df: float) -> float:
    """P(T >= t)."""
    half = _beta(df / 2, 0.5, df / (df + t * t)) / 2
    return half if t >= 0 else 1 - half


def t_quantile(chance: float, df: float) -> float:
    """The t with P(T >= t) = `chance`, for chances up to 1/2."""
    low, high = 0.0, 1.0
    while t_beyond(high, df) > chance:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if t_beyond(middle, df) > chance:
            low = middle
        else:
            high = middle
    return high


def _beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function (Numerical Recipes, 2007, 6.4: Lentz's method)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    logs = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(logs + a * math.log(x) + b * math.log1p(-x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(b, a, 1 - x) / b
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _far(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _STEPS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _far(1 + numerator * d)
            c = _far(1 + numerator / c)
            found *= c * d
        if abs(c * d - 1) < 1e-13:
            break
    return found


def _far(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL
