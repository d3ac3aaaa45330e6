"""Every command on a store that is in PostgreSQL, told by TAU_STORE."""

import itertools
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.programs import config, inside, provider, run, started
from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults

_numbers = itertools.count(1)
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def schema() -> str:
    return f"commands_{next(_numbers)}"


@pytest.fixture
def url(server: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store's URL, which every command is told by TAU_STORE."""
    made = server.url(schema)
    monkeypatch.setenv("TAU_STORE", made)
    return made


@pytest.fixture
def folder(url: str, tmp_path: Path) -> Path:
    """A folder in which a run has ended."""
    config(tmp_path, model={"name": "sim/rules"})
    ended = inside("run", "config.json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    return tmp_path


LOOKS = (
    ("runs",), ("rollouts",), ("rollouts", "--status", "succeeded"), ("rollouts", "ls"),
    ("resources",), ("resources", "show", "resources-1"), ("candidates",), ("aliases",),
    ("export",), ("export", "--to", "jsonl"),
    ("replay",), ("status",), ("audit", "ls"), ("audit", "verify"), ("doctor",), ("db", "verify"),
    ("db", "migrate"), ("db", "prune", "--older-than", "1d"), ("check", "config.json"),
    ("plan", "config.json"), ("worker", "--once"), ("pause",), ("resume",), ("cancel",),
)  # fmt: skip


def test_every_command_works(folder: Path, url: str, server: Cluster, schema: str) -> None:
    for words in LOOKS:
        ended = inside(*words, cwd=folder)
        assert ended.code == 0, (words, ended.err)
        assert "Traceback" not in ended.err, words
        assert not list(folder.rglob("*.sqlite")), f"{words} looked for a file"
    rollout = json.loads(inside("rollouts", "--json", cwd=folder).out)[0]["rollout_id"]
    resources = json.loads(inside("resources", "--json", cwd=folder).out)[0]["hash"]
    for words in (
        ("rollouts", "show", rollout, "--content"),
        ("promote", "resources-1", "--alias", "prod"),
        ("optimize", "config.json"),
        ("candidates", "diff"),
        ("store", "copy", url, "copy.sqlite"),
        ("store", "copy", "copy.sqlite", f"{url}_again"),
        ("db", "verify", "--store", f"{url}_again"),
    ):
        ended = inside(*words, cwd=folder)
        assert ended.code == 0, (words, ended.err)
    assert "are the same resources" in inside("compare", resources, "latest", cwd=folder).err
    prompt = run("tau", "prompt", "get", "system_prompt@prod", cwd=folder, env={"TAU_STORE": url})
    assert prompt.out == "You are a concise assistant."
    assert faults(server, schema) == []


def test_backup_says_what_to_use_instead(folder: Path) -> None:
    ended = inside("db", "backup", "there.sqlite", cwd=folder)
    assert ended.code == 2
    assert "pg_dump" in ended.err


def test_commands_say_that_the_extra_is_missing(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.startswith("tau.stores.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for words in (
        ("runs",),
        ("run", "config.json"),
        ("store", "copy", url, "x.sqlite"),
        ("db", "verify"),
        ("db", "prune", "--older-than", "1d"),
    ):
        ended = inside(*words, cwd=folder)
        assert ended.code in (1, 2), words
        assert "extra" in ended.err, (words, ended.err)


def test_verify_finds_what_was_changed(folder: Path, server: Cluster, schema: str) -> None:
    server.sql(f"UPDATE {schema}.outcome SET output = replace(output, 'a', 'b')")
    server.sql(f"UPDATE {schema}.tally SET succeeded = succeeded + 1 WHERE slot = 0")
    server.sql(
        f"INSERT INTO {schema}.waiting (run, rollout, reserve_rollouts, reserve_calls, "
        "reserve_tokens, reserve_cost, since_unix_ms) "
        f"SELECT run, rollout, 1, 0, 0, 0, 1 FROM {schema}.outcome LIMIT 1"
    )
    ended = inside("db", "verify", cwd=folder)
    assert ended.code == 1
    assert "counters of a run differ from its rollouts" in ended.out
    assert "nowhere or in two places" in ended.out
    assert "digest" in ended.out


def test_prune_deletes_what_an_ended_run_did(folder: Path, server: Cluster, schema: str) -> None:
    ended = json.loads(inside("runs", "--json", cwd=folder).out)[0]
    shown = inside("db", "prune", ended["run_id"], cwd=folder)
    assert "2 rollouts would be deleted" in shown.out
    assert server.sql(f"SELECT count(*) FROM {schema}.rollout").strip() == "2"
    done = inside("db", "prune", ended["run_id"], "--yes", cwd=folder)
    assert "2 rollouts deleted" in done.out, done.err
    left = " + ".join(
        f"(SELECT count(*) FROM {schema}.{table})"
        for table in ("rollout", "attempt", "result", "span_block", "checkpoint")
    )
    assert server.sql(f"SELECT {left}").strip() == "0"
    assert inside("db", "verify", cwd=folder).code == 0
    assert json.loads(inside("runs", "--json", cwd=folder).out)[0]["tokens"] == ended["tokens"]
    assert "prune" in inside("audit", "ls", cwd=folder).out


@pytest.mark.timeout(180)
def test_a_run_is_cancelled_through_the_store_by_whoever_drives_it(
    url: str, server: Cluster, schema: str, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    config(here, model="openai/echo")
    status = f"SELECT string_agg(DISTINCT status, ' ') FROM {schema}"
    with provider(here, {}, "--latency-ms", "600000") as model:
        env = {**model.env, "TAU_STORE": url}
        with started("tau", "run", "config.json", cwd=here, env=env) as child:
            deadline = time.monotonic() + PATIENCE_S
            while model.counts()["in_flight"] < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            shutil.copytree(here, there)  # as if it had been driven there too, once
            ended = inside("cancel", "--state-dir", ".tau/training", cwd=there)
            assert ended.code == 0, ended.err
            assert "asked through the store" in " ".join(ended.out.split())
            assert "it has ended" not in ended.out
            assert server.sql(f"{status}.run").strip() == "running"
            child.kill()  # its calls would take ten minutes
            child.wait()
    ended = inside("cancel", cwd=here)
    assert ended.code == 0, ended.err
    assert "it has ended" in ended.out
    assert server.sql(f"{status}.run").strip() == "cancelled"
    assert server.sql(f"{status}.rollout").strip() == "cancelled"
    assert inside("db", "verify", cwd=here).code == 0


def test_control_from_elsewhere_goes_through_the_store(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    told = inside("status", cwd=elsewhere)
    assert told.code == 0, told.err
    assert "2 of 2 done" in told.out
    assert not list(elsewhere.iterdir()), "nothing is written"
