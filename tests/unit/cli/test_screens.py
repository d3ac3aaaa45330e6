"""Every list and page of the terminal on one small optimization: fitted, with names that work."""

import asyncio
import json
import re
import shlex
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tau.cli.commands.group import tau_group
from tau.cli.demonstration import configuration
from tau.cli.records.naming import resolve
from tau.cli.surface import Surface, program
from tau.cli.text import cells
from tau.domain.condition import Condition, because
from tau.domain.dataset import Split
from tau.domain.ids import RunId, short_hash, short_rollout, short_run, stands_for
from tau.domain.run import Run, StopReason
from tau.errors import Conflict, NotFound
from tau.ports.store import Store
from tau.sim.world import World
from tau.wiring.naming import rollout_named, run_named, short_names
from tau.wiring.stores import open_store


@dataclass(frozen=True)
class Searched:
    """A store with two runs: a search that ended, and an evaluation that its budget stopped."""

    folder: Path
    store: str
    config: str
    search: str
    stopped: str
    shown: str
    candidates: tuple[str, ...]


def quietly(*words: str) -> int:
    return program(tau_group, Surface(program="tau"), list(words))


@pytest.fixture(scope="module")
def searched(
    tmp_path_factory: pytest.TempPathFactory,
) -> Searched:
    folder = tmp_path_factory.mktemp("searched")
    for split, rows in {Split.OPTIMIZE: 20, Split.VALIDATE: 20, Split.TEST: 30}.items():
        lines = [orjson.dumps(row) for row in World(4).examples(split, rows)]
        (folder / f"{split}.jsonl").write_bytes(b"\n".join(lines))
    config, other = folder / "search.json", folder / "stopped.json"
    base = {**configuration(), "budget": {"rollouts": 160}}
    config.write_bytes(orjson.dumps(base))
    other.write_bytes(
        orjson.dumps({**base, "algorithm": {"type": "evaluate"}, "budget": {"calls": 12}})
    )
    store, report = str(folder / "store.sqlite"), folder / "shown.txt"
    assert quietly("optimize", str(config), "--store", store) == 0
    assert quietly("run", str(other), "--store", store) == 4
    assert quietly("export", "--store", store, "--to", "text", "--output", str(report)) == 0

    async def names(opened: Store) -> tuple[list[Run], tuple[str, ...]]:
        runs = list(await opened.insights.runs())
        tried = await opened.insights.candidates(runs[-1].id)
        return runs, tuple(one.resources.hash for one in tried)

    runs, tried = asked(store, names)
    return Searched(folder, store, str(config), runs[1].id, runs[0].id, report.read_text(), tried)


Value = TypeVar("Value")


def asked(store: str, query: Callable[[Store], Awaitable[Value]]) -> Value:
    async def answer() -> Value:
        async with await open_store(store, read_only=True) as opened:
            return await query(opened)

    return asyncio.run(answer())


Tell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tell(searched: Searched, capfd: pytest.CaptureFixture[str]) -> Tell:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = quietly(*words, "--store", searched.store)
        return (code, *capfd.readouterr())

    return call


