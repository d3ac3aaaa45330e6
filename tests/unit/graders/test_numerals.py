from fractions import Fraction

import pytest

from tau.graders.numerals import DecimalMark, numerals

UNREAD = None


def values(text: str, decimal: DecimalMark = ".") -> list[Fraction | None]:
    return [numeral.value for numeral in numerals(text, decimal=decimal)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("18", ["18"]),
        ("It is 18.", ["18"]),
        ("**18**", ["18"]),
        ("__18__", ["18"]),
        ("`18`", ["18"]),
        ("<b>18</b>", ["18"]),
        ("$1,234.50 in all", ["1234.50"]),
        ("5 - 7 = -2", [UNREAD, "-2"]),
        ("-5", ["-5"]),
        ("+5", ["5"]),
        ("x = - 5", ["-5"]),
        ("-$5", ["-5"]),
        ("$-5", ["-5"]),
        ("a drop of \u20133 degrees", ["-3"]),
        ("minus 3", ["-3"]),
        ("16-3-4=9", [UNREAD, "9"]),
        ("7, yes 7.0", ["7", "7"]),
        ("1, 2, 3", ["1", "2", "3"]),
        ("3 apples and 4 pears", ["3", "4"]),
        ("- 5 apples\n- 7 pears", ["5", "7"]),
        ("\u20ac 7", ["7"]),
        ("Rs.500", ["500"]),
        ("USD 40", ["40"]),
        ("50%", ["50"]),
        (".5", ["0.5"]),
        ("3.", ["3"]),
        ("7/14", ["0.5"]),
        ("#### -3", ["-3"]),
        ("18 (see step 2)", ["18"]),
        ("H2O and x_2 and v7", []),
        ("18kg", ["18"]),
        ("the 3rd", ["3"]),
        ("5-year-old", ["5"]),
        ("42, see https://example.com/7", ["42"]),
        ("Step 3: 42", ["3", "42"]),
        ("5 mm", ["5"]),
        (r"42 \, \mathrm{m/s^2}", ["42"]),
        ("|42|", ["42"]),
        ("no number", []),
    ],
)
def test_numbers_as_they_are_written(text: str, found: list[str | None]) -> None:
    assert values(text) == [each if each is None else Fraction(each) for each in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The area is 25 cm^2", "25"),
        (r"25\text{ cm}^2", "25"),
        (r"25\,\text{cm}^{2}", "25"),
        ("The area is 25 cm\u00b2", "25"),
        ("25 m2", "25"),
        ("25 m**2", "25"),
        ("25 cm<sup>2</sup>", "25"),
        ("9.8 m/s^2", "9.8"),
        ("9.8 m s^{-2}", "9.8"),
        ("9.8 m\u00b7s\u207b\u00b2", "9.8"),
        ("30 m s-1", "30"),
        ("5 kg m-3", "5"),
        (r"90^\circ", "90"),
        (r"90^{\circ}", "90"),
        ("10^6", "1000000"),
        ("2^6", "64"),
        ("7^2", "49"),
        ("10^{-3}", "0.001"),
        ("10\u207b\u00b3", "0.001"),
        ("-10^-3", "-0.001"),
        ("25 (cm^2)", "25"),
        (r"25 \mathrm{~cm}^2", "25"),
        (r"{-1 \over 2}", "-1/2"),
        ("1.5 \u00d7 10\u00b3", "1500"),
        ("1.5*10**3", "1500"),
        (r"6.02\cdot 10^{23}", "602000000000000000000000"),
        ("1.5\u00d710^3", "1500"),
        (r"1.5 \times 10^{3}", "1500"),
        ("3.5 x 10^-2 mol/L", "0.035"),
        ("1e5", "100000"),
        ("1.2e\u22125", "0.000012"),
        (r"-\frac{3}{4}", "-3/4"),
        (r"\frac{1}{2}", "1/2"),
        (r"\boxed{-\frac{7}{2}}", "-7/2"),
        (r"$-\frac{1}{2}$", "-1/2"),
        (r"-\dfrac{1}{2}", "-1/2"),
        (r"\frac{-1}{2}", "-1/2"),
        (r"\cfrac{1}{2}", "1/2"),
        (r"\frac {3}{4}", "3/4"),
        (r"\frac12", "1/2"),
        (r"2\frac{1}{2}", "5/2"),
        (r"\frac{1,000}{3}", "1000/3"),
        (r"\frac{1.5}{3}", "1/2"),
        ("1.5/3", "1/2"),
        ("1,000/4", "250"),
        ("1 1/2 cups", "3/2"),
        ("1\u00bd", "3/2"),
        ("-\u00bd", "-1/2"),
        ("\u2212 3", "-3"),
        ("-(1/2)", "-1/2"),
        ("-(3)", "-3"),
        (r"-\left(\frac{1}{2}\right)", "-1/2"),
        (r"- \frac{1}{2}", "-1/2"),
        ("(-1)/2", "-1/2"),
        ("1/-2", "-1/2"),
        ("-1/(-2)", "1/2"),
        ("(-2)^2", "4"),
        ("(-2)^3", "-8"),
        ("two thirds", "2/3"),
        ("3e8m/s", "300000000"),
    ],
)
def test_units_powers_and_fractions(text: str, value: str) -> None:
    assert values(text)[-1:] == [Fraction(value)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("答案是42", "42"),
        ("答案是42个", "42"),
        ("约42米", "42"),
        ("정답은42입니다", "42"),
        ("คำตอบคือ42", "42"),
        ("共１２３元", "123"),
        ("答えは 42 です", "42"),
        ("总共￥1,234元", "1234"),
        ("\u0661\u0662\u0663", "123"),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665", "1234.5"),
        ("२५", "25"),
        ("結果：\u22125", "-5"),
        ("负5", "-5"),
        ("マイナス5", "-5"),
        ("零下5度", "-5"),
        ("kr500", "500"),
        ("zł500", "500"),
        ("5万", "50000"),
        ("3万5千", "35000"),
        ("1億2000万", "120000000"),
        ("5千克", "5"),
        ("四十二", "42"),
        ("答案是四十二", "42"),
    ],
)
def test_scripts_without_blanks(text: str, value: str) -> None:
    assert values(text)[-1:] == [Fraction(value)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{$9{,}500}", "9500"),
        ("1{,}234", "1234"),
        ("1000,000", "1000000"),
        ("1 234", "1234"),
        ("1 234 567 people", "1234567"),
        ("12 345", "12345"),
        ("1\u00a0234\u00a0567", "1234567"),
        ("1\u2009234", "1234"),
        ("1\u202f234", "1234"),
        ("1'234", "1234"),
        ("1\u2019234", "1234"),
        ("1_000", "1000"),
        ("12,34,567", "1234567"),
        ("\u20b912,34,567", "1234567"),
        ("1,23,456.50", "123456.5"),
        ("(1,234)", "-1234"),
        ("($1,234)", "-1234"),
        ("a loss of (1,234.50)", "-1234.5"),
        ("(42).", "42"),
        (r"\(1,234\)", "1234"),
        ("1.5 million", "1500000"),
        ("$1.5M", "1500000"),
        ("$2k", "2000"),
        ("3 billion", "3000000000"),
        ("3 lakh", "300000"),
        ("2 crore", "20000000"),
        ("2 dozen", "24"),
        ("2 hundred thousand", "200000"),
        ("forty-two", "42"),
        ("Three.", "3"),
        ("zero", "0"),
        ("minus five", "-5"),
        ("three point five", "3.5"),
        ("one million two hundred thousand and five", "1200005"),
        ("3 and 4 make seven", "7"),
    ],
)
def test_groups_sizes_and_words(text: str, value: str) -> None:
    assert values(text)[-1:] == [Fraction(value)]


