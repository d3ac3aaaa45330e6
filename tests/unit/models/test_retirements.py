"""The table of models that are taken away."""

from datetime import date

import pytest

from tau.models.retirements import RETIREMENTS, retirement_of


def test_the_table_is_sorted_and_each_line_has_a_day_and_a_source() -> None:
    assert list(RETIREMENTS) == sorted(RETIREMENTS, key=lambda one: (one.on, one.model))
    assert len({one.model for one in RETIREMENTS}) == len(RETIREMENTS)
    for one in RETIREMENTS:
        assert date.fromisoformat(one.on).year >= 2026
        assert one.source.startswith("https://")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("gpt-4o-mini", True),
        ("gpt-4o-mini-2024-07-18", True),
        ("openai/gpt-4.1-mini", True),
        ("gpt-4o", False),
        ("gpt-4o-mini-audio", False),
    ],
)
def test_a_model_is_known_with_vendor_and_date(name: str, known: bool) -> None:
    assert (retirement_of(name) is not None) is known
