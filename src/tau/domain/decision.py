"""What a run says about its best candidate."""

from enum import StrEnum


class Decision(StrEnum):
    """Proved better; nothing proved better and nothing worth more examples; or not settled."""

    PROMOTE = "promote"
    KEEP_BASELINE = "keep_baseline"
    INCONCLUSIVE = "inconclusive"
