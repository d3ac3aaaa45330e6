"""`tau.certify` on arrays."""

import json
import math
import re
from array import array
from pathlib import Path
from typing import Any

import pytest

import tau
from tau.errors import InputError

OLD = [0, 1, 0, 1, 0, 0, 1, 0, 0, 1] * 8
NEW = [1, 1, 0, 1, 1, 0, 1, 0, 1, 1] * 8


class Column:
    """What a numpy array or a pandas column looks like from outside."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __iter__(self) -> Any:  # noqa: ANN401
        raise AssertionError("tolist gives plain values")

    def tolist(self) -> list[Any]:
        return self._values


def test_a_gain_is_certified() -> None:
    found = tau.certify(OLD, NEW)

    assert found.met
    assert found.decision == "promote"
    assert found.claim == "better"
    assert found.difference == pytest.approx(0.3)
    assert (found.pairs, len(found.fixed), found.broken, found.missing) == (80, 24, (), 0)
    assert found.low is not None
    assert 0 < found.low < 0.3
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert found.groups is None
    assert found.design_effect is None
    assert "interval" in found.reason


def test_the_result_as_json_has_the_fields_as_attributes() -> None:
    found = tau.certify(OLD, NEW, ids=[f"r{n}" for n in range(80)])
    document = json.loads(json.dumps(found.to_dict()))

    for name, value in document.items():
        attribute = getattr(found, name)
        assert (list(attribute) if isinstance(attribute, tuple) else attribute) == value, name
    assert document["fixed"][:2] == ["r0", "r4"]
    assert document["paired_by"] == "id"


@pytest.mark.parametrize(
    "kind", [list, tuple, iter, lambda v: array("d", v), lambda v: Column([float(x) for x in v])]
)
def test_any_array_will_do(kind: Any) -> None:  # noqa: ANN401
    assert tau.certify(kind(OLD), kind(NEW)).to_dict() == tau.certify(OLD, NEW).to_dict()


def test_none_and_nan_are_missing() -> None:
    ours: list[float | None] = [*OLD[:-2], None, math.nan]

    found = tau.certify(ours, NEW)

    assert (found.pairs, found.missing) == (78, 2)


def test_the_margin_and_the_cost_make_the_claim() -> None:
    dear, cheap = [2.0 + n % 3 for n in range(80)], [1.0 + n % 2 / 10 for n in range(80)]

    assert tau.certify(OLD, NEW, margin=0.05).claim == "not_worse"
    found = tau.certify(OLD, NEW, margin=0.05, cost=(dear, cheap))
    assert found.claim == "cheaper_and_not_worse"
    assert found.met
    assert not tau.certify(OLD, NEW, margin=0.05, cost=(cheap, dear)).met


def test_groups_and_people_are_taken() -> None:
    human = ([float(v) if n < 40 else None for n, v in enumerate(OLD)],
             [float(v) if n < 40 else math.nan for n, v in enumerate(NEW)])  # fmt: skip

    assert tau.certify(OLD, NEW, group=[n // 4 for n in range(80)]).groups == 20
    found = tau.certify(OLD, NEW, human=human)
    assert found.labels == 40
    assert found.estimate == "corrected"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"candidate": NEW[:-1]}, "80 scores of the baseline and 79 scores of the candidate"),
        ({"baseline": "0101"}, "baseline must be a list or an array, not str"),
        ({"baseline": 1}, "baseline must be a list or an array, not int"),
        ({"baseline": [], "candidate": []}, "there are no scores"),
        ({"baseline": [2, *OLD[1:]]}, "not between 0 and 1"),
        ({"baseline": ["x", *OLD[1:]]}, "no scores"),
        ({"baseline": [[1], *OLD[1:]]}, "no scores"),
        ({"baseline": [math.inf, *OLD[1:]]}, "no scores"),
        ({"baseline": [None] * 80}, "no row has a score of the baseline"),
        ({"baseline": [1], "candidate": [0]}, "nothing can be said of so few"),
        ({"ids": [1] * 80}, "more than once"),
        ({"ids": [1]}, "ids has 1 value for 80 rows"),
        ({"group": ["a"] * 80}, "are of one group"),
        ({"group": [None] * 80}, "group has nothing for row 0"),
        ({"human": (OLD, [None] * 80)}, "people have scored no answer of the candidate"),
        ({"human": OLD}, "human must be a pair"),
        ({"cost": (OLD, NEW)}, "needs a margin"),
        ({"cost": ([-1] * 80, NEW), "margin": 0.1}, "a cost is below 0"),
        ({"margin": 0}, "a margin must be above 0"),
        ({"margin": -0.1}, "a margin must be above 0"),
        ({"alpha": 0.7}, "alpha must be"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=re.escape(expected)):
        tau.certify(**{"baseline": OLD, "candidate": NEW, **arguments})


def test_the_guide_s_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    guide = Path(__file__).parents[3] / "docs/guides/certify.md"
    code = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.S)[0]

    exec(compile(code, str(guide), "exec"), {})

    assert capsys.readouterr().out.strip() == re.findall(r"^# (.*)$", code, re.M)[-1]
