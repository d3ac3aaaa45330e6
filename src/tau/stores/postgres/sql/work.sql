-- name: insert_worker
-- A new identity of a claiming loop, trainer or host.
INSERT INTO worker (
  name, role, host, boot_id, pid_namespace, pid, started_ticks, lease_ms, registered_unix_ms,
  heartbeat_unix_ms, heartbeat_ms, offers
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)
RETURNING *;

-- name: worker
-- One worker.
SELECT * FROM worker WHERE key = $1;

-- name: worker_state
-- Whether a worker is live, lost or retired.
SELECT state FROM worker WHERE key = $1;

-- name: lock_worker
-- One worker that is about to be given up.
SELECT * FROM worker WHERE key = $1 FOR NO KEY UPDATE;

-- name: live_workers
-- Everyone who has a lease, expired or not.
SELECT * FROM worker WHERE state = 'live' ORDER BY key;

-- name: hold_live
-- Those of a list that are live; they stay so until this transaction ends.
SELECT key FROM worker
WHERE state = 'live' AND key = ANY($1::bigint[])
ORDER BY key
FOR SHARE;

-- name: beat_workers
-- Renew leases.
UPDATE worker SET heartbeat_ms = $2, heartbeat_unix_ms = $3
WHERE key IN (
  SELECT key FROM worker
  WHERE state = 'live' AND key = ANY($1::bigint[])
  ORDER BY key
  FOR NO KEY UPDATE
)
RETURNING key;

-- name: end_worker
-- Give a worker up (lost) or take it off the list (retired).
UPDATE worker SET state = $2 WHERE key = $1 AND state = 'live';

-- name: hold_runs
-- Runs whose rollouts may be claimed; they stay so until this transaction ends. What a budget limits
-- is given out by one transaction at a time.
WITH limited AS MATERIALIZED (
  SELECT key FROM run
  WHERE
    status = 'running' AND ($1::text IS NULL OR id = $1)
    AND coalesce(limit_rollouts, limit_calls, limit_tokens, limit_cost) IS NOT NULL
  ORDER BY key
  FOR NO KEY UPDATE
),
unlimited AS MATERIALIZED (
  SELECT key FROM run
  WHERE
    status = 'running' AND ($1::text IS NULL OR id = $1)
    AND coalesce(limit_rollouts, limit_calls, limit_tokens, limit_cost) IS NULL
  ORDER BY key
  FOR SHARE
)
SELECT key FROM limited UNION ALL SELECT key FROM unlimited;