LISTS = (
    "runs", "candidates ls {search}", "candidates show {candidate}", "candidates diff {search}",
    "rollouts ls", "rollouts ls --all-runs", "rollouts show r1", "resources ls", "aliases ls",
    "audit ls", "status", "doctor", "compare resources-1 {candidate}", "db prune --older-than 99w",
)  # fmt: skip


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("words", LISTS)
def test_no_list_is_wider_than_the_terminal(
    words: str, width: int, tell: Tell, searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    named = words.format(search=short_run(searched.search), candidate=searched.candidates[-1][:8])

    code, out, _ = tell(*shlex.split(named, comments=True))

    assert code == 0, out
    lines = [line for line in out.splitlines() if "tau " not in line and "/" not in line]
    prompts = ("  | ", "hash ", "parent ")
    assert not [one for one in lines if cells(one) > width and not one.startswith(prompts)]
    assert "leader" not in out


@pytest.mark.parametrize("words", ["graders list", "models list"])
def test_lists_of_plug_ins_fit_and_cut_nothing(
    words: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    capfd.readouterr()

    assert quietly(*shlex.split(words, comments=True)) == 0

    out = capfd.readouterr().out
    assert max(map(cells, out.splitlines())) <= 80
    assert "…" not in out


def test_runs_say_how_each_is_and_what_it_came_to(tell: Tell, searched: Searched) -> None:
    _, out, _ = tell("runs")

    head, stopped, search = out.splitlines()[:3]
    assert head.split() == ["RUN", "STATE", "WHAT", "RESULT", "WHEN"]
    assert stopped.split()[:3] == [short_run(searched.stopped), "x", "failed"]
    assert "out of budget" in stopped
    assert search.split()[:3] == [short_run(searched.search), "v", "done"]
    assert re.search(r"promote|keep baseline|not decided", search)


def test_every_command_takes_short_names(tell: Tell, searched: Searched) -> None:
    run, best = short_run(searched.search), short_hash(searched.candidates[-1])
    for words in (
        f"candidates ls {run}", f"candidates show {best} --run {run}", f"candidates diff {run}",
        f"candidates diff {best}", f"compare {run} {best[:7]}", f"rollouts ls --run {run}",
        "rollouts show r1", f"rollouts show {run}-r1", f"rollouts show {searched.search}-r1",
        f"resources show {best}", f"export {run}", f"export {run} --to json", f"replay {run}",
        f"db prune {run}",
    ):  # fmt: skip
        code, _, err = tell(*shlex.split(words, comments=True))
        assert code in (0, 2 if words.startswith("compare") else 0), f"{words}: {err}"
    assert tell("run", searched.config, "--run", run)[0] == 2, "it is completed, but it is known"
    assert (
        f"run '{searched.search}' is completed"
        in tell("optimize", searched.config, "--run", run)[2]
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_beginning_of_a_name_works_or_is_told_to_be_ambiguous(
    data: st.DataObject, searched: Searched
) -> None:
    run = data.draw(st.sampled_from([searched.search, searched.stopped]))
    whole = data.draw(st.sampled_from([run, short_run(run)]))
    name = whole[: data.draw(st.integers(1, len(whole)))]
    digest = data.draw(st.sampled_from(searched.candidates))
    digits = digest[: data.draw(st.integers(1, 64))]

    async def check(store: Store) -> None:
        both = (searched.search, searched.stopped)
        meant = [one for one in both if stands_for(name, one)]
        if len(meant) == 1:
            assert await run_named(store, name) == run
        else:
            with pytest.raises(Conflict, match="any of 2 runs"):
                await run_named(store, name)
        alike = [one for one in searched.candidates if one.startswith(digits)]
        if len(alike) > 1 or any(stands_for(digits, one) for one in both):
            return
        with suppress(Conflict):  # the baseline's hash can begin alike
            assert (await resolve(store, digits)).hash == digest

    asked(searched.store, check)


@pytest.mark.parametrize("name", ["", "zzz", "run-9", "r999999", "x-r1", "run-", "r0", "%"])
def test_a_name_of_nothing_is_not_found(name: str, searched: Searched) -> None:
    async def check(store: Store) -> None:
        with pytest.raises((NotFound, Conflict)):
            await run_named(store, name)
        with pytest.raises((NotFound, Conflict)):
            await store.insights.rollout(await rollout_named(store, name))

    asked(searched.store, check)


def test_runs_of_the_same_short_name_are_called_by_their_whole_names() -> None:
    first, second = (RunId(f"run-20260101-00000{n}-abcdef") for n in (1, 2))

    assert short_names([first, second]) == {first: first, second: second}
    assert short_names([first, "run-20260101-000000-123456"])[first] == "abcdef"
    assert short_rollout(f"{first}-r304") == "r304"
    assert short_run("run-1") == "run-1"


def test_the_commands_a_report_proposes_work(
    searched: Searched, capfd: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for config, code in ((searched.config, 0), (str(searched.folder / "stopped.json"), 4)):
        store = str(tmp_path / f"{code}.sqlite")
        capfd.readouterr()
        verb = "run" if code else "optimize"
        assert quietly(verb, config, "--store", store) == code
        out = capfd.readouterr().out
        found = [shlex.split(text, comments=True)[1:] for text in re.findall(r"\btau [a-z].+", out)]
        assert len(found) >= 3
        for words in found:
            if words[0] != "serve":
                expected = code if words[0] == verb else 0
                assert quietly(*words) == expected, (words, capfd.readouterr())


def test_what_needs_somebody_is_named_with_the_command(
    searched: Searched, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A run that is marked as running and that nobody drives has crashed."""
    store = str(tmp_path / "store.sqlite")

    async def crash() -> None:
        async with await open_store(store) as opened:
            await opened.runs.create(
                Run(id=RunId("run-20200101-000000-8c955d"), config_hash="0" * 64, seed=0,
                    model_ref="sim/rules", algorithm="reflect", config={})
            )  # fmt: skip

    asyncio.run(crash())
    status = json.dumps({"run_state": "running", "run_id": "run-20200101-000000-8c955d"})
    (tmp_path / "status.json").write_text(status)
    capfd.readouterr()
    assert quietly("status", "--store", store) == 0
    out = capfd.readouterr().out

    assert "crashed" in out
    assert "it stopped without a word" in out
    assert f"tau resume --run --store {store}" in " ".join(out.split())
    assert quietly("doctor", "--store", store) == 1
    assert "8c955d stopped without a word" in " ".join(capfd.readouterr().out.split())


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_reason_has_words(reason: StopReason) -> None:
    assert because(reason)
    assert "_" not in because(reason)
    assert because(None) == ""
    assert Condition.CRASHED.needs_somebody
