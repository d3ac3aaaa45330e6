"""Figures and sentences as reports say them."""

import re
from collections.abc import Callable


def counted(number: int, noun: str) -> str:
    """`1 rollout`, `1,200 rollouts`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def signed(value: float) -> str:
    """`+0.125`, with a true minus."""
    return f"{value:+.3f}".replace("-", "\u2212")


def scored(value: float | None, binary: bool) -> str:
    """`74 %` where scores are right or wrong, else `0.742`."""
    if value is None:
        return "-"
    return f"{_rounded(100 * value)} %" if binary else f"{value:.3f}"


def points(
    value: float, binary: bool, *, unit: bool = True, whole: Callable[[float], int] = round
) -> str:
    """A difference of scores: `+46 points` where they are right or wrong, else `+0.463`.

    `whole` makes a number whole: bounds are rounded to where they still hold.
    """
    if not binary:
        return signed(value if whole is round else whole(round(1000 * value, 6)) / 1000)
    number = _rounded(100 * value) if whole is round else whole(round(100 * value, 6))
    text = f"{number:+}".replace("-", "\u2212") if number else "0"
    return text + (f" point{'' if abs(number) == 1 else 's'}" if unit else "")


def _rounded(value: float) -> int:
    """To whole numbers, but nothing that is there to nothing and no part to the whole."""
    nearest = round(value)
    if nearest == 0 and abs(value) > 1e-9:
        return 1 if value > 0 else -1
    return 99 if nearest == 100 and value < 100 - 1e-9 else nearest


def dollars(usd: float) -> str:
    """Two decimals, or as many as a small amount needs to be seen."""
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    if usd < 0.000001:
        return "<$0.000001"
    whole, _, rest = f"{usd:.6f}".rstrip("0").partition(".")
    return f"${whole}.{rest:0<2}"


def capital(text: str) -> str:
    """What others wrote, with a capital and else as it is: its signs may be a part of an answer."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """A reason as a sentence: with a capital, ended once, its signs true ones."""
    end = "" if text.endswith((".", "!", "?")) else "."
    true = re.sub(r"(?<![\w.])-(?=[0-9])", "\u2212", text)
    return f"{capital(true)}{end}" if text else ""
