"""What the trainer reads from an algorithm at the end of a wave, and gives it at the beginning."""

from collections.abc import Sequence

from tau.domain.checkpoint import Checkpoint
from tau.domain.decision import Decision
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutKind, RolloutRequest
from tau.domain.run import Run
from tau.errors import RunError
from tau.ports.algorithm import LIMITED_BY, Algorithm


def measured(wave: Sequence[RolloutRequest]) -> Sequence[Resources]:
    """The resources that a wave measures, each once, in its order."""
    found = [one.resources for one in wave if one.kind is RolloutKind.EVALUATE]
    return tuple({one.hash: one for one in found}.values())


def promoted(algorithm: Algorithm) -> Resources | None:
    """What a finished algorithm has proved better, to be published with its last checkpoint."""
    best = algorithm.best()
    if best.decision is not Decision.PROMOTE or algorithm.ask():
        return None
    return best.resources


def limited_by(algorithm: Algorithm) -> Sequence[str]:
    """The limits that ended a search before anything was compared, see `Recommendation`."""
    found = algorithm.best().evidence.get(LIMITED_BY)
    return [str(name) for name in found] if isinstance(found, list) else []


def load(algorithm: Algorithm, run: Run, checkpoint: Checkpoint) -> None:
    """Continue from a checkpoint of the run; RunError where it does not fit."""
    if checkpoint.algorithm != run.algorithm:
        raise RunError(f"the checkpoint of {run.id} is one of algorithm '{checkpoint.algorithm}'")
    try:
        algorithm.load_state_dict(checkpoint.state)
    except ValueError as error:
        raise RunError(f"the checkpoint of {run.id} does not fit", why=str(error)) from error
