"""Frozen dataclasses as JSON and back, by the types of their fields.

Canonical JSON sorts the keys of objects: where order matters, a field must be a tuple.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tau.domain.json import Json

T = TypeVar("T")
_Reader = Callable[[Any, str], Any]
_PLAIN = frozenset({str, int, float, bool, NoneType})


def to_json(value: Any) -> Any:  # noqa: ANN401  (any frozen value in, JSON out)
    """`value` as JSON; a class with a `to_json` of its own is asked for it."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [one if type(one) in _PLAIN else to_json(one) for one in value]
    if isinstance(value, Mapping):
        return {k: one if type(one) in _PLAIN else to_json(one) for k, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if hasattr(value, "to_json"):
        return value.to_json()
    return {name: to_json(getattr(value, name)) for name in _names(cast(Hashable, kind))}


def from_json(kind: type[T], value: Any) -> T:  # noqa: ANN401  (JSON)
    """The `kind` that `to_json` made `value` of.

    Raises:
        ValueError: anything else, with the place of what does not fit.
    """
    made: T = _reader(cast(Hashable, kind))(value, kind.__name__)
    return made


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.init)


@cache
def _reader(kind: Any) -> _Reader:  # noqa: ANN401  (a type, as annotations write it)
    kind = getattr(kind, "__supertype__", kind)  # of a NewType
    if kind is Json:
        return lambda value, _: value
    for fits, make in _READERS:
        if fits(kind):
            return make(kind)
    raise TypeError(f"{kind} has no form as JSON")


def _own(kind: Any) -> _Reader:  # noqa: ANN401
    def read(value: Any, where: str) -> Any:  # noqa: ANN401
        try:
            return kind.from_json(value)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{where}: {error}") from error

    return read


def _dataclass(kind: Any) -> _Reader:  # noqa: ANN401
    hints = get_type_hints(kind)
    readers = {name: _reader(hints[name]) for name in _names(kind)}

    def read(value: Any, where: str) -> Any:  # noqa: ANN401
        if not isinstance(value, Mapping) or value.keys() != readers.keys():
            raise ValueError(f"{where} is no object of {', '.join(readers)}")
        return kind(**{k: readers[k](one, f"{where}.{k}") for k, one in value.items()})

    return read


def _scalar(kind: Any) -> _Reader:  # noqa: ANN401
    allowed = (int, float) if kind is float else (kind,)

    def read(value: Any, where: str) -> Any:  # noqa: ANN401
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{where} is no {kind.__name__}")
        return value

    return read


def _literal(kind: Any) -> _Reader:  # noqa: ANN401
    def read(value: Any, where: str) -> Any:  # noqa: ANN401
        if value not in get_args(kind):
            raise ValueError(f"{where} is none of {', '.join(map(str, get_args(kind)))}")
        return value

    return read


def _optional(kind: Any) -> _Reader:  # noqa: ANN401
    [other] = [_reader(one) for one in get_args(kind) if one is not NoneType]
    return lambda value, where: None if value is None else other(value, where)


def _sequence(kind: Any) -> _Reader:  # noqa: ANN401
    item, *rest = get_args(kind)
    if rest not in ([], [...]):
        raise TypeError(f"{kind} has no form as JSON: a tuple of one kind of value has")
    one, made = _reader(item), get_origin(kind)

    def read(value: Any, where: str) -> Any:  # noqa: ANN401
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} is no list")
        return made(one(each, f"{where}[{at}]") for at, each in enumerate(value))

    return read


def _mapping(kind: Any) -> _Reader:  # noqa: ANN401
    key, item = map(_reader, get_args(kind))

    def read(value: Any, where: str) -> Any:  # noqa: ANN401
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} is no object")
        return {key(k, where): item(one, f"{where}[{k}]") for k, one in value.items()}

    return read


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], _Reader]], ...] = (
    (lambda kind: kind in (str, int, float, bool), _scalar),
    (lambda kind: hasattr(kind, "from_json"), _own),
    (lambda kind: isinstance(kind, type) and is_dataclass(kind), _dataclass),
    (lambda kind: get_origin(kind) is Literal, _literal),
    (lambda kind: get_origin(kind) in (Union, UnionType), _optional),
    (lambda kind: get_origin(kind) in (tuple, frozenset), _sequence),
    (lambda kind: get_origin(kind) is Mapping, _mapping),
)
