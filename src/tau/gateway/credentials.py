"""Secrets and who holds them. Only hashes are kept: nothing here can be read back."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from tau.gateway.server_settings import AuthMode, GatewaySettings
from tau.gateway.tokens import TokenFile, hash_of
from tau.ports.clock import Clock

SESSION_S = 3600
BROWSER_S = 12 * 3600
LINK_S = 15 * 60
_MOST_SESSIONS = 1000
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is asking. `csrf` is what forms must carry, None where there are none (bearer tokens).

    `cookie`: a browser vouches for them, and would do so for a form of any other site, too.
    """

    principal: str
    csrf: str | None = field(default=None, repr=False)
    cookie: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """`token` is the hash of the token that opened it, where one of the file did."""

    expires_ms: int
    identity: Identity
    token: str | None = None


class Credentials:
    """The secrets of one gateway process; sessions end with it."""

    def __init__(self, settings: GatewaySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._token = _hashed(settings.token) if settings.token else None
        self._file = TokenFile(settings.tokens) if settings.tokens is not None else None
        self._password = self._stretched(settings.password) if settings.password else None
        self._links: dict[bytes, int] = {}
        self._sessions: dict[bytes, _Session] = {}
        self._everybody = Identity(principal=settings.principal, csrf=secrets.token_urlsafe(32))

    def login_link(self) -> str:
        """A secret that opens one browser session, once, within a quarter of an hour."""
        secret = secrets.token_urlsafe(32)
        self._links[_hashed(secret)] = self._clock.monotonic_ms() + LINK_S * 1000
        return secret

    def redeem(self, link: str) -> str | None:
        """Turn a link's secret into a browser session's; None where it is no longer valid."""
        expires_ms = self._links.pop(_hashed(link), None)
        if expires_ms is None or expires_ms <= self._clock.monotonic_ms():
            return None
        return self._open(BROWSER_S)

    def log_in(self, password: str, *, lasting_s: int = SESSION_S) -> str | None:
        """A session's secret for the right password, else None. Takes a while on purpose."""
        if self._password is None:
            return None
        given = self._stretched(password)
        return self._open(lasting_s) if hmac.compare_digest(given, self._password) else None

    def exchange(self, token: str) -> str | None:
        """A browser session's secret for a valid token, else None; it ends with the token."""
        found = self._owner(token)
        if found is None:
            return None
        return self._open(
            BROWSER_S, principal=found, token=None if self._is_token(token) else token
        )

    def bearer(self, secret: str) -> Identity | None:
        """Whose bearer token or session this is."""
        owner = self._owner(secret)
        if owner is not None:
            return Identity(principal=owner)
        found = self.session(secret)
        return Identity(principal=found.principal) if found else None

    def session(self, secret: str) -> Identity | None:
        """Whose unexpired session this is."""
        key = _hashed(secret)
        found = self._sessions.get(key)
        if found is None:
            return None
        withdrawn = found.token is not None and self._principal(found.token) is None
        if withdrawn or found.expires_ms <= self._clock.monotonic_ms():
            del self._sessions[key]
            return None
        return found.identity

    def everybody(self) -> Identity | None:
        """Who somebody without any secret is: only localhost-dev lets them in."""
        return self._everybody if self._settings.auth is AuthMode.LOCALHOST_DEV else None

    def end(self, secret: str) -> None:
        """Close a session."""
        self._sessions.pop(_hashed(secret), None)

    def _is_token(self, secret: str) -> bool:
        given = _hashed(secret)
        return self._token is not None and hmac.compare_digest(given, self._token)

    def _owner(self, secret: str) -> str | None:
        """Whose token this is: the gateway's own, or one of the file."""
        return (
            self._settings.principal if self._is_token(secret) else self._principal(hash_of(secret))
        )

    def _principal(self, hash_: str) -> str | None:
        return self._file.principal(hash_) if self._file is not None else None

    def _open(
        self, lasting_s: int, *, principal: str | None = None, token: str | None = None
    ) -> str:
        now = self._clock.monotonic_ms()
        self._sessions = {k: s for k, s in self._sessions.items() if s.expires_ms > now}
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        secret = secrets.token_urlsafe(32)
        identity = Identity(
            principal=principal or self._settings.principal,
            csrf=secrets.token_urlsafe(32),
            cookie=True,
        )
        self._sessions[_hashed(secret)] = _Session(
            expires_ms=now + lasting_s * 1000,
            identity=identity,
            token=hash_of(token) if token is not None else None,
        )
        return secret

    def _stretched(self, password: str) -> bytes:
        data = password.encode("utf-8", "surrogatepass")
        return hashlib.scrypt(data, salt=self._salt, **_SCRYPT)


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
