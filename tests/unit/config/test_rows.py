"""Rows that no request can be made of are told before the run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tau.config import load
from tau.errors import TauError

GOOD = {"messages": [{"role": "user", "content": "hi"}], "expected": "a"}
BAD = {"messages": [{"role": "tool", "content": "hi"}], "expected": "a"}
PARTS = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}


def loaded(folder: Path, rows: list[Any]) -> Any:  # noqa: ANN401
    path = folder / "config.json"
    path.write_text(json.dumps({"model": "sim/rules", "optimize": rows}))
    return load(path, environ={})


@pytest.mark.parametrize("row", [BAD, PARTS, {"messages": "hi"}, {"messages": [5]}])
def test_no_row_that_can_be_sent_is_an_error(tmp_path: Path, row: Any) -> None:  # noqa: ANN401
    with pytest.raises(TauError, match="1 of 1 rows cannot be sent"):
        loaded(tmp_path, [row])


def test_some_that_cannot_are_a_warning(tmp_path: Path) -> None:
    config = loaded(tmp_path, [GOOD, BAD, PARTS])

    assert any("2 of 3 rows cannot be sent" in str(one) for one in config.warnings)