@pytest.mark.parametrize(
    "text",
    [
        r"\sqrt{3}", r"2\sqrt{3}", r"\frac{\sqrt{3}}{2}", "\u221a3", "sqrt(3)", r"3\pi", "3\u03c0",
        r"\frac{\pi}{4}", "3!", r"\log_2 8", "x^2", "x + 3", "3x", "3x + 2", "2^{x}", "2(-2)^2",
        "3 \u00d7 4", "3 * 4", "(2)-3", "5 - 3", "10 minus 5", "5 apples + 3 apples", "root of 9",
        "3-5", "10\u201320 people", "3 to 5", "3 or 5", "5 \u00b1 2", "\u00b15", "(3, 4)", "[1, 5]",
        "10:45", "10h45", "5 pm", "10時30分", "2024-01-15", "3/4/2020", "4.5.2024", "March 3, 2024",
        "2024年1月15日", "2 h 30 min", "5'11\"", "1.2.3", "192.168.0.1", "555-1234",
        "+1 555 123 4567", "GPT-4", "0x1F", "4x4", "1 234,50 \u20ac", "$5 mm", "4K", "|-5|",
        "550e8400-e29b-41d4", "1,2345", "12,34", "0,123",
        "1.234,56", "1,2,3", "5/0", "5K", "7B", "5兆", "not 5", "x > 5", "\u2265 5", "more than 5",
        "- 5", "1,234-", "10^100000", "9" * 401, "half of 42", "--5",
        "4 -(1/2)", "x-(3)", r"2-\left(\frac{1}{2}\right)", "half a million", "a few thousand",
        "several hundred", "1 and a half", "1.5 k", "2.5mn", "1만 2천", "2.5 M",
    ],
)  # fmt: skip
def test_what_is_no_plain_number_is_not_taken_for_one(text: str) -> None:
    last = list(numerals(text))[-1]

    assert last.value is None
    assert last.why


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1.234,5 and 0,25", ["1234.5", "0.25"]),
        ("-1.234,56 \u20ac", ["-1234.56"]),
        ("1 234,5", ["1234.5"]),
        ("1.234", ["1234"]),
        ("1.5", [UNREAD]),
    ],
)
def test_the_other_decimal_mark(text: str, found: list[str | None]) -> None:
    assert values(text, ",") == [each if each is None else Fraction(each) for each in found]


def test_percents_may_stand_for_shares() -> None:
    found = [n.value for n in numerals("50% of 8, 12.5 %, 5 percent", divide_percent=True)]

    assert found == [Fraction("0.5"), Fraction(8), Fraction("0.125"), Fraction("0.05")]


def test_it_tells_how_it_was_written() -> None:
    assert [numeral.text for numeral in numerals("about $1,200.00 each")] == ["$1,200.00"]


@pytest.mark.parametrize(
    "piece",
    [
        "9",
        "1,",
        "1 ",
        "-",
        "(",
        "\\frac{",
        "{",
        "one ",
        "万",
        "1万",
        "^",
        "m/",
        "\u200b",
        "<a",
        "x*",
        "_",
        "1-",
    ],
)
def test_long_hostile_texts_take_linear_time(piece: str) -> None:
    assert list(numerals(piece * (60_000 // len(piece)))) is not None
