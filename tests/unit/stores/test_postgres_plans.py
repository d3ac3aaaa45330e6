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
INSERT INTO request (run, kind, resources, example, ordinal, reserve_rollouts, reserve_calls,
  reserve_tokens, reserve_cost, created_unix_ms)
SELECT 1 + i % 3, 'evaluate', 1, 1 + i % 5000, i, 1, 1, 1, 0, i FROM generate_series(1, 20000) AS i;
INSERT INTO waiting (run, rollout, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost,
  since_unix_ms)
SELECT run, key, 1, 1, 1, 0, 1 FROM request WHERE key % 5 = 0;
INSERT INTO held (rollout, run, n, worker, started_unix_ms, counted, reserved_rollouts,
  reserved_calls, reserved_tokens, reserved_cost)
SELECT key, run, 1, 1 + key % 7, 1, 0, 1, 1, 1, 0 FROM request WHERE key % 5 = 1;
INSERT INTO ended (rollout, n, worker, status, started_unix_ms, ended_unix_ms,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost)
SELECT key, 1, 1, 'succeeded', 1, 2, 1, 1, 1, 0 FROM request WHERE key % 5 > 1;
INSERT INTO outcome (rollout, run, updated_unix_ms, attempts, counted, status, rewards, digest)
SELECT key, run, key, 1, 0, CASE key % 50 WHEN 2 THEN 'failed' ELSE 'succeeded' END, '[]', ''
FROM request WHERE key % 5 > 1;
INSERT INTO span_block (rollout, n, first, count, data, digest)
SELECT rollout, n, 1, 1, '', '' FROM ended;
ANALYZE;
"""
HOT = {
    name: SQL[name]
    for name in (
        "take", "complete", "ready_rollouts", "first_ready", "next_ready", "begin",
        "held_attempts", "ended_attempts", "recorded", "collect", "evaluation_keys",
        "example_keys", "attempts", "spans", "queued_among", "failed_among", "cancel_rollouts",
        "requeue_rollouts", "failures", "progress", "tally",
    )
} | {"ends": together(ENDS)}  # fmt: skip
_GROWS = re.compile(r"Seq Scan on (request|waiting|held|ended|outcome|span_block|example)\b")


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
