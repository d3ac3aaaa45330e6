from decimal import Decimal

import pytest

from tau.graders.numerals import numerals


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("18", ["18"]),
        ("It is 18.", ["18"]),
        ("**18**", ["18"]),
        (r"\boxed{18}", ["18"]),
        ("$1,234.50 in all", ["1234.50"]),
        ("1000,000", ["1000000"]),
        ("1{,}234", ["1234"]),
        ("1\u00a0234\u00a0567", ["1234567"]),
        ("1'234", ["1234"]),
        ("1_000", ["1000"]),
        ("1,2,3", ["1", "2", "3"]),
        ("1,2345", ["1", "2345"]),
        ("12 345", ["12", "345"]),
        ("-5", ["-5"]),
        ("\u22125", ["-5"]),
        ("+5", ["5"]),
        ("-$5", ["-5"]),
        ("$-5", ["-5"]),
        ("a drop of \u20133 degrees", ["-3"]),
        ("16-3-4=9", ["16", "3", "4", "9"]),
        ("(2)-3", ["2", "3"]),
        ("10\u201320 people", ["10", "20"]),
        ("5 - 3", ["5", "3"]),
        ("\u20ac 7", ["7"]),
        ("Rs.500", ["500"]),
        ("USD 40", ["40"]),
        ("50%", ["50"]),
        (".5", ["0.5"]),
        ("3.", ["3"]),
        ("1.5e3", ["1500"]),
        ("2E-2", ["0.02"]),
        ("1.5 \u00d7 10^6", ["1500000"]),
        (r"3 \times 10^{-2}", ["0.03"]),
        ("3 x 4", ["3", "4"]),
        ("3/4", ["0.75"]),
        ("-1/2", ["-0.5"]),
        ("1 1/2 cups", ["1.5"]),
        (r"\frac{3}{4}", ["0.75"]),
        ("5/0", ["5", "0"]),
        ("3/4/2020", ["3", "4", "2020"]),
        ("7/14", ["0.5"]),
        ("1.2.3", ["1.2", "3"]),
        ("H2O and x_2 and v7", []),
        ("18kg", ["18"]),
        ("\u0661\u0662", ["12"]),
        ("9" * 401, []),
        ("no number", []),
    ],
)
def test_numbers_as_they_are_written(text: str, found: list[str]) -> None:
    assert [numeral.value for numeral in numerals(text)] == [Decimal(each) for each in found]


def test_the_other_decimal_mark() -> None:
    found = [numeral.value for numeral in numerals("1.234,5 and 0,25", decimal=",")]

    assert found == [Decimal("1234.5"), Decimal("0.25")]


def test_percents_may_stand_for_shares() -> None:
    found = [n.value for n in numerals("50% of 8, 12.5 %", divide_percent=True)]

    assert found == [Decimal("0.5"), Decimal(8), Decimal("0.125")]


def test_it_tells_how_it_was_written() -> None:
    assert [numeral.text for numeral in numerals("about $1,200.00 each")] == ["$1,200.00"]
