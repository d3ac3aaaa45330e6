"""Contents as stored text and bytes, each with a digest that finds what a database cannot see."""

import hashlib
import sys
import threading
from collections.abc import Mapping
from typing import Any, cast

import orjson

from tau.domain.json import Json
from tau.errors import StoreDamaged

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 3
_LARGEST = 1 << 30


class _Compressors(threading.local):
    """One for each thread: making one takes four times as long as compressing a few spans."""

    def __init__(self) -> None:
        self.zstd = zstd.ZstdCompressor(level=_LEVEL)


_compressors = _Compressors()


def text(value: object) -> str:
    """JSON of a value or a dataclass; lone surrogates, which no file can hold, are replaced."""
    return _encoded(value).decode()


def _encoded(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        return orjson.dumps(_mended(value), default=_plain)


def packed(value: object) -> bytes:
    """Compressed JSON."""
    return _compressors.zstd.compress(_encoded(value), zstd.ZstdCompressor.FLUSH_FRAME)


def unpacked(data: bytes, what: str) -> Any:  # noqa: ANN401  (JSON)
    """The JSON value in `data`; StoreDamaged."""
    try:
        frame = zstd.ZstdDecompressor()
        raw = frame.decompress(data, max_length=_LARGEST)
        if not frame.eof:
            raise ValueError("it is cut off, or larger than anything stored")
        return orjson.loads(raw)
    except (zstd.ZstdError, ValueError) as error:
        raise damaged(what, str(error)) from error


def parsed(content: str, what: str) -> Any:  # noqa: ANN401  (JSON)
    """The JSON value in `content`; StoreDamaged."""
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise damaged(what, str(error)) from error


def digest(*parts: str | bytes | float | None) -> bytes:
    """16 bytes that change when any part does."""
    data, lengths = [b""], []
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        data.append(content)
        lengths.append(-1 if part is None else len(content))
    data[0] = repr(lengths).encode()
    return hashlib.blake2b(b"".join(data), digest_size=16).digest()


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
