"""Part of the store suite: checkpoints, and what is committed with them."""

from collections.abc import Sequence

import pytest

from tau.domain.checkpoint import Checkpoint
from tau.domain.ids import RolloutId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.worker import WorkerRole
from tau.errors import LeaseLost, NotFound
from tau.testing.store_bench import (
    RUN,
    SEED,
    Bench,
    StoreCase,
    evaluation,
    proposal,
    rows,
    success,
)


class CheckpointContract(StoreCase):
    """State, publication and dropping, as one unit."""

    def _checkpoint(self, waves: int, state: int = 0) -> Checkpoint:
        return Checkpoint(
            run_id=RUN,
            algorithm="evaluate",
            waves=waves,
            rollouts=waves * 3,
            state={"state": state, "floats": [0.1, 1e300, -5]},
            best=SEED,
        )

    async def test_the_newest_is_found(self, bench: Bench) -> None:
        await bench.run()
        trainer = await bench.driver()
        assert await bench.store.checkpoints.latest(RUN) is None
        for waves in range(1, 11):
            await bench.store.checkpoints.save(self._checkpoint(waves), trainer=trainer)
        bench.clock.advance(1000)
        saved = await bench.store.checkpoints.save(self._checkpoint(11), trainer=trainer)
        latest = await bench.store.checkpoints.latest(RUN)
        assert latest == saved
        assert (saved.waves, saved.hash) == (11, self._checkpoint(11).hash)
        assert saved.saved_unix_ms == bench.clock.unix_ms()

    async def test_everything_or_nothing(self, bench: Bench) -> None:
        _, claims = await bench.held(3)
        stranger = await bench.worker("trainer", role=WorkerRole.TRAINER)
        trainer = await bench.driver()
        await bench.store.work.release([claims[2].attempt_id])
        better = Resources(values={"system_prompt": "Better."}, parent=SEED.hash)
        candidate = Resources(values={"system_prompt": "Candidate."}, parent=SEED.hash)

        async def save(by: str, drop: Sequence[RolloutId]) -> None:
            await bench.store.checkpoints.save(
                self._checkpoint(1),
                trainer=type(trainer)(by),
                candidates=[candidate],
                publish=better,
                drop=drop,
            )

        for by, drop in ((stranger, [claims[2].rollout_id]), (trainer, [RolloutId("x-r1")])):
            with pytest.raises((LeaseLost, NotFound)):
                await save(by, drop)
            assert await bench.store.checkpoints.latest(RUN) is None
            assert await bench.store.resources.latest() is None
            with pytest.raises(NotFound):
                await bench.store.insights.resources(candidate.hash)
        await save(trainer, [claim.rollout_id for claim in claims])
        published = await bench.store.resources.latest()
        assert published is not None
        assert (published.resources, published.run_id) == (better, RUN)
        assert await bench.store.insights.resources(candidate.hash) == candidate
        assert await bench.counts() == {"running": 2, "cancelled": 1}, "only what was queued"

    async def test_going_back_abandons_what_came_after(self, bench: Bench) -> None:
        """Later candidates stay listed, and come back only by being proposed again."""
        await bench.run()
        trainer = await bench.driver()
        save = bench.store.checkpoints.save
        candidates = [Resources(values={"system_prompt": text}) for text in ("a", "b", "c")]
        for waves, candidate in enumerate(candidates, 1):
            await save(self._checkpoint(waves), trainer=trainer, candidates=[candidate])

        async def abandoned() -> dict[Json, bool]:
            found = await bench.store.insights.candidates(RUN)
            return {one.resources.values["system_prompt"]: one.abandoned for one in found}

        await save(self._checkpoint(1), trainer=trainer, publish=SEED, rewind=True)
        assert await abandoned() == {"a": False, "b": True, "c": True}
        await save(self._checkpoint(2), trainer=trainer, candidates=candidates[2:])
        assert await abandoned() == {"a": False, "b": True, "c": False}

    async def test_after_going_back_proposals_are_made_anew(self, bench: Bench) -> None:
        """Else the same answers led to the same candidates; measurements stay known."""
        await bench.run()
        trainer = await bench.driver()
        wave = [proposal("better?"), proposal("better?", slot=1), evaluation(rows(1)[0])]

        async def asked() -> Sequence[RolloutId]:
            ids = await bench.store.queue.submit(RUN, wave)
            for claim in await bench.claim(await bench.worker()):
                await bench.store.work.complete(claim.attempt_id, success())
            return ids

        before = await asked()
        for _ in range(2):
            await bench.store.checkpoints.save(self._checkpoint(0), trainer=trainer, rewind=True)
            after = await asked()
            assert await asked() == after
            assert after[2] == before[2]
            assert not set(after[:2]) & set(before[:2])
            before = after
        assert await bench.counts() == {"succeeded": 7}, "the old ones are kept"
