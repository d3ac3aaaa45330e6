"""The door of every route: who is asking, and may they."""

import hmac
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from starlette.requests import Request

from tau.domain.actions import Action
from tau.errors import PolicyInvalid
from tau.gateway.access import AccessWatch
from tau.gateway.addresses import address_of
from tau.gateway.answers import Refused
from tau.gateway.credentials import Credentials, Identity
from tau.gateway.limits import Rate
from tau.gateway.server_settings import GatewaySettings
from tau.gateway.tokens import hash_of
from tau.ports.clock import Clock

COOKIE = "tau_session"
CSRF_HEADER = "x-csrf-token"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Any]])


class Permission(StrEnum):
    """What a route asks of its caller; declared beside each route, tested for every one."""

    PUBLIC = "public"
    READ = "read"
    ACT = "act"


class _Budget(StrEnum):
    """What is counted apart, so that nobody who looks can take the controls away."""

    LOOK = "look"
    PREVIEW = "preview"
    ACT = "act"


_PREVIEWS = ("/controls/", "/promote/", "/api/v1/controls/")


def _budget(request: Request, permission: Permission) -> _Budget:
    if permission is Permission.ACT:
        return _Budget.ACT
    return _Budget.PREVIEW if request.url.path.startswith(_PREVIEWS) else _Budget.LOOK


class Authenticator:
    """Admits callers; one for a gateway."""

    def __init__(
        self,
        settings: GatewaySettings,
        credentials: Credentials,
        access: AccessWatch,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._access = access
        self._requests = {kind: Rate(settings.requests_per_minute, clock) for kind in _Budget}
        self._repeated = Rate(settings.failures_per_minute, clock)
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
        self._count(identity, _budget(request, permission))
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

        A valid one is never refused for what others have tried from the same address.

        Raises:
            Refused: 429 after too many failures from its address.
        """
        bearer = bearer_of(request)
        if bearer is not None:
            found = self._credentials.bearer(bearer)
            if found is None:
                self.refuse_guessing(request, bearer)
                self.failed(request, bearer)
            return found
        cookie = request.cookies.get(COOKIE)
        found = self._credentials.session(cookie) if cookie else None
        return found or self._credentials.everybody()

    def refuse_guessing(self, request: Request, secret: str) -> None:
        """Answer no more to a secret that was wrong often, and to an address that tried many."""
        waiting_s = self._repeated.full(self._guess(request, secret))
        waiting_s = waiting_s or self._failures.full(self.address(request))
        if waiting_s is not None:
            raise _too_many("too many failed logins", waiting_s)

    def failed(self, request: Request, secret: str) -> None:
        """Count a wrong secret; the same one again tells an address nothing new."""
        guess = self._guess(request, secret)
        if not self._repeated.seen(guess):
            self._failures.take(self.address(request))
        self._repeated.take(guess)

    def address(self, request: Request) -> str:
        """Where a request comes from, as far as anybody trusted tells."""
        return address_of(request, self._settings.trusted_proxies)

    def _guess(self, request: Request, secret: str) -> str:
        return f"{self.address(request)} {hash_of(secret)}"

    def stranger(self, request: Request, what: str = "any") -> None:
        """Count a request nobody vouches for; `what` has a budget of its own."""
        waiting_s = self._strangers.take(f"{self.address(request)} {what}")
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

    def _count(self, identity: Identity, budget: _Budget) -> None:
        waiting_s = self._requests[budget].take(identity.principal)
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

    async def welcome(self, request: Request) -> bool:
        """Whether whoever listens to a stream still may: by secret and by policy."""
        bearer = bearer_of(request)
        try:
            identity = self._credentials.bearer(bearer) if bearer else self.recognise(request)
            return identity is not None and await self._may_read(identity)
        except Refused:
            return False

    async def _may_read(self, identity: Identity) -> bool:
        authorizer = await self._access.refresh()
        try:
            return authorizer.decide(identity.principal, Action.STATUS.key).allowed
        except PolicyInvalid as error:
            raise Refused(
                403, "policy_invalid", error.summary, fix="put the policy right"
            ) from error


def bearer_of(request: Request) -> str | None:
    """The secret of an `Authorization: Bearer` header; None where there is no such header."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _too_many(message: str, waiting_s: int) -> Refused:
    return Refused(429, "rate_limited", message, retry_after_s=waiting_s)
