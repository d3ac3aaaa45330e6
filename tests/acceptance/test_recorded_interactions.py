"""All recorded interactions through the endpoint for agents, byte for byte."""

import gzip
from pathlib import Path

import orjson
import pytest

from unit.proxy.recorded import played

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("name", "number"), [("provider_traffic", 1_419), ("provider_traffic_2", 520)]
)
async def test_every_recorded_answer_arrives_byte_for_byte(
    acceptance_data: Path, name: str, number: int
) -> None:
    with gzip.open(acceptance_data / name / "traffic.jsonl.gz") as lines:
        done = await played([orjson.loads(line) for line in lines])
    assert done.count == number
    assert (done.unlike, done.refused, done.uncounted) == ([], [], [])
