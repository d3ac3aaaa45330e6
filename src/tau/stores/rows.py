"""Rows become values."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

import orjson

from tau.domain.checkpoint import Checkpoint
from tau.domain.dataset import Example, Split
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import (
    AttemptId,
    ExampleId,
    ResourcesHash,
    RunId,
    WorkerId,
    attempt_id,
    rollout_id,
)
from tau.domain.resources import Resources, ResourcesVersion
from tau.domain.reward import Reward
from tau.domain.rollout import (
    AttemptStatus,
    ClaimedRollout,
    Output,
    RolloutCounts,
    RolloutKind,
    RolloutRequest,
    RolloutResult,
    RolloutStatus,
)
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.span import Span, SpanKind
from tau.domain.spend import Budget, Spend
from tau.domain.worker import ProcessIdentity, WorkerRecord, WorkerRole
from tau.ports.insights import AttemptView, RolloutRow
from tau.stores import amounts, codec

P = ParamSpec("P")
T = TypeVar("T")
Row: TypeAlias = dict[str, Any]

# A look-up takes a fifth of the time of making an enum's member from its value.
_KINDS = {kind.value: kind for kind in RolloutKind}
_SPLITS = {split.value: split for split in Split}


def decoding(decode: Callable[P, T]) -> Callable[P, T]:
    """Rows that have not the shape in which they were written are damaged."""

    @wraps(decode)
    def decoded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return decode(*args, **kwargs)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"a row ({decode.__name__})"
            raise codec.damaged(what, f"{type(error).__name__}: {error}") from error

    return decoded


def worker_id(key: int) -> WorkerId:
    """The name of the worker with integer `key`."""
    return WorkerId(f"worker-{key}")


def worker_key(worker: str) -> int | None:
    """The key in a worker's name, None where it is no such name."""
    _, _, digits = worker.partition("worker-")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        return int(digits)
    return None


def counts(row: Row) -> RolloutCounts:
    """The counters of a run."""
    found = {status: int(row[status.value] or 0) for status in RolloutStatus}
    return RolloutCounts(by_status={status: n for status, n in found.items() if n})


def run_digest(row: Row) -> bytes:
    """Over what never changes of a run; a restart may bring other limits."""
    return codec.digest(
        row["id"], row["config_hash"], row["model_ref"], row["seed"], row["algorithm"],
        row["config"],
    )  # fmt: skip


@decoding
def run(row: Row) -> Run:
    """One run; its snapshot is checked."""
    if run_digest(row) != row["digest"]:
        raise codec.damaged(f"run {row['id']}")
    return Run(
        id=RunId(row["id"]),
        config_hash=row["config_hash"],
        model_ref=row["model_ref"],
        seed=int(row["seed"]),
        algorithm=row["algorithm"],
        config=codec.parsed(row["config"], f"run {row['id']}"),
        budget=Budget(
            rollouts=row["limit_rollouts"],
            calls=row["limit_calls"],
            tokens=row["limit_tokens"],
            cost_nano_usd=row["limit_cost"],
            seconds=row["limit_seconds"],
        ),
        max_attempts=row["max_attempts"],
        status=RunStatus(row["status"]),
        stop_reason=StopReason(row["stop_reason"]) if row["stop_reason"] else None,
        stop_detail=row["stop_detail"],
        created_unix_ms=row["created_unix_ms"],
        updated_unix_ms=row["updated_unix_ms"],
        active_s=row["active_s"],
        trainer=worker_id(row["trainer"]) if row["trainer"] is not None else None,
        spent=amounts.spent_by_run(row),
        reported=bool(row["reported"]),
        reserved=amounts.reserved(row),
    )


def process(row: Row) -> ProcessIdentity:
    """The process of a worker."""
    return ProcessIdentity(
        host=row["host"],
        boot_id=row["boot_id"],
        pid_namespace=row["pid_namespace"],
        pid=row["pid"],
        started_ticks=row["started_ticks"],
    )


