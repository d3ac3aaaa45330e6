-- name: insert_worker
-- A new identity of a claiming loop, trainer or host.
INSERT INTO worker (
  name, role, offers, host, boot_id, pid_namespace, pid, started_ticks, lease_ms, registered_unix_ms,
  heartbeat_unix_ms, heartbeat_ms
)
VALUES (
  :name, :role, :offers, :host, :boot_id, :pid_namespace, :pid, :started_ticks, :lease_ms, :unix_ms,
  :unix_ms, :now
)
RETURNING key;

-- name: worker
-- One worker.
SELECT * FROM worker WHERE key = ?1;

-- name: worker_state
-- Whether a worker is live, lost or retired.
SELECT state FROM worker WHERE key = ?1;

-- name: live_workers
-- Everyone who has a lease, expired or not.
SELECT * FROM worker WHERE state = 'live' ORDER BY key;

-- name: on_another_machine
-- Someone with a lease that runs on another machine than the one given by boot and host.
SELECT host, pid, boot_id, heartbeat_unix_ms, lease_ms FROM worker
WHERE state = 'live' AND boot_id <> ?1 AND host <> ?2 AND heartbeat_unix_ms + lease_ms > ?3
ORDER BY key LIMIT 1;

-- name: live_among
-- Those of a list that are live.
SELECT key FROM worker WHERE state = 'live' AND key IN (SELECT value FROM json_each(?1));

-- name: beat_workers
-- Renew leases.
UPDATE worker SET heartbeat_ms = ?2, heartbeat_unix_ms = ?3
WHERE state = 'live' AND key IN (SELECT value FROM json_each(?1));

-- name: end_worker
-- Give a worker up (lost) or take it off the list (retired).
UPDATE worker SET state = ?2 WHERE key = ?1 AND state = 'live';

