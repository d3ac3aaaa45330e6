"""Whole runs over HTTP on GSM8K with the recorded solutions of four real systems."""

import gzip
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from acceptance import programs

SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


@pytest.mark.acceptance
@pytest.mark.timeout(300)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_verdict_is_the_recorded_one(
    acceptance_data: Path, tmp_path: Path, system: str
) -> None:
    recorded = solutions(acceptance_data)
    rows = tmp_path / "gsm8k.jsonl"
    with rows.open("w", encoding="utf-8") as file:
        for one in recorded:
            answer = one["ground_truth"].rpartition("A:")[2].strip()
            file.write(json.dumps({"question": one["question"], "answer": answer}) + "\n")
    path = programs.config(
        tmp_path,
        optimize=[],
        validate={
            "file": "gsm8k.jsonl",
            "map": {"prompt": "question", "expected": "answer"},
        },
        graders=[{"type": "number", "after": "A:"}],
        worker_count=4,
        worker_concurrency=16,
        completion_timeout_secs=240,
    )
    answers = {one["question"]: one[system]["solution"] for one in recorded}
    command = ("run", path, "--model", "openai/recorded", "--store", "s.sqlite", "--json")
    with programs.provider(tmp_path, answers) as provider:
        ended = programs.run("tau", *command, cwd=tmp_path, env=provider.env)
        assert ended.code == 0, ended.err
        assert provider.counts()["calls"] == len(recorded) == 1319
    verdicts = scores(tmp_path / "s.sqlite")
    wrong = [
        one["question"]
        for one in recorded
        if verdicts.get(one["question"]) != (1.0 if one[system]["is_correct"] else 0.0)
    ]
    assert wrong == []
    [split] = ended.json()["splits"]
    assert split["scored"] == 1319


def solutions(data: Path) -> list[dict[str, Any]]:
    path = data / "tasks" / "gsm8k_recorded_solutions_4models.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def scores(store: Path) -> dict[str, Any]:
    connection = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(
        "SELECT e.content, r.score FROM rollout r JOIN example e ON e.key = r.example"
    ).fetchall()
    connection.close()
    return {json.loads(str(content))["prompt"]: score for content, score in rows}
