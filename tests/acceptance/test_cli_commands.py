"""The subcommands for people, as child processes (experience, section 2)."""

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from acceptance.programs import (
    KEY,
    Ended,
    Provider,
    config,
    environment,
    inside,
    provider,
    run,
    script,
    started,
)

HOSTILE = "\x1b[2J\x1b]0;owned\x07 [bold]4[/bold] \u202ereversed"
ANSWERS = {"What is 2 + 2?": "4", "What is 3 + 3?": HOSTILE}
MODEL = ("--model", "openai/gpt-4o-mini")


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with provider(tmp_path_factory.mktemp("provider"), ANSWERS) as running:
        yield running


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, sums: Provider) -> tuple[Path, Ended]:
    """A folder in which a run is finished: one row right, one wrong and hostile, one invalid."""
    folder = tmp_path_factory.mktemp("done")
    rows = [{"prompt": "What is 2 + 2?", "expected": "4"}, {"question": "none"}]
    config(folder, optimize=rows)
    return folder, run("tau", "run", "config.json", *MODEL, "--json", cwd=folder, env=sums.env)


# --- run ------------------------------------------------------------------------------------------


def test_run_reports_in_plain_lines_where_nobody_watches(tmp_path: Path, sums: Provider) -> None:
    config(tmp_path)

    ended = run("tau", "run", "config.json", *MODEL, cwd=tmp_path, env=sums.env)

    assert ended.code == 0
    lines = ended.out.split("\n")
    assert lines[0] == "MEASURED   2 of 2 rollouts succeeded"
    splits = [line.split() for line in lines if line.startswith(("   optimize", "   validate"))]
    assert [(words[0], " ".join(words[2:4])) for words in splits] == [
        ("optimize", "100 %"),
        ("validate", "0 %"),
    ]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ended.out + ended.err
    assert ended.err.startswith("started ")


def test_the_commands_it_proposes_work(tmp_path: Path, sums: Provider) -> None:
    config(tmp_path, optimize=["What is 2 + 2?", {"question": "none"}])

    ended = run("tau", "run", "config.json", *MODEL, cwd=tmp_path, env=sums.env)

    _, _, proposals = ended.out.partition(" next ")
    commands = [found.split() for found in re.findall(r"\btau .+", proposals)]
    commands = [words for words in commands if words[1] != "serve"]
    assert len(commands) == 3
    for command in commands:
        assert run(*command, cwd=tmp_path).code == 0


def test_events_are_json_lines(tmp_path: Path, sums: Provider) -> None:
    config(tmp_path)

    ended = run("tau", "run", "config.json", *MODEL, "--events", cwd=tmp_path, env=sums.env)

    events = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.code == 0
    assert [event["event"] for event in events if event["event"] != "progress"] == [
        "started",
        "finished",
    ]
    assert events[-1]["succeeded"] == 2


@pytest.mark.parametrize(("floor", "code"), [("0.5", 3), ("0", 0)])
def test_a_floor_for_the_score(tmp_path: Path, sums: Provider, floor: str, code: int) -> None:
    config(tmp_path)

    ended = run(
        "tau", "run", "config.json", *MODEL, "--json", "--fail-under", floor,
        cwd=tmp_path, env=sums.env,
    )  # fmt: skip

    assert ended.code == code
    assert ended.json()["succeeded"] == 2
    assert ("gate not met: validate has 0.0000" in ended.err) == (code == 3)


def test_a_budget_stops_the_run_and_more_of_it_goes_on(tmp_path: Path, sums: Provider) -> None:
    command = ["tau", "run", "config.json", *MODEL, "--json"]
    config(tmp_path, budget={"calls": 1})
    stopped = run(*command, cwd=tmp_path, env=sums.env)
    config(tmp_path, budget={"calls": 10})
    finished = run(*command, cwd=tmp_path, env=sums.env)

    assert (stopped.code, finished.code) == (4, 0), stopped.err + finished.err
    first, second = stopped.json(), finished.json()
    assert (first["stop_reason"], first["resumable"], first["calls"]) == ("budget", True, 1)
    assert (second["run_id"], second["succeeded"]) == (first["run_id"], 2)