@decoding
def worker(row: Row) -> WorkerRecord:
    """One worker; lost ones are off the list like retired ones."""
    return WorkerRecord(
        id=worker_id(row["key"]),
        name=row["name"],
        role=WorkerRole(row["role"]),
        process=process(row),
        lease_ms=row["lease_ms"],
        registered_unix_ms=row["registered_unix_ms"],
        heartbeat_unix_ms=row["heartbeat_unix_ms"],
        retired=row["state"] != "live",
        in_flight=row.get("in_flight", 0),
        offers=tuple(codec.parsed(row["offers"], "a worker's offers")),
    )


@decoding
def resources(row: Row) -> Resources:
    """Resources; their hash is computed from the content and must be the stored one."""
    return _resources(row["hash"], row["parent"], row["content"])


@lru_cache(maxsize=64)  # all rollouts of a candidate come with the same
def _resources(stored: str, parent: str | None, content: str) -> Resources:
    what = f"resources {stored[:12]}"
    found = Resources(
        values=codec.parsed(content, what),
        parent=ResourcesHash(parent) if parent is not None else None,
    )
    if found.hash != stored:
        raise codec.damaged(what)
    return found


@decoding
def version(row: Row) -> ResourcesVersion:
    """One publication."""
    return ResourcesVersion(
        number=row["number"],
        resources=resources(row),
        run_id=RunId(row["run_id"]) if row["run_id"] is not None else None,
        published_unix_ms=row["published_unix_ms"],
        latest=bool(row["latest"]),
    )


def example_digest(identity: str, split: str, content: str) -> bytes:
    """Over the whole of an example."""
    return codec.digest(identity, split, content)


def _example(row: Row) -> Example | None:
    identity, content = row["example_id"], row["example_content"]
    if identity is None:
        return None
    if example_digest(identity, row["split"], content) != row["example_digest"]:
        raise codec.damaged(f"example {identity}")
    return Example(
        id=ExampleId(identity),
        split=_SPLITS[row["split"]],
        value=codec.parsed(content, f"example {identity}"),
    )


@decoding
def example(row: Row) -> Example | None:
    """The example of a joined row, if it has one."""
    return _example(row)


def proposal(row: Row, what: str) -> Any:  # noqa: ANN401  (JSON)
    """The JSON of a proposal; it is stored canonical, and its hash is part of the key."""
    if row["proposal"] is None:
        return None
    if hashlib.sha256(row["proposal"].encode()).hexdigest() != row["subject"]:
        raise codec.damaged(f"the request of {what}")
    return codec.parsed(row["proposal"], what)


@decoding
def claim(row: Row, run_id: RunId, reserved: Spend) -> ClaimedRollout:
    """A ready rollout, handed out with its next attempt."""
    rollout = rollout_id(run_id, row["key"])
    ordinal = row["ordinal"]
    kind = _KINDS[row["kind"]]
    evaluate = kind is RolloutKind.EVALUATE
    n = row["attempts"] + 1
    return ClaimedRollout(
        attempt_id=attempt_id(rollout, n),
        rollout_id=rollout,
        run_id=run_id,
        attempt=n,
        kind=kind,
        resources=ResourcesHash(row["hash"]),
        example=_example(row),
        replicate=ordinal if evaluate else 0,
        proposal=None if evaluate else proposal(row, rollout),
        slot=0 if evaluate else ordinal,
        reserved=reserved,
        counted=row["counted"],
    )


@decoding
def failure(stored: str | None) -> Failure | None:
    """A failure from its JSON."""
    if stored is None:
        return None
    found = codec.parsed(stored, "a failure")
    return Failure(
        kind=FailureClass(found["kind"]),
        message=found["message"],
        status=found["status"],
        retry_after_s=found["retry_after_s"],
    )


def result_digest(
    rollout: int,
    score: float | None,
    output: str | None,
    rewards: str,
    failed: str | None,
) -> bytes:
    """Over everything a settled rollout is told with."""
    return codec.digest(rollout, score, output, rewards, failed)


def check_result(rollout: int, row: Row) -> None:
    """StoreDamaged unless a result's digest is that of its content."""
    made = result_digest(rollout, row["score"], row["output"], row["rewards"], row["failure"])
    if made != row["digest"]:
        raise codec.damaged(f"the result of rollout {rollout}")


@decoding
def output(stored: str | None) -> Output | None:
    """An output from its JSON."""
    if stored is None:
        return None
    found = codec.parsed(stored, "an output")
    found["reason_codes"] = tuple(found["reason_codes"])
    return Output(**found)


