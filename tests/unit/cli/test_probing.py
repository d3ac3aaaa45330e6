"""What a probe says before a search, what it touches, and what it does not do twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.cli.commands.group import tau_group
from tau.cli.demonstration import configuration
from tau.cli.probed import Noise, Probe
from tau.cli.probing import noise_of
from tau.cli.surface import Surface, program
from tau.domain.dataset import ROW_KEY_DIGITS, Split
from tau.errors import InputError
from tau.scoring.claims import Claim, PairedScores, decide
from tau.sim.world import World

Ask = Callable[..., tuple[int, str, str]]
SMALL = ("--rows", "20", "--rewrites", "4")
NOISE = Noise(rows=40, mean=0.5, flipped=4, alone=0.08, luckiest=0.06)


@pytest.fixture
def ask(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        store = ["--store", str(tmp_path / "store.sqlite")]
        code = program(tau_group, Surface(program="tau"), [*words, *store])
        return (code, *capfd.readouterr())

    return call


def config(folder: Path, **fields: object) -> str:
    rows = {split.value: list(World(4).examples(split, 30)) for split in Split}
    path = folder / "config.json"
    value: dict[str, Any] = {**configuration(), **rows, "budget": {}, **fields}
    path.write_bytes(orjson.dumps({name: each for name, each in value.items() if each}))
    return str(path)


def exported(ask: Ask, run: str) -> list[dict[str, Any]]:
    code, out, err = ask("export", run, "--to", "jsonl")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_noise_headroom_and_budgets_are_told_and_nothing_is_done_twice(
    tmp_path: Path, ask: Ask
) -> None:
    path = config(tmp_path)

    code, out, err = ask("probe", path, *SMALL, "--json")

    assert code == 0, err
    found = json.loads(out)
    assert found["baseline"]["rows"] == 20
    assert found["rewrites"] >= 1
    assert found["rows_apart"]
    assert found["pays"] == (True if found["headroom_claim"]["low"] > 0 else found["pays"])
    for run in found["runs"]:
        assert "test" not in {row["split"] for row in exported(ask, run)}
    first = exported(ask, found["runs"][0])
    assert sorted(row["replicate"] for row in first) == [0] * 20 + [1] * 20

    again = ask("probe", path, *SMALL, "--json")
    assert json.loads(again[1]) == found
    assert "started" not in again[2]
    shown = ask("probe", path, *SMALL)[1]
    assert shown.startswith(found["verdict"])
    assert max(len(one) for one in shown.splitlines() if "  tau" not in one) <= 80
    fresh = json.loads(ask("probe", path, "--rows", "20", "--rewrites", "0", "--new", "--json")[1])
    assert fresh["runs"][0] not in found["runs"]


def test_rows_that_would_certify_are_left_alone_without_a_test_split(
    tmp_path: Path, ask: Ask
) -> None:
    path = config(tmp_path, test=None)
    told = json.loads(ask("probe", path, "--rows", "30", "--rewrites", "0", "--json")[1])
    touched = {row["example_id"] for row in exported(ask, told["runs"][0])}

    code, out, err = ask("optimize", path, "--budget-rollouts", "150", "--json")

    assert code == 0, err
    result = json.loads(out)
    assert result["gain"], "it has certified"
    carried = result["evidence"]["certification_keys"]
    size = ROW_KEY_DIGITS
    keys = {carried[start : start + size] for start in range(0, len(carried), size)}
    assert not [one for one in touched if one.split(":")[1][:size] in keys]


def test_a_probe_that_a_limit_stopped_goes_on(tmp_path: Path, ask: Ask) -> None:
    path = config(tmp_path, budget={"calls": 12})
    words = ("probe", path, "--rows", "20", "--rewrites", "0", "--json")

    code, out, err = ask(*words)
    assert (code, out) == (4, "")
    assert "to go on: tau probe" in err
    config(tmp_path)
    code, out, err = ask(*words)

    assert code == 0, err
    assert len(json.loads(out)["runs"]) == 1
    assert len(json.loads(ask("runs", "--json")[1])) == 1


@pytest.mark.parametrize(
    ("fields", "more", "told"),
    [
        (
            {
                "optimize": None,
                "test": None,
                "validate": list(World(4).examples(Split.VALIDATE, 3)),
            },
            (),
            "too few",
        ),
        ({"budget": {"rollouts": 12}}, SMALL, "budget"),
    ],
)
def test_what_cannot_be_probed_is_refused_before_anything_runs(
    fields: dict[str, Any], more: tuple[str, ...], told: str, tmp_path: Path, ask: Ask
) -> None:
    code, _, err = ask("probe", config(tmp_path, **fields), *more)

    assert code == 2
    assert told in err
    assert not (tmp_path / "store.sqlite").exists()


def claimed(fixed: int, broken: int, *, rows: int = 40) -> Probe:
    """A best rewrite that mended some rows and broke others."""
    ours = [0.0] * fixed + [1.0] * broken + [0.0] * (rows - fixed - broken)
    theirs = [1.0] * fixed + [0.0] * broken + [0.0] * (rows - fixed - broken)
    scores = PairedScores(
        ids=tuple(map(str, range(rows))), baseline=tuple(ours), candidate=tuple(theirs)
    )
    return Probe(noise=NOISE, tried=12, ahead=True, headroom=decide(Claim(), scores))


@pytest.mark.parametrize(
    ("found", "pays"),
    [
        (claimed(20, 0), True),
        (claimed(3, 2), None),
        (claimed(1, 5), False),
        (Probe(noise=NOISE, tried=12), False),
        (Probe(noise=NOISE), None),
        (Probe(noise=replace(NOISE, mean=1.0)), False),
    ],
)
def test_the_verdict_follows_from_the_interval(found: Probe, pays: bool | None) -> None:
    assert found.pays is pays


@given(
    flips=st.lists(st.sampled_from([(0.0, 1.0), (1.0, 0.0)]), max_size=30),
    same=st.lists(st.sampled_from([(0.0, 0.0), (1.0, 1.0)]), min_size=2, max_size=30),
)
def test_noise_grows_with_rows_that_flip_and_only_with_them(
    flips: list[tuple[float, float]], same: list[tuple[float, float]]
) -> None:
    pairs = [*flips, *same]
    found = noise_of({str(n): {0: a, 1: b} for n, (a, b) in enumerate(pairs)}, 12)

    assert found.flipped == len(flips)
    assert found.rows == len(pairs)
    assert found.alone == pytest.approx(1.6449 * len(flips) ** 0.5 / len(pairs), abs=1e-4)
    assert (found.luckiest > 0) is bool(flips)


def test_rows_with_one_score_tell_nothing_of_noise() -> None:
    with pytest.raises(InputError, match="two scores"):
        noise_of({"a": {0: 1.0}, "b": {1: 0.0}, "c": {0: 1.0, 1: 1.0}}, 12)
