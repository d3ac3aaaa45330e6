"""JSON values, their canonical text and its hash."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, Union

import orjson
from typing_extensions import TypeAliasType

if TYPE_CHECKING:
    Json: TypeAlias = Union[  # noqa: UP007  (a recursive alias of strings cannot use `|`)
        bool, int, float, str, Sequence["Json"], Mapping[str, "Json"], None
    ]
else:  # pydantic follows a recursive alias only by its name, and mypy not this spelling of it
    Json = TypeAliasType(
        "Json", bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
    )


def canonical(value: Json) -> bytes:
    """The one UTF-8 text of `value`: sorted keys, no blanks.

    Raises:
        ValueError: for what JSON cannot hold (integers beyond 64 bits, lone surrogates, other
            types). Non-finite floats must have been refused where they entered.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS)
    except TypeError as error:  # orjson.JSONEncodeError
        raise ValueError(str(error)) from error


def content_hash(value: Json) -> str:
    """SHA-256 of the canonical text, as 64 lowercase hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()
