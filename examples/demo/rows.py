"""Writes the rows of the demo: `.venv/bin/python examples/demo/rows.py`."""

from pathlib import Path

import orjson

from tau.domain.dataset import Split
from tau.sim.world import World

WORLD = 4
ROWS = 40


def main() -> None:
    """Make optimize.jsonl and validate.jsonl anew; the same world gives the same rows."""
    for split in (Split.OPTIMIZE, Split.VALIDATE):
        rows = World(WORLD).examples(split, ROWS)
        lines = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        (Path(__file__).parent / f"{split}.jsonl").write_bytes(lines)


if __name__ == "__main__":
    main()
