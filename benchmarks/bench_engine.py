"""Whole runs over loopback HTTP, against a bare aiohttp loop on the same server.

    python benchmarks/bench_engine.py [--rollouts 4000] [--in-flight 256] [--latency-ms 100]
                                      [--rounds 3] [--json]

Throughput: `tau run` as a child process (start-up, config, store at FULL, spans, grading, report)
and the bare loop in turns, on one server process; medians of ratios; once with a server that
answers at once, where both are bound by CPU, and once with one that takes `--latency-ms`, as real
ones do and mostly longer. CPU is that of the whole child, and of the bare loop without its start.
Memory: peak resident size of runs with 2,000 calls in flight against a server that answers after
two seconds. Start: from starting the process to the server's first call.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tau.testing.provider import ProviderProcess

PROMPT = "What is 17 times 23? Think step by step, then give the number. " * 8


def write_config(folder: Path, rollouts: int, in_flight: int) -> Path:
    """A configuration of `rollouts` rows."""
    rows = folder / "rows.jsonl"
    with rows.open("w", encoding="utf-8") as file:
        for n in range(rollouts):
            file.write(json.dumps({"prompt": f"{n} {PROMPT}", "expected": f"{n} {PROMPT}"}) + "\n")
    path = folder / "config.json"
    document = {
        "optimize": {"file": "rows.jsonl"},
        "worker_count": 4,
        "worker_concurrency": max(1, in_flight // 4),
        "resources": {"system_prompt": "You are a concise assistant."},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one whole run took; `own_s` is what it says itself, without start-up."""

    wall_s: float
    own_s: float
    cpu_s: float
    peak_kib: int


def run(folder: Path, config: Path, base_url: str, store: str) -> Taken:
    """One whole run."""
    environment = {**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "sk-none"}
    command = [str(Path(sysconfig.get_path("scripts")) / "tau"), "run", str(config), "--json"]
    command += ["--model", "openai/gpt-4o-mini", "--store", str(folder / store)]
    before = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        out = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - before
    result = json.loads(out)
    assert child.returncode == 0
    assert result["succeeded"] == result["total_rollouts"]
    return Taken(
        wall_s=wall,
        own_s=float(result["duration_s"]),
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_kib=usage.ru_maxrss,
    )


def bare(base_url: str, rollouts: int, in_flight: int) -> tuple[float, float]:
    """Calls per second of the bare loop, in a fresh process, and its CPU for each in ms."""
    script = Path(__file__).with_name("bench_models.py")
    command = [sys.executable, str(script), "--variant", "bare", "--base-url", base_url]
    command += ["--calls", str(rollouts), "--in-flight", str(in_flight)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return float(told["calls_per_s"]), float(told["cpu_ms_per_call"])


def calls(base_url: str) -> int:
    """How many calls the server has seen."""
    with urlopen(f"{base_url.removesuffix('/v1')}/__calls", timeout=10) as answer:
        return int(json.load(answer)["calls"])


def throughput(given: argparse.Namespace, folder: Path, latency_ms: float) -> dict[str, Any]:
    """Both in turns on one server."""
    rollouts, in_flight = given.rollouts, given.in_flight
    config = write_config(folder, rollouts, in_flight)
    rows = []
    with ProviderProcess("--latency-ms", str(latency_ms)) as server:
        for number in range(given.rounds):
            rate, cpu_ms = bare(server.base_url, rollouts, in_flight)
            taken = run(folder, config, server.base_url, f"{latency_ms:g}-{number}.sqlite")
            rows.append(
                (rate, rollouts / taken.own_s, rollouts / taken.wall_s, taken.cpu_s, cpu_ms)
            )
    return {
        "latency_ms": latency_ms,
        "rollouts": rollouts,
        "in_flight": in_flight,
        "bare_per_s": statistics.median(row[0] for row in rows),
        "engine_per_s": statistics.median(row[1] for row in rows),
        "engine_with_start_up_per_s": statistics.median(row[2] for row in rows),
        "engine_cpu_ms": statistics.median(row[3] for row in rows) / rollouts * 1000,
        "bare_cpu_ms": statistics.median(row[4] for row in rows),
        "ratio": statistics.median(row[1] / row[0] for row in rows),
        "ratios": sorted(round(row[1] / row[0], 2) for row in rows),
        "ratio_with_start_up": statistics.median(row[2] / row[0] for row in rows),
    }


def memory(folder: Path, rounds: int) -> dict[str, Any]:
    """Peak resident sizes with 2,000 calls in flight."""
    config = write_config(folder, 6_000, 2_000)
    peaks = []
    for number in range(rounds):
        with ProviderProcess("--latency-ms", "2000") as server:
            taken = run(folder, config, server.base_url, f"memory-{number}.sqlite")
        peaks.append(taken.peak_kib / 1024)
    return {"in_flight": 2_000, "peak_mib": statistics.median(peaks), "worst_mib": max(peaks)}


def first_claim(folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds from starting the program to the server's first call."""
    config = write_config(folder, 1, 1)
    found = []
    for number in range(rounds):
        with ProviderProcess() as server:
            environment = {**os.environ, "OPENAI_BASE_URL": server.base_url}
            environment["OPENAI_API_KEY"] = "sk-none"
            command = [str(Path(sysconfig.get_path("scripts")) / "tau"), "run", str(config)]
            command += ["--model", "openai/gpt-4o-mini", "--store", str(folder / f"f{number}.db")]
            before = time.monotonic()
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as child:  # fmt: skip
                while calls(server.base_url) == 0:
                    time.sleep(0.002)
                found.append(time.monotonic() - before)
                child.wait()
    return {"median_s": statistics.median(found)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=4_000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {
            "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
            "throughput": [throughput(given, folder, ms) for ms in (0.0, given.latency_ms)],
            "memory": memory(folder, given.rounds),
            "first_call": first_claim(folder, given.rounds),
        }
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(found["machine"])
    for one in found["throughput"]:
        print(f"{one['in_flight']} in flight, the server takes {one['latency_ms']:g} ms:")
        print(f"  bare aiohttp loop {one['bare_per_s']:8.0f} calls/s      "
              f"{one['bare_cpu_ms']:.2f} ms of CPU each")  # fmt: skip
        print(f"  whole engine      {one['engine_per_s']:8.0f} rollouts/s  ratio "
              f"{one['ratio']:.2f}, {one['engine_cpu_ms']:.2f} ms of CPU each")  # fmt: skip
        print(f"  with start-up     {one['engine_with_start_up_per_s']:8.0f} rollouts/s  ratio "
              f"{one['ratio_with_start_up']:.2f}")  # fmt: skip
    print(f"2,000 calls in flight {found['memory']['peak_mib']:8.0f} MiB peak, "
          f"{found['memory']['worst_mib']:.0f} at worst")  # fmt: skip
    print(f"start to first call   {found['first_call']['median_s']:8.2f} s")


if __name__ == "__main__":
    main()
