"""`tau judge test` and `check` from the outside: what is told, kept, asked once, and refused."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface, program

Ask = Callable[..., tuple[int, str, str]]
JUDGE = """
import hashlib


def grade(example, output):
    right = example["expected"] in output
    wrong = hashlib.sha256(output.encode()).digest()[0] < 25
    return {"score": float(right != wrong or len(output) > 80)}


def fickle(example, output, details):
    global CALLS
    CALLS += 1
    return {"score": float(CALLS % 3 == 0)}


CALLS = 0
"""


@pytest.fixture
def ask(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        store = ["--store", str(tmp_path / "store.sqlite")]
        code = program(tau_group, Surface(program="tau"), [*words, *store])
        return (code, *capfd.readouterr())

    return call


@pytest.fixture
def cfg(tmp_path: Path) -> str:
    (tmp_path / "judge.py").write_text(JUDGE)
    rows = [{"prompt": f"Capital of land {n}?", "expected": f"city{n}x"} for n in range(60)]
    config: dict[str, Any] = {
        "model": "sim/rules",
        "resources": {"system_prompt": "Answer."},
        "optimize": rows,
        "graders": [
            {"type": "length", "name": "short", "max": 2000},
            {"type": "python", "name": "helpful", "function": "judge.py:grade"},
            {"type": "python", "name": "fickle", "function": "judge.py:fickle"},
        ],
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


def outputs() -> Iterator[tuple[dict[str, str], str]]:
    """Rows with an output, half of them right and some of them long, and what people say."""
    for n in range(60):
        digest = hashlib.sha256(str(n).encode()).digest()
        good, long = digest[0] < 85, digest[1] < 85
        text = f"It is city{n}x." if good else f"It is Rome, not {n}."
        text += " I am quite sure about this answer of mine." * 2 if long else ""
        yield {"prompt": f"Capital of land {n}?", "output": text}, "yes" if good else "no"


def written(
    path: Path, rows: list[dict[str, Any]], header: tuple[str, ...] = ("prompt", "output", "label")
) -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, header, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def labels(tmp_path: Path) -> str:
    return written(tmp_path / "labels.csv", [{**row, "label": said} for row, said in outputs()])


def test_agreement_is_told_kept_and_not_asked_twice(
    ask: Ask, cfg: str, labels: str, tmp_path: Path
) -> None:
    code, out, err = ask("judge", "test", cfg, "--labels", labels, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["grader"], found["rows"], found["classes"]) == ("helpful", 60, [0.0, 1.0])
    (right_no, wrong_no), (wrong_yes, right_yes) = found["confusion"]
    assert right_no + wrong_no + wrong_yes + right_yes == 60
    assert found["accuracy"]["value"] == pytest.approx((right_no + right_yes) / 60)
    assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]
    assert wrong_no > 3 * wrong_yes
    longest = found["by_length"][2]
    assert longest["name"] == "longest third"
    assert longest["bias"] > 0.3
    (kept,) = (tmp_path / "judges").iterdir()
    assert kept.name == f"{found['judge']}.jsonl"
    assert json.loads(kept.read_text())["figures"] == found
    assert kept.stat().st_mode & 0o077 == 0

    code, out, err = ask("judge", "test", cfg, "--labels", labels)
    assert code == 0
    assert out.startswith("helpful: it agrees ")
    assert "started" not in err  # no run: nothing was asked
    assert max(map(len, out.splitlines())) <= 80
    assert ask("judge", "test", cfg, "--labels", labels, "--fail-under", "0.99")[0] == 3


def test_several_people_are_heard_and_the_divided_left_out(
    ask: Ask, cfg: str, tmp_path: Path
) -> None:
    rows = []
    for number, (row, said) in enumerate(outputs()):
        other = {"yes": "no", "no": "yes"}[said]
        rows += [{**row, "label": said}, {**row, "label": other if number < 6 else said}]
    path = written(tmp_path / "two.csv", rows)
    code, out, err = ask("judge", "test", cfg, "--labels", path, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["rows"], found["undecided"]) == (54, 6)
    assert 0.6 < found["alpha_of_people"] < 0.95


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[:9], "9 labelled outputs are too few"),
        (lambda rows: [r for r in rows if r["label"] == "yes"], "labels are 1"),
        (lambda rows: [*rows, {**rows[0], "prompt": "Who?"}], "1 line of no row"),
        (lambda rows: [*rows, {**rows[0], "label": "meh"}], "'meh' is no label"),
        (lambda rows: [*rows, {**rows[0], "label": "1.5"}], "'1.5' is no label"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_before_anything_is_asked(
    ask: Ask, cfg: str, tmp_path: Path, change: Callable[[Any], Any], says: str
) -> None:
    rows = change([{**row, "label": said} for row, said in outputs()])
    code, out, err = ask("judge", "test", cfg, "--labels", written(tmp_path / "l.csv", rows))
    assert code == 2
    assert says in err
    assert "fix: " in err
    assert not out
    assert not (tmp_path / "store.sqlite").exists()


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (("prompt", "label"), "--output"),
        (("prompt", "output"), "--label"),
        (("output", "label"), "which row"),
    ],
)
def test_missing_columns_are_named(
    ask: Ask, cfg: str, tmp_path: Path, header: tuple[str, ...], says: str
) -> None:
    rows = [{**row, "label": said} for row, said in outputs()]
    path = written(tmp_path / "l.csv", rows, header)
    code, _, err = ask("judge", "test", cfg, "--labels", path)
    assert code == 2
    assert says in err


def test_a_check_finds_what_verdicts_depend_on(ask: Ask, cfg: str, labels: str) -> None:
    code, out, err = ask(
        "judge", "check", cfg, "--outputs", labels, "--rows", "30", "--gain", "0.5", "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["outputs"] == 30
    assert found["flip_rate"]["value"] == 0.0
    by = {one["alteration"]: one for one in found["altered"]}
    assert set(by) == {"padded", "reworded", "order", "empty", "order-only", "anothers"}
    assert by["order"]["shift"]["value"] > 0.1  # it makes the answer long
    assert by["order"]["weak"]
    assert by["order"]["share_of_gain"] == pytest.approx(
        min(1.0, by["order"]["shift"]["value"] / 0.5)
    )
    assert by["order-only"]["passing"]["value"] == 1.0
    assert by["empty"]["passing"]["value"] == 0.0
    assert not by["empty"]["weak"]
    assert "orders in the answer" in found["verdict"]


def test_a_judge_that_changes_its_mind_is_found_out(ask: Ask, cfg: str, labels: str) -> None:
    code, out, err = ask("judge", "check", cfg, "--outputs", labels, "--grader", "fickle", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["flip_rate"]["value"] > 0.2
    assert "of verdicts change when asked again" in found["verdict"]


def test_without_outputs_the_prompt_is_asked(ask: Ask, cfg: str) -> None:
    code, out, err = ask("judge", "check", cfg, "--rows", "12")
    assert code == 0, err
    assert "another row" not in out  # all its answers are the same
    assert "12, each judged 7 times" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_grader_that_is_not_there(ask: Ask, cfg: str, labels: str) -> None:
    code, _, err = ask("judge", "test", cfg, "--labels", labels, "--grader", "nobody")
    assert code == 2
    assert "'short', 'helpful', 'fickle'" in err


def judged_by_model(folder: Path, rows: int, judge: str, **fields: object) -> tuple[str, str]:
    """A configuration with a judge and labels of long and short outputs, right and wrong."""
    examples = [{"prompt": f"Capital of {n}?", "expected": f"It is city{n}x."} for n in range(rows)]
    config: dict[str, Any] = {
        "model": "sim/rules",
        "judge": {"model": judge},
        "resources": {"system_prompt": "Answer."},
        "optimize": examples,
        "graders": [{"type": "judge", "rubric": "Names the right city.", "reference": "expected"}],
        **fields,
    }
    path = folder / "judged.json"
    path.write_text(json.dumps(config))
    labelled = []
    for number, row in enumerate(examples):
        digest = hashlib.sha256(str(number).encode()).digest()
        good, long = digest[0] < 100, digest[1] < 170
        text = row["expected"] if good else "It is Rome."
        text += " I am quite sure about this." * 3 if long else ""
        labelled.append({**row, "output": text, "label": "yes" if good else "no"})
    return str(path), written(folder / "judged.csv", labelled)


def test_a_rubric_is_improved_on_labels_it_never_saw(ask: Ask, tmp_path: Path) -> None:
    search = {"type": "reflect", "reflection_model": "sim/judge"}
    judge = "sim/judge?length_bias=0.9&random_error=0.02"
    cfg, labels = judged_by_model(tmp_path, 140, judge, algorithm=search, budget={"rollouts": 320})
    out_file = tmp_path / "rubric.txt"
    code, out, err = ask("judge", "improve", cfg, "--labels", labels, "--out", str(out_file),
                         "--json")  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert found["proved"]
    assert found["gain"]["low"] > 0
    assert out_file.read_text() == found["rubric"]
    assert found["rubric"].startswith("Names the right city.")
    assert "Ignore length" in found["rubric"]


def test_a_judge_without_a_rubric_cannot_be_improved(ask: Ask, cfg: str, labels: str) -> None:
    code, _, err = ask("judge", "improve", cfg, "--labels", labels)
    assert code == 2
    assert "asks no model by a rubric" in err


def test_what_is_known_of_a_judge_is_cited_by_the_runs_it_judged(ask: Ask, tmp_path: Path) -> None:
    cfg, labels = judged_by_model(tmp_path, 40, "sim/judge?length_bias=0.5")
    code, out, err = ask("eval", cfg, "--json")
    assert code == 0, err
    (said,) = json.loads(out)["judges"]
    assert "is not calibrated" in said
    assert "is not calibrated" in ask("export")[1]
    code, out, err = ask("judge", "test", cfg, "--labels", labels, "--json")
    assert code == 0, err
    judge = json.loads(out)["judge"]
    assert json.loads(out)["model"] == "sim/judge?length_bias=0.5"
    assert judge[:8] in said
    assert ask("judge", "check", cfg, "--outputs", labels)[0] == 0
    text = " ".join(ask("export")[1].split())
    assert "agrees with people with kappa" in text
    page = ask("export", "--to", "html")[1]
    assert "<h2>Judges</h2>" in page
    for drawn in ("Agreement with people", "by length", "Change of the score", "judge 1"):
        assert drawn in page
