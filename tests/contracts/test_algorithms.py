"""Built-in algorithms keep the algorithm contract."""

import pytest

from tau.algorithms.apo import Apo, ApoSettings
from tau.algorithms.evaluate import Evaluate, EvaluateSettings
from tau.algorithms.few_shot import FewShot, FewShotSettings
from tau.algorithms.gepa import Gepa, GepaSettings
from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.algorithms.select import Select, SelectSettings
from tau.domain.dataset import Split
from tau.ports.algorithm import Algorithm, Problem
from tau.testing.algorithm import AlgorithmContract


@pytest.mark.contract
class TestEvaluate(AlgorithmContract):
    def build(self, problem: Problem) -> Algorithm:
        return Evaluate.build(EvaluateSettings(replicates=2), problem)

    def test_every_example_is_run_once_per_replicate_in_dataset_order(self) -> None:
        problem = self.problem()
        wave = self.build(problem).ask()
        rows = [(one.example.id if one.example else None, one.replicate) for one in wave]
        expected = [
            (example.id, replicate)
            for split in (Split.OPTIMIZE, Split.VALIDATE, Split.TEST)
            for replicate in (0, 1)
            for example in problem.examples[split]
        ]
        assert rows == expected

    def test_means_leave_out_what_is_missing(self) -> None:
        algorithm = self.build(self.problem())
        wave = algorithm.ask()
        scored = self.answer(wave[1]).score
        algorithm.tell(
            [self.fail(wave[0]), *(self.answer(one) for one in wave[1:2])]
            + [self.fail(one) for one in wave[2:]]
        )
        splits = algorithm.best().evidence["splits"]
        assert isinstance(splits, dict)
        assert splits["optimize"] == {"rows": 12, "scored": 1, "mean": scored}
        assert splits["test"] == {"rows": 6, "scored": 0, "mean": None}


@pytest.mark.contract
class TestReflect(AlgorithmContract):
    def build(self, problem: Problem) -> Algorithm:
        return Reflect.build(ReflectSettings(evaluations=120, block=3, width=2), problem)


@pytest.mark.contract
class TestApo(AlgorithmContract):
    def build(self, problem: Problem) -> Algorithm:
        return Apo.build(ApoSettings(evaluations=120, proposals=20, minibatch=4), problem)


@pytest.mark.contract
class TestGepa(AlgorithmContract):
    def build(self, problem: Problem) -> Algorithm:
        return Gepa.build(GepaSettings(evaluations=90, proposals=12), problem)


@pytest.mark.contract
class TestSelectByHalving(AlgorithmContract):
    def build(self, problem: Problem) -> Algorithm:
        return Select.build(SelectSettings(prompts=("One.", "Two.", "Three.")), problem)


@pytest.mark.contract
class TestSelectByRacing(AlgorithmContract):
    def build(self, problem: Problem) -> Algorithm:
        settings = SelectSettings(prompts=("One.", "Two.", "Three."), method="race", block=2)
        return Select.build(settings, problem)


@pytest.mark.contract
class TestFewShot(AlgorithmContract):
    def build(self, problem: Problem) -> Algorithm:
        return FewShot.build(FewShotSettings(evaluations=100, sets=4, shots=2), problem)
