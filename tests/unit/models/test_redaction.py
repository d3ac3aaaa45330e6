"""What of a foreign text may stand in an error."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.models.redaction import EXCERPT, Redactor

KEY = "canary/0123456789+abcdef"


@pytest.mark.parametrize(
    "text",
    [
        KEY, f"Incorrect key {KEY}.", f"{KEY[:8]}\x00{KEY[8:]}", f"{KEY[:8]}\u200b{KEY[8:]}",
        quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode(), KEY * 100,
    ],
)  # fmt: skip
def test_the_key_is_taken_out_in_every_form(text: str) -> None:
    shown = Redactor([KEY]).excerpt(text)

    assert "canary" not in shown
    assert "[key]" in shown


def test_a_key_halved_by_the_scan_limit_is_not_shown() -> None:
    for offset in range(len(KEY)):
        shown = Redactor([KEY]).excerpt("\x00" * (65_536 - offset) + KEY)

        assert KEY[:offset] == "" or KEY[:offset] not in shown


@pytest.mark.parametrize(
    "text", ["sk-proj-abc***********wxyz", "Bearer abcdefghijkl", "gsk_0123456789abcdef",
             "AIza" + "x" * 30],
)  # fmt: skip
def test_what_looks_like_a_key_is_taken_out_too(text: str) -> None:
    assert Redactor([]).excerpt(f"wrong: {text}") == "wrong: [key]"


def test_controls_and_invisible_characters_are_removed() -> None:
    text = "a\x1b[31mb\x9bc\u202ed\u2066e\ufefff\r\ng\th"

    assert Redactor([]).excerpt(text) == "a[31mbcdef g h"


@given(st.text(max_size=5000))
def test_excerpts_are_one_short_printable_line(text: str) -> None:
    shown = Redactor([KEY]).excerpt(text)

    assert len(shown) <= EXCERPT
    assert "\n" not in shown
    assert all(c.isprintable() for c in shown)
    shown.encode()
