"""A run is steered from a folder that has none of its files, through the store they both reach."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pg_cluster import Cluster, cluster
from recovery.programs import TAU, Program, Programs
from tau.domain.actions import LifecycleState
from tau.lifecycle.audit import AuditTrail
from tau.lifecycle.paths import StateDir
from tau.ports.store import Store
from tau.wiring.stores import open_store

SOON_S = 1.0
LATENCY_MS = 100
CONFIG = {
    "model": {"name": "sim/rules", "latency_ms": LATENCY_MS},
    "resources": {"system_prompt": "Write the booking line."},
    "optimize": [{"prompt": f"order {n}", "expected": "1"} for n in range(400)],
    "worker_count": 1,
}
FLAT = [TAU[0], "-c", "from tau.cli.main import tau_coding_agent; tau_coding_agent()"]
FLAGS = "--prompt-optimization-control-"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Programs]:
    """Where the run is driven, with its control files in a folder that only it knows."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    made = Programs(folder, {})
    yield made
    await made.aclose()


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Programs]:
    folder = tmp_path / "there"
    folder.mkdir()
    made = Programs(folder, {})
    yield made
    await made.aclose()


async def within(what: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> float:
    began = time.monotonic()
    while not await what():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


class Steered:
    """A run that is driven in one folder, and a folder from which it is steered."""

    def __init__(self, store: str, here: Programs, there: Programs) -> None:
        self.store, self.here, self.there = store, here, there
        self.place = StateDir(here.folder / "control")

    async def start(self) -> Program:
        made = await self.here.begin(
            "run", "config.json", "--store", self.store, "--state-dir", "control", "--json"
        )

        async def so() -> bool:
            return self.place.checkpoint.exists()

        await within(so)
        return made

    async def say(self, *words: str, code: int = 0, program: Sequence[str] = TAU) -> str:
        made = await self.there.begin(*words, program=program)
        out, err = await made.process.communicate()
        assert made.process.returncode == code, err.decode()
        return out.decode() if code == 0 else err.decode()

    async def asked(self, *words: str) -> Any:  # noqa: ANN401
        return json.loads(await self.say(*words, "--store", self.store, "--json"))

    async def becomes(self, store: Store, state: str) -> None:
        async def so() -> bool:
            return str((await store.insights.runs(limit=1))[0].status) == state

        await within(so, SOON_S)

    async def goes_on(self, store: Store) -> None:
        run = (await store.insights.runs(limit=1))[0].id
        begin = (await store.queue.counts(run)).settled

        async def so() -> bool:
            return (await store.queue.counts(run)).settled > begin

        await within(so)

    def audited(self) -> list[tuple[str, str]]:
        lines, _ = AuditTrail(self.place.audit).read()
        return [(line.action, str(line.fields["principal"])) for line in lines]


@pytest.mark.timeout(120)
async def test_a_run_on_a_server_is_steered_from_a_folder_without_its_files(
    server: Cluster, here: Programs, there: Programs
) -> None:
    url = server.url("elsewhere")
    steered = Steered(url, here, there)
    driver = await steered.start()
    async with await open_store(url) as store:
        done = await steered.asked("pause", "--principal", "local:ann", "--reason", "a look")
        assert (done["idempotent"], done["run_alive"]) == (False, True)
        await steered.becomes(store, "paused")
        run = (await store.insights.runs(limit=1))[0].id
        again = await steered.asked("pause", run[-6:], "--principal", "local:ann")
        assert again["idempotent"] is True
        seen = await steered.asked("status")
        assert seen["control_state"]["lifecycle_state"] == "paused"
        assert seen["training_status"]["run_state"] == "paused"

        said = await steered.say(
            f"{FLAGS}resume", "--prompt-optimization-store-sqlite", url, program=FLAT
        )
        assert "lifecycle_state=running" in said
        await steered.becomes(store, "running")
        await steered.goes_on(store)

        checkpoint = str(steered.place.checkpoint)
        done = await steered.asked("rollback", checkpoint, "--principal", "local:ann")
        assert done["rollback_checkpoint"] == checkpoint
        policy = there.folder / "policy.json"
        policy.write_text(json.dumps({
            "team_mode": True, "roles": {"viewer": {"allow": ["control:rl:status"]}},
            "bindings": [{"principal": "local:eve", "roles": ["viewer"]}],
        }))  # fmt: skip
        before = await store.desired_states.find(run)
        refused = await steered.say(
            "cancel",
            "--store",
            url,
            "--principal",
            "local:eve",
            "--rbac-policy",
            "policy.json",
            code=5,
        )
        assert "unauthorized" in refused
        found = await store.desired_states.find(run)
        assert before is not None
        assert found == before

        await steered.asked("cancel", "--principal", "local:ann")
        await steered.becomes(store, "cancelled")
    await driver.process.communicate()
    lines, _ = AuditTrail(there.folder.joinpath(".tau/training/control-audit.jsonl")).read()
    assert [line.fields["decision"] for line in lines].count("denied") == 1
    told = steered.audited()
    assert ("pause", "local:ann") in told
    assert ("rollback", "local:ann") in told
    assert ("cancel", "local:ann") in told
    await steered.say("pause", "--store", url, code=1)  # all has ended


@pytest.mark.timeout(120)
async def test_what_was_said_of_a_stopped_run_holds_for_its_next_start_anywhere(
    server: Cluster, here: Programs, there: Programs
) -> None:
    url = server.url("stopped")
    steered = Steered(url, here, there)
    driver = await steered.start()
    driver.process.terminate()
    await driver.process.communicate()
    done = await steered.asked("pause", "--principal", "local:ann")
    assert done["run_alive"] is False
    for folder in ("control", "another"):
        again = await here.begin("run", "config.json", "--store", url, "--state-dir", folder)
        _, err = await again.process.communicate()
        assert "was paused by local:ann" in err.decode()
    await steered.asked("cancel")
    assert (await steered.asked("status"))["training_status"]["run_state"] == "cancelled"


@pytest.mark.timeout(120)
async def test_a_run_on_a_file_is_steered_by_its_store(
    tmp_path: Path, here: Programs, there: Programs
) -> None:
    path = str(tmp_path / "store.sqlite")
    steered = Steered(path, here, there)
    driver = await steered.start()
    async with await open_store(path) as store:
        said = await steered.say(
            f"{FLAGS}pause", "--prompt-optimization-store-sqlite", path, program=FLAT
        )
        assert "lifecycle_state=paused" in said
        await steered.becomes(store, "paused")
        run = (await store.insights.runs(limit=1))[0].id
        record = await store.desired_states.find(run)
        assert record is not None
        assert record.state.lifecycle_state is LifecycleState.PAUSED

        # Where the control files are out of reach, the record alone says it.
        await store.desired_states.put(
            run,
            replace(
                record.state, lifecycle_state=LifecycleState.RUNNING, last_action="resume",
                principal="local:far", updated_unix_ms=record.state.updated_unix_ms + 1,
            ),
        )  # fmt: skip
        await steered.becomes(store, "running")
        assert steered.audited()[-1] == ("resume", "local:far")
        await steered.asked("cancel")
        await steered.becomes(store, "cancelled")
    await driver.process.communicate()
    assert "whole" in await steered.say("audit", "verify", "--store", path)
