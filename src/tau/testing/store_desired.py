"""Part of the store suite: what is desired of runs."""

from dataclasses import replace

import pytest

from tau.domain.actions import ControlState, LifecycleState
from tau.errors import Conflict, NotFound
from tau.testing.store_bench import RUN, Bench, StoreCase


class DesiredStateContract(StoreCase):
    """One numbered record each, changed by compare-and-set."""

    async def test_what_is_desired_of_a_run_is_numbered(self, bench: Bench) -> None:
        desired = bench.store.desired_states
        with pytest.raises(NotFound):
            await desired.find(RUN)
        await bench.run()
        assert await desired.find(RUN) is None
        pause = ControlState(
            lifecycle_state=LifecycleState.PAUSED, last_action="pause", principal="local:ann",
            reason="why", updated_unix_ms=7,
        )  # fmt: skip
        first = await desired.put(RUN, pause)
        assert first.sequence == first.state.store_sequence == 1
        assert first.state.says_the_same(pause)
        back = replace(
            pause, lifecycle_state=LifecycleState.ROLLBACK_REQUESTED, last_action="rollback",
            rollback_checkpoint="a file", rollback_hash="a hash", reason=None,
        )  # fmt: skip
        second = await desired.put(RUN, back, checkpoint=b"content", after=1)
        assert (second.sequence, second.checkpoint) == (2, b"content")
        assert second.state.says_the_same(back)
        for seen in (0, 1, 3):
            with pytest.raises(Conflict):
                await desired.put(RUN, pause, after=seen)
        assert await desired.find(RUN) == second
