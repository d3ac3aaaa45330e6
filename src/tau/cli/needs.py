"""Why a run does not go on by itself, in the words of every screen that tells it."""

from tau.config.environment import snapshot
from tau.domain.actions import ControlState, LifecycleState
from tau.domain.condition import Condition, because
from tau.domain.run import StopReason
from tau.lifecycle.authorization import local_principal


def held(state: ControlState | None) -> bool:
    """Whether an operator's pause holds."""
    return state is not None and state.lifecycle_state is LifecycleState.PAUSED


def why_waiting(
    condition: Condition, stop_reason: StopReason | None, state: ControlState | None
) -> str | None:
    """`it was paused by you ("lunch")`, None where nobody is needed.

    `state` is what is wanted of this very run; where none is known its own stop reason tells.
    """
    if condition is Condition.CRASHED:
        return because(StopReason.CRASH)
    if condition is not Condition.PAUSED:
        return None
    if state is None or not held(state):
        return because(stop_reason) or "it was paused"
    who = "you" if state.principal == local_principal(snapshot()) else state.principal
    return f"it was paused by {who}" + (f' ("{state.reason}")' if state.reason else "")
