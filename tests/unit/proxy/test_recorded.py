"""Recorded interactions: the client sees the bytes that the provider sent.

`tests/data/provider_interactions.jsonl` is an excerpt of public test recordings; each line names
its repository, commit, path and licence.
"""

from pathlib import Path

import orjson

from unit.proxy.recorded import played

ROWS = Path(__file__).parents[2] / "data" / "provider_interactions.jsonl"


async def test_every_recorded_answer_arrives_byte_for_byte() -> None:
    rows = [orjson.loads(line) for line in ROWS.read_bytes().splitlines()]
    done = await played(rows)
    assert done.count == len(rows) > 20
    assert (done.unlike, done.refused, done.uncounted) == ([], [], [])
