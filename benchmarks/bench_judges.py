"""Whether a biased judge's gain is promoted, without people's labels and with 60 of them.

An application is optimized twice over, judged by `sim/judge` with a bias for length: once a
candidate only writes at length (its gain is spurious), once it is better (its gain is true). Then
people score both answers of 60 rows and the claim is certified with them. How right the answers
are is decided by hashes, and known.

    .venv/bin/python benchmarks/bench_judges.py --seeds 30
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tau.cli.certifying import run_labels
from tau.domain.draws import uniform
from tau.ports.clock import SystemClock
from tau.scores.labels import Label, keep
from tau.scores.sheet import digest_of

TAU = Path(sys.executable).parent / "tau"
ROWS = 120
LABELS = 60
HUMAN_ERROR = 0.05
JUDGE = "sim/judge?length_bias=0.6&random_error=0.05&seed={seed}"
SHORT, LONG, CAREFUL = "Answer.", "Answer at length.", "Answer with care."
RIGHT = {SHORT: 0.55, LONG: 0.55, CAREFUL: 0.80}
APPLICATION = """
import hashlib, json, pathlib

HERE = json.loads((pathlib.Path(__file__).parent / "shares.json").read_text())


def run(example, resources):
    prompt = resources["system_prompt"]
    text = f"{HERE['seed']}:{prompt}:{example['prompt']}".encode()
    drawn = int.from_bytes(hashlib.sha256(text).digest()[:4], "big") / 2**32
    answer = example["expected"] if drawn < HERE["right"][prompt] else "It is Rome."
    padding = " I am quite sure about this answer, as I have said." * 3
    return answer + (padding if "length" in prompt else "")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one optimization came to: as judged, and with people's labels."""

    judged: str
    certified: bool
    difference: float
    low: float


def tau(*words: str) -> tuple[int, str]:
    """A command: its exit code and what it printed."""
    done = subprocess.run([str(TAU), *words], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"tau {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
    return done.returncode, done.stdout


def trial(folder: Path, candidate: str, seed: int) -> Trial:
    """Optimize, label, certify."""
    config = _written(folder, candidate, seed)
    store = ("--store", str(folder / "store.sqlite"))
    report = json.loads(tau("optimize", str(config), *store, "--json")[1])
    run = report["run_id"]
    _label(folder, run, store, seed)
    if report["decision"] != "promote":
        return Trial(judged=report["decision"], certified=False, difference=0.0, low=0.0)
    code, out = tau("certify", "--run", run, *store, "--judged", "--json")
    found = json.loads(out)
    return Trial(
        judged=report["decision"],
        certified=code == 0,
        difference=found["difference"],
        low=found["low"] if found["low"] is not None else 0.0,
    )


def _written(folder: Path, candidate: str, seed: int) -> Path:
    (folder / "app.py").write_text(APPLICATION)
    (folder / "shares.json").write_text(json.dumps({"seed": seed, "right": RIGHT}))

    def rows(first: int, count: int) -> list[dict[str, str]]:
        numbers = range(first, first + count)
        return [{"prompt": f"Capital of {n}?", "expected": f"It is city{n}x."} for n in numbers]

    config: dict[str, Any] = {
        "model": "sim/rules",
        "judge": {"model": JUDGE.format(seed=seed)},
        "resources": {"system_prompt": SHORT},
        "executor": {"type": "python", "function": "app.py:run"},
        "graders": [{"type": "judge", "rubric": "Names the city.", "reference": "expected"}],
        "optimize": rows(0, 40),
        "test": rows(1000, ROWS),
        "algorithm": {"type": "select", "prompts": [candidate], "certification": 2 * ROWS},
        "budget": {"rollouts": 2 * ROWS + 80},
        "worker_concurrency": 8,
        "seed": seed,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def _label(folder: Path, run: str, store: tuple[str, str], seed: int) -> None:
    """People's scores of both answers of the first rows in the order of `tau label`."""
    out = tau("export", run, "--to", "jsonl", "--content", *store)[1]
    rows = [json.loads(line) for line in out.splitlines()]
    rows = [row for row in rows if row["split"] == "test" and row["output"] is not None]
    order = sorted({row["example_id"] for row in rows}, key=lambda r: (uniform(0, "label", r), r))
    chosen, clock = set(order[:LABELS]), SystemClock()
    for row in rows:
        if row["example_id"] not in chosen:
            continue
        right = row["example"]["expected"] in row["output"]
        key = row["example_id"], row["resources_hash"]
        score = float(right != (uniform(seed, "person", *key) < HUMAN_ERROR))
        keep(
            run_labels(str(folder / "store.sqlite"), run),
            Label(
                row=key[0], of=key[1], score=score, answer=digest_of(row["output"]),
                principal="bench", labelled_unix_ms=clock.unix_ms(),
            ),
        )  # fmt: skip


def main() -> None:
    """Print a line for each kind of gain."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=30)
    seeds = parser.parse_args().seeds
    for name, candidate in (("spurious", LONG), ("true", CAREFUL)):
        found = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                found.append(trial(Path(folder), candidate, seed))
        judged = sum(one.judged == "promote" for one in found)
        kept = sum(one.certified for one in found)
        gains = [one.difference for one in found if one.judged == "promote"]
        mean = sum(gains) / len(gains) if gains else 0.0
        sys.stdout.write(
            f"{name:<9} of {seeds}: promoted as judged {judged}, with {LABELS} labels {kept}; "
            f"mean difference once corrected {mean:+.3f}\n"
        )


if __name__ == "__main__":
    main()
