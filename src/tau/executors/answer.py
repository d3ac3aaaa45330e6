"""What user code answers, turned into an output."""

from collections.abc import Mapping
from typing import cast

from tau.domain.json import Json, canonical
from tau.domain.rollout import Output
from tau.errors import ExecutorFailed

_SHAPE = "answer with a text, or an object; an object's 'text' is what graders read"
_KNOWN = frozenset({"text", "value", "finish_reason", "reason_codes", "blocked_events", "metadata"})


def to_output(answer: object, who: str) -> Output:
    """The output that `who` meant.

    A string is the text. An object with a string `text` may also have `value`, `finish_reason`,
    `reason_codes`, `blocked_events` and `metadata`; its other fields join the metadata. An object
    without `text` is the value, and its JSON the text.

    Raises:
        ExecutorFailed: anything else, or what JSON cannot hold.
    """
    if isinstance(answer, Output):
        return answer
    if isinstance(answer, str):
        return Output(text=answer)
    if not isinstance(answer, Mapping):
        kind = type(answer).__name__
        raise ExecutorFailed(f"{who} answered with {kind}", fix=_SHAPE)
    try:
        text = canonical(cast("Json", dict(answer))).decode()
    except ValueError as error:
        raise ExecutorFailed(f"{who} answered with no JSON", why=str(error), fix=_SHAPE) from error
    if "text" not in answer:
        return Output(text=text, value=dict(answer))
    return _structured(answer, who)


def _structured(answer: Mapping[str, Json], who: str) -> Output:
    text = answer["text"]
    finish_reason = answer.get("finish_reason")
    codes = answer.get("reason_codes", [])
    blocked = answer.get("blocked_events", 0)
    metadata = answer.get("metadata", {})
    if not isinstance(text, str):
        raise _wrong(who, "text", "a string")
    if not (finish_reason is None or isinstance(finish_reason, str)):
        raise _wrong(who, "finish_reason", "a string")
    if not isinstance(codes, list | tuple) or not all(isinstance(code, str) for code in codes):
        raise _wrong(who, "reason_codes", "a list of strings")
    if not isinstance(blocked, int) or isinstance(blocked, bool) or blocked < 0:
        raise _wrong(who, "blocked_events", "a whole number from 0")
    if not isinstance(metadata, Mapping):
        raise _wrong(who, "metadata", "an object")
    extra = {name: value for name, value in answer.items() if name not in _KNOWN}
    return Output(
        text=text,
        value=answer.get("value"),
        finish_reason=finish_reason,
        reason_codes=tuple(code for code in codes if isinstance(code, str)),
        blocked_events=blocked,
        metadata={**metadata, **extra},
    )


def _wrong(who: str, field: str, wanted: str) -> ExecutorFailed:
    return ExecutorFailed(f"{who} answered with a '{field}' that is not {wanted}", fix=_SHAPE)
