"""The hot statements of the PostgreSQL store search by index; none scans what grows."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from pg_cluster import Cluster, cluster
from tau.stores.postgres import PostgresStore
from tau.stores.postgres.statements import SQL, together
from tau.stores.postgres.transaction import ENDS

FILLING = """
INSERT INTO run (id, config_hash, model_ref, seed, algorithm, config, max_attempts, status,
  created_unix_ms, updated_unix_ms, digest)
SELECT 'run-' || i, 'c', 'm', '1', 'a', '{}', 3, 'running', 1, 1, ''
FROM generate_series(1, 3) AS i;
INSERT INTO tally (run, slot) SELECT key, 0 FROM run;
INSERT INTO resources (hash, content, digest) VALUES ('h', 'c', '');
INSERT INTO example (id, split, content, digest)
SELECT 'e' || i, 'optimize', 'c', '' FROM generate_series(1, 5000) AS i;
INSERT INTO worker (name, role, host, boot_id, pid_namespace, pid, started_ticks, lease_ms,
  registered_unix_ms, heartbeat_unix_ms, heartbeat_ms)
VALUES ('w', 'worker', 'h', 'b', 'p', 1, 1, 1000, 1, 1, 1);
INSERT INTO rollout (run, kind, resources, example, ordinal, reserve_rollouts, reserve_calls,
  reserve_tokens, reserve_cost, status, attempts, created_unix_ms, updated_unix_ms)
SELECT 1 + i % 3, 'evaluate', 1, 1 + i % 5000, i, 1, 1, 1, 0,
  CASE WHEN i % 10 = 0 THEN 'queuing' ELSE 'succeeded' END, (i % 10 > 0)::integer, i, i
FROM generate_series(1, 20000) AS i;
INSERT INTO attempt (rollout, n, worker, status, started_unix_ms, ended_unix_ms,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost)
SELECT key, 1, 1, 'succeeded', 1, 2, 1, 1, 1, 0 FROM rollout WHERE attempts = 1;
INSERT INTO result (rollout, rewards, digest)
SELECT key, '[]', '' FROM rollout WHERE attempts = 1;
INSERT INTO span_block (rollout, n, first, count, data, digest)
SELECT rollout, n, 1, 1, '', '' FROM attempt;
ANALYZE;
"""
HOT = {
    name: SQL[name]
    for name in (
        "ready_rollouts", "first_ready", "next_ready", "begin", "lock_rollouts", "held_attempts",
        "held_by_worker", "held_of_run", "recorded", "collect", "evaluation_keys", "example_keys",
        "attempts", "spans", "queued_among", "failed_among", "progress", "tally",
    )
} | {"ends": together(ENDS)}  # fmt: skip
_GROWS = re.compile(r"Seq Scan on (rollout|attempt|result|span_block|example)\b")


@pytest.fixture(scope="module")
def filled() -> Iterator[Cluster]:
    """A server with a store of 20,000 rollouts."""

    async def make(url: str) -> None:
        async with await PostgresStore.open(url):
            pass

    with cluster() as server:
        with asyncio.Runner() as runner:
            runner.run(make(server.url("plans")))
        server.sql(f"SET search_path TO plans; {FILLING}")
        yield server


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_search_by_index(filled: Cluster, name: str) -> None:
    plan = filled.sql(f"SET search_path TO plans; EXPLAIN (GENERIC_PLAN) {HOT[name]}")

    assert not _GROWS.search(plan), plan
