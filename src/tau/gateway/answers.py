"""Answers every route shares: JSON documents, and errors in the contract's shape."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from tau.domain.json import Json
from tau.domain.visible import line
from tau.errors import (
    AccessDenied,
    Conflict,
    ControlError,
    FileError,
    InputError,
    NotFound,
    PolicyInvalid,
    StoreError,
    TauError,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Refused(Exception):
    """A request that is answered with an error. `code` is for programs, `message` for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        fix: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fix = fix
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """What HTTP wants said beside the body."""
        found = {}
        if self.status == 401:
            found["WWW-Authenticate"] = 'Bearer realm="tau"'
        if self.retry_after_s is not None:
            found["Retry-After"] = str(self.retry_after_s)
        return found


_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


class JsonAnswer(Response):
    """A JSON document, as JSON or as its declared model; never cached, never sniffed."""

    media_type = "application/json"

    def __init__(
        self,
        value: "Json | DataclassInstance",
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(dump(value), status_code=status_code, headers=headers)


def dump(value: "Json | DataclassInstance") -> bytes:
    """The text of a document; lone surrogates from plug-ins' texts become escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        plain: Json = asdict(value) if is_dataclass(value) else value
        return orjson.dumps(_clean(plain))


def error_answer(error: Refused) -> JsonAnswer:
    """The contract's error document."""
    kind = _KINDS.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    body: dict[str, Json] = {"type": kind, "code": error.code, "message": error.message}
    if error.fix:
        body["fix"] = error.fix
    return JsonAnswer({"error": body}, error.status, error.headers)


def refusal(error: TauError) -> Refused:
    """How an error made on purpose is told to a client."""
    status, code = next(
        ((status, code) for kind, status, code in _ANSWERS if isinstance(error, kind)),
        (500, "internal_error"),
    )
    return Refused(status, code, line(error.summary), fix=error.fix and line(error.fix))


_ANSWERS: tuple[tuple[type[TauError], int, str], ...] = (
    (NotFound, 404, "not_found"),
    (Conflict, 409, "conflict"),
    (StoreError, 503, "store_unavailable"),
    (AccessDenied, 403, "forbidden"),
    (PolicyInvalid, 403, "policy_invalid"),
    (ControlError, 409, "control_failed"),
    (FileError, 503, "file_unavailable"),
    (InputError, 400, "invalid_request"),
)


def _clean(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {str(_clean(str(name))): _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
