"""Looking for a better prompt, as a person does it at a terminal."""

import csv
import io
import json
import shutil
import sqlite3
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from acceptance import programs

START = "You are an order clerk. Write the booking line for the order you are given."


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished demo; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("optimizing") / "demo"
    ended = programs.run("tau", "demo", folder, "--json", cwd=folder.parent)
    assert ended.code == 0, ended.err
    (folder / "result.json").write_text(ended.out)
    assert "simulated" in ended.err
    return folder


@pytest.fixture
def result(demo: Path) -> Any:  # noqa: ANN401
    return json.loads((demo / "result.json").read_text())


def ask(demo: Path, *arguments: str) -> programs.Ended:
    """A command on the demo's store."""
    return programs.inside(*arguments, "--store", "store.sqlite", cwd=demo)


def test_the_demo_finds_a_better_prompt_and_proves_it(result: Any) -> None:  # noqa: ANN401
    gain = result["gain"]
    assert result["decision"] == "promote"
    assert gain["low"] > 0
    assert gain["n"] >= 40
    assert len(gain["fixed"]) > len(gain["broken"])
    assert result["best_resources_version"] == "resources-2"
    assert result["calls"] <= result["plan"]["calls"] == 600
    assert result["model_ref"].startswith("sim/")
    assert [piece for piece in result["diff"]["system_prompt"] if piece[0] == "added"]
    splits = [split["split"] for split in result["splits"]]
    assert splits == sorted(set(splits), key=splits.index), "the baseline's alone, once each"


