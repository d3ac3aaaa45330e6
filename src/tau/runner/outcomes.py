"""Writing outcomes down: shielded from cancellation, patient with a store in trouble."""

import asyncio

from tau.domain.ids import AttemptId
from tau.domain.rollout import AttemptStatus, ClaimedRollout, Outcome
from tau.errors import LeaseLost, StoreFull, StoreUnavailable
from tau.ports.store import Work
from tau.runner.attempt import Attempt
from tau.runner.circuit import Circuit
from tau.runner.health import Tally

_FIRST_DELAY_S = 0.05
_MAX_DELAY_S = 1.0


class Outcomes:
    """Takes finished outcomes to the store. They stay in memory until it has them."""

    def __init__(self, work: Work, tally: Tally, circuit: Circuit) -> None:
        self._work = work
        self._tally = tally
        self._circuit = circuit
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """The process is ending: try what is left once more, then leave it to the leases."""
        self._hurry.set()

    async def write(self, claim: ClaimedRollout, outcome: Outcome, attempt: Attempt) -> None:
        """Write until the store has it or refuses it for good.

        What the store cannot take for its content is recorded as failed.
        """
        try:
            recorded = await self._until_taken(claim.attempt_id, outcome)
        except Exception as error:  # noqa: BLE001  (hostile content must not cost the worker)
            outcome = attempt.broken(error)
            recorded = await self._until_taken(claim.attempt_id, outcome)
        if not recorded:
            return
        if outcome.status is AttemptStatus.SUCCEEDED:
            self._tally.completed += 1
        else:
            self._tally.failed += 1
        self._circuit.observe(claim.rollout_id, outcome.failure)

    async def _until_taken(self, attempt: AttemptId, outcome: Outcome) -> bool:
        delay_s = _FIRST_DELAY_S
        last = False
        try:
            while True:
                try:
                    await self._work.complete(attempt, outcome)
                except LeaseLost:  # someone else has the rollout now: nothing of ours counts
                    self._tally.lost += 1
                    return False
                except (StoreFull, StoreUnavailable) as error:
                    self._tally.unwritten.add(attempt)
                    self._tally.store_error = str(error)
                    if last:
                        return False
                else:
                    self._tally.store_error = None
                    return True
                last = await self._pause(delay_s)
                delay_s = min(2 * delay_s, _MAX_DELAY_S)
        finally:
            self._tally.unwritten.discard(attempt)

    async def _pause(self, delay_s: float) -> bool:
        """Wait; whether there is time for one more try only."""
        try:
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()
        except TimeoutError:
            return False
        return True
