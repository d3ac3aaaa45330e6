"""Gateways for tests: real applications on real files, asked without a network."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tau.gateway.application import build
from tau.gateway.server_settings import AuthMode, GatewaySettings
from tau.lifecycle.authorization import PolicyFile
from tau.lifecycle.paths import StateDir
from tau.testing.clock import ManualClock
from unit.stores.stores import fill

TOKEN = "a-token-for-tests"
PASSWORD = "a password for tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def settings_in(folder: Path, **changes: Any) -> GatewaySettings:  # noqa: ANN401
    """A gateway on `folder`, by token, without limits that tests would run into."""
    made = GatewaySettings(
        store=str(folder / "store.sqlite"),
        state_dir=StateDir(folder),
        policy=PolicyFile(folder / "rbac.json"),
        principal="local:tester",
        auth=AuthMode.TOKEN,
        token=TOKEN,
        requests_per_minute=100_000,
        failures_per_minute=100_000,
        strangers_per_minute=100_000,
    )
    return replace(made, **changes)


def filled(folder: Path) -> Path:
    """A folder with a store that has something of everything."""
    asyncio.run(fill(folder / "store.sqlite"))
    return folder


@contextmanager
def client(
    settings: GatewaySettings, *, clock: ManualClock | None = None, known: bool = True
) -> Iterator[TestClient]:
    """Somebody who asks a gateway, with its token unless nobody knows them."""
    app = build(settings, clock=clock)
    headers = BEARER if known else {}
    with TestClient(app, base_url="http://127.0.0.1:8787", headers=headers) as found:
        found.follow_redirects = False
        yield found