def test_the_demo_leaves_what_was_changed_alone(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(demo, folder)
    config = folder / "prompt-optimization.json"
    config.write_text(config.read_text().replace('"seed": 1', '"seed": 2'))
    ended = programs.inside("demo", folder, cwd=tmp_path)

    assert ended.code == 1
    assert "is there already" in ended.err
    assert '"seed": 2' in config.read_text()


def test_a_finished_search_reports_for_people(demo: Path) -> None:
    ended = ask(demo, "export", "--to", "text")

    assert ended.code == 0
    assert "PROMOTE   the new prompt is better: " in ended.out
    assert "paired examples" in ended.out
    assert "{+" in ended.out
    assert "\x1b" not in ended.out


def test_a_plan_says_what_the_budget_buys_and_does_nothing(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    folder.mkdir()
    for file in [*demo.glob("*.jsonl"), demo / "prompt-optimization.json"]:
        shutil.copy(file, folder)
    before = sorted(path.name for path in folder.rglob("*"))
    ended = programs.inside("plan", "prompt-optimization.json", "--json", cwd=folder)
    small = programs.inside(
        "plan", "prompt-optimization.json", "--budget-rollouts", "200", "--json", cwd=folder
    )
    words = programs.inside("plan", "prompt-optimization.json", cwd=folder)

    planned = ended.json()
    assert planned["rollouts"] <= planned["budget"]["rollouts"] == 600
    assert planned["evaluations"] + planned["proposals"] == planned["rollouts"]
    assert planned["certification_rows"] > small.json()["certification_rows"] > 0
    assert planned["detectable_gain"] < small.json()["detectable_gain"]
    assert planned["cost_usd_at_most"] == 0
    assert "four times out of five" in " ".join(words.out.split())
    assert "tau optimize" in words.err
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_plan_counts_the_tokens_of_demonstrations(demo: Path, tmp_path: Path) -> None:
    config = json.loads((demo / "prompt-optimization.json").read_text())
    for name in ("optimize", "validate", "test"):
        config[name] = {"file": str(demo / f"{name}.jsonl")}
    # So that the room for long answers does not hide what is missing.
    config |= {"params": {"max_tokens": 40}, "algorithm": {"type": "few_shot", "shots": 16}}
    (tmp_path / "shots.json").write_text(json.dumps(config))
    planned = programs.inside("plan", "shots.json", "--json", cwd=tmp_path).json()
    ended = programs.run("tau", "optimize", "shots.json", "--json", cwd=tmp_path)

    assert ended.code == 0, ended.err
    assert planned["tokens_at_most"] >= ended.json()["tokens"] > 0


def test_a_plan_warns_of_rows_in_two_splits_and_of_budgets_too_small(
    demo: Path, tmp_path: Path
) -> None:
    config = json.loads((demo / "prompt-optimization.json").read_text())
    for name in ("optimize", "validate", "test"):
        config[name] = {"file": str(demo / "validate.jsonl")}
    (tmp_path / "leaky.json").write_text(json.dumps(config))
    leaky = programs.inside("plan", "leaky.json", cwd=tmp_path)
    tiny = programs.inside("plan", "leaky.json", "--budget-rollouts", "5", cwd=tmp_path)

    assert "60 rows of 'validate' stand in 'optimize' too" in " ".join(leaky.out.split())
    assert tiny.code == 2
    assert "too small" in tiny.err


def test_candidates_can_be_listed_shown_and_compared(demo: Path, result: Any) -> None:  # noqa: ANN401
    listed = ask(demo, "candidates", "ls", "--json").json()
    best = result["best_resources_hash"]
    assert listed[0]["standing"] == "baseline"
    assert [one["resources_hash"] for one in listed if one["standing"] == "best"] == [best]
    assert len(listed) == result["candidates"] + 1
    lines = ask(demo, "candidates", "ls", "--limit", "3").out.splitlines()
    assert len([one for one in lines if "used with a note" not in one]) == 4

    shown = ask(demo, "candidates", "show", best[:12], "--json").json()
    assert shown["values"]["system_prompt"] != START
    assert shown["scores"]["test"]["n"] == result["gain"]["n"]
    assert "  | " in ask(demo, "candidates", "show", best[:12]).out

    whole = ask(demo, "candidates", "diff", "--json").json()
    assert whole["to"] == best
    assert whole["diff"] == result["diff"]
    named = ask(demo, "candidates", "diff", "resources-1", "resources-2", "--json").json()
    assert named == whole
    assert ask(demo, "candidates", "diff", result["run_id"], "--json").json() == whole
    assert "nothing changed" in ask(demo, "candidates", "diff", best, best).out


def test_two_prompts_are_compared_on_what_is_stored(demo: Path, result: Any) -> None:  # noqa: ANN401
    found = ask(demo, "compare", "resources-1", "latest", "--json").json()
    back = ask(demo, "compare", "latest", "resources-1", "--json").json()

    assert found["verdict"] == "the second is better"
    assert back["verdict"] == "the first is better"
    assert found["shared_examples"] >= result["gain"]["n"]
    assert found["difference"]["fixed"] == back["difference"]["broken"]
    assert found["difference"]["difference"] == pytest.approx(-back["difference"]["difference"])
    assert "flatters" in ask(demo, "compare", "resources-1", "latest").out
    same = ask(demo, "compare", "latest", "resources-2")
    assert same.code == 2
    assert "the same resources" in same.err
    nothing = ask(demo, "compare", "latest", "0" * 12)
    assert nothing.code == 1


def test_too_little_in_common_is_said(demo: Path, tmp_path: Path) -> None:
    config = json.loads((demo / "prompt-optimization.json").read_text())
    rows = [json.loads(line) for line in (demo / "test.jsonl").read_text().splitlines()]
    config["algorithm"] = "evaluate"
    for prompt, some in (("One.", rows[:3]), ("Two.", rows[1:4]), ("Three.", rows[4:6])):
        config |= {"resources": {"system_prompt": prompt}, "validate": some, "optimize": []}
        (tmp_path / "config.json").write_text(json.dumps({**config, "test": []}))
        ended = programs.run("tau", "run", "config.json", "--store", "store.sqlite", cwd=tmp_path)
        assert ended.code == 0, ended.err
    some = ask(tmp_path, "compare", "resources-1", "resources-2", "--json").json()
    none = ask(tmp_path, "compare", "resources-1", "resources-3", "--json").json()

    assert (some["verdict"], some["shared_examples"]) == ("cannot tell", 2)
    assert (none["verdict"], none["difference"]) == ("cannot tell", None)
    assert any("too few" in note for note in some["notes"])
    assert any("no example" in note for note in none["notes"])


def test_scores_of_other_graders_are_not_compared(demo: Path, tmp_path: Path) -> None:
    config = json.loads((demo / "prompt-optimization.json").read_text())
    del config["optimize"], config["test"]
    for prompt, grader in (("One.", "sim"), ("Two.", {"type": "length", "max": 1})):
        config |= {"resources": {"system_prompt": prompt}, "graders": [grader]}
        config["validate"] = {"file": str(demo / "validate.jsonl"), "limit": 20}
        (tmp_path / "config.json").write_text(json.dumps({**config, "algorithm": "evaluate"}))
        ended = programs.run("tau", "run", "config.json", "--store", "store.sqlite", cwd=tmp_path)
        assert ended.code == 0, ended.err
    found = ask(tmp_path, "compare", "resources-1", "resources-2", "--json").json()

    assert found["shared_examples"] == 0
    assert any("20 scores of runs with another model" in note for note in found["notes"])


def test_an_alias_points_at_the_proved_prompt_and_keeps_its_history(
    demo: Path, tmp_path: Path, result: Any  # noqa: ANN401
) -> None:  # fmt: skip
    folder = tmp_path / "own"
    shutil.copytree(demo, folder)
    run = result["run_id"]
    policy = folder / "rbac.json"
    policy.write_text('{"schema_version": 1, "team_mode": true}', encoding="utf-8")
    denied = ask(folder, "promote", "resources-1", "--alias", "prod", "--rbac-policy", str(policy))
    assert denied.code == 5
    assert "deny_unbound_principal" in denied.err
    assert ask(folder, "aliases", "ls", "--json").json() == []
    assert ask(folder, "promote", "resources-1", "--alias", "prod").code == 0
    made = ask(folder, "promote", run, "--alias", "prod", "--reason", "proved", "--json").json()
    assert (made["version"], made["reason"]) == ("resources-2", "proved")
    assert made["evidence"]["decision"] == "promote"
    assert made["evidence"]["gain"]["low"] > 0
    assert made["principal"].startswith("local:")

    best = ask(folder, "candidates", "show", "@prod", "--json").json()["values"]["system_prompt"]
    for version in ("prod", "latest", "resources-2"):
        got = programs.run(
            "tau", "prompt", "get", f"system_prompt@{version}", "--store", "store.sqlite",
            cwd=folder,
        )  # fmt: skip
        assert got.out == best, "exactly the text, nothing around it"
    history = ask(folder, "aliases", "ls", "prod", "--json").json()
    assert [one["version"] for one in history] == ["resources-2", "resources-1"]
    assert [one["alias"] for one in ask(folder, "aliases", "ls", "--json").json()] == ["prod"]
    verified = programs.inside("db", "verify", "--store", "store.sqlite", cwd=folder)
    assert verified.code == 0, verified.out
    for wrong in ("system_prompt@nobody", "nothing@prod", "@prod"):
        ended = ask(folder, "prompt", "get", wrong)
        assert ended.code in (1, 2)
        assert ended.out == ""


def test_a_run_is_exported_for_people_and_programs(demo: Path, result: Any) -> None:  # noqa: ANN401
    whole = ask(demo, "export", "--to", "json").json()
    assert whole["decision"] == result["decision"]
    assert whole["gain"] == result["gain"]
    proposals = len(ask(demo, "rollouts", "ls", "--kind", "propose", "--json").json())
    lines = [json.loads(line) for line in ask(demo, "export", "--to", "jsonl").out.splitlines()]
    assert len(lines) + proposals == result["total_rollouts"]
    table = list(csv.DictReader(io.StringIO(ask(demo, "export", "--to", "csv").out)))
    assert [row["rollout_id"] for row in table] == [line["rollout_id"] for line in lines]
    assert "output" not in table[0]
    assert "output" in ask(demo, "export", "--to", "jsonl", "--content").out
    suites = ET.fromstring(ask(demo, "export", "--to", "junit").out)
    tests = {suite.get("name"): int(suite.get("tests", 0)) for suite in suites}
    assert tests[f"{result['run_id']} test"] == result["gain"]["n"]
    written = ask(demo, "export", "--to", "html", "--output", "report.html")
    assert (written.out, "wrote report.html" in written.err) == ("", True)
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 3
    assert "<script" not in page


def test_a_replay_derives_every_number_again(demo: Path) -> None:
    found = ask(demo, "replay", "--json")

    assert found.code == 0
    assert found.json()["same"]
    assert found.json()["evaluations_graded"] > 400
    assert found.json()["waves_told"] > 5
    assert found.json()["not_checked"] == []


def test_rows_that_certified_before_certify_at_a_stricter_level(
    demo: Path,
    result: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(demo, folder)
    config = "prompt-optimization.json"
    fresh = programs.inside("plan", config, "--store", "other.sqlite", "--json", cwd=folder).json()
    plan = ask(folder, "plan", config, "--json").json()
    assert not [one for one in fresh["warnings"] if "before" in one]
    [warning] = [one for one in plan["warnings"] if "carried a claim once before" in one]
    assert plan["detectable_gain"] > fresh["detectable_gain"]
    assert not (folder / "other.sqlite").exists()

    again = programs.run(
        "tau", "optimize", config, "--store", "store.sqlite",
        "--budget-rollouts", "200", "--json", cwd=folder,
    ).json()  # fmt: skip
    assert again["run_id"] != result["run_id"]
    assert warning in again["caveats"]
    assert 1 - again["gain"]["level"] == pytest.approx((1 - result["gain"]["level"]) / 2)
    for run in (result["run_id"], again["run_id"]):
        found = ask(folder, "replay", run, "--config", config, "--json").json()
        assert found["same"], "each as it was then"
        assert found["waves_told"] > 5


def test_a_replay_without_the_rows_says_what_it_could_not_check(demo: Path, tmp_path: Path) -> None:
    shutil.copy(demo / "store.sqlite", tmp_path)
    found = ask(tmp_path, "replay", "--json")

    assert found.code == 0
    assert found.json()["waves_told"] is None
    assert any("--config" in note for note in found.json()["not_checked"])


def test_a_replay_finds_scores_that_come_out_otherwise(tmp_path: Path) -> None:
    grader = tmp_path / "grade.py"
    grader.write_text("def grade(example, output):\n    return len(example['prompt']) % 2 == 0\n")
    programs.config(
        tmp_path, optimize=["a", "bb"], validate=["cc"], model="sim/rules",
        graders=[{"type": "python", "name": "even", "function": "grade.py:grade"}],
    )  # fmt: skip
    ran = programs.run("tau", "run", "config.json", "--store", "store.sqlite", cwd=tmp_path)
    assert ran.code == 0, ran.err
    same = programs.run("tau", "replay", "--store", "store.sqlite", "--json", cwd=tmp_path)
    grader.write_text(grader.read_text().replace("== 0", "== 1"))
    changed = programs.run("tau", "replay", "--store", "store.sqlite", "--json", cwd=tmp_path)

    assert (same.code, same.json()["differences"]) == (0, [])
    assert (changed.code, changed.json()["same"]) == (1, False)
    scores = [one for one in changed.json()["differences"] if one["what"].endswith(" score")]
    assert [(one["stored"], one["again"]) for one in scores] == [(0, 1), (1, 0), (1, 0)]


def test_a_changed_verdict_is_found_by_its_digest(demo: Path, tmp_path: Path) -> None:
    shutil.copy(demo / "store.sqlite", tmp_path)
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        changed = database.execute("UPDATE verdict SET decision = 'keep_baseline'").rowcount
    damaged = ask(tmp_path, "export")

    assert (changed, damaged.code) == (1, 1)
    assert "damaged" in damaged.err
    assert programs.inside("db", "verify", "--store", "store.sqlite", cwd=tmp_path).code == 1


def test_optimize_uses_reflect_where_nothing_is_named_and_gates(demo: Path, tmp_path: Path) -> None:
    config = json.loads((demo / "prompt-optimization.json").read_text())
    del config["algorithm"]
    for name in ("optimize", "validate", "test"):
        config[name] = {"file": str(demo / f"{name}.jsonl"), "limit": 30}
    # Nothing is to be learnt from a score alone at this size: no promotion can be proved.
    config["graders"] = [{"type": "length", "max": 1_000_000}]
    config["budget"] = {"rollouts": 600}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ended = programs.run(
        "tau", "optimize", "config.json", "--store", "s.sqlite", "--budget-rollouts", "120",
        "--require-improvement", "--json", cwd=tmp_path,
    )  # fmt: skip

    assert ended.code == 3, ended.err
    assert "gate not met" in ended.err
    found = ended.json()
    assert found["decision"] == "keep_baseline"
    assert found["total_rollouts"] <= found["plan"]["rollouts"] <= 120
    refused = programs.inside(
        "promote", found["run_id"], "--alias", "prod", "--store", "s.sqlite", cwd=tmp_path
    )
    assert refused.code == 2
    assert "has not proved" in refused.err
    forced = programs.inside(
        "promote", found["run_id"], "--alias", "prod", "--force", "--json", "--store", "s.sqlite",
        cwd=tmp_path,
    )  # fmt: skip
    assert forced.json()["evidence"]["forced"] is True


def test_one_of_several_prompts_made_of_chat_messages_is_optimized(
    demo: Path, tmp_path: Path
) -> None:
    rows = {split: {"file": str(demo / f"{split}.jsonl")} for split in ("optimize", "validate")}
    messages = [{"role": "system", "content": START}, {"role": "user", "content": "{prompt}"}]
    config = {
        "model": "sim/rules",
        "resources": {"system_prompt": messages, "style": "Be kind."},
        **rows,
        "graders": [{"type": "sim", "feedback": "rule"}],
        "algorithm": {"type": "reflect", "targets": ["system_prompt"]},
        "budget": {"rollouts": 250},
        "seed": 3,
    }
    (tmp_path / "chat.json").write_text(json.dumps(config))
    ended = programs.run("tau", "optimize", "chat.json", "--json", cwd=tmp_path)
    assert ended.json()["decision"] == "promote", ended.err

    got = programs.run("tau", "prompt", "get", "system_prompt@latest", cwd=tmp_path).json()
    assert [one["role"] for one in got] == ["system", "user"]
    assert got[0]["content"].startswith("You are an order clerk.")
    assert got[0]["content"] != START
    assert got[1]["content"] == "{prompt}"
    kept = programs.run("tau", "prompt", "get", "style@latest", "--json", cwd=tmp_path).json()
    assert (kept["value"], kept["version"]) == ("Be kind.", "resources-2")
