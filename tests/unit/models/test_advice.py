"""Every way of saying "come back later"."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tau.domain.json import Json
from tau.models.advice import LONGEST_S, retry_after_s

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def advice(
    headers: dict[str, str] | None = None, error: Json = None, message: str = "",
    *, limited: bool = True,
) -> float | None:  # fmt: skip
    found: CIMultiDict[str] = CIMultiDict(headers or {})
    return retry_after_s(found, error, message, limited=limited, now_unix_ms=NOW_MS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20", 20), ("0", 0), ("1.5", 1.5), (" 3 ", 3), ("-5", 0), ("999999999", LONGEST_S),
        ("1" * 20, LONGEST_S), ("1" * 500, None), ("nan", None), ("inf", None), ("1e9", None),
        ("soon", None), ("", None),
        ("Sun, 22 Nov 2026 12:01:30 GMT", 90), ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sunday, 22-Nov-26 12:00:05 GMT", 5), ("Sun Nov 22 12:00:07 2026", 7),
        ("Sun, 22 Nov 2199 12:00:00 GMT", LONGEST_S), ("Sun, 99 Nov 2026 12:00:00 GMT", None),
        ("2026-11-22T12:00:10Z", 10), ("2026-11-22T13:00:20+01:00", 20),
        (str(NOW_MS // 1000 + 8), 8), (str(NOW_MS + 2500), 2.5),
    ],
)  # fmt: skip
def test_retry_after(value: str, expected: float | None) -> None:
    assert advice({"Retry-After": value}, limited=False) == expected


def test_milliseconds_are_more_precise_than_seconds() -> None:
    assert advice({"retry-after-ms": "1250", "Retry-After": "2"}) == 1.25
    assert advice({"retry-after-ms": "x", "Retry-After": "2"}) == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3s", LONGEST_S), ("7.66s", 7.66), ("0s", 0),
     ("1m12.5s", 72.5), (str(NOW_MS // 1000 + 30), 30), ("2026-11-22T12:00:45Z", 45),
     ("1.2.3s", None), ("s", None)],
)  # fmt: skip
def test_reset_headers(value: str, expected: float | None) -> None:
    assert advice({"x-ratelimit-reset-requests": value}) == expected


def test_the_exhausted_limit_decides() -> None:
    headers = {
        "x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "5000",
    }  # fmt: skip
    assert advice(headers) == 1
    assert advice({**headers, "x-ratelimit-remaining-tokens": "0"}) == 360
    assert advice({**headers, "x-ratelimit-remaining-requests": "1"}) == 360


def test_reset_headers_of_calls_that_were_not_limited_say_nothing() -> None:
    assert advice({"x-ratelimit-reset-tokens": "6m0s"}, limited=False) is None


def test_retry_after_comes_before_reset_headers() -> None:
    assert advice({"Retry-After": "2", "x-ratelimit-reset-tokens": "6m0s"}) == 2


@pytest.mark.parametrize(
    ("delay", "expected"),
    [("34s", 34), ("34.4s", 34.4), ({"seconds": 12}, 12), ({"seconds": "12"}, 12), ("x", None),
     (None, None), ({}, None), (34, None)],
)  # fmt: skip
def test_retry_info_in_the_body(delay: Json, expected: float | None) -> None:
    error: Json = {
        "code": 429,
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay},
        ],
    }
    assert advice(error=error, limited=False) == expected


def test_headers_repeated_inside_the_error() -> None:
    error = {"metadata": {"headers": {"X-RateLimit-Reset": NOW_MS + 4000, "X-Other": None}}}
    assert advice(error=error) == 4


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Rate limit reached. Please try again in 7.66s. Visit https://x", 7.66),
        ("Please try again in 6ms.", 0.006), ("Please try again in 1m12.5s", 72.5),
        ("Please retry after 20 seconds.", 20), ("try again in a while", None),
        ("Please try again in 99999h", LONGEST_S),
    ],
)  # fmt: skip
def test_words_are_the_last_resort(message: str, expected: float | None) -> None:
    assert advice(message=message) == expected
    assert advice(message=message, limited=False) is None


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset"]),
                       st.text() | st.from_regex(r"[0-9.]+(ms|s|m|h)?", fullmatch=True)),
       st.text())  # fmt: skip
def test_nothing_breaks_it_and_every_wait_is_bounded(headers: dict[str, str], text: str) -> None:
    wait = advice(headers, message=text)

    assert wait is None or 0 <= wait <= LONGEST_S
