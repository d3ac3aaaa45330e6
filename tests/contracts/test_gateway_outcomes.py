"""Runs that say less than they seem to: nothing scored, hollow answers, a part of the rows."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tau.domain.dataset import Split
from tau.domain.decision import Decision, Verdict
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.domain.run import RunStatus, StopReason
from tau.gateway.server_settings import AuthMode
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, SEED, Bench, evaluation, failure, rows, success
from unit.gateway.gateways import client, settings_in

BETTER = Resources(values={"system_prompt": "Answer."}, parent=SEED.hash)
SILENT = Reward(name="exact_match", score=None, error="no field 'expected' in this row")


async def _unscored(path: Path, *, ended: bool) -> None:
    clock, processes = ManualClock(), ManualProcesses()
    async with await SqliteStore.open(path, clock=clock, processes=processes) as store:
        bench = Bench(store, clock, processes)
        await bench.run(config={"resources": dict(SEED.values)})
        trainer = await bench.driver()
        await store.queue.submit(RUN, [*map(evaluation, rows(12, Split.VALIDATE))])
        hollow = Output(text="", reason_codes=("answer_empty", "answer_cut"))
        for n, claim in enumerate(await bench.claim(await bench.worker(), 12)):
            lost = replace(success(None), rewards=(SILENT,), output=hollow)
            await store.work.complete(claim.attempt_id, lost if n < 8 else failure())
        if ended:
            await store.runs.set_status(
                RUN, RunStatus.FAILED, trainer=trainer, reason=StopReason.NOTHING_SCORED,
                detail="nothing could be scored",
            )  # fmt: skip


@pytest.mark.parametrize("ended", [False, True])
def test_a_run_without_any_score_is_green_nowhere_and_says_why(tmp_path: Path, ended: bool) -> None:
    asyncio.run(_unscored(tmp_path / "store.sqlite", ended=ended))
    with client(settings_in(tmp_path)) as found:
        overview, own = found.get("/").text, found.get(f"/runs/{RUN}").text
        alerts = found.get("/dashboard/alerts").json()["alerts"]
        health = found.get("/dashboard/health").json()["health"]
        document = found.get(f"/api/v1/runs/{RUN}").json()

    assert 'class="card good"' not in overview
    assert 'class="pill done"' not in overview
    for page in (overview, own):
        assert "8 unscored: no field &#39;expected&#39; in this row" in page
    assert "What is missing" in own
    assert "cut at the token limit" in own
    assert "raise max_tokens" in own
    assert health["health_state"] == "failing"
    told = {one["code"]: one for one in alerts}
    assert told["dashboard_nothing_scored"]["severity"] == "critical"
    assert "8 answers were empty, 8 were cut" in told["dashboard_answers_lacking"]["message"]
    assert "dashboard_training_failures" in told
    assert document["unscored_reasons"] == {"no field 'expected' in this row": 8}
    assert sum(document["failed_reasons"].values()) == 4
    assert document["answers"]["answer_cut"] == 8


def _verdict(*, part: bool) -> Verdict:
    comparison: dict[str, Json] = {
        "n": 24, "missing": 6, "difference": 0.3, "low": 0.1, "high": 0.5, "alpha": 0.1,
        "p_greater": 0.01, "method": "mcnemar", "fixed": [], "broken": [],
    }  # fmt: skip
    certificate: dict[str, Json] = {"decision": "promote", "comparison": comparison}
    if part:
        certificate["partial"] = {
            "compared": 24, "missing": 6,
            "against": {"decision": "keep_baseline", "low": -0.12, "high": 0.31},
            "in_favour": {"decision": "promote", "low": 0.25, "high": 0.62},
        }  # fmt: skip
    return Verdict(
        run_id=RUN, resources=BETTER, decision=Decision.PROMOTE,
        evidence={"certificate": certificate},
    )  # fmt: skip


async def _certified(path: Path, *, part: bool) -> None:
    clock, processes = ManualClock(), ManualProcesses()
    async with await SqliteStore.open(path, clock=clock, processes=processes) as store:
        bench = Bench(store, clock, processes)
        await bench.run(config={"resources": dict(SEED.values)})
        trainer = await bench.driver()
        await store.resources.publish(BETTER, run_id=RUN)
        await store.verdicts.save(_verdict(part=part), trainer=trainer)


async def _kept(path: Path) -> bool:
    """Whether the alias remembers that it rests on a part of the rows."""
    async with await SqliteStore.open(path) as store:
        (alias,) = await store.aliases.current()
        return "partial" in alias.evidence


@pytest.mark.parametrize("part", [True, False])
def test_a_decision_on_part_of_the_rows_is_marked_wherever_it_is_shown(
    tmp_path: Path, part: bool
) -> None:
    asyncio.run(_certified(tmp_path / "store.sqlite", part=part))
    with client(settings_in(tmp_path, auth=AuthMode.LOCALHOST_DEV)) as found:
        pages = [found.get(path).text for path in ("/", f"/runs/{RUN}", "/promote/1")]
        found.post("/promote/1", data={"alias": "prod", "reason": "good enough"})
    for page in pages:
        assert ('class="decision promote part"' in page or "decision promote part" in page) is part
        assert ("24 of 30 rows" in page) is part
        assert ("it would be <strong>keep baseline (-0.120 to +0.310)" in page) is part
        assert ("it would be <strong>promote (+0.250 to +0.620)" in page) is part
    assert asyncio.run(_kept(tmp_path / "store.sqlite")) is part
