"""Contents as stored text and bytes, each with a digest that finds what a database cannot see."""

import hashlib
import threading
from collections.abc import Mapping
from typing import Any, cast

import orjson
import zstandard

from tau.domain.json import Json
from tau.errors import StoreDamaged

_local = threading.local()
_LEVEL = 3
_SMALL = 1 << 14
_LARGEST = 1 << 30


def text(value: object) -> str:
    """JSON of a value or a dataclass; lone surrogates, which no file can hold, are replaced."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except TypeError:
        return orjson.dumps(_mended(value), default=_plain).decode()


def packed(value: object) -> bytes:
    """Compressed JSON."""
    raw = text(value).encode()
    if len(raw) > _SMALL:
        return zstandard.ZstdCompressor(level=_LEVEL).compress(raw)
    compressor = getattr(_local, "compressor", None)
    if compressor is None:  # tables of the right size take a quarter of the time
        parameters = zstandard.ZstdCompressionParameters.from_level(_LEVEL, source_size=_SMALL)
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        _local.compressor = compressor
    return cast(bytes, compressor.compress(raw))


def unpacked(data: bytes, what: str) -> Any:  # noqa: ANN401  (JSON)
    """The JSON value in `data`; StoreDamaged."""
    try:
        raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=_LARGEST)
        return orjson.loads(raw)
    except (zstandard.ZstdError, ValueError) as error:
        raise damaged(what, str(error)) from error


def parsed(content: str, what: str) -> Any:  # noqa: ANN401  (JSON)
    """The JSON value in `content`; StoreDamaged."""
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise damaged(what, str(error)) from error


def digest(*parts: str | bytes | float | None) -> bytes:
    """16 bytes that change when any part does."""
    data = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    lengths = [-1 if part is None else len(each) for part, each in zip(parts, data, strict=True)]
    return hashlib.blake2b(b"".join([repr(lengths).encode(), *data]), digest_size=16).digest()


def damaged(what: str, why: str = "its content does not match its digest") -> StoreDamaged:
    """The error for a row that is not what was written."""
    return StoreDamaged(
        f"{what} is damaged in the store",
        why=why,
        fix="see what else is with `tau db verify`, then go back to a backup",
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _mended(value: object) -> Json:
    """`value` without lone surrogates, as plain JSON; ValueError where it is not JSON at all."""
    try:
        plain = orjson.loads(orjson.dumps(value, default=_plain))
        return cast(Json, plain)
    except TypeError:
        pass
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_mended(key)): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        raise ValueError(f"{value!r:.100} cannot be stored as JSON")
    return {name: _mended(getattr(value, name)) for name in fields}
