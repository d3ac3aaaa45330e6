"""A quickly made dataclass is like one that dataclasses make, but for the time it takes."""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import pytest

from tau.domain.quick import quickly_made


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """As it would be."""

    name: str
    score: float | None = None
    more: Mapping[str, int] = field(default_factory=dict)
    _odd: tuple[int, ...] = (1, 2)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """As it is."""

    name: str
    score: float | None = None
    more: Mapping[str, int] = field(default_factory=dict)
    _odd: tuple[int, ...] = (1, 2)


GIVEN = [{"name": "a"}, {"name": "a", "score": 0.5, "more": {"x": 1}, "_odd": ()}]


@pytest.mark.parametrize("given", GIVEN)
def test_holds_the_same(given: dict[str, object]) -> None:
    quick, plain = Quick(**given), Plain(**given)  # type: ignore[arg-type]

    assert dataclasses.astuple(quick) == dataclasses.astuple(plain)
    assert repr(quick) == repr(plain).replace("Plain", "Quick")
    assert quick == Quick(**given) != Quick(name="b")  # type: ignore[arg-type]
    assert orjson.dumps(quick) == orjson.dumps(plain)
    assert dataclasses.replace(quick, score=1.0).score == 1.0
    assert pickle.loads(pickle.dumps(quick)) == copy.deepcopy(quick) == quick


def test_makes_a_default_of_its_own_for_each() -> None:
    assert Quick(name="a").more == {}
    assert Quick(name="a").more is not Quick(name="a").more


def test_cannot_be_changed() -> None:
    quick = Quick(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        quick.name = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del quick.name


@pytest.mark.parametrize("arguments", [{}, {"name": "a", "nome": "b"}])
def test_refuses_what_does_not_fit(arguments: dict[str, str]) -> None:
    with pytest.raises(TypeError, match=r"Quick\.__init__\(\)"):
        Quick(**arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="positional"):
        Quick("a")  # type: ignore[call-arg]


def test_has_the_same_signature_but_for_defaults() -> None:
    quick, plain = inspect.signature(Quick).parameters, inspect.signature(Plain).parameters

    assert [(p.name, p.kind, p.annotation) for p in quick.values()] == [
        (p.name, p.kind, p.annotation) for p in plain.values()
    ]