-- name: running_runs
-- Runs whose rollouts may be claimed, with what their budgets have left to give.
SELECT
  run.key, run.id, run.limit_rollouts, run.limit_calls, run.limit_tokens, run.limit_cost,
  coalesce(run.limit_rollouts, run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL
    AS limited,
  t.spent_rollouts + t.reserved_rollouts AS rollouts,
  t.spent_calls + t.reserved_calls AS calls,
  t.spent_tokens + t.reserved_tokens AS tokens,
  t.spent_cost + t.reserved_cost AS cost
FROM run JOIN run_tally AS t ON t.run = run.key
WHERE
  run.status = 'running' AND t.queuing + t.requeuing > 0
  AND ($1::text[] IS NULL OR run.id = ANY($1))
ORDER BY run.key;

-- name: ready_rollouts
-- The oldest ready rollouts of a run that nobody else is about to take.
SELECT
  r.key, r.kind, r.status, r.attempts, r.counted, r.ordinal, r.proposal, r.subject, r.charged,
  r.reserve_rollouts, r.reserve_calls, r.reserve_tokens, r.reserve_cost,
  s.hash, e.id AS example_id, e.split, e.content AS example_content, e.digest AS example_digest
FROM rollout AS r
JOIN resources AS s ON s.key = r.resources
LEFT JOIN example AS e ON e.key = r.example
WHERE r.run = $1 AND r.status IN ('queuing', 'requeuing') AND r.ready_ms <= $3
ORDER BY r.key
LIMIT $2
FOR NO KEY UPDATE OF r SKIP LOCKED;

-- name: begin
-- Claimed rollouts run under a new attempt of their worker.
WITH claimed AS (
  SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS c (rollout, worker)
),
begun AS (
  INSERT INTO attempt (
    rollout, n, worker, status, started_unix_ms,
    reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost
  )
  SELECT
    r.key, r.attempts + 1, c.worker, 'running', $3,
    CASE WHEN r.charged THEN 0 ELSE r.reserve_rollouts END,
    r.reserve_calls, r.reserve_tokens, r.reserve_cost
  FROM claimed AS c JOIN rollout AS r ON r.key = c.rollout
)
UPDATE rollout AS r
SET
  status = 'running', attempts = r.attempts + 1, live = r.attempts + 1, charged = true,
  ready_ms = 0, updated_unix_ms = $3
FROM claimed AS c
WHERE r.key = c.rollout;

-- name: lock_rollouts
-- Rollouts whose attempts are about to end: everything that ends one locks its rollout first.
SELECT key FROM rollout WHERE key = ANY($1::bigint[]) ORDER BY key FOR NO KEY UPDATE;

-- name: held_attempts
-- Attempts with everything that decides what may become of them.
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
FROM unnest($1::bigint[], $2::bigint[]) AS asked (rollout, n)
JOIN attempt AS a ON a.rollout = asked.rollout AND a.n = asked.n
JOIN rollout AS r ON r.key = a.rollout
JOIN run ON run.key = r.run
JOIN worker AS w ON w.key = a.worker;

-- name: held_by_worker
-- What a worker holds, oldest first.
SELECT rollout, n FROM attempt
WHERE worker = $1 AND status IN ('preparing', 'running')
ORDER BY rollout;

-- name: held_of_run
-- What workers hold of a run, oldest first.
SELECT r.key AS rollout, r.live AS n FROM rollout AS r
WHERE r.run = $1 AND r.status IN ('preparing', 'running')
ORDER BY r.key;

-- name: end_attempt
-- The one way attempts end: status, failure and what they spent.
UPDATE attempt AS a
SET
  status = g.status, counted = g.counted, ended_unix_ms = g.ended, failure = g.failure,
  spent_rollouts = g.rollouts, spent_calls = g.calls, spent_tokens = g.tokens,
  spent_cost = g.cost, assumed = g.assumed, taken = g.taken
FROM unnest(
  $1::bigint[], $2::bigint[], $3::text[], $4::boolean[], $5::bigint[], $6::text[], $7::bigint[],
  $8::bigint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::boolean[]
) AS g (rollout, n, status, counted, ended, failure, rollouts, calls, tokens, cost, assumed, taken)
WHERE a.rollout = g.rollout AND a.n = g.n;

-- name: book_late
-- The real spend of attempts that had been taken from their workers replaces what was assumed.
UPDATE attempt AS a
SET
  spent_calls = g.calls, spent_tokens = g.tokens, spent_cost = g.cost,
  late_calls = g.late_calls, late_tokens = g.late_tokens, late_cost = g.late_cost, assumed = false
FROM unnest(
  $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
  $8::bigint[]
) AS g (rollout, n, calls, tokens, cost, late_calls, late_tokens, late_cost)
WHERE a.rollout = g.rollout AND a.n = g.n;

-- name: settle_rollout
-- Rollouts' ends, written with their attempts'.
UPDATE rollout AS r
SET
  status = g.status, live = NULL, counted = g.counted, score = g.score, failure = g.failure,
  duration_ms = g.duration, updated_unix_ms = g.now
FROM unnest(
  $1::bigint[], $2::text[], $3::bigint[], $4::double precision[], $5::text[], $6::bigint[],
  $7::bigint[]
) AS g (key, status, counted, score, failure, duration, now)
WHERE r.key = g.key;

-- name: requeue_rollout
-- Back to the queue, ready at a time (0 = now).
UPDATE rollout AS r
SET
  status = 'requeuing', live = NULL, counted = g.counted, charged = g.charged <> 0,
  ready_ms = g.ready, updated_unix_ms = g.now
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS g (key, counted, charged, ready, now)
WHERE r.key = g.key;

-- name: insert_result
-- What settled rollouts produced.
INSERT INTO result (rollout, output, rewards, digest)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS g (r, o, w, d)
ON CONFLICT (rollout) DO UPDATE SET
  output = excluded.output, rewards = excluded.rewards, digest = excluded.digest;

-- name: recorded
-- The outcome that stands of an attempt which its worker ended itself.
SELECT x.digest, r.status
FROM attempt AS a
JOIN rollout AS r ON r.key = a.rollout
LEFT JOIN result AS x ON x.rollout = r.key AND r.attempts = a.n
WHERE a.rollout = $1 AND a.n = $2 AND NOT a.taken AND a.ended_unix_ms IS NOT NULL;

-- name: insert_spans
-- Blocks of spans.
INSERT INTO span_block (rollout, n, first, count, data, digest)
SELECT * FROM unnest(
  $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[]
) AS g (rollout, n, first, count, data, digest);
