"""What went wrong in a run, in the words of the code that failed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tau.domain.ids import RolloutId, RunId
from tau.domain.json import Json
from tau.domain.rollout import RolloutStatus
from tau.ports.insights import Measurement, RolloutFilter
from tau.ports.store import Store

_MOST_ROLLOUTS = 1_000
_STACKTRACE = "exception.stacktrace"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCount:
    """One error message and how many rollouts it befell.

    `failure` is the failure's class, or `grader` where a grader left the row unscored.
    """

    failure: str
    message: str
    count: int

    def to_json(self) -> dict[str, Json]:
        """As one object."""
        return {"failure": self.failure, "message": self.message, "count": self.count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """`errors`, the commonest first; `traceback` of the first one that user code raised."""

    errors: tuple[ErrorCount, ...] = ()
    traceback: str | None = None


async def troubles_of(store: Store, run_id: RunId, measurements: Sequence[Measurement]) -> Troubles:
    """What befell the first 1,000 rollouts that failed and the first 1,000 left unscored."""
    found: Counter[tuple[str, str]] = Counter()
    concerned: list[RolloutId] = []
    failed = RolloutFilter(run=run_id, statuses=frozenset({RolloutStatus.FAILED}))
    for row in await store.insights.rollouts(failed, limit=_MOST_ROLLOUTS):
        if row.failure is not None:
            found[str(row.failure.kind), row.failure.message] += 1
            concerned.append(row.id)
    unscored = [RolloutId(one.rollout_id) for one in measurements if _unscored(one)]
    some = unscored[:_MOST_ROLLOUTS]
    for one_id, result in zip(some, await store.queue.collect(run_id, some), strict=True):
        errors = [one.error for one in result.rewards if one.error] if result else []
        found.update(("grader", error) for error in errors)
        if errors:
            concerned.append(one_id)
    return Troubles(
        errors=tuple(
            ErrorCount(failure=kind, message=message, count=count)
            for (kind, message), count in found.most_common()
        ),
        traceback=await _first_traceback(store, concerned),
    )


def _unscored(one: Measurement) -> bool:
    return one.status is RolloutStatus.SUCCEEDED and one.score is None


async def _first_traceback(store: Store, rollouts: Iterable[RolloutId]) -> str | None:
    for rollout in list(rollouts)[:20]:
        view = await store.insights.rollout(rollout)
        for attempt in view.attempts:
            for span in attempt.spans:
                text = span.attributes.get(_STACKTRACE)
                if isinstance(text, str):
                    return text
    return None
