"""What a claim about costs cannot exclude is said."""

from tau.scoring.claim_parts import cost_part
from tau.scoring.costs import saving


def caveats(rows: int) -> tuple[str, ...]:
    baseline = [2.0 + (n % 3) / 10 for n in range(rows)]
    spent = saving(baseline, [1.0 + (n % 2) / 10 for n in range(rows)], alpha=0.05)
    return cost_part(spent, 0.05).caveats


def test_few_rows_tell_how_many_dearer_ones_can_be_missing() -> None:
    (said,) = caveats(50)

    assert "up to 5.8 % of all rows can be dearer" in said


def test_many_rows_need_no_caveat() -> None:
    assert caveats(400) == ()
