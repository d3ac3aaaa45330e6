"""How a route declares who may use it: the declaration is what admits, so none can be forgotten."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from tau.gateway.admission import Permission
from tau.gateway.context import gateway_of
from tau.gateway.credentials import Identity


class RequirePermission:
    """A FastAPI dependency that admits callers by one permission."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Identity | None:
        """Who the caller is; None at a public door."""
        if self.permission is Permission.PUBLIC:
            return None
        return await gateway_of(request).authenticator.admit(request, self.permission)


def admitted(permission: Permission) -> Callable[[Request], Awaitable[Identity | None]]:
    """The door of routes for those who have `permission`."""
    return RequirePermission(permission)


def opened() -> Callable[[Request], Awaitable[Identity | None]]:
    """The door of a route that everybody may use."""
    return RequirePermission(Permission.PUBLIC)
