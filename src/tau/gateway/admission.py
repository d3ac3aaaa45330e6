"""The door of every route: who is asking, and may they."""

import hmac
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from starlette.requests import Request

from tau.domain.control import Action
from tau.errors import PolicyInvalid
from tau.gateway.answers import Refused
from tau.gateway.credentials import Credentials, Identity
from tau.gateway.limits import Rate
from tau.gateway.settings import GatewaySettings
from tau.lifecycle.authorization import Authorizer
from tau.ports.clock import Clock

COOKIE = "tau_session"
CSRF_HEADER = "x-csrf-token"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Any]])


class Permission(StrEnum):
    """What a route asks of its caller; declared beside each route, tested for every one."""

    PUBLIC = "public"
    READ = "read"
    ACT = "act"


class Doorkeeper:
    """Admits callers; one for a gateway."""

    def __init__(
        self,
        settings: GatewaySettings,
        credentials: Credentials,
        authorizer: Authorizer,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._authorizer = authorizer
        self._requests = Rate(settings.requests_per_minute, clock)
        self._failures = Rate(settings.failures_per_minute, clock)
        self._strangers = Rate(settings.strangers_per_minute, clock)

    async def admit(self, request: Request, permission: Permission) -> Identity:
        """Who the caller is.

        Raises:
            Refused: 401 without a valid secret, 403 where the policy or the request's origin
                forbids it, 429 for too many requests.
        """
        identity = self.recognise(request)
        if identity is None:
            self.stranger(request)
            raise Refused(401, "unauthorized", "a valid token or session is required")
        self._count(identity)
        if permission is Permission.ACT:
            self.same_origin(request)
        elif not await self._may_read(identity):
            raise Refused(
                403,
                "forbidden",
                f"principal {identity.principal} may not look at runs",
                fix=f"bind it to a role that allows {Action.STATUS.key}",
            )
        return identity

    def recognise(self, request: Request) -> Identity | None:
        """Whose token or session the request carries; a wrong one counts as a failed login.

        Raises:
            Refused: 429 after too many failures from its address.
        """
        bearer = bearer_of(request)
        if bearer is not None:
            self.refuse_guessing(request)
            found = self._credentials.bearer(bearer)
            if found is None:
                self.failed(request)
            return found
        cookie = request.cookies.get(COOKIE)
        found = self._credentials.session(cookie) if cookie else None
        return found or self._credentials.everybody()

    def refuse_guessing(self, request: Request) -> None:
        """Look at no more secrets from an address that gave too many wrong ones."""
        waiting_s = self._failures.full(address(request))
        if waiting_s is not None:
            raise _too_many("too many failed logins", waiting_s)

    def failed(self, request: Request) -> None:
        """Count a wrong secret."""
        self._failures.take(address(request))

    def stranger(self, request: Request) -> None:
        """Count a request nobody vouches for."""
        waiting_s = self._strangers.take(address(request))
        if waiting_s is not None:
            raise _too_many("too many requests", waiting_s)

    def check_form(self, identity: Identity, given: str | None) -> None:
        """Refuse a form or a call of a browser's session that does not carry its secret."""
        if identity.csrf is not None and not (
            given is not None and hmac.compare_digest(given.encode(), identity.csrf.encode())
        ):
            raise Refused(
                403, "csrf_token_invalid", "the form is not from this session", fix="load it again"
            )

    def _count(self, identity: Identity) -> None:
        waiting_s = self._requests.take(identity.principal)
        if waiting_s is not None:
            raise _too_many(
                f"more than {self._settings.requests_per_minute} requests a minute", waiting_s
            )

    def same_origin(self, request: Request) -> None:
        """Refuse what a page of another site makes a browser send."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise Refused(403, "origin_not_allowed", "the request comes from another site")
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise Refused(403, "origin_not_allowed", "the request comes from another site")

    async def _may_read(self, identity: Identity) -> bool:
        try:
            return self._authorizer.decide(identity.principal, Action.STATUS.key).allowed
        except PolicyInvalid as error:
            raise Refused(
                403, "policy_invalid", error.summary, fix="put the policy right"
            ) from error


def bearer_of(request: Request) -> str | None:
    """The secret of an `Authorization: Bearer` header; None where there is no such header."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def address(request: Request) -> str:
    """Where a request comes from, as far as the socket tells; headers can claim anything."""
    return request.client.host if request.client else "unknown"


def _too_many(message: str, waiting_s: int) -> Refused:
    return Refused(429, "rate_limited", message, retry_after_s=waiting_s)
