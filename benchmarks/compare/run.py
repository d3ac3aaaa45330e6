"""Run Tau and its peers in the simulated world, one after another, and keep every result.

    benchmarks/compare/setup
    .venv/bin/python benchmarks/compare/run.py SEEDS [--budgets 300,600,1200] [--only NAMES]
        [--into FOLDER]

SEEDS is `100-139` or `0`. A result that is there already is not made again, so it can be stopped
and started at any time. Each run has a server of its own: calls are numbered anew and counted
there. `report.py` makes the tables. Seeds 0 to 19 are for tuning, 100 to 139 for reports.
"""

import argparse
import asyncio
import hashlib
import itertools
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import tau_side
from contenders import BUDGETS, CONTENDERS, OPTIMIZE, VALIDATE, Contender
from endpoint import ComparisonServer
from peer import task_messages

from tau.domain.chat import Message
from tau.domain.dataset import Split
from tau.domain.json import Json
from tau.models.sim import SimulatorSettings, prompt_tokens
from tau.models.sim_server import serve_sim
from tau.sim.calls import CallKind, understand
from tau.sim.oracle import expected_score
from tau.sim.world import START_PROMPT, World

HERE = Path(__file__).parent
RESULTS = HERE / "results"
_LONGEST_LINE = 1 << 26
_WORKER_ENVIRONMENT = {
    "PATH": os.defpath,
    "TQDM_DISABLE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # its prices are not wanted from afar
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of one contender."""

    contender: Contender
    seed: int
    budget: int

    @property
    def model(self) -> str:
        """The simulated model whose chance is that of the world's seed."""
        return f"rules?seed={self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the oracle says of an optimized program; the digest is of all it is told.

    `tokens` are those of one task call with it.
    """

    score: float
    digest: str
    words: int
    tokens: int


def rows_of(world: World) -> dict[str, list[Mapping[str, Json]]]:
    """The rows that everybody gets."""
    return {
        "optimize": list(world.examples(Split.OPTIMIZE, OPTIMIZE)),
        "validate": list(world.examples(Split.VALIDATE, VALIDATE)),
    }


def truth(world: World, messages: Sequence[Mapping[str, str]]) -> Truth:
    """The true score of the program that makes this call: as the simulated model reads it.

    For a DSPy program these are the messages its adapter sends, its demonstrations as earlier
    turns; for the others a system message and the case.
    """
    sent = [Message(role=one["role"], content=one["content"]) for one in messages]
    call = understand(sent)
    if call.kind is not CallKind.TASK:
        raise RuntimeError(f"the optimized program makes no task call but '{call.kind}'")
    told = orjson.dumps([call.instructions, [case.id for case in call.demonstrations]])
    return Truth(
        score=expected_score(world, call.instructions, demonstrations=call.demonstrations),
        digest=hashlib.sha256(told).hexdigest()[:16],
        words=len(call.instructions.split()),
        tokens=prompt_tokens(sent),
    )


class Peers:
    """The workers of other environments, each started when first needed."""

    def __init__(self, home: Path, log: Path) -> None:
        self._home = home
        self._log = log
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def ask(self, worker: str, job: Mapping[str, Json]) -> dict[str, Any]:
        """The answer to one job."""
        process = self._running.get(worker)
        if process is None or process.returncode is not None:
            process = self._running[worker] = await self._start(worker)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orjson.dumps(job) + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            await process.wait()
            raise RuntimeError(f"the worker '{worker}' ended; its last words are in {self._log}")
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    async def close(self) -> None:
        """End them."""
        for process in self._running.values():
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()

    async def _start(self, worker: str) -> asyncio.subprocess.Process:
        python = self._home / worker / "bin" / "python"
        if not python.exists():
            raise RuntimeError(f"{python} is missing: run benchmarks/compare/setup")
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                python,
                HERE / f"worker_{worker}.py",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=_LONGEST_LINE,
                env=_WORKER_ENVIRONMENT | {"HOME": str(self._home)},
            )


async def optimized(
    job: Job, world: World, peers: Peers, base_url: str
) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """The call for the probe that the optimized program makes, and what was said of it."""
    rows = rows_of(world)
    probe = world.cases(Split.TEST, 1)[0].text
    if job.contender.worker == "tau":
        prompt, said = await tau_side.optimize(
            world,
            rows,
            base_url=base_url,
            model=job.model,
            method=job.contender.method,
            settings=job.contender.settings,
            budget=job.budget,
        )
        said["versions"] = tau_side.VERSIONS
        return task_messages(prompt, probe), said
    answer = await peers.ask(
        job.contender.worker,
        {
            "base_url": base_url,
            "model": job.model,
            "method": job.contender.method,
            "settings": dict(job.contender.settings),
            "seed": job.seed,
            "budget": job.budget,
            "start_prompt": START_PROMPT,
            "probe": probe,
            **rows,
        },
    )
    return answer.pop("messages"), answer


async def perform(job: Job, peers: Peers) -> dict[str, Json]:
    """One run with a fresh server, as a row of results."""
    world = World(job.seed)
    began = time.perf_counter()
    server = ComparisonServer(SimulatorSettings())
    async with serve_sim(server=server) as url:
        messages, said = await optimized(job, world, peers, url.removesuffix("/v1"))
    found = truth(world, messages)
    stats = server.stats()
    return {
        "contender": job.contender.name,
        "settings": dict(job.contender.settings),
        "seed": job.seed,
        "budget": job.budget,
        "true_score": round(found.score, 6),
        "start_score": round(expected_score(world, START_PROMPT), 6),
        "full_score": round(expected_score(world, world.full_prompt()), 6),
        "task_calls": stats["task_calls"],
        "reflection_calls": stats["reflection_calls"],
        "other_calls": stats["other_calls"],
        "refused": stats["refused"],
        "input_tokens": stats["input_tokens"],
        "output_tokens": stats["output_tokens"],
        "prompt_hash": found.digest,
        "prompt_words": found.words,
        "call_tokens": found.tokens,
        **said,
        "seconds": round(time.perf_counter() - began, 2),
    }


def file_of(folder: Path, contender: Contender) -> Path:
    """Where a contender's results stand."""
    return folder / f"{contender.name.replace(' ', '-').lower()}.jsonl"


def known(folder: Path) -> set[tuple[str, int, int]]:
    """What has been run already."""
    return {
        (row["contender"], row["seed"], row["budget"])
        for path in sorted(folder.glob("*.jsonl"))
        for row in map(orjson.loads, path.read_bytes().splitlines())
    }


async def run(jobs: Sequence[Job], folder: Path, home: Path) -> int:
    """Run what is missing; the number of runs that failed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = known(folder)
    failures = 0
    async with AsyncExitStack() as closing:
        peers = Peers(home, home / "workers.log")
        closing.push_async_callback(peers.close)
        for job in jobs:
            if (job.contender.name, job.seed, job.budget) in done:
                continue
            try:
                row = await perform(job, peers)
            except RuntimeError as error:
                failures += 1
                print(f"failed: {job.contender.name}, seed {job.seed}: {error}", file=sys.stderr)
                continue
            with file_of(folder, job.contender).open("ab") as file:
                file.write(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) + b"\n")
            print(
                f"seed {job.seed} {job.budget:5} {job.contender.name:24} "
                f"true {row['true_score']:.3f}, {row['task_calls']} task and "
                f"{row['reflection_calls']} reflection calls, {row['seconds']} s "
                f"{row.get('decision', '')}",
                flush=True,
            )
    return failures


def contenders(names: Sequence[str]) -> list[Contender]:
    """Those with such a name; where nobody has it, those whose names start so."""
    whole = {one.name for one in CONTENDERS}
    starts = tuple(name for name in names if name not in whole)
    return [one for one in CONTENDERS if one.name in names or one.name.startswith(starts)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Tau and its peers in the simulated world")
    parser.add_argument("seeds", help="as 100-139")
    parser.add_argument("--budgets", default=",".join(map(str, BUDGETS)))
    parser.add_argument("--only", default="", help="names or starts of them, with commas between")
    parser.add_argument("--into", type=Path, default=RESULTS)
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    budgets = [int(one) for one in given.budgets.split(",")]
    chosen = contenders(given.only.split(","))
    jobs = [
        Job(contender=contender, seed=seed, budget=budget)
        for seed, budget, contender in itertools.product(seeds, budgets, chosen)
    ]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(os.environ.get("TAU_COMPARE_HOME") or Path(cache) / "tau-compare")
    sys.exit(1 if asyncio.run(run(jobs, given.into, home)) else 0)


if __name__ == "__main__":
    main()
