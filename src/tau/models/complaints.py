"""Where a body holds an error, whatever the habits of who wrote it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tau.domain.json import Json

_MESSAGES = (
    "message", "msg", "error_msg", "error_message", "err_msg", "errmsg", "status_msg",
    "faultstring", "error_description", "reason", "title", "detail",
)  # fmt: skip
_CODES = ("code", "status", "type", "error_code", "err_code", "error_type", "__type")
_STATUSES = ("code", "status", "status_code", "error_code")
_HOLDERS = ("fault", "header", "ResponseMetadata", "Response")
"""Objects in which an error stands alone (Apigee, Spark, Volcengine, Tencent)."""
_FINE = re.compile(r"(?:0+|2\d\d|ok|success|succeeded|successful|no error|none|null)?\W*", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFault:
    """An error as the provider told it. `codes` are its code, status and type words, in that order.

    `status` is a number the error itself named. `error` is the whole error object. `page`: a page
    for people came instead of an error.
    """

    message: str
    codes: tuple[str, ...] = ()
    status: int | None = None
    error: Json = None
    page: bool = False


def page(text: str) -> ProviderFault:
    """The error in a body that is not JSON."""
    return ProviderFault(
        message=text or "no body", page=text.lstrip().lower().startswith(("<!", "<html"))
    )


def fault_in(body: Json) -> ProviderFault | None:
    """The error inside a body; None where it holds none.

    An object `error` that says nothing, or that all went well, is none beside an answer.
    """
    if isinstance(body, list) and len(body) == 1:  # Google's OpenAI-compatible endpoint
        body = body[0]
    if not isinstance(body, dict):
        return None
    answered = bool(body.get("choices"))
    error = body.get("error")
    if isinstance(error, list):
        error = next((one for one in error if isinstance(one, dict)), None)
    if isinstance(error, dict):
        if _complains(error) or not (answered or "choices" in body):
            return _from_object(error, error)
    elif isinstance(error, str) and error:  # Ollama, xAI (with `code` beside it)
        return None if answered and _fine(error) else _from_object({**body, "message": error}, body)
    if body.get("object") == "error":
        return _from_object(body, body)
    return None if answered else _instead(body)


def _instead(body: Mapping[str, Json]) -> ProviderFault | None:
    """The error of a body that answers nothing."""
    base = body.get("base_resp")  # MiniMax
    if isinstance(base, dict) and not _fine(base.get("status_code")):
        words = {"code": f"base_resp_{base.get('status_code')}", "message": base.get("status_msg")}
        return _from_object(words, body)
    errors = body.get("errors")
    for one in errors[:5] if isinstance(errors, list) else ():
        if isinstance(one, dict):  # Cloudflare, JSON:API
            return _from_object(one, body)
        if isinstance(one, str) and one:
            return ProviderFault(message=one, error=body)
    for name in _HOLDERS:
        held = body.get(name)
        inner = (held.get("Error") or held.get("error") or held) if isinstance(held, dict) else None
        if isinstance(inner, dict) and _message(inner) and _complains(inner):
            return _from_object(inner, body)
    if body.get("detail") and not isinstance(body.get("message"), str):  # FastAPI
        return _from_detail(body)
    if _message(body) and _complains(body):
        return _from_object(body, body)
    return None


def _from_detail(body: Mapping[str, Json]) -> ProviderFault:
    detail = body["detail"]
    if isinstance(detail, dict):
        return _from_object(detail, body)
    words = {**body, "message": _detail(detail)}
    return ProviderFault(
        message=_detail(detail), codes=_codes(words), status=_status(words), error=body
    )


def _complains(error: Mapping[str, Json]) -> bool:
    """Whether it says that anything is wrong: in words, or by a code that is none of success."""
    folded = _folded_names(error)
    message = _message(error)
    if message and not _fine(message):
        return True
    if folded.get("success") is False:
        return True
    return any(not _fine(folded.get(name)) for name in (*_CODES, "status_code"))


def _fine(word: Json) -> bool:
    if word is None or isinstance(word, bool):
        return True
    return isinstance(word, int | float | str) and bool(_FINE.fullmatch(str(word).strip()))


def _message(error: Mapping[str, Json]) -> str:
    folded = _folded_names(error)
    texts = (folded.get(name) for name in _MESSAGES)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def _folded_names(error: Mapping[str, Json]) -> Mapping[str, Json]:
    """`errorCode`, `ErrorCode` and `error_code` alike."""
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): v for name, v in error.items()}


def _from_object(error: Mapping[str, Json], whole: Json) -> ProviderFault:
    message = _message(error)
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):  # OpenRouter
        message = f"{message}: {metadata['raw']}"
    return ProviderFault(
        message=message or "no message", codes=_codes(error), status=_status(error), error=whole
    )


def _codes(error: Mapping[str, Json]) -> tuple[str, ...]:
    folded = _folded_names(error)
    words = [folded.get(name) for name in _CODES]
    inner = error.get("innererror")
    if isinstance(inner, dict):
        words.append(inner.get("code"))
    return tuple(_words(words))


def _status(error: Mapping[str, Json]) -> int | None:
    folded = _folded_names(error)
    numbers = [folded.get(name) for name in _STATUSES]
    return next((int(str(word)) for word in numbers if _is_status(word)), None)


def _words(words: Iterable[Json]) -> Iterator[str]:
    for word in words:
        if isinstance(word, str) and not _is_status(word):
            yield word.strip().lower().replace("-", "_").replace(" ", "_")[:100]


def _is_status(word: Json) -> bool:
    text = str(word) if isinstance(word, int | str) and not isinstance(word, bool) else ""
    return len(text) == 3 and text.isascii() and text.isdigit() and "400" <= text < "600"


def _detail(detail: Json) -> str:
    """FastAPI's `detail`; of validation errors only place and message, as `input` is the prompt."""
    if isinstance(detail, str):
        return detail
    parts = []
    for item in detail[:5] if isinstance(detail, list) else ():
        if isinstance(item, dict):
            place = item.get("loc")
            where = ".".join(str(p) for p in place) if isinstance(place, list) else ""
            parts.append(f"{where}: {item.get('msg')}")
    return "; ".join(parts) or "no message"
