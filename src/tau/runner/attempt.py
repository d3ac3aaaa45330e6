"""One attempt from claim to outcome."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from tau.domain.answers import EMPTY, REFUSED
from tau.domain.failure import Failure, FailureClass
from tau.domain.json import Json, canonical
from tau.domain.reasoning import without_reasoning
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import AttemptStatus, ClaimedRollout, Outcome, Output, RolloutKind
from tau.domain.span import SpanKind
from tau.domain.spend import Spend
from tau.errors import AttemptError, ExecutorFailed, boundary
from tau.ports.clock import Clock
from tau.ports.record import OpenSpan
from tau.runner.attributes import shortened
from tau.runner.circuit import FATAL
from tau.runner.deadline import Deadline
from tau.runner.execution import Performers, handler_of
from tau.runner.grading import NOTHING_KNOWN, Graded, Grading, executed
from tau.runner.paid_work import PaidWork, PaidWorkCache
from tau.runner.recorder import SpanRecorder
from tau.runner.retry import RetryPolicy

_MESSAGE_CHARS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptDeps:
    """What attempts share: how to perform, limit, grade and retry them."""

    performers: Performers
    grading: Grading
    deadline: Deadline
    retry: RetryPolicy
    clock: Clock
    max_output_bytes: int
    keep_reasoning: bool = False
    paid: PaidWorkCache = field(default_factory=PaidWorkCache)


class Attempt:
    """Executes and grades one claim. Whatever goes wrong becomes part of the outcome."""

    def __init__(
        self,
        claim: ClaimedRollout,
        record: SpanRecorder,
        deps: AttemptDeps,
        *,
        notes: Sequence[Reward] = (),
    ) -> None:
        """`notes` are rewards that go with the outcome, whatever it is."""
        self._claim = claim
        self._record = record
        self._deps = deps
        self._notes = tuple(notes)
        self._started_ms = deps.clock.monotonic_ms()

    async def run(self, resources: Resources) -> Outcome:
        """How it ended. Cancelling stops the work and passes on."""
        output: Output | None = None
        graded: Graded | None = None
        failure: Failure | None = None
        if self._claim.kind is RolloutKind.EVALUATE:
            self._record.about(resources)
        paid = self._deps.paid.take(self._claim.rollout_id)
        try:
            with self._root():
                output = await self._execute(resources) if paid is None else self._again(paid)
                graded = await self._deps.grading.grade(
                    self._claim.example,
                    output,
                    resources,
                    self._record,
                    self._notes,
                    NOTHING_KNOWN if paid is None else paid.rewards,
                )
        except AttemptError as error:
            failure = failure_of(error)
        except BaseException:
            if paid is not None:  # given back, it will be claimed again
                self._deps.paid.keep(self._claim.rollout_id, paid)
            raise
        if output is not None and graded is not None and graded.error is not None:
            failure = self._ungraded(output, graded, graded.error)
        return self._outcome(output, graded, failure)

    def _again(self, paid: PaidWork) -> Output:
        """The answer that an earlier attempt has paid for; only what is lacking is asked."""
        for code in paid.reason_codes:
            self._record.reason(code)
        for _ in range(paid.blocked_events):
            self._record.blocked("in the attempt whose answer this is")
        told: dict[str, Json] = {"tau.answer.attempt": paid.attempt}
        self._record.happened("answer kept", SpanKind.STEP, told)
        return paid.output

    def _ungraded(self, output: Output, graded: Graded, error: AttemptError) -> Failure | None:
        """The failure of an attempt whose answer a grader's model could not be asked about.

        None where no other attempt is due: the answer stands then, and its row is unscored. What
        would keep every rollout from being graded always is a failure, so that the run stops.
        """
        claim, deps, record = self._claim, self._deps, self._record
        failure = failure_of(error)
        if deps.retry.delay_s(failure, claim.attempt_id, claim.counted) is None:
            return failure if failure.kind in FATAL else None
        deps.paid.keep(
            claim.rollout_id,
            PaidWork(
                attempt=claim.attempt,
                output=output,
                rewards=graded.given,
                reason_codes=record.reason_codes,
                blocked_events=record.blocked_events,
            ),
        )
        return failure

    def broken(self, error: BaseException) -> Outcome:
        """The outcome of an attempt that failed where nothing should: recorded, never retried."""
        message = shortened(f"{type(error).__name__}: {error}", _MESSAGE_CHARS)
        failure = Failure(kind=FailureClass.INTERNAL, message=message)
        return replace(self._outcome(None, None, failure), spans=())

    @property
    def spent(self) -> Spend:
        """What it has cost so far; the rollout itself counts as one."""
        return self._record.spent_on(1)

    def _root(self) -> AbstractContextManager[OpenSpan]:
        claim = self._claim
        attributes: dict[str, Json] = {
            "tau.run.id": claim.run_id,
            "tau.rollout.id": claim.rollout_id,
            "tau.rollout.kind": claim.kind,
            "tau.attempt.number": claim.attempt,
            "tau.resources.hash": claim.resources,
        }
        if claim.example is not None:
            attributes["tau.example.id"] = claim.example.id
        return self._record.opening("runner.execute_rollout", SpanKind.ROLLOUT, attributes)

    async def _execute(self, resources: Resources) -> Output:
        deps = self._deps
        handler = handler_of(deps.performers, self._claim)
        with boundary(ExecutorFailed, "the executor"):
            try:
                work = handler.perform(self._claim, resources, self._record)
                output = await deps.deadline.run(
                    work, held_s=self._held_s, cancellable=handler.cancellable
                )
            except ExceptionGroup as group:  # an attempt error knows whether a retry can help
                first = _first(group)
                if first is None:
                    raise
                raise first from group
            storable = _storable(output, deps.max_output_bytes)
            return _told_empty(storable if deps.keep_reasoning else _answer_of(storable))

    def _held_s(self) -> float:
        return self._record.held_s

    def _outcome(
        self, output: Output | None, graded: Graded | None, failure: Failure | None
    ) -> Outcome:
        claim, deps = self._claim, self._deps
        if graded is None:
            graded = Graded(rewards=(executed(False), *self._notes))
        status, retry_in_s = AttemptStatus.SUCCEEDED, None
        if failure is not None:
            timed_out = failure.kind is FailureClass.TIME_LIMIT
            status = AttemptStatus.TIMEOUT if timed_out else AttemptStatus.FAILED
            retry_in_s = deps.retry.delay_s(failure, claim.attempt_id, claim.counted)
        return Outcome(
            status=status,
            output=output,
            rewards=graded.rewards,
            score=graded.score,
            failure=failure,
            retry_in_s=retry_in_s,
            spans=self._record.close(),
            spent=self.spent,
            duration_ms=deps.clock.monotonic_ms() - self._started_ms,
        )


def failure_of(error: AttemptError) -> Failure:
    """The error as data; a class nobody knows is an internal one."""
    known = error.code in FailureClass.__members__.values()
    return Failure(
        kind=FailureClass(error.code) if known else FailureClass.INTERNAL,
        message=shortened(str(error), _MESSAGE_CHARS),
        status=error.status,
        retry_after_s=error.retry_after_s,
    )


def _first(group: ExceptionGroup[Exception]) -> AttemptError | None:
    for error in group.exceptions:
        found = _first(error) if isinstance(error, ExceptionGroup) else error
        if isinstance(found, AttemptError):
            return found
    return None


def _storable(output: Output, max_bytes: int) -> Output:
    """`output` as JSON can hold it: lone surrogates replaced in the text, the rest checked."""
    if not isinstance(output, Output):
        raise ExecutorFailed(f"the executor returned {type(output).__name__}, not an Output")
    if not isinstance(output.text, str):
        raise ExecutorFailed(f"the output's text is {type(output.text).__name__}, not a string")
    text = output.text.encode("utf-8", "replace")
    try:
        rest = canonical([output.value, output.finish_reason, dict(output.metadata)])
        if output.reason_codes != ():
            canonical(list(output.reason_codes))
    except (ValueError, TypeError) as error:
        raise ExecutorFailed("the output cannot be stored as JSON", why=str(error)) from error
    if len(text) + len(rest) > max_bytes:
        raise ExecutorFailed(
            f"the output has {len(text) + len(rest)} bytes, more than the {max_bytes} allowed"
        )
    return output if output.text.isascii() else replace(output, text=text.decode("utf-8"))


def _answer_of(output: Output) -> Output:
    """`output` with the reasoning in its text set apart: nobody reads it for the answer."""
    answer, reasoning = without_reasoning(output.text)
    if not reasoning:
        return output
    metadata = {**output.metadata, "reasoning": reasoning}
    return replace(output, text=answer, metadata=metadata)


def _told_empty(output: Output) -> Output:
    """`output` with the reason code of an answer that says nothing, whoever gave it."""
    codes = output.reason_codes
    if output.text.strip() or output.value is not None or {EMPTY, REFUSED} & set(codes):
        return output
    return replace(output, reason_codes=(*codes, EMPTY))
