"""What the pages say, read off their HTML; how they look is for the browser's tests."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tau.domain.checkpoint import Checkpoint
from tau.domain.dataset import Split
from tau.domain.decision import Decision, Verdict
from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED, Reward
from tau.gateway.server_settings import AuthMode
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, SEED, Bench, evaluation, failure, rows, success
from unit.gateway.gateways import client, filled, settings_in

BETTER = Resources(values={"system_prompt": "Answer."}, parent=SEED.hash)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a candidate that the safety gate stopped; its algorithm tells how it was made."""
    folder = tmp_path_factory.mktemp("searched")
    asyncio.run(_search(folder / "store.sqlite"))
    return folder


async def _search(path: Path) -> None:
    clock, processes = ManualClock(), ManualProcesses()
    async with await SqliteStore.open(path, clock=clock, processes=processes) as store:
        bench = Bench(store, clock, processes)
        await bench.run(config={"resources": dict(SEED.values)})
        trainer = await bench.driver()
        example = rows(1, Split.VALIDATE)[0]
        await store.queue.submit(RUN, [evaluation(example, resources=r) for r in (SEED, BETTER)])
        first, second = await bench.claim(await bench.worker(), 2)
        await store.work.complete(first.attempt_id, success(0.5))
        clock.advance(10)
        gate = Reward(name=SAFETY_HARD_GATE_TRIGGERED, score=0.0)
        await store.work.complete(second.attempt_id, replace(success(0.0), rewards=(gate,)))
        checkpoint = Checkpoint(
            run_id=RUN, algorithm="a", waves=1, rollouts=2, best=SEED,
            state={"origins": {BETTER.hash[:16]: "<i>merge", "x": 7}},
        )  # fmt: skip
        await store.checkpoints.save(checkpoint, trainer=trainer, candidates=[SEED, BETTER])


def test_candidates_tell_how_they_were_made_where_the_algorithm_says_so(searched: Path) -> None:
    with client(settings_in(searched)) as found:
        tree = found.get(f"/runs/{RUN}/candidates").text
        panel = found.get(f"/runs/{RUN}/candidates?c={BETTER.hash[:12]}").text
    assert "<td>&lt;i&gt;merge</td>" in tree
    assert "<i>merge" not in tree + panel
    assert [text.count('id="detail"') for text in (tree, panel)] == [0, 1]
    assert [text.count('class="chosen"') for text in (tree, panel)] == [0, 1]


def test_a_candidates_fate_is_told(searched: Path) -> None:
    with client(settings_in(searched)) as found:
        page = found.get(f"/runs/{RUN}").text
        course = found.get(f"/api/v1/runs/{RUN}/curve").json()["candidates"]
    fates = {one["resources"]: one["is"] for one in course}
    assert fates == {SEED.hash[:12]: "baseline", BETTER.hash[:12]: "gated"}
    assert "stopped by the safety gate" in page


def test_the_candidates_of_a_run_are_drawn_by_quality_and_cost(searched: Path) -> None:
    with client(settings_in(searched)) as found:
        page = found.get(f"/runs/{RUN}").text
    panel = page[page.index("Quality and cost") :].partition("</section>")[0]
    assert 'class="chart front"' in panel
    assert f"/runs/{RUN}/candidates?c={BETTER.hash[:12]}" in panel
    assert "baseline, on the front" in panel
    assert panel.count("on the front</span>") == 1  # what the gate stopped is none to choose
    assert "stopped by the safety gate" in panel


def test_the_matrix_names_examples_by_how_they_begin(searched: Path) -> None:
    with client(settings_in(searched)) as found:
        page = found.get(f"/runs/{RUN}/matrix").text
    assert '<span class="dim">validate</span> <span dir="auto">validate 0</span>' in page


def test_the_queue_shows_who_worked_when(tmp_path: Path) -> None:
    filled(tmp_path)
    with client(settings_in(tmp_path)) as found:
        page = found.get(f"/runs/{RUN}/queue").text
    lanes = page.partition("Attempts of each worker over time")[2].partition("</svg>")[0]
    assert [lanes.count(f'class="bar {one}"') for one in ("succeeded", "failed", "running")] == [
        1, 1, 1,
    ]  # fmt: skip


def test_a_run_whose_process_is_gone_does_not_look_as_if_it_ran(tmp_path: Path) -> None:
    filled(tmp_path)
    clock = ManualClock()
    clock.advance(3_600_000)
    with client(settings_in(tmp_path), clock=clock) as found:
        page = found.get("/").text
        own = found.get(f"/runs/{RUN}").text
        health = found.get("/dashboard/health").json()["health"]
    for text in (own, page):
        assert 'class="pill crashed"' in text
        assert "nothing runs" in text
        assert 'class="pill running"' not in text
    assert "This run needs you" in own
    assert "tau resume --run" in own
    assert "tau resume --run" in page
    assert health["health_state"] == "degraded"


