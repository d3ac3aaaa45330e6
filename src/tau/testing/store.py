"""The suite every store must pass.

Subclass it in a test module, implement `open_store` and run pytest::

    class TestMine(StoreContract):
        async def open_store(self, clock, processes):
            return await MyStore.open(..., clock=clock, processes=processes)
"""

from tau.testing.store_aliases import AliasContract, PolicyContract, VerdictContract
from tau.testing.store_checkpoints import CheckpointContract
from tau.testing.store_desired import DesiredStateContract
from tau.testing.store_leases import (
    AdoptionContract,
    FencingContract,
    ReapingContract,
    RetryContract,
)
from tau.testing.store_ledgers import (
    BudgetContract,
    InsightsContract,
    ResourcesContract,
)
from tau.testing.store_queue import QueueContract, RunsContract
from tau.testing.store_reuse import ReuseContract
from tau.testing.store_settled import SettledContract
from tau.testing.store_waiting import WaitingContract


class StoreContract(
    RunsContract,
    QueueContract,
    ReuseContract,
    FencingContract,
    RetryContract,
    ReapingContract,
    AdoptionContract,
    WaitingContract,
    BudgetContract,
    ResourcesContract,
    AliasContract,
    PolicyContract,
    VerdictContract,
    CheckpointContract,
    DesiredStateContract,
    InsightsContract,
    SettledContract,
):
    """Every sentence of the store's ports, under a clock that tests move by hand."""
