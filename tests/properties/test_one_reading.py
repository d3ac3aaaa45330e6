"""Every surface tells the same of a run: mean, interval, counts and decision."""

import asyncio
import contextlib
import csv
import io
import json
import math
import re
import tempfile
from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tau.api.results import Optimization
from tau.cli.records.candidates import list_candidates
from tau.cli.records.comparing import compare_stored
from tau.cli.records.exporting import export
from tau.domain.checkpoint import Checkpoint
from tau.domain.dataset import Example, Split, examples
from tau.domain.decision import Decision, Verdict
from tau.domain.failure import Failure, FailureClass
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Outcome, Submission
from tau.domain.run import RunStatus, StopReason
from tau.reports.account import Account, gather
from tau.reports.junit import Cases
from tau.reports.outcome import Ending, outcome
from tau.scoring.aggregate import Estimate, summarize
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, SEED, Bench, evaluation, failure, success
from tau.trainer.monitor import Monitor
from tau.trainer.status import StatusFile
from unit.gateway.gateways import client, settings_in

BEST = Resources(values={"system_prompt": "Answer well."}, parent=SEED.hash)
OTHER = Resources(values={"system_prompt": "Answer at length."}, parent=SEED.hash)
PROMPTS = (SEED, BEST, OTHER)
SPLITS = (Split.VALIDATE, Split.TEST)
LOST = ("unscored", "failed", "prompt-led", "waiting")
ENDINGS = (
    None,
    (RunStatus.COMPLETED, StopReason.FINISHED),
    (RunStatus.FAILED, StopReason.BUDGET),
    (RunStatus.FAILED, StopReason.ERROR),
    (RunStatus.FAILED, StopReason.NOTHING_SCORED),
    (RunStatus.PAUSED, StopReason.SIGNAL),
    (RunStatus.CANCELLED, StopReason.OPERATOR),
)


@dataclass(frozen=True)
class Cell:
    """One evaluation as it is planned: a score, or why there is none."""

    prompt: Resources
    example: Example
    replicate: int
    came: float | str