-- name: running_runs
-- Runs whose rollouts may be claimed, with what their budgets have left to give.
SELECT
  run.key, run.id, run.limit_rollouts, run.limit_calls, run.limit_tokens, run.limit_cost,
  coalesce(run.limit_rollouts, run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL
    AS limited,
  tally.spent_rollouts + tally.reserved_rollouts AS rollouts,
  tally.spent_calls + tally.reserved_calls AS calls,
  tally.spent_tokens + tally.reserved_tokens AS tokens,
  tally.spent_cost + tally.reserved_cost AS cost
FROM run JOIN tally ON tally.run = run.key
WHERE run.status = 'running' AND tally.queuing + tally.requeuing > 0
ORDER BY run.key;

-- name: promote_due
-- Scheduled retries of a run whose time has come are ready.
UPDATE rollout SET ready_ms = 0
WHERE run = ?1 AND status = 'requeuing' AND ready_ms > 0 AND ready_ms <= ?2;

-- name: ready_rollouts
-- The oldest ready rollouts of a run.
SELECT
  r.key, r.kind, r.status, r.attempts, r.counted, r.ordinal, r.proposal, r.subject, r.charged,
  r.reserve_rollouts, r.reserve_calls, r.reserve_tokens, r.reserve_cost,
  s.hash, e.id AS example_id, e.split, e.content AS example_content, e.digest AS example_digest
FROM rollout AS r
JOIN resources AS s ON s.key = r.resources
LEFT JOIN example AS e ON e.key = r.example
WHERE r.run = ?1 AND r.status IN ('queuing', 'requeuing') AND r.ready_ms = 0
ORDER BY r.key
LIMIT ?2;

-- name: begin_attempts
-- Attempts for claimed rollouts, given as [rollout, worker], still as they were in the queue.
INSERT INTO attempt (
  rollout, n, worker, status, started_unix_ms,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost
)
SELECT
  r.key, r.attempts + 1, claimed.value ->> 1, 'running', ?2,
  iif(r.charged, 0, r.reserve_rollouts), r.reserve_calls, r.reserve_tokens, r.reserve_cost
FROM json_each(?1) AS claimed CROSS JOIN rollout AS r ON r.key = claimed.value ->> 0;

-- name: begin_rollouts
-- Claimed rollouts run under their new attempt.
UPDATE rollout
SET
  status = 'running', attempts = attempts + 1, live = attempts + 1, charged = 1,
  updated_unix_ms = ?2
WHERE key IN (SELECT value FROM json_each(?1));

-- name: held_attempt
-- An attempt with everything that decides what may become of it.
SELECT
  a.rollout, a.n, a.status, a.taken, a.assumed, a.late_calls,
  a.reserved_rollouts, a.reserved_calls, a.reserved_tokens, a.reserved_cost,
  a.spent_rollouts, a.spent_calls, a.spent_tokens, a.spent_cost,
  r.run, r.status AS rollout_status, r.live, r.counted, run.id AS run_id, run.max_attempts,
  coalesce(run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL AS limited,
  w.state AS worker_state,
  (
    SELECT max(b.first + b.count - 1) FROM span_block AS b WHERE b.rollout = a.rollout AND b.n = a.n
  ) AS last_sequence
FROM attempt AS a
JOIN rollout AS r ON r.key = a.rollout
JOIN run ON run.key = r.run
JOIN worker AS w ON w.key = a.worker
WHERE a.rollout = ?1 AND a.n = ?2;

-- name: held_attempts
-- Attempts, given as [rollout, n], with what decides what may become of them while they are live.
SELECT
  a.rollout, a.n, a.status,
  a.reserved_rollouts, a.reserved_calls, a.reserved_tokens, a.reserved_cost,
  r.run, r.status AS rollout_status, r.live, r.counted, run.id AS run_id, run.max_attempts,
  coalesce(run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL AS limited,
  w.state AS worker_state,
  (
    SELECT max(b.first + b.count - 1) FROM span_block AS b WHERE b.rollout = a.rollout AND b.n = a.n
  ) AS last_sequence
FROM json_each(?1) AS asked
CROSS JOIN attempt AS a
  ON a.rollout = asked.value ->> 0 AND a.n = asked.value ->> 1
JOIN rollout AS r ON r.key = a.rollout
JOIN run ON run.key = r.run
JOIN worker AS w ON w.key = a.worker;

-- name: held_by_worker
-- What a worker holds, oldest first.
SELECT
  a.rollout, a.n, a.status, a.taken, a.assumed, a.late_calls,
  a.reserved_rollouts, a.reserved_calls, a.reserved_tokens, a.reserved_cost,
  a.spent_rollouts, a.spent_calls, a.spent_tokens, a.spent_cost,
  r.run, r.status AS rollout_status, r.live, r.counted, run.id AS run_id, run.max_attempts,
  coalesce(run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL AS limited,
  'live' AS worker_state
FROM attempt AS a
JOIN rollout AS r ON r.key = a.rollout
JOIN run ON run.key = r.run
WHERE a.worker = ?1 AND a.status IN ('preparing', 'running')
ORDER BY a.rollout;

-- name: held_of_run
-- What workers hold of a run, oldest first.
SELECT
  a.rollout, a.n, a.status, a.taken, a.assumed, a.late_calls,
  a.reserved_rollouts, a.reserved_calls, a.reserved_tokens, a.reserved_cost,
  a.spent_rollouts, a.spent_calls, a.spent_tokens, a.spent_cost,
  r.run, r.status AS rollout_status, r.live, r.counted, run.id AS run_id, run.max_attempts,
  coalesce(run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL AS limited,
  'live' AS worker_state
FROM rollout AS r
JOIN attempt AS a ON a.rollout = r.key AND a.n = r.live
JOIN run ON run.key = r.run
WHERE r.run = ?1 AND r.status IN ('preparing', 'running')
ORDER BY r.key;

-- name: end_attempt
-- The one way an attempt ends: status, failure and what it spent.
UPDATE attempt
SET
  status = v.column3, counted = v.column4, ended_unix_ms = v.column5, failure = v.column6,
  spent_rollouts = v.column7, spent_calls = v.column8, spent_tokens = v.column9,
  spent_cost = v.column10, assumed = v.column11, taken = v.column12
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS v
WHERE attempt.rollout = v.column1 AND attempt.n = v.column2;

-- name: book_late
-- The real spend of an attempt that had been taken from its worker replaces what was assumed.
UPDATE attempt
SET
  spent_calls = ?3, spent_tokens = ?4, spent_cost = ?5,
  late_calls = ?6, late_tokens = ?7, late_cost = ?8, assumed = 0
WHERE rollout = ?1 AND n = ?2;

-- name: settle_rollout
-- The rollout's end, written with its attempt's.
UPDATE rollout
SET
  status = v.column2, live = NULL, counted = v.column3, score = v.column4, failure = v.column5,
  duration_ms = v.column6, updated_unix_ms = v.column7
FROM (VALUES (?, ?, ?, ?, ?, ?, ?)) AS v
WHERE rollout.key = v.column1;

-- name: requeue_rollout
-- Back to the queue, ready at a monotonic time (0 = now).
UPDATE rollout
SET
  status = 'requeuing', live = NULL, counted = ?2, charged = ?3, ready_ms = ?4,
  updated_unix_ms = ?5
WHERE key = ?1;

-- name: insert_result
-- What a settled rollout produced.
INSERT OR REPLACE INTO result (rollout, output, rewards, digest) VALUES (?, ?, ?, ?);

-- name: insert_spans
-- A block of spans.
INSERT INTO span_block (rollout, n, first, count, data, digest) VALUES (?, ?, ?, ?, ?, ?);

-- name: forget_retry_times
-- Monotonic times of another boot mean nothing: everything scheduled is ready.
UPDATE rollout SET ready_ms = 0 WHERE status = 'requeuing' AND ready_ms > 0;

-- name: meta
-- One fact about the store itself.
SELECT value FROM schema_meta WHERE name = ?1;

-- name: set_meta
-- Set a fact about the store itself.
INSERT INTO schema_meta (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
