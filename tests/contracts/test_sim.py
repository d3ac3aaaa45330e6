"""The simulated model and its grader, held to the suites for all."""

from pathlib import Path

import pytest

from tau.domain.chat import ModelRequest
from tau.domain.dataset import Split
from tau.domain.rollout import Output
from tau.errors import GraderFailed
from tau.graders.sim import SimGrader, SimSettings
from tau.models.sim import SimulatedModel, SimulatorSettings
from tau.ports.grader import GraderContext
from tau.ports.model import Model, ModelContext
from tau.sim.world import World
from tau.testing.grader import GraderCase, GraderContract, grade, graded_example
from tau.testing.model import ModelContract

pytestmark = pytest.mark.contract

CASE = next(case for case in World(4).cases(Split.TEST, 50) if len(case.fields) == 2)
ROW = {"prompt": CASE.text, "expected": CASE.answer}
HALF = Output(text=CASE.line([CASE.fields[0].right, CASE.fields[1].shown]))


class TestSimulatedModel(ModelContract):
    def build(self) -> Model:
        return SimulatedModel.build(SimulatorSettings(), ModelContext(provider="sim", name="rules"))

    def refused(self) -> ModelRequest:
        return ModelRequest(messages=[])


class TestSimGrader(GraderContract):
    SETTINGS = SimSettings()

    def make(self, tmp_path: Path) -> GraderCase:
        return GraderCase(
            plugin=SimGrader,
            settings=self.SETTINGS,
            example=graded_example(ROW),
            good=Output(text=CASE.answer),
            bad=HALF,
            needs_reference=False,
        )


class TestSimGraderPartial(TestSimGrader):
    SETTINGS = SimSettings(partial=True, feedback="expected")


async def test_scores_and_feedback() -> None:
    whole, partial = (
        SimGrader.build(SimSettings(partial=partial), GraderContext(name="sim"))
        for partial in (False, True)
    )
    zero = await grade(whole, graded_example(ROW), HALF)
    share = await grade(partial, graded_example(ROW), HALF)

    assert zero.score == 0
    assert share.score == pytest.approx(2 / 3)
    assert zero.metrics == {"fields_right": pytest.approx(2 / 3)}
    assert World(4).hint(CASE.fields[1].rule) in zero.feedback


@pytest.mark.parametrize(
    "row", [{"prompt": "What is 2 + 2?"}, {"prompt": CASE.text, "expected": "another"}, 3]
)
async def test_rows_of_another_world_are_not_graded(row: dict[str, str]) -> None:
    grader = SimGrader.build(SimSettings(), GraderContext(name="sim"))

    with pytest.raises(GraderFailed):
        await grade(grader, graded_example(row), HALF)
