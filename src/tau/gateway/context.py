"""What the routes of one gateway share."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from tau.domain.actions import Action
from tau.errors import PolicyInvalid
from tau.gateway.access import AccessWatch
from tau.gateway.admission import Authenticator
from tau.gateway.credentials import Credentials
from tau.gateway.responses import steps
from tau.gateway.server_settings import GatewaySettings
from tau.gateway.stream import Hub
from tau.gateway.watch import Snapshot, SnapshotWatch
from tau.gateway.window import StoreWindow
from tau.lifecycle.authorization import Authorizer
from tau.lifecycle.commands import Command, ControlResult
from tau.ports.clock import Clock
from tau.wiring.store_control import steer


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One gateway's parts."""

    settings: GatewaySettings
    clock: Clock
    window: StoreWindow
    watch: SnapshotWatch
    credentials: Credentials
    authenticator: Authenticator
    authorizer: Authorizer
    access: AccessWatch
    hub: Hub

    def obstacles(self, snapshot: Snapshot, principal: str) -> Mapping[Action, str | None]:
        """Why `principal` cannot have each action now, None where it can."""
        if self.settings.read_only:
            return dict.fromkeys(steps(snapshot), "this gateway is read-only")
        found: dict[Action, str | None] = {}
        for action, senseless in steps(snapshot).items():
            try:
                decision = self.authorizer.decide(principal, action.key)
            except PolicyInvalid as error:
                found[action] = str(error)
                continue
            denied = f"{principal} is not allowed to ({decision.reason_code})"
            found[action] = senseless if decision.allowed else denied
        return found

    async def execute(self, command: Command, *, dry_run: bool = False) -> ControlResult:
        """Carry out a command as the command line does.

        Raises:
            ControlError, FileError: it was not done.
        """
        return await steer(
            self.settings.state_dir,
            command,
            policy=self.settings.policy,
            dry_run=dry_run,
            store=self.settings.store,
        )


def gateway_of(request: Request) -> Gateway:
    """The gateway that serves a request."""
    found = request.app.state.gateway
    assert isinstance(found, Gateway)
    return found
