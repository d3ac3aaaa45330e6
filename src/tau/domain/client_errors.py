"""What the errors of other people's client libraries mean for a rollout.

An application under test, or a grader, may call a provider with a client of its own: openai,
anthropic, httpx, requests, aiohttp, urllib, boto3, google-api-core and frameworks on top of them.
Nothing of them is imported: an error is read by the status it carries, or by its class's name.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType

from tau.errors import (
    AttemptError,
    AuthenticationFailed,
    ConnectionFailed,
    ContextTooLong,
    ModelNotFound,
    ModelTimeout,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    ServerFailed,
)

_CAUSES = 8
_TEXT_CHARS = 500

_STATUSES: Mapping[int, type[AttemptError]] = {
    408: ModelTimeout,
    425: Overloaded,
    429: RateLimited,
    503: Overloaded,
    504: ModelTimeout,
    529: Overloaded,
}
"""What any server means by these, 5xx besides. Other statuses may be about the application's own
business (a page that is not there), so only a provider's client gives them a meaning."""

_NAMES: Mapping[str, type[AttemptError]] = {
    "RateLimitError": RateLimited,
    "RateLimitExceededError": RateLimited,
    "TooManyRequests": RateLimited,
    "ResourceExhausted": RateLimited,
    "ThrottlingException": RateLimited,
    "ModelTimeoutException": ModelTimeout,
    "ServiceUnavailableException": Overloaded,
    "ServiceUnavailable": Overloaded,
    "ServiceUnavailableError": Overloaded,
    "OverloadedError": Overloaded,
    "APITimeoutError": ModelTimeout,
    "DeadlineExceeded": ModelTimeout,
    "TimeoutException": ModelTimeout,
    "ServerTimeoutError": ModelTimeout,
    "ReadTimeoutError": ModelTimeout,
    "Timeout": ModelTimeout,
    "TimeoutError": ModelTimeout,
    "APIConnectionError": ConnectionFailed,
    "ClientConnectionError": ConnectionFailed,
    "ServerDisconnectedError": ConnectionFailed,
    "EndpointConnectionError": ConnectionFailed,
    "IncompleteRead": ConnectionFailed,
    "RemoteDisconnected": ConnectionFailed,
    "ChunkedEncodingError": ConnectionFailed,
    "TransportError": ConnectionFailed,
    "ConnectionError": ConnectionFailed,
    "InternalServerError": ServerFailed,
    "AuthenticationError": AuthenticationFailed,
    "PermissionDeniedError": AuthenticationFailed,
    "ContextWindowExceededError": ContextTooLong,
    "NotFoundError": ModelNotFound,
    "BadRequestError": RequestRejected,
    "UnprocessableEntityError": RequestRejected,
}

_PROVIDERS = frozenset(
    {"openai", "anthropic", "litellm", "mistralai", "groq", "cohere", "together"}
)
"""Packages whose authentication and not-found errors are about a provider, not about any server."""

_OF_PROVIDERS = (AuthenticationFailed, ModelNotFound, RequestRejected)
_BUILT_IN = frozenset({"builtins", "asyncio", "socket", "http", "urllib"})
_LIBRARIES = _BUILT_IN | {"httpx", "httpcore", "requests", "urllib3", "aiohttp", "botocore"}
_GENERAL = frozenset({"Timeout", "TimeoutError", "ConnectionError", "TransportError"})
"""Names that only those libraries' own classes give a meaning to."""


class ClientErrors(AbstractContextManager[None]):
    """Turns a client library's error into the failure it stands for; anything else passes.

    The error raised names `who`; its `retry_after_s` is what the server asked for.
    """

    def __init__(self, who: str) -> None:
        self._who = who

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception) or isinstance(error, AttemptError):
            return
        understood = understand(error, self._who)
        if understood is not None:
            raise understood from error


def understand(error: BaseException, who: str) -> AttemptError | None:
    """The failure that `error`, or what it was raised from, stands for; None if for none."""
    for one in _chain(error):
        if isinstance(one, AttemptError):
            return one
        kind = _kind(one)
        if kind is not None:
            return kind(
                f"{who} failed",
                why=_said(error),
                status=_status(one),
                retry_after_s=_retry_after_s(one),
            )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was explicitly raised from, outermost first."""
    found: BaseException | None = error
    for _ in range(_CAUSES):
        if found is None:
            return
        yield found
        found = found.__cause__


def _kind(error: BaseException) -> type[AttemptError] | None:
    named = _coded(error) or _named(error)
    status = _status(error)
    if status == 429 and "insufficient_quota" in _code(error):
        return QuotaExhausted
    if status is None or named in (RateLimited, Overloaded, ModelTimeout):
        return named
    return _STATUSES.get(status) or (ServerFailed if 500 <= status < 600 else named)


def _coded(error: BaseException) -> type[AttemptError] | None:
    """By the code in the response, as botocore's one class for all errors carries it."""
    response = getattr(error, "response", None)
    about = response.get("Error") if isinstance(response, Mapping) else None
    code = about.get("Code") if isinstance(about, Mapping) else None
    return _NAMES.get(code) if isinstance(code, str) else None


def _named(error: BaseException) -> type[AttemptError] | None:
    for ancestor in type(error).__mro__:
        kind = _NAMES.get(ancestor.__name__)
        package = ancestor.__module__.partition(".")[0]
        if kind is None or (ancestor.__name__ in _GENERAL and package not in _LIBRARIES):
            continue
        if kind in _OF_PROVIDERS and package not in _PROVIDERS:
            continue
        return kind
    return None


def _status(error: BaseException) -> int | None:
    """The HTTP status that the error or its response carries."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # botocore
        about = response.get("ResponseMetadata")
        found = about.get("HTTPStatusCode") if isinstance(about, Mapping) else None
        return found if isinstance(found, int) else None
    places = ((error, ("status_code", "status", "code")), (response, ("status_code", "status")))
    for place, names in places:
        for name in names:
            value = getattr(place, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                return int(value)
    return None


def _code(error: BaseException) -> str:
    return f"{getattr(error, 'code', '')} {getattr(error, 'body', '')}"


def _retry_after_s(error: BaseException) -> float | None:
    for holder in (getattr(error, "response", None), error):
        headers = getattr(holder, "headers", None)
        get = getattr(headers, "get", None)
        for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0), ("Retry-After", 1.0)):
            value = get(name) if callable(get) else None
            try:
                seconds = float(value) / unit if isinstance(value, str | int | float) else -1.0
            except ValueError:
                continue  # a date; the backoff serves as well
            if seconds >= 0 and math.isfinite(seconds):
                return seconds
    return None


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0][:_TEXT_CHARS] if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
