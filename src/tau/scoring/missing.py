"""What the rows that a comparison lacks could do to it: bounds, nothing is assumed of them.

The idea is that of C. Manski's worst-case bounds (American Economic Review 80, 1990, 319-323).
"""

from tau.scoring.table import Pairing

NOTED_SHARE = 0.1
"""With more than this share of the rows missing, a decision is one on part of the rows."""
TRUSTED_SHARE = 1 / 3
"""With more than this share missing, only a decision that no missing row could change stands."""


def as_zeros(pairing: Pairing) -> Pairing:
    """Where only the candidate has no score, it gets none: a prompt gains nothing by silence."""
    return pairing.filled(*(-score for score in pairing.baseline_only))


def against(pairing: Pairing) -> Pairing:
    """Every missing row as bad for the candidate as it can have been."""
    return pairing.filled(
        *(-score for score in pairing.baseline_only),
        *(score - 1.0 for score in pairing.candidate_only),
        *[-1.0] * _unknown(pairing),
    )


def in_favour(pairing: Pairing) -> Pairing:
    """Every missing row as good for the candidate as it can have been."""
    return pairing.filled(
        *(1.0 - score for score in pairing.baseline_only),
        *pairing.candidate_only,
        *[1.0] * _unknown(pairing),
    )


def _unknown(pairing: Pairing) -> int:
    """How many rows neither side has, or both have on other replicates."""
    return max(0, pairing.missing - len(pairing.baseline_only) - len(pairing.candidate_only))
