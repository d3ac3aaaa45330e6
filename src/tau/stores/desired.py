"""What is desired of a run, from its row and to it."""

from tau.domain.actions import ControlState, DesiredState, LifecycleState
from tau.domain.ids import RunId
from tau.errors import Conflict, StoreDamaged
from tau.stores.rows import Row

Values = tuple[str | int | bytes | None, ...]


def values(state: ControlState, checkpoint: bytes | None, after: int | None) -> Values:
    """What `put_desired_state` takes after the run's key."""
    return (
        str(state.lifecycle_state), state.last_action, state.principal, state.reason,
        state.updated_unix_ms, state.rollback_checkpoint, state.rollback_hash, checkpoint, after,
    )  # fmt: skip


def desired_state(row: Row, run_id: RunId) -> DesiredState:
    """The record; StoreDamaged where its state is none that we know."""
    if row["lifecycle_state"] not in list(LifecycleState):
        raise StoreDamaged(f"what is desired of run '{run_id}' cannot be read")
    checkpoint = row["checkpoint"]
    return DesiredState(
        sequence=row["sequence"],
        state=ControlState(
            lifecycle_state=LifecycleState(row["lifecycle_state"]),
            last_action=row["last_action"],
            principal=row["principal"],
            reason=row["reason"],
            updated_unix_ms=row["updated_unix_ms"],
            rollback_checkpoint=row["rollback_checkpoint"],
            rollback_hash=row["rollback_hash"],
            run_id=run_id,
            store_sequence=row["sequence"],
        ),
        checkpoint=None if checkpoint is None else bytes(checkpoint),
    )


def overtaken(run_id: RunId) -> Conflict:
    """Somebody else was faster."""
    return Conflict(f"what is desired of run '{run_id}' was changed meanwhile", fix="look again")
