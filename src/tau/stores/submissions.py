"""Submissions as rows of the queue, and the keys in rollouts' names."""

from collections.abc import Mapping, Sequence

from tau.domain.ids import ResourcesHash, RolloutId, RunId, rollout_key
from tau.domain.json import canonical
from tau.domain.rollout import RolloutKind, Submission
from tau.errors import NotFound

NewRow = tuple[int, str, int, int | None, str | None, int, str | None, int, int, int, int, int]


def keys_of(run_id: RunId, rollouts: Sequence[RolloutId]) -> list[int]:
    """The integer keys of a run's rollouts; NotFound for names that are none of its."""
    keys = []
    for rollout in rollouts:
        parts = rollout_key(rollout)
        if parts is None or parts[0] != run_id:
            raise NotFound(f"run '{run_id}' has no rollout '{rollout}'")
        keys.append(parts[1])
    return keys


def new_row(
    submission: Submission,
    run: int,
    resources: Mapping[ResourcesHash, int],
    examples: Mapping[str, int],
    now: int,
) -> NewRow:
    """The columns of a new rollout; ValueError where it is neither of the two kinds."""
    request, reserve = submission.request, submission.reserve
    evaluate = request.kind is RolloutKind.EVALUATE
    if evaluate is (request.example is None):
        raise ValueError("an evaluation needs an example, and a proposal has none")
    return (
        run,
        request.kind,
        resources[request.resources.hash],
        examples[request.example.id] if request.example is not None else None,
        None if evaluate else request.subject,
        request.replicate if evaluate else request.slot,
        None if evaluate else canonical(request.proposal).decode(),
        reserve.rollouts,
        reserve.calls,
        reserve.tokens,
        reserve.cost_nano_usd,
        now,
    )
