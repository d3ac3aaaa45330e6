"""What a model wrote cannot steer a terminal, hide, or pass for our own lines."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.cli.text import line, shown, table


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain ünïcode 漢字 🎉", "plain ünïcode 漢字 🎉"),
        ("a\nb\tc", "a\nb\tc"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten\x08", "over\\x0dwritten\\x08"),
        ("\u202eevil\u2066x\u2069", "\\u202eevil\\u2066x\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("half \ud800", "half \\ud800"),
        ("next\u2028line", "next\\u2028line"),
    ],
)
def test_steering_and_invisible_characters_are_written_out(text: str, safe: str) -> None:
    assert shown(text) == safe


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    left = {unicodedata.category(c) for c in shown(text) if c not in "\n\t"}

    assert not left & {"Cc", "Cs", "Zl", "Zp"}


@given(st.text())
def test_a_line_is_one_line(text: str) -> None:
    assert len(line(text).splitlines()) <= 1


def test_cells_of_a_table_are_safe_and_aligned() -> None:
    assert table(("name", "n"), [("a\nb", "1"), ("\x1b[2J", "22")]) == [
        "NAME     N",
        "a\\nb     1",
        "\\x1b[2J  22",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(("name", "n"), []) == ["NAME  N"]
