"""What a probe paid for is taken over once, said to be, and never certifies."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tau.config import load
from tau.config.identity import identified
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Split
from tau.domain.ids import RunId
from tau.domain.resources import Resources
from tau.domain.rollout import (
    REUSED_USD,
    AttemptStatus,
    Output,
    RolloutKind,
    RolloutRequest,
    RolloutResult,
    RolloutStatus,
    reused_outcome,
)
from tau.domain.spend import NANO, Spend
from tau.ports.insights import Measurement
from tau.reports.account import Account, gather
from tau.reports.conditions import each_once
from tau.sim.world import World
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.delivery import mark_delivered
from tau.wiring.replaying import replay
from tau.wiring.reuse import PROBE
from tau.wiring.session import SessionRequest, run_session
from tau.wiring.stores import open_store
from unit.wiring.test_session import Watcher

EVALUATE = {"algorithm": {"type": "evaluate"}}
GRADE = "def grade(example, output):\n    return len(output) % 2 == 0\n"


class Lab:
    """A folder with rows, a configuration and a store; a probe that measures what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = str(folder / "store.sqlite")
        self.noticed: Sequence[str] = ()

    def config(self, **fields: Any) -> RunConfig:  # noqa: ANN401
        document = {
            "model": "sim/rules",
            "resources": {"system_prompt": "Copy the id."},
            **{split.value: list(World(4).examples(split, 24)) for split in Split},
            "graders": ["sim"],
            "algorithm": {"type": "reflect"},
            "budget": {"rollouts": 160},
            "worker_concurrency": 8,
            **fields,
        }
        path = self.folder / "config.json"
        path.write_text(
            json.dumps({key: each for key, each in document.items() if each is not None})
        )
        return load(path, environ={})

    async def drive(self, config: RunConfig, *, new: bool = False) -> RunReport:
        watcher = Watcher()
        request = SessionRequest(config=config, store=self.store, new=new)
        report = await run_session(request, observer=watcher, stop=StopRequest())
        await mark_delivered(self.store, report)
        self.noticed = watcher.notices
        return report

    async def probe(self, *splits: Split, replicates: int = 1, **fields: Any) -> RunReport:  # noqa: ANN401
        """Measure the prompt on all rows of `splits`, as a probe does it."""
        chosen = {"algorithm": {"type": "evaluate", "replicates": replicates}}
        config = self.config(**{**fields, **chosen})
        rows = {split: config.examples[split] if split in splits else () for split in Split}
        return await self.drive(identified(replace(config, examples=rows, purpose=PROBE)))

    async def account(self, report: RunReport) -> Account:
        async with await open_store(self.store, read_only=True) as store:
            return await gather(store, RunId(report.run_id))

    async def reused(self, report: RunReport) -> list[Measurement]:
        return [one for one in (await self.account(report)).measurements if one.reused]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def test_a_search_takes_over_what_a_probe_measured_and_goes_the_same_way(
    lab: Lab, tmp_path: Path
) -> None:
    await lab.probe(Split.OPTIMIZE, Split.VALIDATE)
    with_probe = await lab.drive(lab.config())
    assert with_probe.reused > 0
    assert with_probe.spent.rollouts == with_probe.counts.total - with_probe.reused
    assert with_probe.spent.calls == with_probe.spent.rollouts

    other = Lab(tmp_path / "other")
    other.folder.mkdir()
    without = await other.drive(other.config())
    assert without.reused == 0
    assert with_probe.counts == without.counts
    for name in ("certificate", "leader", "candidates", "leader_mean"):
        assert with_probe.evidence.get(name) == without.evidence.get(name)
    async with await open_store(lab.store, read_only=True) as store:
        again = await replay(
            store,
            RunId(with_probe.run_id),
            config_path=str(lab.folder / "config.json"),
            environ={},
        )
    assert again.waves
    assert again.differences == ()


async def test_rows_that_certify_are_always_measured_anew(lab: Lab) -> None:
    await lab.probe(*Split)
    report = await lab.drive(lab.config())
    account = await lab.account(report)
    certified = [one for one in account.measurements if one.split is Split.TEST]
    assert certified
    assert not any(one.reused for one in certified)
    assert any(one.reused for one in account.measurements)


async def test_a_set_aside_part_certifies_anew_too(lab: Lab) -> None:
    await lab.probe(Split.OPTIMIZE, Split.VALIDATE, test=None)
    report = await lab.drive(lab.config(test=None))
    account = await lab.account(report)
    gain = account.gain
    assert gain is not None
    rows = {one.example for one in account.measurements if one.resources == account.leader.hash}
    certified = {one.example for one in account.measurements if one.example in rows}
    reused = await lab.reused(report)
    # What is reused was the baseline's in the search; pairs that certify are whole and fresh.
    assert {one.resources for one in reused} == {account.baseline.hash}
    assert report.evidence["certification_rows"] == gain.n + gain.missing
    for name in (*gain.fixed, *gain.broken):
        assert name in certified
        assert name not in {str(one.example) for one in reused}


