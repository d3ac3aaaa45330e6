"""One rollout at a time: what is recorded of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tau.domain.dataset import Example
from tau.domain.failure import FailureClass
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutResult, RolloutStatus
from tau.domain.spend import Spend
from tau.errors import AttemptError, ExampleInvalid, ModelTimeout, RateLimited
from tau.graders.text import Contains, ContainsSettings, ExactMatch, ExactMatchSettings
from tau.ports.record import Recorder
from tau.runner.retry import Backoff, RetryPolicy
from tau.scoring.safety import SafetyPolicy
from unit.runner.working import Bench, Echo, Execute, asking, echo, job, quick

EXACT = ExactMatch("exact_match", ExactMatchSettings())


def scores(result: RolloutResult) -> dict[str, float | None]:
    return {reward.name: reward.score for reward in result.rewards}


def raising(make: Callable[[], BaseException]) -> Execute:
    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        raise make()

    return execute


def answering(output: Output) -> Execute:
    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        return output

    return execute


async def test_a_rollout_is_claimed_executed_and_recorded(table: Bench) -> None:
    results = await table.done(job(echo), "one", {"prompt": "two"})

    assert [r.status for r in results] == [RolloutStatus.SUCCEEDED] * 2
    assert [r.output.text for r in results if r.output] == ["one", "two"]
    assert [scores(r) for r in results] == [{"runner.execution_success": 1.0}] * 2
    assert [r.score for r in results] == [None, None]
    assert [r.attempts for r in results] == [1, 1]


async def test_exact_match_is_the_default_where_a_text_is_expected(table: Bench) -> None:
    right, wrong, number, none = await table.done(
        job(echo, default_grader=EXACT),
        {"prompt": " 4 ", "expected": "4"},
        {"prompt": "5", "expected": "4"},
        {"prompt": "4", "expected": 4},
        "4",
    )

    assert (scores(right)["exact_match"], right.score) == (1.0, 1.0)
    assert (scores(wrong)["exact_match"], wrong.score) == (0.0, 0.0)
    assert wrong.status is RolloutStatus.SUCCEEDED, "a wrong answer ran"
    assert "exact_match" not in scores(number) | scores(none)


async def test_the_first_grader_gives_the_score(table: Bench) -> None:
    contains = Contains("has_ice", ContainsSettings(values=("ice",)))
    (result,) = await table.done(
        job(echo, graders=[contains, EXACT]), {"prompt": "some ice", "expected": "ice"}
    )

    assert list(scores(result)) == ["has_ice", "exact_match", "runner.execution_success"]
    assert (result.score, scores(result)["exact_match"]) == (1.0, 0.0)


@dataclass
class Judging:
    judge: Callable[[Output], Reward]
    name: str = "judge"
    calls_per_attempt: int = 0

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        return self.judge(output)

    async def aclose(self) -> None:
        pass


def divide(output: Output) -> Reward:
    return Reward(name="judge", score=1 / len(output.text))


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (divide, "ZeroDivisionError"),
        (lambda output: Reward(name="judge", score=float("nan")), "score nan"),
        (lambda output: Reward(name="judge", score=1.5), "score 1.5"),
        (lambda output: 1.0, "not a Reward"),
    ],
)
async def test_a_failing_grader_leaves_its_row_unscored(
    table: Bench, judge: Callable[[Output], Reward], says: str
) -> None:
    (result,) = await table.done(
        job(answering(Output(text="")), graders=[Judging(judge), EXACT]),
        {"prompt": "q", "expected": ""},
    )

    assert result.status is RolloutStatus.SUCCEEDED
    assert result.score is None
    assert result.missing
    assert says in (result.rewards[0].error or "")
    assert scores(result)["exact_match"] == 1.0, "the other graders count"


class Leaving(ExactMatch):
    def judge(self, example: Example, output: Output) -> Reward:
        raise SystemExit(3)


async def test_a_grader_that_exits_at_once_leaves_its_row_unscored(table: Bench) -> None:
    leaving = Leaving("leaving", ExactMatchSettings())

    (result,) = await table.done(
        job(echo, graders=[leaving, EXACT]), {"prompt": "q", "expected": "q"}
    )

    assert result.status is RolloutStatus.SUCCEEDED
    assert result.score is None
    assert "exit" in (result.rewards[0].error or "")
    assert scores(result)["exact_match"] == 1.0, "the other graders count"


async def test_a_grader_that_hangs_is_stopped_and_the_row_unscored(table: Bench) -> None:
    class Hanging(Judging):
        async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
            await asyncio.Event().wait()
            raise AssertionError

    (result,) = await table.done(
        job(echo, graders=[Hanging(divide)]), "q", settings=quick(time_limit_s=0.1)
    )

    assert result.status is RolloutStatus.SUCCEEDED
    assert "time limit" in (result.rewards[0].error or "")


async def test_an_empty_output_is_one_but_no_success_of_the_execution(table: Bench) -> None:
    (result,) = await table.done(job(answering(Output(text="  \n"))), "q")

    assert result.status is RolloutStatus.SUCCEEDED
    assert scores(result) == {"runner.execution_success": 0.0}


def self_cancelled() -> BaseException:
    return asyncio.CancelledError()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: ValueError("bad\nsecond line"), FailureClass.EXECUTOR),
        (MemoryError, FailureClass.EXECUTOR),
        (RecursionError, FailureClass.EXECUTOR),
        (lambda: SystemExit(3), FailureClass.EXECUTOR),
        (self_cancelled, FailureClass.EXECUTOR),
        (lambda: ExampleInvalid("no prompt"), FailureClass.EXAMPLE),
        (lambda: ExceptionGroup("g", [ExceptionGroup("h", [ExampleInvalid("x")])]),
         FailureClass.EXAMPLE),
        (lambda: ExceptionGroup("g", [KeyError("k")]), FailureClass.EXECUTOR),
    ],
)  # fmt: skip
async def test_whatever_is_raised_becomes_a_failed_rollout_and_the_worker_goes_on(
    table: Bench, make: Callable[[], BaseException], kind: FailureClass
) -> None:
    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        if example.prompt == "bad":
            raise make()
        return Output(text="good")

    bad, good = await table.done(job(execute), "bad", "good", settings=quick(concurrency=1))

    assert bad.status is RolloutStatus.FAILED
    assert bad.failure is not None
    assert bad.failure.kind is kind
    assert scores(bad) == {"runner.execution_success": 0.0}
    assert bad.attempts == 1
    assert good.status is RolloutStatus.SUCCEEDED


async def test_an_unknown_failure_class_of_a_plug_in_is_internal(table: Bench) -> None:
    class Strange(AttemptError):
        code = "from-outer-space"

    (result,) = await table.done(job(raising(lambda: Strange("hm"))), "q")

    assert result.failure is not None
    assert result.failure.kind is FailureClass.INTERNAL


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (Output(text="x", value={"n": object()}), "stored as JSON"),  # type: ignore[dict-item]
        (Output(text="x", metadata={"s": "\ud800"}), "stored as JSON"),
        (Output(text="x" * 5_000_000), "more than"),
        (Output(text=None), "not a string"),  # type: ignore[arg-type]
        ("just text", "not an Output"),
    ],
)
async def test_an_output_that_cannot_be_kept_fails_its_rollout(
    table: Bench, output: Output, says: str
) -> None:
    (result,) = await table.done(job(answering(output)), "q")

    assert result.status is RolloutStatus.FAILED
    assert result.failure is not None
    assert says in result.failure.message


async def test_lone_surrogates_in_an_output_are_replaced(table: Bench) -> None:
    (result,) = await table.done(job(answering(Output(text="a\ud800b"))), "q")

    assert result.output is not None
    assert result.output.text == "a?b"


async def test_a_transient_failure_is_retried_until_it_works(table: Bench) -> None:
    tries = 0

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ModelTimeout("slow")
        return Output(text="at last")

    (result,) = await table.done(job(execute), "q")

    assert (result.status, result.attempts) == (RolloutStatus.SUCCEEDED, 3)


async def test_retries_end_at_the_bound_with_the_cause(table: Bench) -> None:
    (result,) = await table.done(
        job(raising(lambda: RateLimited("slow down", status=429, retry_after_s=0.0))), "q"
    )

    assert (result.status, result.attempts) == (RolloutStatus.FAILED, 5)
    assert result.failure is not None
    assert (result.failure.kind, result.failure.status) == (FailureClass.RATE_LIMIT, 429)


async def test_a_time_limit_stops_the_work_and_says_so(table: Bench) -> None:
    stopped = asyncio.Event()

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        if example.prompt == "quick":
            return Output(text="quick")
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()
        raise AssertionError

    slow, fast = await table.done(job(execute), "slow", "quick", settings=quick(time_limit_s=0.1))

    assert stopped.is_set()
    assert slow.status is RolloutStatus.FAILED
    assert slow.failure is not None
    assert slow.failure.kind is FailureClass.TIME_LIMIT
    assert fast.status is RolloutStatus.SUCCEEDED


async def test_work_that_ignores_its_cancellation_is_left_behind(table: Bench) -> None:
    release = asyncio.Event()

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Output(text="too late")

    ids = await table.submit("stubborn")
    limits = quick(time_limit_s=0.05, stop_grace_s=0.05)
    async with table.supervisor(job(execute), limits) as supervisor:
        (result,) = await table.settled(ids)
        health = supervisor.health()
    release.set()

    assert result.failure is not None
    assert result.failure.kind is FailureClass.TIME_LIMIT
    assert health.left_behind == 1


async def test_waiting_for_the_provider_does_not_count_as_work(table: Bench) -> None:
    refusals = 1

    async def before() -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise RateLimited("wait", retry_after_s=0.5)

    model = Echo(before)
    first, second = await table.done(
        job(asking(model), calls=1, retry=RetryPolicy()),
        "first",
        "second",
        settings=quick(concurrency=1, time_limit_s=0.2),
    )

    assert [first.status, second.status] == [RolloutStatus.SUCCEEDED] * 2
    assert second.attempts == 1, "it waited at the gate for longer than its limit"


async def test_unsafe_output_is_clamped_by_the_hard_gate(table: Bench) -> None:
    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        record.reason("prompt_injection.system_prompt_exfiltration")
        return Output(text="4")

    (result,) = await table.done(job(execute, graders=[EXACT]), {"prompt": "2+2", "expected": "4"})

    assert result.status is RolloutStatus.SUCCEEDED
    assert result.score == 0.0
    assert scores(result) == {
        "exact_match": 0.0,
        "runner.execution_success": 0.0,
        "safety.penalty_total": -1.0,
        "safety.hard_gate_penalty": -1.0,
        "safety.hard_gate_triggered": 0.0,
    }


async def test_reject_mode_fails_the_rollout_for_good(table: Bench) -> None:
    (result,) = await table.done(
        job(
            answering(Output(text="4", blocked_events=1)),
            safety=SafetyPolicy(reject_rollout_on_hard_gate=True),
        ),
        "q",
    )

    assert result.status is RolloutStatus.FAILED
    assert result.failure is not None
    assert result.failure.kind is FailureClass.SAFETY
    assert result.attempts == 1


async def test_calls_beyond_the_reserved_ones_are_not_made(table: Bench) -> None:
    model = Echo()

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        for _ in range(9):
            await asking(model)(example, resources, record)
        raise AssertionError

    (result,) = await table.done(job(execute, calls=4), "q")

    assert result.failure is not None
    assert result.failure.kind is FailureClass.BUDGET
    assert model.calls == 4
    assert result.spent == Spend(rollouts=1, calls=4, tokens=48, cost_nano_usd=4_800)


async def test_a_proposal_without_a_proposer_fails_clearly(table: Bench) -> None:
    ids = await table.submit({"reflect": "on this"}, kind=RolloutKind.PROPOSE)
    async with table.supervisor(job(echo)):
        (result,) = await table.settled(ids)

    assert result.status is RolloutStatus.FAILED
    assert result.failure is not None
    assert "no executor for 'propose'" in result.failure.message


async def test_spans_form_the_tree_of_the_attempt(table: Bench) -> None:
    ids = await table.submit({"prompt": "ice", "expected": "ice"})
    async with table.supervisor(job(asking(Echo()), graders=[EXACT])):
        (result,) = await table.settled(ids)

    assert result.rollout_id is not None
    (attempt,) = (await table.store.insights.rollout(result.rollout_id)).attempts
    spans = attempt.spans
    tree = [(span.sequence, span.parent, span.name, span.kind) for span in spans]
    assert tree == [
        (1, None, "runner.execute_rollout", "rollout"),
        (2, 1, "chat echo", "model_call"),
        (3, 1, "grade exact_match", "grade"),
        (4, 1, "reward.emit", "reward"),
    ]
    assert all(span.end_unix_ns >= span.start_unix_ns for span in spans)


async def test_a_deep_recursion_of_user_code_is_a_failed_rollout(table: Bench) -> None:
    def dig(depth: int) -> int:
        return dig(depth + 1)

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        dig(0)
        raise AssertionError

    (result,) = await table.done(job(execute), "q")

    assert result.failure is not None
    assert "RecursionError" in result.failure.message


async def test_a_class_of_failures_can_have_its_own_number_of_attempts(table: Bench) -> None:
    policy = RetryPolicy(classes={FailureClass.EXECUTOR: Backoff(max_attempts=2, base_s=0.001)})

    (result,) = await table.done(job(raising(ValueError), retry=policy), "q")

    assert (result.status, result.attempts) == (RolloutStatus.FAILED, 2)


async def test_attempts_given_back_do_not_count_against_it(table: Bench) -> None:
    policy = RetryPolicy(classes={FailureClass.EXECUTOR: Backoff(max_attempts=2, base_s=0.001)})
    started = asyncio.Event()

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    ids = await table.submit("q")
    for _ in range(3):
        started.clear()
        async with table.supervisor(job(execute)):
            await started.wait()
    async with table.supervisor(job(raising(ValueError), retry=policy)):
        (result,) = await table.settled(ids)

    assert result.attempts == 5, "three given back, two that failed"
