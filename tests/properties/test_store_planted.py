"""The simulation finds every planted fault: it is no toy, and neither are the store's rules."""

from pathlib import Path

import pytest

from machinery.simulation import simulate
from machinery.world import Divergence
from properties.planted import FAULTS, Fault
from properties.test_store_simulation import new_stores

STEPS = 6000


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in FAULTS])
async def test_the_simulation_finds(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)

    with pytest.raises(Divergence):
        await simulate(new_stores(tmp_path), seed=1, steps=STEPS, shorten=False)
