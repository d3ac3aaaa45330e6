"""JSON pointers (RFC 6901) to strings in a document, with `*` for every member or element."""

from collections.abc import Iterator, Mapping, Sequence

from tau.domain.json import Json


def strings_at(document: Json, pattern: str) -> tuple[str, ...]:
    """The pointers of all strings that `pattern` stands for; none where there is no string."""
    return tuple(_found(document, pattern.split("/")[1:], ""))


def value_at(document: Json, pointer: str) -> Json:
    """The value that `pointer` names.

    Raises:
        KeyError: there is none.
    """
    value = document
    for step in pointer.split("/")[1:]:
        value = dict(_members(value))[step]
    return value


def string_at(document: Json, pointer: str) -> str:
    """The string that `pointer` names.

    Raises:
        KeyError: there is none.
    """
    value = value_at(document, pointer)
    if not isinstance(value, str):
        raise KeyError(pointer)
    return value


def with_string(document: Json, pointer: str, text: str) -> Json:
    """A copy of `document` with `text` where `pointer` points; the order of members is kept."""
    return _with(document, pointer.split("/")[1:], text)


def _found(value: Json, steps: Sequence[str], at: str) -> Iterator[str]:
    if not steps:
        if isinstance(value, str):
            yield at
        return
    for step, inner in _members(value):
        if steps[0] in ("*", step):
            yield from _found(inner, steps[1:], f"{at}/{step}")


def _members(value: Json) -> Iterator[tuple[str, Json]]:
    """Members and elements by their reference token."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name.replace("~", "~0").replace("/", "~1"), inner
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inner in enumerate(value):
            yield str(number), inner


def _with(value: Json, steps: Sequence[str], text: str) -> Json:
    if not steps:
        return text
    inner = [
        _with(each, steps[1:], text) if step == steps[0] else each for step, each in _members(value)
    ]
    return dict(zip(value, inner, strict=True)) if isinstance(value, Mapping) else inner