@pytest.mark.parametrize(
    "fields",
    [
        {"resources": {"system_prompt": "Copy the id!"}},
        {"model": "sim/rules?seed=3"},
        {"params": {"temperature": 0.5}},
        {"graders": [{"type": "sim", "partial": True}]},
        {"graders": ["sim", "exact_match"]},
        {"safety_reward": {"blocked_penalty": 2.0}},
        {"keep_reasoning": True},
        {"reuse": False},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_what_was_measured_otherwise_is_measured_anew(
    lab: Lab, fields: dict[str, Any]
) -> None:
    await lab.probe(*Split)
    assert (await lab.drive(lab.config(**EVALUATE, **fields))).reused == 0
    assert (await lab.drive(lab.config(**EVALUATE))).reused == 72


async def test_rows_are_known_by_content_not_by_place(lab: Lab) -> None:
    await lab.probe(Split.OPTIMIZE)
    rows = list(World(4).examples(Split.OPTIMIZE, 24))
    changed = [{**rows[0], "expected": "nothing"}, *reversed(rows[1:])]
    found = await lab.drive(lab.config(**EVALUATE, optimize=changed, validate=None, test=None))
    assert found.reused == 23


async def test_replicates_stay_fresh(lab: Lab) -> None:
    await lab.probe(Split.VALIDATE, replicates=2)
    one = lab.config(algorithm={"type": "evaluate", "replicates": 3}, optimize=None, test=None)
    report = await lab.drive(one)
    reused = await lab.reused(report)
    assert sorted({each.replicate for each in reused}) == [0, 1]
    assert report.counts.total == 72
    async with await open_store(lab.store, read_only=True) as store:
        ids = [each.rollout_id for each in reused]
        sources = [
            each and each.output and each.output.metadata["reused_from"]
            for each in await store.queue.collect(RunId(report.run_id), ids)
        ]
    assert len(set(sources)) == len(sources) == 48


async def test_only_a_probe_is_reused(lab: Lab) -> None:
    first = await lab.drive(lab.config(**EVALUATE))
    second = await lab.drive(lab.config(**EVALUATE), new=True)
    assert (first.reused, second.reused) == (0, 0)


async def test_code_that_changed_since_is_asked_again(lab: Lab) -> None:
    grader = lab.folder / "grade.py"
    grader.write_text(GRADE)
    os.utime(grader, (1, 1))
    fields = {**EVALUATE, "graders": [{"type": "python", "function": "grade.py:grade"}]}
    await lab.probe(*Split, graders=fields["graders"])
    assert (await lab.drive(lab.config(**fields))).reused == 72
    grader.write_text(GRADE + "\n")
    changed = await lab.drive(lab.config(**fields), new=True)
    assert changed.reused == 0
    assert any("measured anew" in notice for notice in lab.noticed)


async def test_pooled_scores_count_an_evaluation_once(lab: Lab) -> None:
    probe = await lab.probe(Split.VALIDATE)
    report = await lab.drive(lab.config(**EVALUATE, optimize=None, test=None))
    assert report.reused == 24
    baseline = (await lab.account(probe)).baseline.hash
    async with await open_store(lab.store, read_only=True) as store:
        everywhere = await store.insights.measurements(resources=baseline)
    assert len(everywhere) == 48
    assert len(each_once(everywhere)) == 24
    assert len(each_once([one for one in everywhere if one.reused])) == 24


def test_a_reused_result_costs_nothing_and_still_knows_its_price() -> None:
    paid = RolloutResult(
        request=RolloutRequest(kind=RolloutKind.EVALUATE, resources=Resources(values={})),
        rollout_id=None,
        status=RolloutStatus.SUCCEEDED,
        output=Output(text="4"),
        score=1.0,
        spent=Spend(rollouts=1, calls=1, cost_nano_usd=NANO // 4),
    )
    outcome = reused_outcome(paid)
    assert outcome is not None
    assert outcome.output is not None
    assert (outcome.status, outcome.spent) == (AttemptStatus.SUCCEEDED, Spend())
    assert outcome.output.metadata[REUSED_USD] == 0.25
    again = replace(paid, output=outcome.output, spent=Spend())
    assert again.reused
    assert not paid.reused
    assert again.cost_usd == paid.cost_usd == 0.25
    twice = reused_outcome(again)
    assert twice is not None
    assert twice.output is not None
    assert twice.output.metadata[REUSED_USD] == 0.25
