"""Frozen values survive JSON by their types, and anything else is refused with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.algorithms.frozen_json import from_json, to_json
from tau.domain.ids import ExampleId
from tau.domain.json import Json, canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: ExampleId
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    stage: Literal["one", "two"]
    parts: tuple[Part, ...]
    by_name: Mapping[ExampleId, tuple[float | None, ...]]
    seen: frozenset[str] = frozenset()
    count: int = 0
    done: bool = False
    anything: Json = None
    derived: int = field(init=False, default=3)


NAMES = st.text(max_size=4).map(ExampleId)
SHARES = st.none() | st.floats(allow_nan=False, allow_infinity=False)
PARTS = st.builds(Part, name=NAMES, share=SHARES)
WHOLES = st.builds(
    Whole,
    stage=st.sampled_from(["one", "two"]),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    by_name=st.dictionaries(NAMES, st.lists(SHARES, max_size=2).map(tuple), max_size=3),
    seen=st.frozensets(st.text(max_size=3), max_size=3),
    count=st.integers(-(2**50), 2**50),
    done=st.booleans(),
    anything=st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=3),
)
GOOD = to_json(Whole(stage="one", parts=(Part(name=ExampleId("a")),), by_name={}))


@given(WHOLES)
def test_a_value_survives_the_canonical_text(whole: Whole) -> None:
    assert from_json(Whole, orjson.loads(canonical(to_json(whole)))) == whole


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"stage": "three"}, "Whole.stage"),
        ({"parts": [{"name": 1, "share": None}]}, r"Whole.parts\[0\].name"),
        ({"parts": [{"name": "a"}]}, r"Whole.parts\[0\]"),
        ({"parts": None}, "Whole.parts"),
        ({"by_name": {"a": ["x"]}}, r"Whole.by_name\[a\]\[0\]"),
        ({"count": True}, "Whole.count"),
        ({"count": 1.5}, "Whole.count"),
        ({"done": 1}, "Whole.done"),
        ({"other": 1}, "Whole"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        from_json(Whole, {**GOOD, **change})


def test_a_type_without_a_form_is_refused_when_it_is_read() -> None:
    @dataclass(frozen=True)
    class Pair:
        both: "tuple[int, str]"

    with pytest.raises(TypeError, match="no form as JSON"):
        from_json(Pair, {"both": [1, "x"]})
