"""What a run that scored nothing, or compared nothing, says of itself: exit codes and files."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface, program

ANSWERED = [{"id": f"row {n}", "prompt": f"what is {n}?", "expected": "x"} for n in range(40)]
BARE = [{"prompt": row["prompt"], "answer": "x"} for row in ANSWERED]


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


Tau = Callable[..., Done]


@pytest.fixture
def tau(capfd: pytest.CaptureFixture[str]) -> Tau:
    def call(*words: str) -> Done:
        capfd.readouterr()
        code = program(tau_group, Surface(program="tau"), list(words))
        return Done(code, *capfd.readouterr())

    return call


def config(folder: Path, **fields: object) -> str:
    value = {"model": "sim/rules", "resources": {"system_prompt": "Answer."}, "validate": ANSWERED}
    path = folder / "config.json"
    path.write_text(json.dumps({**value, **fields}), encoding="utf-8")
    return str(path)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store.sqlite")


@pytest.mark.parametrize("command", ["run", "eval", "optimize"])
def test_nothing_scored_is_a_failure_without_a_verdict(
    command: str, tau: Tau, tmp_path: Path, store: str
) -> None:
    cfg = config(tmp_path, optimize=BARE, validate=BARE)
    done = tau(command, cfg, "--store", store)

    assert done.code == 1
    assert "nothing could be scored: " in done.output
    assert "no field 'expected'" in done.output
    assert "keep the baseline" not in done.output
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["run_state"], status["stop_reason"]) == ("failed", "nothing_scored")
    exported = json.loads(tau("export", "--to", "json", "--store", store).output)
    assert exported["decision"] is None
    assert sum(exported["unscored_reasons"].values()) > 0
    assert "unscored: the row has no reference" in tau("rollouts", "ls", "--store", store).output


def test_a_run_that_scored_nothing_does_not_go_on(tau: Tau, tmp_path: Path, store: str) -> None:
    cfg = config(tmp_path, validate=BARE)
    first, second = (
        json.loads(tau("run", cfg, "--store", store, "--json").stdout) for _ in range(2)
    )

    assert first["run_id"] != second["run_id"]
    assert second["calls"] == len(BARE)


def test_a_limit_before_any_comparison_stops_and_a_larger_one_goes_on(
    tau: Tau, tmp_path: Path, store: str
) -> None:
    cfg = config(tmp_path, optimize=[{**row, "prompt": f"so, {row['prompt']}"} for row in ANSWERED])
    short = tau("optimize", cfg, "--store", store, "--budget-tokens", "4000", "--json")

    assert short.code == 4
    stopped = json.loads(short.stdout)
    assert stopped["decision"] is None
    assert (stopped["run_state"], stopped["stop_reason"]) == ("failed", "budget")
    longer = tau("optimize", cfg, "--store", store, "--budget-tokens", "900000", "--json")
    assert longer.code == 0
    assert json.loads(longer.stdout)["run_id"] == stopped["run_id"]
    assert json.loads(longer.stdout)["decision"] == "keep_baseline"


def test_a_grader_that_can_grade_no_row_is_refused(tau: Tau, tmp_path: Path, store: str) -> None:
    cfg = config(tmp_path, validate=BARE, graders=["exact_match"])
    refused = tau("run", cfg, "--store", store)

    assert refused.code == 2
    assert "can grade no row" in refused.stderr
    assert not Path(store).exists()


def test_some_rows_without_a_reference_are_a_warning(tau: Tau, tmp_path: Path) -> None:
    cfg = config(tmp_path, validate=[*BARE[:3], *ANSWERED], graders=["exact_match"])
    checked = tau("check", cfg)

    assert checked.code == 0
    assert "cannot grade 3 of 43 rows" in checked.output
    assert '"map": {"expected": "answer"}' in checked.output


def test_any_configuration_can_be_measured_as_it_is(tau: Tau, tmp_path: Path, store: str) -> None:
    cfg = config(tmp_path, optimize=ANSWERED, algorithm={"type": "reflect"})
    for words in (("eval", cfg), ("run", cfg, "--algorithm", "evaluate")):
        done = json.loads(tau(*words, "--store", store, "--json").stdout)
        assert done["decision"] is None
        assert done["total_rollouts"] == 2 * len(ANSWERED)


def test_junit_cases_have_names_and_thresholds(tau: Tau, tmp_path: Path, store: str) -> None:
    tau("run", config(tmp_path), "--store", store)
    text = tau(
        "export", "--to", "junit", "--store", store, "--pass-at", "0", "--threshold", "0.5"
    ).output

    assert 'name="row 7"' in text
    assert 'failures="1"' in text
    assert "mean score at least 0.5" in text


def test_intervals_of_replicates_are_the_same(tau: Tau, tmp_path: Path, store: str) -> None:
    cfg = config(tmp_path, replicates=3)
    done = json.loads(tau("run", cfg, "--store", store, "--json").stdout)
    exported = json.loads(tau("export", "--to", "json", "--store", store).output)
    split, whole = done["splits"][0], exported["comparison"][0]["baseline"]

    assert (split["mean"], split["low"], split["high"]) == (
        whole["mean"], whole["low"], whole["high"]
    )  # fmt: skip


def test_cut_answers_are_counted_and_can_be_taken_as_failed(
    tau: Tau, tmp_path: Path, store: str
) -> None:
    cut = {"max_tokens": 1}
    done = json.loads(tau("run", config(tmp_path, params=cut), "--store", store, "--json").stdout)
    assert done["answers"]["answer_cut"] == done["succeeded"] == len(ANSWERED)
    text = tau("export", "--store", store).output
    assert "40 answers were cut at the token limit: raise max_tokens" in text

    strict = config(tmp_path, params=cut, executor={"type": "chat", "incomplete": "fail"})
    failed = tau("run", strict, "--store", store, "--json")
    assert failed.code == 1
    assert json.loads(failed.stdout)["failures"] == {"answer": len(ANSWERED)}
