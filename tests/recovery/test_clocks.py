"""Machines whose clocks are wrong by an hour: no lease is lost early, and none is stuck."""

import signal
from collections.abc import Iterator

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from recovery.programs import Model, Program, Programs, skewed, until

HOUR_S = 3600
ROLLOUTS = 20
LEASE_MS = 3000
"""Of programs that were given the run's file: heartbeats every second, a lease of three."""


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.mark.timeout(240)
async def test_leases_follow_the_clock_of_the_database_alone(
    server: Cluster, programs: Programs, model: Model
) -> None:
    url, config = server.url("clocks"), programs.configuration(ROLLOUTS)
    worker = ("worker", config, "--store", url, "--concurrency", "2")
    ahead = await programs.begin("run", config, "--store", url, program=skewed(HOUR_S))
    behind = await programs.begin(*worker, program=skewed(-HOUR_S))
    further = await programs.begin(*worker, program=skewed(2 * HOUR_S))
    await until(lambda: model.provider.in_flight == 1 + 2 + 2)

    def beaten_for(program: Program, since_ms: int) -> bool:
        """It has gone on beating, and with each beat it looks for leases that ran out."""
        found = server.sql("SELECT coalesce(max(heartbeat_unix_ms), 0) FROM clocks.worker "
                           f"WHERE pid = {program.process.pid} AND state = 'live'")  # fmt: skip
        return int(found) > since_ms

    held_ms = int(server.sql("SELECT max(started_unix_ms) FROM clocks.attempt"))
    await until(lambda: all(beaten_for(each, held_ms + 2 * LEASE_MS)
                            for each in (ahead, behind, further)))  # fmt: skip
    assert server.sql("SELECT status, count(*) FROM clocks.attempt GROUP BY 1").split() == [
        "running|5"
    ]
    assert model.provider.calls == 5
    now_ms = int(server.sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"))
    assert 0 < now_ms - held_ms < HOUR_S * 1000, "what is recorded has the database's time too"

    behind.process.send_signal(signal.SIGKILL)
    lost = "SELECT count(*) FROM clocks.attempt WHERE status = 'timeout'"
    await until(lambda: server.sql(lost).strip() == "2")
    model.let(2 * ROLLOUTS)
    await ahead.end()
    further.process.send_signal(signal.SIGTERM)
    await further.end()
    assert sorted(server.sql("SELECT status, count(*) FROM clocks.attempt GROUP BY 1").split()) == [
        f"succeeded|{ROLLOUTS}",
        "timeout|2",
    ]
    assert faults(server, "clocks") == []
