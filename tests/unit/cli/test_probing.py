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
from tau.cli.regrading import may_vary
from tau.cli.surface import Surface, program
from tau.config import load
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


FLIPPING = """
import itertools
COUNT = itertools.count()
def judge(example, output):
    return {judge}
"""


@pytest.mark.parametrize(
    ("judge", "flipped", "told"),
    [
        ("len(example['prompt']) % 2 == 0", 0, "always alike"),
        ("next(COUNT) % 3 == 0", 10, "mostly the grader's"),
    ],
)
def test_a_grader_of_code_judges_the_same_answers_twice(
    judge: str, flipped: int, told: str, tmp_path: Path, ask: Ask
) -> None:
    (tmp_path / "grade.py").write_text(FLIPPING.format(judge=judge))
    grader = {"type": "python", "function": "grade.py:judge"}
    # Between two judgements of an answer lie 46 others: two of three come out differently.
    rows = list(World(4).examples(Split.VALIDATE, 23))
    path = config(tmp_path, graders=[grader], worker_count=1, worker_concurrency=1, validate=rows)
    words = ("probe", path, "--rows", "23", "--rewrites", "0")

    found = json.loads(ask(*words, "--json")[1])

    assert len(found["runs"]) == 2
    assert found["noise"]["grader"]["rows"] == 23
    judged = exported(ask, found["runs"][1])
    assert [row["calls"] for row in judged] == [0] * 23
    if flipped:
        assert found["noise"]["grader"]["flipped"] >= flipped
        assert found["noise"]["grader"]["share_of_variance"] > 0.5
    else:
        assert found["noise"]["grader"]["flipped"] == 0
        assert found["noise"]["grader"]["gain_by_chance"] == 0
    assert told in ask(*words)[1]
    assert json.loads(ask(*words, "--json")[1])["runs"] == found["runs"]


def test_a_grader_that_cannot_vary_is_not_asked_twice(tmp_path: Path, ask: Ask) -> None:
    found = json.loads(
        ask("probe", config(tmp_path), "--rows", "12", "--rewrites", "0", "--json")[1]
    )

    assert len(found["runs"]) == 1
    assert found["noise"]["grader"] is None


@pytest.mark.parametrize(
    ("graders", "varies"),
    [
        (["exact"], False),
        ([{"type": "python", "function": "grade.py:judge"}], True),
        ([{"type": "command", "command": ["true"]}], True),
        (["exact", {"type": "python", "function": "grade.py:judge"}], False),
        ([{"type": "not", "grader": {"type": "python", "function": "grade.py:judge"}}], True),
        ([{"type": "all", "graders": ["exact", "length"]}], None),
        ([{"type": "any", "graders": ["exact", {"type": "command", "command": ["true"]}]}], True),
    ],
)
def test_which_graders_may_vary(graders: list[Any], varies: bool | None, tmp_path: Path) -> None:
    (tmp_path / "grade.py").write_text(FLIPPING.format(judge="True"))
    if varies is None:
        graders = [{"type": "all", "graders": ["exact", {"type": "length", "max": 9}]}]
    loaded = load(config(tmp_path, graders=graders), environ={})
    assert may_vary(loaded.graders) is bool(varies)


@given(
    flips=st.lists(st.sampled_from([(0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]), min_size=4, max_size=20),
    size=st.integers(2, 5),
)
def test_rows_of_a_group_that_err_together_make_more_noise(
    flips: list[tuple[float, float]], size: int
) -> None:
    """Each row of a group flips as its first one does."""
    rows = {f"{n}-{k}": {0: a, 1: b} for n, (a, b) in enumerate(flips) for k in range(size)}
    alone = noise_of(rows, 12)
    grouped = noise_of(rows, 12, {row: row.partition("-")[0] for row in rows})

    assert (alone.groups, grouped.groups) == (len(rows), len(flips))
    assert alone.flipped == grouped.flipped
    assert (grouped.alone > alone.alone) is (alone.flipped > 0)
    assert grouped.luckiest == pytest.approx(alone.luckiest * size**0.5)


def test_a_probe_counts_groups_and_keeps_them_whole(tmp_path: Path, ask: Ask) -> None:
    def grouped(split: Split, count: int) -> list[Any]:
        rows = World(4).examples(split, count)
        return [{**row, "doc": f"{split}{n // 4}"} for n, row in enumerate(rows)]

    path = config(
        tmp_path, group="doc", optimize=grouped(Split.OPTIMIZE, 80), validate=None, test=None
    )
    found = json.loads(ask("probe", path, "--rewrites", "3", "--json")[1])
    measured = exported(ask, found["runs"][0])
    raced = exported(ask, found["runs"][1])
    rows = load(path, environ={}).examples[Split.OPTIMIZE]
    unit = {row.id: row.unit for row in rows}

    assert found["baseline"]["groups"] == len({unit[row["example_id"]] for row in measured})
    assert found["baseline"]["groups"] < found["baseline"]["rows"]
    assert found["rows_apart"]
    assert not {unit[row["example_id"]] for row in measured} & {
        unit[row["example_id"]] for row in raced
    }
    assert "groups, asked twice" in ask("probe", path, "--rewrites", "3")[1]


def test_rows_of_one_group_alone_are_refused(tmp_path: Path, ask: Ask) -> None:
    rows = [{**row, "doc": "one"} for row in World(4).examples(Split.VALIDATE, 20)]
    path = config(tmp_path, group="doc", validate=rows, test=None, optimize=None)
    code, _, err = ask("probe", path, *SMALL)
    assert code == 2
    assert "one group" in err or "too few" in err
