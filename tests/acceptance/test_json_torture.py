"""nst/JSONTestSuite: what must parse parses, what must not is refused, nothing crashes."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tau import config
from tau.config import json_text
from tau.config.report import ParseError
from tau.config.sources import decode
from tau.errors import ConfigError

pytestmark = pytest.mark.acceptance

# Valid JSON that a configuration refuses nevertheless.
DUPLICATE_KEYS = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}


@pytest.fixture(scope="module")
def suite(acceptance_data: Path) -> dict[str, bytes]:
    """The suite's files by name."""
    archive = acceptance_data / "json_torture" / "json_test_parsing.zip"
    with zipfile.ZipFile(archive) as files:
        found = {
            Path(name).name: files.read(name) for name in files.namelist() if name.endswith(".json")
        }
    assert len(found) > 300
    return found


def verdicts(suite: dict[str, bytes]) -> Iterator[tuple[str, bool]]:
    """(file, whether it was accepted without any complaint)."""
    for name, data in suite.items():
        try:
            accepted = not json_text.parse(decode(data)).issues
        except ParseError:
            accepted = False
        yield name, accepted


def test_verdicts(suite: dict[str, bytes]) -> None:
    wrong = {
        name
        for name, accepted in verdicts(suite)
        if (name.startswith("y_") and not accepted) or (name.startswith("n_") and accepted)
    }

    assert wrong == DUPLICATE_KEYS


def loads(path: Path) -> bool:
    """Whether the configuration can be used; any error but ConfigError is a crash."""
    try:
        config.load(path, environ={}, model="sim/rules")
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("name", ["c.json", "c.yaml", "c.toml"])
def test_as_configurations(suite: dict[str, bytes], tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for data in suite.values():
        path.write_bytes(data)
        assert not loads(path)  # none of them has rows


@pytest.mark.parametrize("ending", ["json", "jsonl", "csv", "yaml"])
def test_as_datasets(suite: dict[str, bytes], tmp_path: Path, ending: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(f'{{"optimize": {{"file": "rows.{ending}"}}}}')
    for name, data in suite.items():
        (tmp_path / f"rows.{ending}").write_bytes(data)
        usable = loads(path)
        if name.startswith("n_") and ending == "json":
            assert not usable, name


def test_as_lines(suite: dict[str, bytes], tmp_path: Path) -> None:
    good = [
        data
        for name, data in suite.items()
        if name.startswith("y_") and name not in DUPLICATE_KEYS and b"\n" not in data.strip()
    ]
    path = tmp_path / "c.json"
    path.write_text('{"optimize": {"file": "rows.jsonl"}}')
    lines = tmp_path / "rows.jsonl"
    lines.write_bytes(b"\n".join(data.strip() for data in good) + b"\n")

    settings = config.load(path, environ={}, model="sim/rules")
    assert sum(len(rows) for rows in settings.examples.values()) == len(good)

    whole = lines.read_bytes()
    for size in range(1, len(whole), 97):  # cut off in the middle of a row
        lines.write_bytes(whole[:size])
        loads(path)
