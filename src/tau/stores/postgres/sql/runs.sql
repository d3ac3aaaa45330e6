-- name: run_key
-- The integer key of a run.
SELECT key FROM run WHERE id = $1;

-- name: insert_run
-- A new run, running; nothing where its id is taken.
INSERT INTO run (
  id, config_hash, model_ref, seed, algorithm, config, limit_rollouts, limit_calls, limit_tokens,
  limit_cost, limit_seconds, max_attempts, status, created_unix_ms, updated_unix_ms, active_s, digest
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'running', $13, $13, $14, $15)
ON CONFLICT (id) DO NOTHING
RETURNING key;

-- name: insert_tally
-- Counters of a new run, with what it brings along from a store that was lost.
INSERT INTO tally (
  run, slot, spent_rollouts, spent_calls, spent_tokens, spent_cost,
  brought_rollouts, brought_calls, brought_tokens, brought_cost, assumed_tokens, assumed_cost
)
VALUES ($1, 0, $2, $3, $4, $5, $2, $3, $4, $5, $6, $7);

-- name: run_by_id
-- One run with its spend and its driver.
SELECT run.*, t.*
FROM run JOIN run_tally AS t ON t.run = run.key
WHERE run.id = $1;

-- name: lock_run
-- The row of a run whose status or driver is about to change.
SELECT key FROM run WHERE id = $1 FOR NO KEY UPDATE;

-- name: hold_run
-- The driver of a run stays while something is written in its name.
SELECT key FROM run WHERE id = $1 FOR SHARE;

-- name: runs_by_config
-- All runs of a configuration, newest first.
SELECT run.*, t.*
FROM run JOIN run_tally AS t ON t.run = run.key
WHERE run.config_hash = $1
ORDER BY run.key DESC;

-- name: runs_page
-- Runs, newest first, of one status or of any.
SELECT run.*, t.*
FROM (
  SELECT * FROM run
  WHERE $1::text IS NULL OR run.status = $1
  ORDER BY run.key DESC
  LIMIT $2 OFFSET $3
) AS run
JOIN run_tally AS t ON t.run = run.key
ORDER BY run.key DESC;

-- name: update_run_status
-- A legal change of status, already checked against the table of transitions.
UPDATE run
SET status = $2, stop_reason = $3, stop_detail = $4, updated_unix_ms = $5
WHERE key = $1;

-- name: add_run_time
-- Time spent running.
UPDATE run SET active_s = active_s + $2, updated_unix_ms = $3 WHERE key = $1;

-- name: mark_reported
-- The final report of a run was delivered.
UPDATE run SET reported = 1 WHERE key = $1;

-- name: update_run_driver
-- Adoption: the trainer drives the run under these limits, and it runs.
UPDATE run
SET
  trainer = $2, status = 'running', stop_reason = NULL, stop_detail = NULL,
  limit_rollouts = $3, limit_calls = $4, limit_tokens = $5,
  limit_cost = $6, limit_seconds = $7, max_attempts = $8, updated_unix_ms = $9
WHERE key = $1;

-- name: add_to_tally
-- What a transaction changed of runs' counters and spend, in the slot of its connection.
INSERT INTO tally AS t (
  run, slot, queuing, preparing, running, succeeded, failed, cancelled, requeuing,
  spent_rollouts, spent_calls, spent_tokens, spent_cost,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost, assumed_tokens, assumed_cost
)
SELECT
  c.run, $19, c.a, c.b, c.c, c.d, c.e, c.f, c.g, c.h, c.i, c.j, c.k, c.l, c.m, c.n, c.o, c.p, c.q
FROM unnest(
  $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
  $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
  $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[]
) AS c (run, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)
ORDER BY c.run
ON CONFLICT (run, slot) DO UPDATE SET
  queuing = t.queuing + excluded.queuing, preparing = t.preparing + excluded.preparing,
  running = t.running + excluded.running, succeeded = t.succeeded + excluded.succeeded,
  failed = t.failed + excluded.failed, cancelled = t.cancelled + excluded.cancelled,
  requeuing = t.requeuing + excluded.requeuing,
  spent_rollouts = t.spent_rollouts + excluded.spent_rollouts,
  spent_calls = t.spent_calls + excluded.spent_calls,
  spent_tokens = t.spent_tokens + excluded.spent_tokens,
  spent_cost = t.spent_cost + excluded.spent_cost,
  reserved_rollouts = t.reserved_rollouts + excluded.reserved_rollouts,
  reserved_calls = t.reserved_calls + excluded.reserved_calls,
  reserved_tokens = t.reserved_tokens + excluded.reserved_tokens,
  reserved_cost = t.reserved_cost + excluded.reserved_cost,
  assumed_tokens = t.assumed_tokens + excluded.assumed_tokens,
  assumed_cost = t.assumed_cost + excluded.assumed_cost;

-- name: tally
-- Counters of one run.
SELECT t.* FROM run JOIN run_tally AS t ON t.run = run.key WHERE run.id = $1;

-- name: progress
-- What changes when a rollout of a run settles or the run's status changes.
SELECT run.status, t.succeeded + t.failed + t.cancelled AS settled
FROM run JOIN run_tally AS t ON t.run = run.key
WHERE run.id = $1;