def test_the_worst_alert_comes_first(tmp_path: Path) -> None:
    filled(tmp_path)
    clock = ManualClock()
    clock.advance(3_600_000)
    with client(settings_in(tmp_path), clock=clock) as found:
        alerts = found.get("/dashboard/alerts").json()["alerts"]
    assert len({one["severity"] for one in alerts}) > 1
    assert alerts[0]["severity"] == "critical"


def test_a_wrong_address_is_a_page_for_people_and_json_for_programs(tmp_path: Path) -> None:
    with client(settings_in(tmp_path)) as found:
        page = found.get("/no/<script>such", headers={"Accept": "text/html,*/*"})
        answer = found.get("/no/such")
    assert (page.status_code, page.headers["content-type"][:9]) == (404, "text/html")
    assert "there is no such page" in page.text
    assert "<script>such" not in page.text
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_run_without_a_score_has_no_empty_picture(tmp_path: Path) -> None:
    asyncio.run(_two_runs(tmp_path / "store.sqlite"))
    with client(settings_in(tmp_path)) as found:
        older, newer = (found.get(f"/runs/{name}").text for name in (RUN, "run-2"))
    assert "Nothing is scored yet." in older
    assert "Nothing is scored yet." in newer
    assert "data-curve" not in older


async def _two_runs(path: Path) -> None:
    clock, processes = ManualClock(), ManualProcesses()
    async with await SqliteStore.open(path, clock=clock, processes=processes) as store:
        bench = Bench(store, clock, processes)
        await bench.run(config={"resources": dict(SEED.values)})
        await bench.submit(1)
        claim = (await bench.claim(await bench.worker(), 1))[0]
        await store.work.complete(claim.attempt_id, failure())
        await bench.run(RunId("run-2"), config={"resources": dict(SEED.values)})


@pytest.mark.parametrize("proved", [True, False])
def test_a_promotion_keeps_its_evidence(tmp_path: Path, proved: bool) -> None:
    asyncio.run(_certified(tmp_path / "store.sqlite", proved=proved))
    with client(settings_in(tmp_path, auth=AuthMode.LOCALHOST_DEV)) as found:
        page = found.get("/promote/1").text
        answer = found.post("/promote/1", data={"alias": "prod", "reason": "better"})
        after = found.get("/prompts").text
    assert answer.status_code == 303
    assert ("+0.200 (+0.100 to +0.300) on 50 examples" in page) is proved
    assert ("No run has proved this version better" in page) is not proved
    assert ("+0.200 (+0.100 to +0.300)" in after) is proved


def test_who_may_not_promote_is_told_why_instead_of_given_a_button(tmp_path: Path) -> None:
    filled(tmp_path)
    with client(settings_in(tmp_path)) as found:
        may = [found.get(path).text for path in ("/prompts", "/prompts/1")]
    with client(settings_in(tmp_path, read_only=True)) as found:
        may_not = [found.get(path).text for path in ("/prompts", "/prompts/1")]
    assert all('href="/promote/1"' in text for text in may)
    for text in may_not:
        assert "/promote/" not in text
        assert "Promote<span" in text
        assert "not now, this gateway is read-only" in text


async def _certified(path: Path, *, proved: bool) -> None:
    clock, processes = ManualClock(), ManualProcesses()
    async with await SqliteStore.open(path, clock=clock, processes=processes) as store:
        bench = Bench(store, clock, processes)
        await bench.run(config={"resources": dict(SEED.values)})
        trainer = await bench.driver()
        await store.resources.publish(BETTER, run_id=RUN)
        comparison: dict[str, Json] = {
            "n": 50, "missing": 0, "difference": 0.2, "low": 0.1, "high": 0.3, "alpha": 0.1,
            "p_greater": 0.01, "method": "mcnemar", "fixed": [], "broken": [],
        }  # fmt: skip
        decision = Decision.PROMOTE if proved else Decision.INCONCLUSIVE
        certificate: dict[str, Json] = {"decision": str(decision), "comparison": comparison}
        verdict = Verdict(
            run_id=RUN,
            resources=BETTER,
            decision=decision,
            evidence={"certificate": certificate},
        )
        await store.verdicts.save(verdict, trainer=trainer)


def test_a_rollback_has_its_command_for_every_choice_without_a_script(tmp_path: Path) -> None:
    filled(tmp_path)
    names = ("policy-checkpoint.json", "policy-checkpoint.rollback.json")
    for name in names:
        (tmp_path / name).write_text("{}")
    with client(settings_in(tmp_path)) as found:
        page = found.get("/controls/rollback").text
    for name in names:
        assert f'<option value="{name}">' in page
        command = f"tau rollback {tmp_path / name} --state-dir {tmp_path} --run-id {RUN}"
        assert f"<code>{command}</code>" in page
