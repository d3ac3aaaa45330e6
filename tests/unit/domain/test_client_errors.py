"""Errors of other people's client libraries, by the status they carry or by their class's name."""

import asyncio
import urllib.error
from email.message import Message
from types import SimpleNamespace

import aiohttp
import pytest

from tau.domain.client_errors import ClientErrors, understand
from tau.domain.failure import TRANSIENT, FailureClass
from tau.errors import ConnectionFailed, ExecutorFailed, RateLimited, RetryLater


def library_error(
    module: str, names: str, *, bases: tuple[type[Exception], ...] = (Exception,), **fields: object
) -> Exception:
    """An error as `module` raises it: `names` from the most general class to its own."""
    kind = bases[0]
    for name in names.split():
        kind = type(name, (kind,), {"__module__": module})
    error = kind("it says no")
    for field, value in fields.items():
        setattr(error, field, value)
    return error


def answered(status: int, **headers: str) -> SimpleNamespace:
    """A response as clients attach it to their errors."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(status_code=status, headers=named)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (library_error("openai", "APIError RateLimitError", status_code=429), "rate_limit"),
        (library_error("openai", "APIError InternalServerError", status_code=500), "server"),
        (library_error("openai", "APIError APIConnectionError"), "connection"),
        (library_error("openai", "APIConnectionError APITimeoutError"), "timeout"),
        (library_error("openai", "APIError AuthenticationError", status_code=401), "auth"),
        (library_error("openai", "APIError NotFoundError", status_code=404), "model_not_found"),
        (library_error("openai", "APIError BadRequestError", status_code=400), "request"),
        (
            library_error("openai", "RateLimitError", status_code=429, code="insufficient_quota"),
            "quota",
        ),
        (library_error("anthropic", "OverloadedError", status_code=529), "overloaded"),
        (library_error("litellm", "ServiceUnavailableError", status_code=503), "overloaded"),
        (library_error("httpx", "HTTPStatusError", response=answered(502)), "server"),
        (library_error("httpx", "TransportError ConnectError"), "connection"),
        (library_error("httpx", "TransportError TimeoutException ReadTimeout"), "timeout"),
        (library_error("requests.exceptions", "HTTPError", response=answered(429)), "rate_limit"),
        (library_error("requests.exceptions", "ConnectionError"), "connection"),
        (library_error("requests.exceptions", "Timeout ReadTimeout"), "timeout"),
        (library_error("google.api_core.exceptions", "ResourceExhausted", code=429), "rate_limit"),
        (
            library_error(
                "botocore.exceptions",
                "ClientError",
                response={
                    "Error": {"Code": "ThrottlingException"},
                    "ResponseMetadata": {"HTTPStatusCode": 400},
                },
            ),
            "rate_limit",
        ),
        (library_error("some.framework", "ProviderFailed", status_code=503), "overloaded"),
        (aiohttp.ServerDisconnectedError(), "connection"),
        (aiohttp.ServerTimeoutError(), "timeout"),
        (urllib.error.HTTPError("http://x", 503, "no", Message(), None), "overloaded"),
        (TimeoutError("too slow"), "timeout"),
        (ConnectionResetError("gone"), "connection"),
    ],
)  # fmt: skip
def test_a_clients_error_is_what_it_says_it_is(error: Exception, code: str) -> None:
    understood = understand(error, "'agent'")

    assert understood is not None
    assert understood.code == code
    assert type(error).__name__ in str(understood)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a mistake of the program"),
        KeyError("status_code"),
        library_error("shop.client", "NotFoundError", status_code=404),
        library_error("shop.client", "AuthenticationError", status_code=401),
        library_error("shop.client", "Timeout"),
        library_error("requests.exceptions", "HTTPError", response=answered(404)),
        library_error("shop", "Odd", status_code=True),
        library_error("shop", "Odd", status_code="429"),
    ],
)
def test_what_is_the_applications_own_business_stays_its_own(error: Exception) -> None:
    assert understand(error, "'agent'") is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({}, None),
    ],
)
def test_what_the_server_asked_for_is_kept(headers: dict[str, str], seconds: float | None) -> None:
    error = library_error("openai", "RateLimitError", response=answered(429, **headers))
    understood = understand(error, "'agent'")

    assert isinstance(understood, RateLimited)
    assert (understood.retry_after_s, understood.status) == (seconds, 429)


def test_an_error_wrapped_by_a_framework_is_found_and_its_own_words_are_kept() -> None:
    inner = library_error("openai", "RateLimitError", status_code=429)
    outer = RuntimeError("the planner failed")
    outer.__cause__ = inner
    understood = understand(outer, "'agent'")

    assert isinstance(understood, RateLimited)
    assert "the planner failed" in str(understood)


def test_errors_of_tau_and_of_the_program_pass_unchanged() -> None:
    for error in (ExecutorFailed("x"), ValueError("y"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as raised, ClientErrors("'agent'"):
            raise error
        assert raised.value is error
    with pytest.raises(ConnectionFailed), ClientErrors("'agent'"):
        raise ConnectionRefusedError("nobody there")


def test_cancelling_is_no_failure() -> None:
    assert understand(asyncio.CancelledError(), "'agent'") is None


def test_asking_to_be_tried_later_is_a_failure_that_is_retried() -> None:
    later = RetryLater(2.5, "the index is being built")

    assert FailureClass(later.code) in TRANSIENT
    assert later.retry_after_s == 2.5
    assert "the index is being built" in str(later)