@dataclass(frozen=True)
class Plan:
    """A stored run."""

    cells: tuple[Cell, ...]
    ending: tuple[RunStatus, StopReason] | None
    decision: Decision | None

    def told(self, prompt: Resources, split: Split) -> dict[str, Any]:
        """What every surface should say of a prompt on a split, worked out here anew."""
        mine = [
            one.came
            for one in self.cells
            if one.prompt is prompt and one.example.split is split and one.came != "waiting"
        ]
        scored = [came for came in mine if isinstance(came, float)]
        found = self.estimate(prompt, split)
        return {
            "rows": len(mine),
            "scored": len(scored),
            "unscored": mine.count("unscored"),
            "failed": mine.count("failed") + mine.count("prompt-led"),
            "cancelled": 0,
            "mean": found and found.mean,
            "low": found and found.low,
            "high": found and found.high,
        }

    def estimate(self, prompt: Resources, *splits: Split) -> Estimate | None:
        """By example: replicates are averaged first."""
        tries: dict[str, list[float]] = {}
        for one in self.cells:
            if one.prompt is prompt and one.example.split in splits and isinstance(one.came, float):
                tries.setdefault(one.example.id, []).append(one.came)
        return (
            summarize([math.fsum(each) / len(each) for each in tries.values()]) if tries else None
        )

    def difference(self) -> float | None:
        """BEST minus SEED over the examples that both have, a prompt's own failure being 0."""
        sides: list[dict[str, float]] = []
        for prompt in (SEED, BEST):
            tries: dict[str, list[float]] = {}
            for one in self.cells:
                came = 0.0 if one.came == "prompt-led" else one.came
                if one.prompt is prompt and isinstance(came, float):
                    tries.setdefault(one.example.id, []).append(came)
            sides.append({name: math.fsum(each) / len(each) for name, each in tries.items()})
        shared = sides[0].keys() & sides[1].keys()
        gaps = [sides[1][name] - sides[0][name] for name in shared]
        return math.fsum(gaps) / len(gaps) if gaps else None


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Small runs: replicates, equal rows, lost rows of every kind, ended in each way."""
    came = st.one_of(st.sampled_from((0.0, 0.25, 0.5, 1.0)), st.sampled_from(LOST))
    cells = []
    for split in SPLITS:
        apart, tries = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        texts = [{"prompt": f"{split} {n % apart}", "expected": "4"} for n in range(3)]
        for example in examples(split, texts):
            cells += [
                Cell(prompt, example, n, draw(came)) for prompt in PROMPTS for n in range(tries)
            ]
    return Plan(
        cells=tuple(cells),
        ending=draw(st.sampled_from(ENDINGS)),
        decision=draw(st.sampled_from((None, *Decision))),
    )


def _submission(cell: Cell) -> Submission:
    return evaluation(cell.example, resources=cell.prompt, replicate=cell.replicate)


def _outcome(came: float | str) -> Outcome:
    if came == "failed":
        return failure()
    if came == "prompt-led":
        return replace(
            failure(), failure=Failure(kind=FailureClass.CONTENT_FILTER, message="refused")
        )
    if came == "unscored":
        return success(None)
    assert isinstance(came, float)
    second = Reward(name="length", score=1.0 - came, reason="counted")
    made = success(came)
    return replace(made, rewards=(*made.rewards, second))


async def _store(plan: Plan, folder: Path) -> tuple[dict[str, Any], Account]:
    """Store the run; what `status.json` says of it, and its account."""
    clock, processes = ManualClock(), ManualProcesses()
    path = folder / "store.sqlite"
    opened = await SqliteStore.open(path, clock=clock, processes=processes, synchronous="OFF")
    async with opened as store:
        bench = Bench(store, clock, processes)
        await bench.run(config={"resources": dict(SEED.values)}, max_attempts=1)
        trainer = await bench.driver()
        done = [one for one in plan.cells if one.came != "waiting"]
        left = [one for one in plan.cells if one.came == "waiting"]
        planned = {(one.prompt.hash, one.example.id, one.replicate): one.came for one in plan.cells}
        await store.queue.submit(RUN, [_submission(one) for one in done])
        for claim in await bench.claim(await bench.worker(), 1000):
            assert claim.example is not None
            place = (claim.resources, claim.example.id, claim.replicate)
            await store.work.complete(claim.attempt_id, _outcome(planned[place]))
        await store.queue.submit(RUN, [_submission(one) for one in left])
        await _end(plan, bench, trainer)
        status = StatusFile(
            [folder / "status.json"], store_path=str(path), process=processes.this(), clock=clock
        )
        monitor = Monitor(
            store=store, run=RUN, trainer=trainer, clock=clock, status=status,
            observe=lambda _: None, notice=lambda _: None,
        )  # fmt: skip
        await monitor.look(final=True)
        return json.loads((folder / "status.json").read_text()), await gather(store, RUN)


async def _end(plan: Plan, bench: Bench, trainer: Any) -> None:  # noqa: ANN401
    store = bench.store
    checkpoint = Checkpoint(
        run_id=RUN, algorithm="evaluate", waves=1, rollouts=1, state={}, best=SEED
    )
    await store.checkpoints.save(checkpoint, trainer=trainer, candidates=PROMPTS)
    if plan.decision is not None:
        await store.resources.publish(BEST, run_id=RUN)
        wanted = BEST if plan.decision is Decision.PROMOTE else SEED
        verdict = Verdict(
            run_id=RUN, resources=wanted, decision=plan.decision, evidence={"leader": BEST.hash}
        )
        await store.verdicts.save(verdict, trainer=trainer)
    if plan.ending is not None:
        status, reason = plan.ending
        await store.runs.set_status(RUN, status, trainer=trainer, reason=reason)


def _printed(command: Any, *args: Any, **settings: Any) -> str:  # noqa: ANN401
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        command(*args, **settings)
    return out.getvalue()


def _exported(store: str, shape: str) -> str:
    cases = Cases(thresholds=(0.0,))
    return _printed(export, store, RUN, shape=shape, output=None, content=False, cases=cases)


def _same(found: dict[str, Any], wanted: dict[str, Any], where: str) -> None:
    for name, value in found.items():
        if name not in wanted:
            continue
        expected = wanted[name]
        if isinstance(expected, float) and isinstance(value, float):
            assert math.isclose(value, expected, abs_tol=1e-9), (where, name, value, expected)
        else:
            assert value == expected, (where, name, value, expected)


def _candidates(plan: Plan, store: str, found: Any) -> None:  # noqa: ANN401
    """The terminal's listing and the API's."""
    listed = json.loads(_printed(list_candidates, store, RUN, limit=50, offset=0, as_json=True))
    api = found.get(f"/api/v1/runs/{RUN}").json()
    by_hash = {one.hash: one for one in PROMPTS}
    for row in listed:
        for split in SPLITS:
            wanted = plan.told(by_hash[row["resources_hash"]], split)
            _same(row["scores"][split] or {"mean": None}, wanted, "candidates ls")
            _same(row["rows"].get(split, {"rows": 0}), wanted, "candidates ls rows")
    for row in api["scores"]:
        _same(row, plan.told(by_hash[row["resources"]], Split(row["split"])), "API")
    told = {(row["resources"], row["split"]) for row in api["scores"]}
    for split in SPLITS:
        assert ((SEED.hash, split) in told) is (plan.estimate(SEED, split) is not None)
    assert api["decision"] == (plan.decision and str(plan.decision))


def _documents(plan: Plan, store: str, status: dict[str, Any], account: Account) -> None:
    for split, row in status["scores"].items():
        _same(row, plan.told(SEED, Split(split)), "status.json")
    report = json.loads(_exported(store, "json"))
    assert report["decision"] == (plan.decision and str(plan.decision))
    driven: Any = type("Driven", (), {"account": account})()
    for one in Optimization(driven).splits:
        for prompt, estimate in ((SEED, one.baseline), (account.leader, one.best)):
            known = next(each for each in PROMPTS if each.hash == prompt.hash)
            wanted = plan.estimate(known, one.split)
            assert (estimate is None) == (wanted is None)
            if estimate is not None and wanted is not None:
                _same(asdict(estimate), asdict(wanted), "Python")


def _reports(plan: Plan, store: str, account: Account) -> None:
    page = _exported(store, "html")
    for split in SPLITS:
        found = plan.estimate(SEED, split)
        if found is not None:
            assert f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})" in page
    tried = [one for one in PROMPTS if plan.estimate(one, Split.VALIDATE) is not None]
    for prompt in tried if len(tried) > 1 else ():
        told = plan.told(prompt, Split.VALIDATE)
        assert f"<td>{told['mean']:.3f}</td><td>{told['scored']:,}</td>" in page
    ending = outcome(account)
    assert str(ending.ending) in _exported(store, "text")
    if plan.decision is not None or ending.ending in (Ending.STOPPED, Ending.FAILED):
        assert escape(ending.headline(), quote=False) in page


def _machines(plan: Plan, store: str, account: Account) -> None:
    """CSV row by row, and JUnit by its threshold."""
    for row in csv.DictReader(io.StringIO(_exported(store, "csv"))):
        assert (row["score"] == "") is not any(
            one.example.id == row["example_id"]
            and one.prompt.hash == row["resources_hash"]
            and str(one.replicate) == row["replicate"]
            and isinstance(one.came, float)
            for one in plan.cells
        )
    best = next(each for each in PROMPTS if each.hash == account.best.hash)
    junit = _exported(store, "junit")
    for split in SPLITS:
        suite = re.search(rf'<testsuite name="{RUN} {split}".*?</testsuite>', junit, re.DOTALL)
        said = suite and "the mean is no score" in suite[0]
        assert bool(said) == (plan.estimate(best, split) is None)


def _comparison(plan: Plan, store: str, page: str, names: tuple[str, str]) -> None:
    wanted = plan.difference()
    printed = _printed(compare_stored, store, *names, alpha=0.05, margin=None, as_json=True)
    told = json.loads(printed)
    for side, prompt in (("first_mean", SEED), ("second_mean", BEST)):
        found = plan.estimate(prompt, *SPLITS)
        _same({side: told[side]}, {side: found and found.mean}, "compare")
    gain = told["difference"]
    assert (gain is None) == (wanted is None)
    if gain is None or wanted is None:
        return
    assert math.isclose(gain["difference"], wanted, abs_tol=1e-9)
    if plan.decision is not None:  # the page compares with what the run names as its leader
        words = re.search(
            r"<strong>([+−-][0-9.]+) \(([+−-]?[0-9.]+) to ([+−-]?[0-9.]+)\)</strong>", page
        )
        assert words is not None
        for said, value in zip(
            words.groups(), (gain["difference"], gain["low"], gain["high"]), strict=True
        ):
            assert math.isclose(float(said.replace("−", "-")), value, abs_tol=6e-4)


@settings(max_examples=12, phases=(Phase.generate,))  # a plan is small as it is
@given(plan=plans())
def test_every_surface_says_the_same_of_a_run(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        status, account = asyncio.run(_store(plan, folder))
        store = str(folder / "store.sqlite")
        (folder / "status.json").unlink()
        with client(settings_in(folder)) as found:
            page = found.get(f"/runs/{RUN}").text
            rollouts = found.get(f"/runs/{RUN}/rollouts").text
            _candidates(plan, store, found)
        if plan.ending is not None and plan.ending[0] is not RunStatus.PAUSED:
            assert 'class="pill queuing"' not in rollouts
        _documents(plan, store, status, account)
        _reports(plan, store, account)
        _machines(plan, store, account)
        _comparison(plan, store, page, (SEED.hash, BEST.hash))
