"""The contract's flag surface, as child processes (contract, sections 1 and 2)."""

import json
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.programs import (
    GUIDE_CONFIG,
    KEY,
    Ended,
    Provider,
    config,
    first_keys,
    provider,
    run,
)

PROGRAM = "tau-coding-agent"
MODEL = "openai/gpt-4o-mini"
SUMS = {"What is 2 + 2?": "4", "What is 3 + 3?": "6"}
CONTRACT_KEYS = [
    "model_ref", "store_path", "total_rollouts", "succeeded", "failed", "cancelled"
]  # fmt: skip
STORE = ".tau/training/store.sqlite"

GUIDE_COMMAND = """
tau-coding-agent \
  --model openai/gpt-4o-mini \
  --prompt-optimization-config .tau/prompt-optimization.json \
  --prompt-optimization-store-sqlite .tau/training/store.sqlite \
  --prompt-optimization-json
"""


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with provider(tmp_path_factory.mktemp("provider"), SUMS) as running:
        yield running


def one_error(ended: Ended) -> str:
    """The first line of standard error, which must be the only one that is not indented."""
    first, *rest = ended.err.rstrip("\n").split("\n")
    assert first.startswith("Error: ")
    assert [line for line in rest if not line.startswith("  ")] == []
    assert ended.out == ""
    return first


# --- arguments ------------------------------------------------------------------------------------


