"""The sign-flip test for graded paired differences, and the interval that inverts it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tau.domain.draws import stream

ENUMERATED = 13
"""Up to so many examples all sign patterns are gone through; beyond, so many draws are made:"""
DRAWS = 9_999

MOST_UNITS = 512
"""Beyond so many units, they are put into as many blocks at random, which flip as a whole."""

_UNITS = 10**12
"""Differences are counted in these units, so that sums are exact and ties are ties."""
_SIZE_BITS = 40
_SIZE = (1 << _SIZE_BITS) - 1
"""A sum and its number of rows are one integer, rows in the low bits: one addition adds both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlips:
    """One-sided p-values for either direction and an interval at level 1 - alpha for the centre."""

    p_greater: float
    p_less: float
    low: float
    high: float


def sign_flips(
    totals: Sequence[float],
    alpha: float,
    *,
    sizes: Sequence[int] | None = None,
    draws: int = DRAWS,
) -> SignFlips:
    """Test and interval for the centre of paired differences in [-1, 1].

    `totals` are the sums of the differences of units of `sizes` rows, or single differences.

    Where swapping two candidates changes nothing, every pattern of signs is equally likely (R. A.
    Fisher, The Design of Experiments, 1935, section 21; Monte-Carlo p-values (1 + hits) / (1 +
    draws): B. Phipson and G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010, article 39).
    Flipping the signs of a subset makes the shifted sum at least as large as observed exactly
    where the subset's mean is at most the shift; so the values that the test does not reject lie
    between order statistics of subset means (J. A. Hartigan, JASA 64, 1969, 1303-1317). Test and
    interval come from the same subsets: the interval leaves out 0 exactly when the test rejects.

    The order of the differences does not matter; swapping the candidates mirrors the result.

    Raises:
        ValueError: no differences.
    """
    if not totals:
        raise ValueError("no differences to test")
    rows = sizes if sizes is not None else [1] * len(totals)
    counted = [round(total * _UNITS) for total in totals]
    whole = sum(counted)
    units = _packed(counted, rows)
    if whole > 0:
        return _tested(units, alpha, draws)
    mirrored = _packed([-unit for unit in counted], rows)
    if whole < 0 or mirrored > units:
        found = _tested(mirrored, alpha, draws)
        return SignFlips(
            p_greater=found.p_less, p_less=found.p_greater, low=-found.high, high=-found.low
        )
    found = _tested(units, alpha, draws)
    if mirrored == units:
        p, half = max(found.p_greater, found.p_less), max(-found.low, found.high)
        return SignFlips(p_greater=p, p_less=p, low=-half, high=half)
    return found


def _packed(units: Sequence[int], sizes: Sequence[int]) -> list[int]:
    return sorted((unit << _SIZE_BITS) + size for unit, size in zip(units, sizes, strict=True))


def _tested(packed: Sequence[int], alpha: float, draws: int) -> SignFlips:
    packed = _blocks(packed)
    exact = len(packed) <= ENUMERATED
    sums = list(_all_sums(packed) if exact else _drawn_sums(packed, draws))
    # The observed pattern flips nothing: among all patterns it is the first, else it is added.
    patterns = len(sums) + 1
    rank = math.floor(alpha / 2 * patterns + 1e-9)
    pairs = [(total >> _SIZE_BITS, total & _SIZE) for total in sums]
    means = [total / size if size else None for total, size in pairs]
    lower = sorted(-math.inf if mean is None else mean for mean in means)
    upper = sorted((math.inf if mean is None else mean for mean in means), reverse=True)
    return SignFlips(
        p_greater=(1 + sum(total <= 0 for total, _ in pairs)) / patterns,
        p_less=(1 + sum(total >= 0 for total, _ in pairs)) / patterns,
        low=max(-2.0, lower[rank - 1] / _UNITS) if rank else -2.0,
        high=min(2.0, upper[rank - 1] / _UNITS) if rank else 2.0,
    )


def _blocks(packed: Sequence[int]) -> Sequence[int]:
    if len(packed) <= MOST_UNITS:
        return packed
    numbers = memoryview(stream(2 * len(packed), 0, "sign-flip-blocks", len(packed))).cast("H")
    sums = [0] * MOST_UNITS
    for number, unit in zip(numbers, packed, strict=True):
        sums[number % MOST_UNITS] += unit
    return [total for total in sums if total]


def _all_sums(units: Sequence[int]) -> Iterator[int]:
    """Every subset's but the empty one."""
    sums = [0]
    for unit in units:
        sums += [total + unit for total in sums]
    yield from sums[1:]


def _drawn_sums(units: Sequence[int], draws: int) -> Iterator[int]:
    """Those of `draws` random subsets, eight units at a time."""
    tables = [_byte_sums(units[start : start + 8]) for start in range(0, len(units), 8)]
    width = len(tables)
    last = (1 << (len(units) - 8 * (width - 1))) - 1
    chosen = stream(draws * width, 0, "sign-flips", len(units))
    for start in range(0, len(chosen), width):
        mask = bytearray(chosen[start : start + width])
        mask[-1] &= last
        yield sum([table[byte] for table, byte in zip(tables, mask, strict=True)])


def _byte_sums(units: Sequence[int]) -> list[int]:
    sums = [0]
    for unit in units:
        sums += [total + unit for total in sums]
    return sums
