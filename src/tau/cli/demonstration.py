"""A whole optimization with the embedded model, for the first minute."""

import shlex
import sys
import tempfile
from pathlib import Path

import orjson

from tau.cli.running import RunArguments, run
from tau.cli.surface import Surface
from tau.cli.text import line
from tau.domain.dataset import Split
from tau.domain.draws import uniform
from tau.domain.json import Json
from tau.errors import FileError
from tau.files.atomic import atomic_write
from tau.files.safety import make_folder
from tau.sim.world import START_PROMPT, World

CONFIG = "prompt-optimization.json"
LABELS = "labels.jsonl"
WORLD = 4
ROWS = {Split.OPTIMIZE: 60, Split.VALIDATE: 60, Split.TEST: 80}
BUDGET = 600


def demonstrate(
    surface: Surface, *, folder: str | None, judge: bool = False, as_json: bool, verbose: bool
) -> int:
    """Write the example and optimize it; the exit code is that of the run.

    Raises:
        FileError: `folder` holds another configuration, or cannot be written.
    """
    place = Path(folder) if folder is not None else Path(tempfile.mkdtemp(prefix="tau-demo-"))
    config = _write(place, judged_configuration() if judge else configuration())
    sys.stderr.write(
        "The model 'sim/rules' is simulated: this shows how Tau works, not how good\n"
        f"a real model's prompts are. Everything is kept in:\n  {line(str(place))}\n\n"
    )
    arguments = RunArguments(
        config=str(config), store=str(place / "store.sqlite"), json=as_json, algorithm="reflect",
        verbose=verbose,
    )  # fmt: skip
    code = run(arguments, surface)
    if judge and not as_json:
        _next_for_judge(place)
    return code


def _next_for_judge(place: Path) -> None:
    """What shows how far the verdicts can be trusted."""
    config, store = place / CONFIG, place / "store.sqlite"
    words = [str(config), "--store", str(store)]
    sys.stdout.write(
        "\nThe scores are verdicts of a simulated judge that errs. How far to trust it:\n"
        f"  {line(shlex.join(['tau', 'judge', 'test', *words, '--labels', str(place / LABELS)]))}\n"
        f"  {line(shlex.join(['tau', 'judge', 'check', *words]))}\n"
    )


def configuration() -> dict[str, Json]:
    """The demo: orders to be written as booking lines, by rules that the prompt does not say."""
    splits = {split.value: {"file": f"{split}.jsonl"} for split in ROWS}
    return {
        "model": {"name": "sim/rules"},
        "resources": {"system_prompt": START_PROMPT},
        **splits,
        "graders": [{"type": "sim", "name": "right", "feedback": "rule"}],
        "algorithm": {"type": "reflect"},
        "budget": {"rollouts": BUDGET},
        "worker_count": 2,
        "worker_concurrency": 8,
        "seed": 1,
    }


def judged_configuration() -> dict[str, Json]:
    """The same with a judge that prefers long answers and errs at random."""
    return {
        **configuration(),
        "judge": {"model": "sim/judge?length_bias=0.3&random_error=0.03"},
        "graders": [
            {"type": "judge", "name": "right", "rubric": "Is every field in its right form?"}
        ],
    }


def _labels() -> bytes:
    """People's labels of answers: right ones, wrong ones, and both with a remark behind."""
    rows = []
    for number, row in enumerate(World(WORLD).examples(Split.OPTIMIZE, ROWS[Split.OPTIMIZE])):
        right = uniform(WORLD, "right", number) < 0.5
        output = str(row["expected"]) if right else f"shelf {number} | ?"
        if uniform(WORLD, "remark", number) < 0.5:
            output += "\nThis is the booking line for the order that was given, checked once more."
        rows.append({"case": row["case"], "output": output, "label": "yes" if right else "no"})
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def _write(place: Path, configured: dict[str, Json]) -> Path:
    config = place / CONFIG
    text = orjson.dumps(configured, option=orjson.OPT_INDENT_2) + b"\n"
    if config.exists() and config.read_bytes() != text:
        raise FileError(
            f"'{config}' is there already",
            why="it is not the demo's, or has been changed",
            fix=f"run it with: tau optimize {config}, or name another folder",
        )
    try:
        make_folder(place)
    except OSError as error:
        raise FileError(
            "the demo's folder cannot be made", where=str(place), why=error.strerror
        ) from error
    for split, count in ROWS.items():
        rows = b"".join(orjson.dumps(row) + b"\n" for row in World(WORLD).examples(split, count))
        atomic_write(place / f"{split}.jsonl", rows)
    if "judge" in configured:
        atomic_write(place / LABELS, _labels())
    atomic_write(config, text)
    return config