@decoding
def rewards(stored: str) -> tuple[Reward, ...]:
    """Rewards from their JSON."""
    return tuple(Reward(**found) for found in codec.parsed(stored, "rewards"))


@decoding
def result(row: Row, run_id: RunId) -> RolloutResult:
    """A rollout as it is told; its content is checked."""
    identity = rollout_id(run_id, row["key"])
    if row["digest"] is not None:
        check_result(row["key"], row)
    kind = RolloutKind(row["kind"])
    evaluate = kind is RolloutKind.EVALUATE
    return RolloutResult(
        request=RolloutRequest(
            kind=kind,
            resources=resources(row),
            example=example(row),
            replicate=row["ordinal"] if evaluate else 0,
            proposal=proposal(row, identity),
            slot=0 if evaluate else row["ordinal"],
        ),
        rollout_id=identity,
        status=RolloutStatus(row["status"]),
        output=output(row["output"]),
        rewards=rewards(row["rewards"]) if row["rewards"] is not None else (),
        score=row["score"],
        failure=failure(row["failure"]),
        spent=_spent(row["spent"]),
        attempts=row["attempts"],
        duration_ms=row["duration_ms"],
    )


def _spent(amounts: str) -> Spend:
    """The sums of what attempts spent, from their JSON; null where there was none."""
    made, calls, tokens, cost = orjson.loads(amounts)
    return Spend(rollouts=made or 0, calls=calls or 0, tokens=tokens or 0, cost_nano_usd=cost or 0)


@decoding
def rollout_row(row: Row) -> RolloutRow:
    """One line of a listing."""
    run_id = RunId(row["run_id"])
    return RolloutRow(
        id=rollout_id(run_id, row["key"]),
        run_id=run_id,
        kind=RolloutKind(row["kind"]),
        status=RolloutStatus(row["status"]),
        split=Split(row["split"]) if row["split"] is not None else None,
        attempts=row["attempts"],
        score=row["score"],
        failure=failure(row["failure"]),
        spent=_spent(row["spent"]),
        duration_ms=row["duration_ms"],
        updated_unix_ms=row["updated_unix_ms"],
    )


@decoding
def attempt_view(row: Row, attempt: AttemptId, spans: Sequence[Span]) -> AttemptView:
    """One try."""
    return AttemptView(
        id=attempt,
        n=row["n"],
        status=AttemptStatus(row["status"]),
        worker=worker_id(row["worker"]),
        worker_name=row["worker_name"],
        started_unix_ms=row["started_unix_ms"],
        ended_unix_ms=row["ended_unix_ms"],
        failure=failure(row["failure"]),
        spent=amounts.spent(row),
        late_spent=Spend(
            calls=row["late_calls"] or 0,
            tokens=row["late_tokens"] or 0,
            cost_nano_usd=row["late_cost"] or 0,
        ),
        spans=tuple(spans),
    )


def span_digest(rollout: int, n: int, first: int, data: bytes) -> bytes:
    """Over a block of spans and where it belongs."""
    return codec.digest(rollout, n, first, data)


@decoding
def spans(blocks: Iterable[Row]) -> tuple[Span, ...]:
    """The spans of an attempt, in order; each block is checked."""
    found: list[Span] = []
    for block in blocks:
        what = f"spans of rollout {block['rollout']}, attempt {block['n']}"
        data = block["data"]
        if span_digest(block["rollout"], block["n"], block["first"], data) != block["digest"]:
            raise codec.damaged(what)
        for stored in codec.unpacked(data, what):
            stored["kind"] = SpanKind(stored["kind"])
            found.append(Span(**stored))
    return tuple(found)


@decoding
def checkpoint(row: Row) -> Checkpoint:
    """A checkpoint; StoreDamaged unless its hash is that of its content."""
    what = f"a checkpoint of run {row['run_id']}"
    found = Checkpoint(
        run_id=RunId(row["run_id"]),
        algorithm=row["algorithm"],
        waves=row["waves"],
        rollouts=row["rollouts"],
        state=codec.unpacked(row["state"], what),
        best=resources(row),
        saved_unix_ms=row["saved_unix_ms"],
    )
    if found.hash != row["checkpoint_hash"]:
        raise codec.damaged(what)
    return found
