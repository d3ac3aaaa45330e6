"""Text made visible: joiners stay where they spell something, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.visible import shown

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ASTRONAUT = "\U0001f468\U0001f3fd\u200d\U0001f680"
HEART = "\u2764\ufe0f\u200d\U0001f525"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
HINDI = "\u0915\u094d\u200d\u0937"


@pytest.mark.parametrize("text", [FAMILY, ASTRONAUT, HEART, PERSIAN, HINDI])
def test_what_is_spelled_with_joiners_stays_whole(text: str) -> None:
    assert shown(f"a {text} b") == f"a {text} b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pass\u200dword", "pass\\u200dword"),
        ("pass\u200cword", "pass\\u200cword"),
        ("\u200d\U0001f467", "\\u200d\U0001f467"),
        ("\U0001f467\u200d", "\U0001f467\\u200d"),
        ("\U0001f467\u200dx", "\U0001f467\\u200dx"),
        ("\U0001f467\u200d\u200d\U0001f467", "\U0001f467\\u200d\\u200d\U0001f467"),
        ("\U0001f467\u200c\U0001f467", "\U0001f467\\u200c\U0001f467"),
        (f"{FAMILY}\u202e", f"{FAMILY}\\u202e"),
        ("\u0645\u200b\u0645", "\u0645\\u200b\u0645"),
    ],
)
def test_joiners_elsewhere_and_whatever_else_hides_are_written_out(
    text: str, expected: str
) -> None:
    assert shown(text) == expected


@given(st.text(alphabet="ab\u200c\u200d\u0645\u0915\U0001f467\u202e\u200b\x1b"))
def test_a_joiner_that_stays_stands_between_what_it_joins(text: str) -> None:
    seen = shown(text)
    assert not set("\u202e\u200b\x1b") & set(seen)
    for n, char in enumerate(seen):
        if char in "\u200c\u200d":
            assert 0 < n < len(seen) - 1
            assert not (seen[n - 1] + seen[n + 1]).isascii()
