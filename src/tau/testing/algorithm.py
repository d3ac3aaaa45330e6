"""The algorithm contract: subclass `AlgorithmContract` and give it a way to build yours."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import orjson
import pytest

from tau.domain.dataset import Split, examples
from tau.domain.draws import uniform
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import ResourcesHash
from tau.domain.json import Json, canonical
from tau.domain.resources import Resources
from tau.domain.rollout import (
    Output,
    RolloutKind,
    RolloutRequest,
    RolloutResult,
    RolloutStatus,
)
from tau.ports.algorithm import Algorithm, Problem

MAX_WAVES = 1_000

Key = tuple[str, ResourcesHash, str, int]
Answer = Callable[[RolloutRequest], RolloutResult]


class AlgorithmContract(ABC):
    """What every algorithm must do, whatever it searches for."""

    @abstractmethod
    def build(self, problem: Problem) -> Algorithm:
        """Make the algorithm under test, with small settings; called many times."""

    def problem(self) -> Problem:
        """A small problem; override where yours needs another one."""
        rows: list[Json] = [{"prompt": f"question {n}", "expected": str(n)} for n in range(12)]
        return Problem(
            seed_resources=Resources(values={"system_prompt": "Answer."}),
            examples={
                Split.OPTIMIZE: examples(Split.OPTIMIZE, rows[:6]),
                Split.VALIDATE: examples(Split.VALIDATE, rows[6:9]),
                Split.TEST: examples(Split.TEST, rows[9:]),
            },
            seed=7,
        )

    def proposal_text(self, request: RolloutRequest) -> str:
        """What the pretended model answers to a proposal; override to suit your parser."""
        return f"```\nAnswer well. Variant {request.subject[:8]}-{request.slot}\n```"

    def answer(self, request: RolloutRequest) -> RolloutResult:
        """A pretended result, fixed by the request alone."""
        if request.kind is RolloutKind.PROPOSE:
            output, score = Output(text=self.proposal_text(request)), None
        else:
            draw = uniform(1, "answer", *request.key)
            output, score = Output(text="x"), 1.0 if draw < 0.5 else 0.0
        return RolloutResult(
            request=request,
            rollout_id=None,
            status=RolloutStatus.SUCCEEDED,
            output=output,
            score=score,
            attempts=1,
        )

    def fail(self, request: RolloutRequest) -> RolloutResult:
        """A rollout that failed for good."""
        failure = Failure(kind=FailureClass.SERVER, message="no")
        return RolloutResult(
            request=request, rollout_id=None, status=RolloutStatus.FAILED, failure=failure
        )

    def test_ask_is_pure(self) -> None:
        """Asking again without telling asks for the same wave, and changes no state."""
        algorithm = self.build(self.problem())
        before = canonical(algorithm.state_dict())
        assert _keys(algorithm.ask()) == _keys(algorithm.ask())
        assert canonical(algorithm.state_dict()) == before

    def test_keys_within_a_wave_differ(self) -> None:
        """Two requests with one key would be one rollout."""
        for wave in _drive(self.build(self.problem()), self.answer):
            assert len(set(wave)) == len(wave)

    def test_it_finishes_and_stays_finished(self) -> None:
        """An empty wave means finished, for good."""
        algorithm = self.build(self.problem())
        assert _drive(algorithm, self.answer)
        assert not algorithm.ask()
        assert not algorithm.ask()

    def test_the_same_results_give_the_same_waves_and_recommendation(self) -> None:
        """No draw depends on anything but settings, seed and what was told."""
        one, two = self.build(self.problem()), self.build(self.problem())
        assert _drive(one, self.answer) == _drive(two, self.answer)
        assert one.best() == two.best()

    def test_it_can_be_stopped_and_continued_after_every_wave(self) -> None:
        """Another object that loads the state goes on as if nothing had happened."""
        expected = _drive(self.build(self.problem()), self.answer)
        algorithm = self.build(self.problem())
        for wave in expected:
            successor = self.build(self.problem())
            successor.load_state_dict(orjson.loads(canonical(algorithm.state_dict())))
            assert _keys(successor.ask()) == wave
            assert canonical(successor.state_dict()) == canonical(algorithm.state_dict())
            assert successor.best() == algorithm.best()
            successor.tell([self.answer(one) for one in successor.ask()])
            algorithm = successor
        assert not algorithm.ask()

    def test_telling_a_wave_twice_changes_nothing(self) -> None:
        """A crash between telling and checkpointing repeats the telling."""
        algorithm = self.build(self.problem())
        results = [self.answer(one) for one in algorithm.ask()]
        algorithm.tell(results)
        once = canonical(algorithm.state_dict())
        algorithm.tell(results)
        assert canonical(algorithm.state_dict()) == once

    def test_results_of_another_wave_are_refused(self) -> None:
        """Order and number are those of the wave; the state is untouched otherwise."""
        algorithm = self.build(self.problem())
        results = [self.answer(one) for one in algorithm.ask()]
        before = canonical(algorithm.state_dict())
        with pytest.raises(ValueError, match=r"\w"):
            algorithm.tell(results[1:])
        with pytest.raises(ValueError, match=r"\w"):
            algorithm.tell([*results[1:], results[0]])
        assert canonical(algorithm.state_dict()) == before

    def test_failures_are_results(self) -> None:
        """Nothing but failures: it finishes, and recommends what it began with."""
        problem = self.problem()
        algorithm = self.build(problem)
        _drive(algorithm, self.fail)
        assert algorithm.best().resources == problem.seed_resources

    def test_some_failures_do_not_stop_it(self) -> None:
        """Every third rollout fails; what is missing is no zero and no crash."""

        def answer(request: RolloutRequest) -> RolloutResult:
            lost = uniform(2, "lost", *request.key) < 1 / 3
            return self.fail(request) if lost else self.answer(request)

        assert _drive(self.build(self.problem()), answer)

    def test_the_baseline_is_recommended_before_anything_is_known(self) -> None:
        """`best` is valid at any time."""
        problem = self.problem()
        assert self.build(problem).best().resources == problem.seed_resources

    def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(self) -> None:
        """Another version, or another problem's state."""
        algorithm = self.build(self.problem())
        before = canonical(algorithm.state_dict())
        strange: Sequence[dict[str, Json]] = ({}, {"version": -1}, {"version": "x", "y": []})
        for state in strange:
            with pytest.raises(ValueError, match=r"\w"):
                algorithm.load_state_dict(state)
        assert canonical(algorithm.state_dict()) == before

    def test_the_state_is_a_copy(self) -> None:
        """What was handed out does not change with what is told later."""
        algorithm = self.build(self.problem())
        state = algorithm.state_dict()
        before = canonical(state)
        algorithm.tell([self.answer(one) for one in algorithm.ask()])
        assert canonical(state) == before


def _keys(wave: Sequence[RolloutRequest]) -> list[Key]:
    return [request.key for request in wave]


def _drive(algorithm: Algorithm, answer: Answer) -> list[list[Key]]:
    """Run to the end; the keys of every wave."""
    waves = []
    while wave := algorithm.ask():
        waves.append(_keys(wave))
        assert len(waves) <= MAX_WAVES, "it does not finish"
        algorithm.tell([answer(request) for request in wave])
    return waves
