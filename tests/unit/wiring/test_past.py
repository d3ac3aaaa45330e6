"""What a selection learns from the runs before it in the store, and only from those."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tau.config import load
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Split
from tau.domain.ids import RunId
from tau.domain.run import RunStatus
from tau.ports.algorithm import EarlierScores
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.delivery import mark_delivered
from tau.wiring.history import measured
from tau.wiring.replaying import replay
from tau.wiring.session import SessionRequest, run_session
from tau.wiring.stores import open_store
from unit.wiring.test_session import Watcher

SELECT = {"type": "select", "prompts": ["Answer.", "Reply.", "Say."], "share": 0.4}
GRADERS = [{"type": "python", "name": "even", "function": "grade.py:even"}]
GRADE = """
def even(example, output):
    return len(example["prompt"]) % 4 != 0
def odd(example, output):
    return len(example["prompt"]) % 4 == 0
"""


class Shop:
    """A folder with a configuration, a grader and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = str(folder / "store.sqlite")
        (folder / "grade.py").write_text(GRADE)

    @property
    def path(self) -> Path:
        return self.folder / "config.json"

    def config(self, **fields: Any) -> RunConfig:  # noqa: ANN401
        document = {
            "model": "sim/rules",
            "resources": {"system_prompt": "Echo."},
            "optimize": [{"prompt": "x" * n} for n in range(1, 41)],
            "test": [{"prompt": "y" * n} for n in range(1, 11)],
            "graders": GRADERS,
            "worker_count": 1,
            "worker_concurrency": 8,
            "completion_timeout_secs": 60,
            **fields,
        }
        self.path.write_text(json.dumps(document))
        return load(self.path, environ={})

    async def run(self, **fields: Any) -> RunReport:  # noqa: ANN401
        request = SessionRequest(config=self.config(**fields), store=self.store)
        report = await run_session(request, observer=Watcher(), stop=StopRequest())
        assert report.status is RunStatus.COMPLETED
        await mark_delivered(self.store, report)
        return report

    async def known(self, report: RunReport, config: RunConfig) -> EarlierScores:
        """What the run of this report can have known."""
        async with await open_store(self.store, read_only=True) as store:
            return await measured(store, config, await store.insights.run(RunId(report.run_id)))

    async def same(self, report: RunReport, **fields: Any) -> bool:  # noqa: ANN401
        self.config(**fields)
        async with await open_store(self.store, read_only=True) as store:
            found = await replay(
                store, RunId(report.run_id), config_path=str(self.path), environ={}
            )
        assert found.waves is not None, found.skipped
        return not found.differences


def wrong(config: RunConfig, scores: Mapping[str, Mapping[Any, float]]) -> set[str | None]:
    rows = config.examples[Split.OPTIMIZE]
    return {row.prompt for row in rows if 0.0 in scores[row.content].values()}


async def test_a_selection_takes_rows_first_that_were_contested_before_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    first = await shop.run(algorithm=SELECT)
    assert "contested" not in first.evidence["stopped"]  # type: ignore[operator]
    await shop.run(algorithm="evaluate", resources={"system_prompt": "Before."})
    second = await shop.run(algorithm=SELECT)
    assert "contested rows first" in second.evidence["stopped"]  # type: ignore[operator]

    await shop.run(algorithm="evaluate", resources={"system_prompt": "After."})
    for report in (first, second):
        assert await shop.same(report, algorithm=SELECT), "each as it was then"


async def test_only_runs_of_the_same_model_and_graders_that_had_ended_count(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    one = await shop.run(algorithm="evaluate", resources={"system_prompt": "One."})
    two = await shop.run(algorithm="evaluate", resources={"system_prompt": "Two."})
    config = shop.config(algorithm=SELECT)
    plain = shop.config(algorithm="evaluate")

    assert await shop.known(one, config) == {}
    assert await shop.known(two, plain) == {}, "nobody asked for it"
    found = await shop.known(two, config)
    assert found.keys() == {row.content for rows in config.examples.values() for row in rows}
    assert {len(scores) for scores in found.values()} == {1}
    assert wrong(config, found) == {"x" * n for n in range(4, 41, 4)}

    other = await shop.run(algorithm="evaluate", model="sim/rules?seed=1")
    stricter = [{"type": "python", "name": "even", "function": "grade.py:odd"}]
    graded = await shop.run(algorithm="evaluate", graders=stricter)
    assert await shop.known(other, config) == {}
    assert await shop.known(graded, config) == {}
    last = await shop.run(algorithm="evaluate", resources={"system_prompt": "Last."})
    assert {len(scores) for scores in (await shop.known(last, config)).values()} == {2}
