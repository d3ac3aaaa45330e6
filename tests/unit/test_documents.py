"""The drawings in the documents are those of the code."""

import re
from pathlib import Path

import pytest

from tau.domain import transitions

TEXT = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("machine", "table"),
    [
        ("rollout", transitions.ROLLOUT),
        ("attempt", transitions.ATTEMPT),
        ("run", transitions.RUN),
    ],
)
def test_state_machines_are_drawn_as_they_are(
    machine: str, table: dict[str, frozenset[str]]
) -> None:
    drawn = re.search(rf"^{machine} +(.*?)(?:\n\n|```)", TEXT, re.MULTILINE | re.DOTALL)
    assert drawn
    arrows = {old: set(new.split()) for old, new in re.findall(r"(\w+) +-> ([a-z ]+)", drawn[1])}
    assert arrows == {str(old): {str(one) for one in new} for old, new in table.items() if new}
