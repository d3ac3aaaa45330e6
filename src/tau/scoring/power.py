"""What a certification of planned size can show, before anything is spent.

As in `certify`, alpha is the chance that a candidate that is no better gets promoted (one-sided).
"""

import math
from statistics import NormalDist

from tau.scoring.binomial import at_least, bulk
from tau.scoring.unconditional import fewest_fixed

_NORMAL = NormalDist()
_MOST_ROOT = math.sqrt(10**9)
POWER = 0.8
"""The chance of promotion from which an effect counts as detectable."""


def power(n: int, gain: float, broken: float, *, alpha: float = 0.05) -> float:
    """The chance that a true `gain` with a share `broken` of examples broken is promoted.

    Exact for right and wrong answers: over the number of examples on which both differ, the
    chance that the test rejects in favour of the candidate (W. Schork and G. Williams,
    Communications in Statistics B 9, 1980, 349-357, do it for McNemar's).

    Raises:
        ValueError: shares that no examples can have.
    """
    fixed = gain + broken
    different = fixed + broken
    if not (0 <= fixed <= 1 and 0 <= broken <= 1 and different <= 1 + 1e-12):
        raise ValueError(f"no examples have {fixed:g} fixed and {broken:g} broken")
    if different == 0:
        return 0.0
    total = []
    first, chances = bulk(n, min(1.0, different))
    for discordant, chance in enumerate(chances, start=first):
        least = fewest_fixed(n, discordant, alpha)
        if least is not None:
            total.append(chance * at_least(discordant, least, fixed / different))
    return min(1.0, math.fsum(total))


def detectable_gain(
    n: int, broken: float, *, alpha: float = 0.05, chance: float = POWER
) -> float | None:
    """The smallest true gain that is promoted with probability `chance`, to 3 decimals, rounded up.

    None where no gain is: too few rows to certify anything.
    """
    low, high = 0, math.floor((1 - 2 * broken) * 1000 + 1e-9)
    if high < 1 or power(n, high / 1000, broken, alpha=alpha) < chance:
        return None
    while low < high:
        middle = (low + high) // 2
        if power(n, middle / 1000, broken, alpha=alpha) >= chance:
            high = middle
        else:
            low = middle + 1
    return low / 1000


def fewest_rows(alpha: float = 0.05) -> int:
    """The rows below which nothing can be promoted, even if all of them are fixed."""
    fewest = math.ceil(math.log2(1 / alpha) - 1e-9)
    return next(n for n in range(fewest, 2 * fewest + 2) if fewest_fixed(n, n, alpha) is not None)


def rows_to_settle(
    difference: float, sd: float, effect: float, *, alpha: float = 0.05, chance: float = POWER
) -> int:
    """About how many examples would settle it if the truth is as observed.

    The fewest for which, with probability `chance`, the interval lies above 0 or below `effect`
    (normal approximation: ((z_alpha + z_chance) sd / distance)^2). `sd` is that of the paired
    differences of single examples. At most 10^9 are told.
    """
    distance = max(difference, effect - difference)
    z = _NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf(chance)
    return max(fewest_rows(alpha), math.ceil(min(z * sd / distance, _MOST_ROOT) ** 2))


def fewest_for_margin(margin: float, alpha: float) -> int:
    """With fewer rows (or groups) no loss of `margin` is ruled out, however equal all scores are.

    A share of `margin` of all rows, on which everything is lost, may then not be among them.
    """
    return math.ceil(math.log(alpha) / math.log1p(-margin))
