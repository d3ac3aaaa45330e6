"""Integers are equal if they are the same, however they are written."""

import json
from collections.abc import Callable
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tau.domain.json import Json
from tau.domain.rollout import Output
from tau.graders.number import Number, NumberSettings
from tau.graders.numerals import numerals
from tau.graders.size_words import SIZES
from tau.graders.structured import JsonFields, JsonFieldsSettings
from tau.testing.grader import graded_example

INTEGERS = st.one_of(st.integers(0, 10**30), st.integers(0, 10**6), st.integers(2**53, 2**65))


def grouped(mark: str) -> Callable[[int], str]:
    return lambda n: f"{n:,}".replace(",", mark)


def indian(n: int) -> str:
    head, tail = str(n)[:-3], str(n)[-3:]
    if not head:
        return tail
    pairs: list[str] = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*pairs, tail])


def scientific(n: int) -> str:
    digits = str(n)
    return f"{digits[0]}.{digits[1:] or 0}e{len(digits) - 1}"


def full_width(n: int) -> str:
    return "".join(chr(0xFF10 + int(digit)) for digit in str(n))


Way = Callable[[int], str]

WAYS: list[Way] = [
    str,
    grouped(","),
    grouped("\u202f"),
    grouped("'"),
    grouped("_"),
    grouped(" "),
    grouped("{,}"),
    indian,
    scientific,
    full_width,
    lambda n: f"{n}.0",
    lambda n: f"{3 * n}/3",
    lambda n: rf"\frac{{{2 * n}}}{{2}}",
    lambda n: f"The answer is **{n}**.",
    lambda n: rf"$\boxed{{{n}}}$",
    lambda n: f"答案是{n}个",
    lambda n: f"about {n} cm^2",
    lambda n: f"${n:,}",
    lambda n: f"{n} m s^{{-1}}",
]
WAY = st.sampled_from(WAYS)


def score(text: str, expected: str) -> float | None:
    row = graded_example({"prompt": "p", "expected": expected})
    return Number("n", NumberSettings()).judge(row, Output(text=text)).score


@given(INTEGERS, WAY, WAY)
def test_one_integer_is_itself_in_every_way_of_writing(n: int, one: Way, other: Way) -> None:
    assert score(one(n), other(n)) == 1.0


@given(INTEGERS, st.one_of(st.integers(1, 10), st.integers(1, 10**30)), WAY, WAY)
def test_two_integers_are_never_the_same(n: int, apart: int, one: Way, other: Way) -> None:
    assert score(one(n), other(n + apart)) == 0.0


@given(INTEGERS, st.integers(0, 10), st.sampled_from(["{}", "{}.0", "{}e0"]))
def test_integers_in_json_are_compared_exactly(n: int, apart: int, way: str) -> None:
    expected: Json = json.dumps({"id": [n + apart]})
    row = graded_example({"prompt": "p", "expected": expected})
    said = Output(text=f'{{"id": [{way.format(n)}]}}')

    found = JsonFields("f", JsonFieldsSettings()).judge(row, said)

    assert found.score == (1.0 if apart == 0 else 0.0)


@given(INTEGERS, st.sampled_from(["-{}", "\u2212{}", "-${}", "$-{}", "minus {}", "({:,}.00)"]))
def test_signs_are_never_lost(n: int, way: str) -> None:
    value = 1000 + n

    assert [each.value for each in numerals(way.format(value))] == [Fraction(-value)]


@given(
    st.text(
        alphabet=st.sampled_from("0123456789.,-+/^*$€%() {}\\xXeEkM²½万一one:'_\u202f\n<>!"),
        max_size=40,
    )
)
def test_whatever_is_written_is_read_or_told(text: str) -> None:
    for each in numerals(text):
        assert (each.value is None) == bool(each.why)


CENTS = st.integers(10**3, 10**14)


@given(CENTS, st.integers(1, 9), st.integers(1, 4))
def test_decimals_of_as_many_places_are_the_same_or_not(n: int, more: int, places: int) -> None:
    one, other = (f"{value / 10**places:.{places}f}" for value in (n, n + more))
    number, fields = Number("n", NumberSettings()), JsonFields("f", JsonFieldsSettings())

    def scores(text: str) -> tuple[float | None, float | None]:
        return (
            number.judge(graded_example({"expected": one}), Output(text=text)).score,
            fields.judge(
                graded_example({"expected": {"a": json.loads(one)}}), Output(text=f'{{"a":{text}}}')
            ).score,
        )

    assert scores(one) == (1.0, 1.0)
    assert scores(other) == (0.0, 0.0)


@settings(max_examples=20)
@given(st.integers(1, 999), st.sampled_from(["", ".", " dollars"]))
def test_words_of_size_multiply(n: int, after: str) -> None:
    read = {word: next(numerals(f"It is {n} {word}{after}")).value for word in SIZES}

    assert read == {word: n * size for word, size in SIZES.items()}