def test_options_of_a_run(tmp_path: Path, sums: Provider) -> None:
    config(tmp_path, worker_cuont=3)

    warned = run(
        "tau", "run", "config.json", *MODEL, "--store", "s.sqlite", "--state-dir", "state",
        "--workers", "1", "--concurrency", "3", "--json", cwd=tmp_path, env=sums.env,
    )  # fmt: skip
    strict = run("tau", "run", "config.json", *MODEL, "--strict", cwd=tmp_path, env=sums.env)
    unknown = run(
        "tau", "run", "config.json", *MODEL, "--run", "nobody", cwd=tmp_path, env=sums.env
    )

    assert (warned.code, warned.json()["store_path"]) == (0, "s.sqlite")
    assert "warning: config.json:1 /worker_cuont" in warned.err
    assert "worker_count" in warned.err
    assert (tmp_path / "state/status.json").exists()
    assert (strict.code, unknown.code) == (2, 2)
    assert "nobody" in unknown.err


# --- a terminal -----------------------------------------------------------------------------------


def on_terminal(*command: str, cwd: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output, and what a terminal on standard error was sent."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [script(command[0]), *command[1:]], cwd=cwd,
        env=environment({"TERM": "xterm-256color", "COLUMNS": "90", "LINES": "30", **env}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave, text=True,
    )  # fmt: skip
    os.close(slave)
    seen = bytearray()
    with suppress(OSError):  # the terminal is gone with its last writer
        while piece := os.read(master, 65536):
            seen += piece
    os.close(master)
    out, _ = child.communicate(timeout=30)
    return child.returncode, out, seen.decode()


def test_a_terminal_gets_a_live_block_and_standard_output_the_result(
    tmp_path: Path, sums: Provider
) -> None:
    config(tmp_path)

    code, out, seen = on_terminal(
        "tau", "run", "config.json", *MODEL, "--json", cwd=tmp_path, env=sums.env
    )

    assert code == 0
    assert json.loads(out)["succeeded"] == 2
    assert "100%" in seen
    assert "2/2" in seen
    assert "\x1b[1m" in seen


@pytest.mark.parametrize(
    ("setting", "animated", "coloured"),
    [({"NO_COLOR": "1"}, True, False), ({"CI": "1"}, False, False)],
)
def test_settings_of_terminals_are_honoured(
    tmp_path: Path, sums: Provider, setting: dict[str, str], animated: bool, coloured: bool
) -> None:
    config(tmp_path)

    code, _, seen = on_terminal(
        "tau", "run", "config.json", *MODEL, cwd=tmp_path, env={**sums.env, **setting}
    )

    assert code == 0
    assert ("100%" in seen) == animated
    assert ("\x1b[32m" in seen or "\x1b[38" in seen) == coloured


# --- check, init, schema --------------------------------------------------------------------------


def test_check_touches_nothing_and_lists_everything_wrong(tmp_path: Path) -> None:
    config(tmp_path, worker_count=0, poll_interval_ms=0, graders=["containz"])
    before = sorted(tmp_path.iterdir())

    text = inside("check", "config.json", cwd=tmp_path)
    document = inside("check", "config.json", "--json", cwd=tmp_path)

    assert (text.code, document.code) == (2, 2)
    assert text.out == ""
    for pointer in ("/worker_count", "/poll_interval_ms", "/graders/0"):
        assert pointer in text.err
    assert "did you mean contains" in text.err
    pointers = {problem["pointer"] for problem in document.json()["problems"]}
    assert {"/worker_count", "/poll_interval_ms", "/graders/0"} <= pointers
    assert sorted(tmp_path.iterdir()) == before


def test_check_says_what_a_configuration_comes_to(tmp_path: Path) -> None:
    config(tmp_path)

    ended = inside("check", "config.json", "--json", cwd=tmp_path)

    assert ended.code == 0
    document = ended.json()
    assert (document["valid"], document["examples"]["optimize"]) == (True, 1)
    assert [grader["type"] for grader in document["graders"]] == ["exact_match"]


def test_what_init_writes_can_be_run_without_a_key(tmp_path: Path) -> None:
    made = run("tau", "init", "new", cwd=tmp_path)
    path = tmp_path / "new/prompt-optimization.yaml"
    again = run("tau", "init", "new", cwd=tmp_path)
    checked = run("tau", "check", path, "--strict", cwd=tmp_path)
    finished = run("tau", "run", path, "--json", cwd=tmp_path)
    path.write_text("mine", encoding="utf-8")
    refused = run("tau", "init", "new", cwd=tmp_path)
    kept = path.read_text(encoding="utf-8")
    forced = run("tau", "init", "new", "--force", cwd=tmp_path)

    assert (made.code, checked.code, finished.code) == (0, 0, 0), made.err + finished.err
    assert finished.json()["failed"] == 0
    assert (again.code, refused.code, forced.code, kept) == (1, 1, 0, "mine")
    assert "--force" in refused.err
    assert path.read_text(encoding="utf-8").startswith("# A Tau configuration")


def test_the_schema_is_one_document(tmp_path: Path) -> None:
    schema = inside("schema", "config", cwd=tmp_path).json()

    assert {"optimize", "validate", "resources", "worker_count"} <= set(schema["properties"])


# --- looking into a store -------------------------------------------------------------------------


def test_runs_and_rollouts_are_listed_in_pages(done: tuple[Path, Ended]) -> None:
    folder, ended = done
    run_id = ended.json()["run_id"]

    (listed,) = inside("runs", "--json", cwd=folder).json()
    pages = [
        inside("rollouts", "ls", "--json", "--limit", "2", "--offset", str(n), cwd=folder).json()
        for n in (0, 2, 4)
    ]
    failed = inside("rollouts", "ls", "--json", "--status", "failed", cwd=folder).json()
    validate = inside("rollouts", "ls", "--json", "--split", "validate", cwd=folder).json()
    proposals = inside("rollouts", "ls", "--json", "--kind", "propose", cwd=folder).json()
    text = inside("rollouts", cwd=folder)

    assert (listed["run_id"], listed["total_rollouts"]) == (run_id, 3)
    assert [len(page) for page in pages] == [2, 1, 0]
    assert [row["score"] for page in pages for row in page] == [1.0, None, 0.0]
    assert [row["failure"]["class"] for row in failed] == ["example"]
    assert [row["split"] for row in validate] == ["validate"]
    assert proposals == []
    assert len(text.out.splitlines()) == 4


def test_a_rollout_shows_what_happened_and_texts_only_on_request(
    done: tuple[Path, Ended],
) -> None:
    folder, _ = done
    (row,) = inside("rollouts", "ls", "--json", "--split", "validate", cwd=folder).json()
    show = ["rollouts", "show", row["rollout_id"]]

    plain = inside(*show, cwd=folder)
    full = inside(*show, "--content", cwd=folder)
    document = inside(*show, "--json", cwd=folder)

    assert plain.code == full.code == 0
    assert "exact_match  0  not passed" in plain.out
    depths = {line.split()[0]: len(line) - len(line.lstrip())
              for line in plain.out.splitlines() if line.startswith("  ")}  # fmt: skip
    assert depths["runner.execute_rollout"] < depths["chat"] == depths["grade"]
    for text in ("What is 3 + 3?", "You are a concise assistant."):
        assert text not in plain.out + document.out
        assert text in full.out
    assert "\\x1b[2J\\x1b]0;owned\\x07 [bold]4[/bold] \\u202ereversed" in full.out
    assert not {"\x1b", "\x07", "\u202e"} & set(plain.out + full.out + document.out)
    assert len(document.json()["attempts"][0]["spans"]) >= 4


def test_resources_are_shown_by_version_and_hash(done: tuple[Path, Ended]) -> None:
    folder, ended = done
    (version,) = inside("resources", "ls", "--json", cwd=folder).json()

    quiet = inside("resources", "show", "resources-1", cwd=folder)
    loud = inside("resources", "show", version["hash"][:8], "--content", cwd=folder)

    assert version["hash"] == ended.json()["best_resources_hash"]
    assert version["version"] == ended.json()["best_resources_version"] == "resources-1"
    assert "You are a concise assistant." not in quiet.out
    assert "  | You are a concise assistant." in loud.out


@pytest.mark.parametrize(
    "command",
    [
        ["rollouts", "show", "nobody-r1"],
        ["rollouts", "ls", "--run", "nobody"],
        ["resources", "show", "resources-99"],
        ["resources", "show", "abcdef123456"],
        ["runs", "--store", "missing.sqlite"],
    ],
)
def test_what_is_not_there_is_said(done: tuple[Path, Ended], command: list[str]) -> None:
    ended = inside(*command, cwd=done[0])

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("Error: ")
    assert "Traceback" not in ended.err
    assert not (done[0] / "missing.sqlite").exists()


# --- the installation -----------------------------------------------------------------------------


def test_keys_are_named_never_shown(done: tuple[Path, Ended]) -> None:
    env = {"OPENAI_API_KEY": KEY}
    doctor = run("tau", "doctor", cwd=done[0], env=env)
    models = run("tau", "models", "list", "--json", cwd=done[0], env=env)

    assert doctor.code == 0, doctor.out
    assert "OPENAI_API_KEY" in doctor.out
    keys = {row["name"]: row["key_set"] for row in models.json()}
    assert (keys["openai"], keys["groq"], keys["ollama"]) == ("yes", "no", "not needed")
    assert KEY not in doctor.out + doctor.err + models.out + models.err


def test_a_store_is_copied_and_verified(done: tuple[Path, Ended], tmp_path: Path) -> None:
    folder, ended = done
    copy = tmp_path / "copy.sqlite"

    made = inside("db", "backup", copy, cwd=folder)
    twice = inside("db", "backup", copy, cwd=folder)
    whole = inside("db", "verify", "--store", copy, "--json", cwd=tmp_path)
    current = inside("db", "migrate", "--store", copy, cwd=tmp_path)
    (listed,) = inside("runs", "--store", copy, "--json", cwd=tmp_path).json()

    assert (made.code, made.out) == (0, f"{copy}\n")
    assert (twice.code, current.code) == (1, 0)
    assert (whole.code, whole.json()["ok"]) == (0, True)
    assert current.out.startswith("nothing to do")
    assert listed["run_id"] == ended.json()["run_id"]


@pytest.mark.parametrize(
    "words",
    [("runs",), ("rollouts", "ls"), ("promote", "x", "--alias", "y"), ("prompt", "get", "x"),
     ("db", "verify"), ("db", "migrate"), ("export",), ("candidates", "ls"), ("aliases",)],
)  # fmt: skip
def test_commands_that_read_make_no_store(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = inside(*words, cwd=tmp_path)
    assert (ended.code, "there is no store" in ended.err) == (1, True)
    assert "fix: a run makes one" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_damage_is_found(done: tuple[Path, Ended], tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    inside("db", "backup", copy, cwd=done[0])
    page = 4096
    damaged = bytearray(copy.read_bytes())
    damaged[8 * page : 12 * page] = b"\xa5" * 4 * page
    copy.write_bytes(damaged)

    ended = inside("db", "verify", "--store", copy, cwd=tmp_path)

    assert ended.code == 1
    assert "copy.sqlite" in ended.out + ended.err
    assert "damaged" in ended.out + ended.err
    assert "Traceback" not in ended.err
    assert copy.read_bytes() == bytes(damaged)
    copy.write_bytes(damaged[: len(damaged) // 2])
    ended = inside("db", "verify", "--store", copy, cwd=tmp_path)
    assert (ended.code, "fix: go back to a backup" in ended.err) == (1, True)


def test_doctor_finds_a_store_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database " * 100, encoding="utf-8")

    ended = inside("doctor", "--store", "text.sqlite", cwd=tmp_path)

    assert ended.code == 1
    assert [line for line in ended.out.splitlines() if line.split()[:2] == ["store", "PROBLEM"]]


def test_every_grader_is_listed(tmp_path: Path) -> None:
    graders = inside("graders", "list", "--json", cwd=tmp_path).json()

    assert {"exact_match", "number", "regex", "weighted"} <= {row["name"] for row in graders}
    assert [row["name"] for row in graders if not row["about"]] == []
    assert [row["name"] for row in graders if "cannot be loaded" in row["about"]] == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts(tmp_path: Path, shell: str) -> None:
    assert "_TAU_COMPLETE" in inside("completion", shell, cwd=tmp_path).out


def test_completion_knows_the_commands(tmp_path: Path) -> None:
    env = {"_TAU_COMPLETE": "bash_complete", "COMP_WORDS": "tau ro", "COMP_CWORD": "1"}

    words = run("tau", cwd=tmp_path, env=env).out.split()
    assert "plain,rollouts" in words
    assert all(word.startswith("plain,roll") for word in words)


def test_the_simulated_model_is_served_until_a_signal(tmp_path: Path) -> None:
    with started("tau", "sim", "serve", "--port", "0", cwd=tmp_path) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        with urlopen(f"{url}/models", timeout=60) as answer:
            assert json.load(answer)["object"] == "list"
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)

    assert child.returncode == 0


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        ("| true", 0, ""),
        ("> /dev/full", 1, "Error: the result cannot be written: No space left on device\n"),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        ("<&- >/dev/null 2>&-", 0, ""),
    ],
)
def test_strange_standard_streams(
    done: tuple[Path, Ended], redirection: str, code: int, said: str
) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{script('tau')} rollouts ls --run RUN {redirection}".replace(
            "RUN", done[1].json()["run_id"])],
        cwd=done[0], env=environment({"PYTHONIOENCODING": "ascii"}), capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (code, said)