def test_without_flags_it_shows_its_help(tmp_path: Path) -> None:
    ended = run(PROGRAM, cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert "--prompt-optimization-config" in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frobnicate"], ["--frobnicate"]),
        (["--train-unknown", "x"], ["--train-unknown"]),
        (["--prompt-optimization-confi", "x"], ["--prompt-optimization-confi"]),
        (["extra"], ["extra"]),
        (["--model"], ["--model"]),
        (
            ["--prompt-optimization-store-sqlite", "s.sqlite"],
            ["--prompt-optimization-store-sqlite", "requires --prompt-optimization-config"],
        ),
        (
            ["--prompt-optimization-json"],
            ["--prompt-optimization-json", "requires --prompt-optimization-config"],
        ),
        (["--model", MODEL], ["--model", "--prompt-optimization-config"]),
        (["--prompt-optimization-config", "c.json", "--", "--train-json"], ["--train-json"]),
    ],
)
def test_argument_errors(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    ended = run(PROGRAM, *arguments, cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert [word for word in words if word not in ended.err] == []
    assert "deprecated" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_exported_values_do_not_require_anything(tmp_path: Path) -> None:
    env = {"TAU_PROMPT_OPTIMIZATION_STORE_SQLITE": "s.sqlite", "TAU_PROMPT_OPTIMIZATION_JSON": "1"}

    ended = run(PROGRAM, cwd=tmp_path, env=env)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Usage:")


def test_a_model_is_an_argument(tmp_path: Path) -> None:
    path = config(tmp_path)

    ended = run(PROGRAM, "--prompt-optimization-config", path, cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert "--model" in ended.err
    assert "'model'" in ended.err
    assert list(tmp_path.iterdir()) == [path]


# --- a run ----------------------------------------------------------------------------------------


def test_the_guides_command_twice_on_one_store(tmp_path: Path, sums: Provider) -> None:
    (tmp_path / ".tau").mkdir()
    (tmp_path / ".tau/prompt-optimization.json").write_text(GUIDE_CONFIG, encoding="utf-8")
    command = shlex.split(GUIDE_COMMAND)

    first = run(*command, cwd=tmp_path, env=sums.env)
    second = run(*command, cwd=tmp_path, env=sums.env)

    for ended in (first, second):
        assert ended.code == 0, ended.err
        document = ended.json()
        assert first_keys(document, 6) == CONTRACT_KEYS
        assert [document[key] for key in CONTRACT_KEYS] == [MODEL, STORE, 2, 2, 0, 0]
        assert ended.out.startswith('{\n  "model_ref"')
        assert (document["stop_reason"], document["run_state"]) == ("finished", "completed")
        assert {split["split"]: split["mean"] for split in document["splits"]} == {
            "optimize": 1.0,
            "validate": 1.0,
        }
    runs = run("tau", "runs", "--json", cwd=tmp_path).json()
    assert [one["run_id"] for one in runs] == [second.json()["run_id"], first.json()["run_id"]]
    assert [one["counts"]["succeeded"] for one in runs] == [2, 2]
    status = json.loads((tmp_path / ".tau/training/status.json").read_text(encoding="utf-8"))
    assert (status["run_state"], status["total_rollouts"]) == ("completed", 2)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in first.out + first.err


def test_the_text_result_is_one_line(tmp_path: Path, sums: Provider) -> None:
    path = config(tmp_path)
    state = tmp_path / "state"

    ended = run(
        PROGRAM, "--model", MODEL, "--prompt-optimization-config", path,
        "--prompt-optimization-control-state-dir", state, cwd=tmp_path, env=sums.env,
    )  # fmt: skip

    assert ended.code == 0
    assert ended.out == (
        f"prompt optimization complete: model={MODEL} store={STORE} "
        "total=2 succeeded=2 failed=0 cancelled=0\n"
    )
    assert (state / "status.json").exists()


@pytest.mark.parametrize("joined", [True, False])
def test_legacy_aliases_run_it_too(tmp_path: Path, sums: Provider, joined: bool) -> None:
    path = config(tmp_path)
    given = [("--train-config", str(path)), ("--train-store-sqlite", "old.sqlite")]
    arguments = [f"{a}={v}" for a, v in given] if joined else [w for pair in given for w in pair]
    arguments += ["--train-json=true"] if joined else ["--train-json"]

    ended = run(PROGRAM, "--model", MODEL, *arguments, cwd=tmp_path, env=sums.env)

    assert ended.code == 0
    assert ended.json()["store_path"] == "old.sqlite"
    assert (tmp_path / "old.sqlite").exists()
    assert ended.err.split("\n")[:3] == [
        f"deprecated CLI alias '--train-{old}' detected; use '--prompt-optimization-{old}' instead."
        for old in ("config", "store-sqlite", "json")
    ]


def test_nonsense_in_the_environment_is_named_by_its_variable(tmp_path: Path) -> None:
    name = "TAU_PROMPT_OPTIMIZATION_JSON"
    ended = run("tau-coding-agent", cwd=tmp_path, env={name: "banana"})
    assert ended.code == 2
    assert f"{name}: 'banana' is neither true nor false" in ended.err


def test_a_mode_from_the_environment(tmp_path: Path, sums: Provider) -> None:
    env = {
        **sums.env,
        "TAU_MODEL": MODEL,
        "TAU_PROMPT_OPTIMIZATION_CONFIG": str(config(tmp_path)),
        "TAU_PROMPT_OPTIMIZATION_JSON": "true",
        "TAU_PROMPT_OPTIMIZATION_STORE_SQLITE": "exported.sqlite",
    }

    exported = run(PROGRAM, cwd=tmp_path, env=env)
    typed = run(PROGRAM, "--prompt-optimization-store-sqlite=typed.sqlite", cwd=tmp_path, env=env)

    assert exported.json()["store_path"] == "exported.sqlite"
    assert typed.json()["store_path"] == "typed.sqlite"


def test_items_that_are_strange_fail_or_run_alone(tmp_path: Path, sums: Provider) -> None:
    path = config(
        tmp_path,
        optimize=["What is 2 + 2?", {"question": "no prompt"}],
        validate=[{"prompt": "What is 3 + 3?", "expected": "wrong"}],
    )

    ended = run(
        PROGRAM, "--model", MODEL, "--prompt-optimization-config", path,
        "--prompt-optimization-json", cwd=tmp_path, env=sums.env,
    )  # fmt: skip

    assert ended.code == 0
    document = ended.json()
    assert (document["total_rollouts"], document["succeeded"], document["failed"]) == (3, 2, 1)
    validate = next(split for split in document["splits"] if split["split"] == "validate")
    assert (validate["mean"], validate["failed"]) == (0.0, 0)


def test_a_provider_that_is_down_fails_rollouts_not_the_run(tmp_path: Path) -> None:
    budget = {"calls": 2}  # nobody is asked, so nothing is spent by trying again
    path = config(tmp_path, retries={"max_attempts": 2, "backoff_ms": 10}, budget=budget)
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": KEY}

    ended = run(
        PROGRAM, "--model", MODEL, "--prompt-optimization-config", path,
        "--prompt-optimization-json", cwd=tmp_path, env=env,
    )  # fmt: skip

    assert ended.code == 0, ended.err
    document = ended.json()
    assert (document["succeeded"], document["failed"]) == (0, 2)
    assert document["failures"] == {"connection": 2}
    assert document["calls"] == 0
    assert "no connection to openai/" in document["last_failure"]


NOISY = """
import os, subprocess, sys

def grade(example, output):
    print("grader on standard output")
    os.write(1, b"descriptor 1\\n")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    return 1.0
"""


def test_code_under_test_cannot_write_into_the_result(tmp_path: Path, sums: Provider) -> None:
    (tmp_path / "noisy.py").write_text(NOISY, encoding="utf-8")
    grader = {"type": "python", "function": "noisy:grade"}
    path = config(tmp_path, graders=[grader])

    ended = run(
        PROGRAM, "--model", MODEL, "--prompt-optimization-config", path,
        "--prompt-optimization-json", cwd=tmp_path, env=sums.env,
    )  # fmt: skip

    assert ended.code == 0, ended.err
    assert ended.json()["succeeded"] == 2
    for text in ("grader on standard output", "descriptor 1", "child"):
        assert ended.err.count(text) == 2


# --- errors ---------------------------------------------------------------------------------------


def broken(tmp_path: Path, env: dict[str, str] | None = None, **given: Any) -> Ended:  # noqa: ANN401
    """Run a configuration that cannot be used; it must have changed nothing."""
    path = given.get("path") or config(tmp_path, **given.get("fields", {}))
    ended = run(
        PROGRAM, "--model", MODEL, "--prompt-optimization-config", path,
        "--prompt-optimization-store-sqlite", given.get("store", "fresh/store.sqlite"),
        cwd=tmp_path, env=env if env is not None else {"OPENAI_API_KEY": KEY},
    )  # fmt: skip
    assert not (tmp_path / "fresh").exists()
    assert "Traceback" not in ended.err
    assert KEY not in ended.err
    return ended


@pytest.mark.parametrize(
    ("content", "essence"),
    [
        (None, "failed to read prompt-optimization config"),
        ("folder", "failed to read prompt-optimization config"),
        ("{", "failed to parse prompt-optimization config"),
        ("[]", "expected JSON object"),
        ("", "failed to parse prompt-optimization config"),
        ('{"optimize": [], "validate": []}', "must contain at least one rollout in 'optimize' or"),
        ('{"optimize": ["a"], "train": ["b"]}', "'train'"),
    ],
)
def test_configs_that_cannot_be_read(tmp_path: Path, content: str | None, essence: str) -> None:
    path = tmp_path / "config.json"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content, encoding="utf-8")

    ended = broken(tmp_path, path=path)

    assert ended.code == 1
    one_error(ended)
    assert "config.json" in ended.err
    assert essence in ended.err


def test_every_numeric_field_refuses_zero_and_all_are_named_at_once(tmp_path: Path) -> None:
    names = [
        "worker_count", "poll_interval_ms", "heartbeat_interval_ms", "completion_poll_interval_ms",
        "completion_timeout_secs",
    ]  # fmt: skip

    ended = broken(tmp_path, fields=dict.fromkeys(names, 0))

    assert ended.code == 1
    one_error(ended)
    expected = [f"training config field '{name}' must be greater than 0" for name in names]
    assert [text for text in expected if text not in ended.err] == []


def test_a_missing_key_is_named_with_where_to_set_it(tmp_path: Path) -> None:
    ended = broken(tmp_path, env={})

    assert ended.code == 1
    assert "OPENAI_API_KEY" in one_error(ended)
    assert "export OPENAI_API_KEY" in ended.err


def test_a_store_that_is_none_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("this is no database, and long enough to be looked at " * 40, encoding="utf-8")
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = {path: path.read_bytes() for path in (text, foreign)}
    (tmp_path / "folder").mkdir()

    for store in ("text.sqlite", "foreign.sqlite", "folder"):
        ended = broken(tmp_path, store=store)
        assert ended.code == 1
        one_error(ended)
        assert store in ended.err
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_that_takes_too_long(tmp_path: Path) -> None:
    with provider(tmp_path, SUMS, "--latency-ms", "20000") as slow:
        path = config(tmp_path, completion_timeout_secs=1)
        ended = run(
            PROGRAM, "--model", MODEL, "--prompt-optimization-config", path,
            "--prompt-optimization-json", cwd=tmp_path, env=slow.env,
        )  # fmt: skip

    assert (ended.code, ended.out) == (1, "")
    errors = [line for line in ended.err.split("\n") if line.startswith(("Error", "  "))]
    assert errors[0] == "Error: prompt-optimization run failed"
    assert "trainer timeout waiting for rollouts to complete: " in errors[1]
    status = json.loads((tmp_path / ".tau/training/status.json").read_text(encoding="utf-8"))
    assert status["run_state"] == "failed"


def test_a_traceback_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "none.json"

    quiet = run(PROGRAM, "--prompt-optimization-config", path, cwd=tmp_path)
    loud = run(PROGRAM, "--prompt-optimization-config", path, "--debug", cwd=tmp_path)

    assert (quiet.code, loud.code) == (1, 1)
    assert one_error(quiet).startswith("Error: failed to read prompt-optimization config")
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err
