"""Where user code raised what rollouts failed of, as it stands in their spans."""

from collections.abc import Sequence

from tau.domain.ids import RolloutId, RunId
from tau.domain.rollout import RolloutStatus
from tau.ports.insights import Measurement, RolloutFilter
from tau.ports.store import Store

_LOOKED_AT = 20
_STACKTRACE = "exception.stacktrace"


async def first_traceback(
    store: Store, run_id: RunId, measurements: Sequence[Measurement]
) -> str | None:
    """The first among a few rollouts that failed, then among a few left unscored."""
    where = RolloutFilter(run=run_id, statuses=frozenset({RolloutStatus.FAILED}))
    failed = [row.id for row in await store.insights.rollouts(where, limit=_LOOKED_AT)]
    unscored = [RolloutId(one.rollout_id) for one in measurements if _unscored(one)]
    for rollout in (*failed, *unscored[:_LOOKED_AT]):
        view = await store.insights.rollout(rollout)
        for attempt in view.attempts:
            for span in attempt.spans:
                text = span.attributes.get(_STACKTRACE)
                if isinstance(text, str):
                    return text
    return None


def _unscored(one: Measurement) -> bool:
    return one.status is RolloutStatus.SUCCEEDED and one.score is None
