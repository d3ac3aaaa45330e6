"""What a model wrote cannot steer a terminal, hide, or pass for our own lines."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.cli.text import Column, cells, line, shown, table, wrapped


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


WORDS = st.text(alphabet=st.sampled_from("ab 漢é…-/"), max_size=60)


@given(
    rows=st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), max_size=6),
    width=st.integers(40, 140),
    wrap=st.booleans(),
)
def test_a_table_is_never_wider_than_the_terminal(
    rows: list[tuple[str, ...]], width: int, *, wrap: bool
) -> None:
    header = (
        Column(name="id", least=6), Column(name="what", least=8, wrap=wrap),
        Column(name="why", least=8), Column(name="when", drop=1),
    )  # fmt: skip

    assert max(map(cells, table(header, rows, width=width)), default=0) <= width


@given(WORDS, st.integers(20, 100))
def test_wrapped_words_fit_and_none_is_lost(text: str, width: int) -> None:
    made = wrapped(text, width, broken=True)

    assert max(map(cells, made)) <= width
    assert "".join("".join(made).split()) == "".join(text.split())


def test_columns_go_before_what_must_stay_whole() -> None:
    header = (Column(name="id"), Column(name="extra", drop=1), Column(name="why", least=10))
    found = table(header, [("r304", "x" * 30, "reason " * 10)], width=40)

    assert found[0].split() == ["ID", "WHY"]
    assert found[1].startswith("r304  reason")
    assert found[1].endswith("…")


def test_columns_that_say_nothing_are_left_out() -> None:
    header = (Column(name="id"), Column(name="run", drop=1))

    assert table(header, [("r1", "-"), ("r2", "")]) == ["ID", "r1", "r2"]
