"""When to come back: every way in which a provider says how long to wait."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tau.domain.json import Json

LONGEST_S = 3600.0
"""Asked to wait longer than this, we come back after it anyway: nobody is served by sleeping on."""

_EPOCH_S = 1_000_000_000  # a bare number beyond this is a point in time, not a distance
_EPOCH_MS = 100_000_000_000
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,9})?(?:ms|[smhd])){1,5}")
_PIECE = re.compile(r"([\d.]+)(ms|[smhd])")
_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,12})?")
_IN_TEXT = re.compile(
    r"(?:try again|retry)(?: again)? (?:in|after) ((?:\d{1,9}(?:\.\d{1,9})?(?:ms|[smhd]))+)\b"
    r"|(?:try again|retry)(?: again)? (?:in|after) (\d{1,9}(?:\.\d{1,9})?) ?seconds?",
    re.I,
)

# (header that says when, header that says how much is left)
_RESETS = (
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
)


def retry_after_s(
    headers: Mapping[str, str], error: Json, message: str, *, limited: bool, now_unix_ms: int
) -> float | None:
    """Seconds from now, at most `LONGEST_S`, or None where nothing was said.

    `error` is the body's error object. The first that says something counts: `retry-after-ms`,
    `Retry-After`, RetryInfo in the body, and where the call was `limited` the reset headers
    (the exhausted ones, else all; the longest) and at last the message's own words.
    `headers` are looked up case-insensitively.
    """
    wait = _scaled(headers.get("retry-after-ms"), 0.001)
    if wait is None:
        wait = moment_s(headers.get("retry-after"), now_unix_ms)
    if wait is None:
        wait = _retry_info(error)
    if wait is None and limited:
        wait = _resets(headers, error, now_unix_ms)
    if wait is None and limited:
        wait = _in_words(message)
    return None if wait is None else min(max(wait, 0.0), LONGEST_S)


def moment_s(text: str | None, now_unix_ms: int) -> float | None:
    """Seconds from now of "20", "1.5", "6m0s", "20ms", an HTTP or ISO date, or epoch (milli)s."""
    text = (text or "").strip()
    if not text or len(text) > 100:
        return None
    if _NUMBER.fullmatch(text):
        value = float(text)
        if value >= _EPOCH_MS:
            return value / 1000 - now_unix_ms / 1000
        return value - now_unix_ms / 1000 if value >= _EPOCH_S else value
    if _DURATION.fullmatch(text):
        return _duration(text)
    return _date(text, now_unix_ms) if ":" in text else None


def _duration(text: str) -> float | None:
    try:
        return math.fsum(float(n) * _UNITS[unit.lower()] for n, unit in _PIECE.findall(text))
    except ValueError:
        return None


def _date(text: str, now_unix_ms: int) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            return None
    try:
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return date.timestamp() - now_unix_ms / 1000
    except (OverflowError, ValueError):
        return None


def _scaled(text: str | None, scale: float) -> float | None:
    text = (text or "").strip()
    return float(text) * scale if _NUMBER.fullmatch(text) else None


def _retry_info(error: Json) -> float | None:
    """Google's `details: [{"@type": ".../google.rpc.RetryInfo", "retryDelay": "34s"}]`."""
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping) and str(detail.get("@type", "")).endswith("RetryInfo"):
            delay = detail.get("retryDelay")
            if isinstance(delay, str) and _DURATION.fullmatch(delay):
                return _duration(delay)
            if isinstance(delay, Mapping) and isinstance(delay.get("seconds"), int | str):
                return _scaled(str(delay["seconds"]), 1.0)
    return None


def _resets(headers: Mapping[str, str], error: Json, now_unix_ms: int) -> float | None:
    exhausted: list[float] = []
    others: list[float] = []
    for source in (headers, _nested_headers(error)):
        for reset, remaining in _RESETS:
            wait = moment_s(source.get(reset), now_unix_ms)
            if wait is not None:
                left = _scaled(source.get(remaining), 1.0)
                (exhausted if left == 0 else others).append(wait)
    waits = exhausted or others
    return max(waits) if waits else None


def _nested_headers(error: Json) -> Mapping[str, str]:
    """OpenRouter repeats headers inside the error: `metadata: {"headers": {...}}`."""
    metadata = error.get("metadata") if isinstance(error, Mapping) else None
    headers = metadata.get("headers") if isinstance(metadata, Mapping) else None
    return dict(_strings(headers)) if isinstance(headers, Mapping) else {}


def _strings(headers: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if isinstance(value, str | int | float):
            yield name.lower(), str(value)


def _in_words(message: str) -> float | None:
    found = _IN_TEXT.search(message[:2000])
    if not found:
        return None
    return _duration(found[1].lower()) if found[1] else float(found[2])
