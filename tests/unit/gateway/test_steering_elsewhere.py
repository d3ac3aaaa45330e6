"""The dashboard steers the run that it shows, also where its folder is about another one."""

import asyncio
from pathlib import Path

from tau.domain.actions import ControlState, DesiredState, LifecycleState
from tau.domain.ids import RunId
from tau.lifecycle.paths import StateDir
from tau.lifecycle.state import save_state
from tau.wiring.stores import open_store
from unit.gateway.gateways import client, filled, settings_in


async def _record(store: Path, run: str) -> DesiredState | None:
    async with await open_store(str(store), read_only=True) as opened:
        return await opened.desired_states.find(RunId(run))


def test_a_run_driven_elsewhere_is_paused_through_its_store(tmp_path: Path) -> None:
    settings = settings_in(filled(tmp_path), state_dir=StateDir(tmp_path / "other"))
    other = ControlState(
        lifecycle_state=LifecycleState.RUNNING, last_action="start", principal="local:ann",
        updated_unix_ms=1, run_id="run-20250101-000000-ffffff",
    )  # fmt: skip
    settings.state_dir.root.mkdir()
    save_state(settings.state_dir.control_state, other, None)
    before = settings.state_dir.control_state.read_bytes()
    with client(settings) as caller:
        run = caller.get("/api/v1/runs").json()["runs"][0]["id"]
        answer = caller.post("/api/v1/controls/pause", json={"run_id": run, "reason": "a look"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["control_state"]["lifecycle_state"] == "paused"
    record = asyncio.run(_record(tmp_path / "store.sqlite", run))
    assert record is not None
    said = (record.sequence, record.state.lifecycle_state, record.state.reason)
    assert said == (1, "paused", "a look")
    assert settings.state_dir.control_state.read_bytes() == before
    audited = settings.state_dir.audit.read_text()
    assert audited.count('"action":"pause"') == 1
