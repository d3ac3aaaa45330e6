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
-- The oldest ready rollouts of a run that nobody else is about to take; untried ones from a mark on.
SELECT
  w.run, w.rollout AS key, r.kind, w.again, CASE WHEN w.again THEN 'requeuing' ELSE 'queuing' END AS status,
  w.attempts, w.counted, r.ordinal, r.proposal, r.subject, w.charged,
  w.reserve_rollouts, w.reserve_calls, w.reserve_tokens, w.reserve_cost,
  r.hash, r.example_id, r.split, r.example_content, r.example_digest
FROM (
  SELECT * FROM (
    SELECT * FROM waiting
    WHERE run = $1 AND again AND ready_ms <= $3
    ORDER BY rollout
    LIMIT $2
    FOR UPDATE SKIP LOCKED
  ) AS tried
  UNION ALL
  SELECT * FROM (
    SELECT * FROM waiting
    WHERE run = $1 AND NOT again AND rollout >= $4
    ORDER BY rollout
    LIMIT $2
    FOR UPDATE SKIP LOCKED
  ) AS untried
) AS w
CROSS JOIN LATERAL (
  SELECT
    r.kind, r.ordinal, r.proposal, r.subject, s.hash,
    e.id AS example_id, e.split, e.content AS example_content, e.digest AS example_digest
  FROM request AS r
  JOIN resources AS s ON s.key = r.resources
  LEFT JOIN example AS e ON e.key = r.example
  WHERE r.key = w.rollout
  LIMIT 1
) AS r
ORDER BY w.rollout
LIMIT $2;

-- name: begin
-- Claimed rollouts run under a new attempt of their worker.
WITH taken AS (
  DELETE FROM waiting AS w
  USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS c (run, rollout, worker)
  WHERE w.run = c.run AND w.rollout = c.rollout
  RETURNING w.*, c.worker
)
INSERT INTO held (
  rollout, run, n, worker, started_unix_ms, counted,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost
)
SELECT
  rollout, run, attempts + 1, worker, $4, counted,
  CASE WHEN charged THEN 0 ELSE reserve_rollouts END, reserve_calls, reserve_tokens, reserve_cost
FROM taken;

-- name: take
-- Sign, and hand out the oldest that is ready of runs without limits to workers that are live, one
-- to each place in their list; untried ones from marks on. Where it is not as plain as that (a run has a limit, a worker is gone,
-- there is no such run), nothing is handed out.
WITH signed AS MATERIALIZED (
  UPDATE receipt
  SET last = $2, seen_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
  WHERE key = $1
  RETURNING seen_ms
),
live AS MATERIALIZED (
  SELECT key FROM worker
  WHERE state = 'live' AND key = ANY($7::bigint[])
  ORDER BY key
  FOR SHARE
),
open AS MATERIALIZED (
  SELECT
    key,
    coalesce(
      (SELECT low FROM unnest($9::bigint[], $10::bigint[]) AS m (run, low) WHERE m.run = key), 0
    ) AS low
  FROM run
  WHERE
    status = 'running' AND ($6::text IS NULL OR id = $6)
    AND coalesce(limit_rollouts, limit_calls, limit_tokens, limit_cost) IS NULL
  ORDER BY key
  FOR SHARE
),
plain AS MATERIALIZED (
  SELECT 1
  WHERE
    (SELECT count(*) FROM live) = cardinality($7::bigint[])
    AND NOT EXISTS (
      SELECT 1 FROM run
      WHERE
        status = 'running' AND ($6::text IS NULL OR id = $6)
        AND coalesce(limit_rollouts, limit_calls, limit_tokens, limit_cost) IS NOT NULL
    )
    AND ($6::text IS NULL OR EXISTS (SELECT 1 FROM run WHERE id = $6))
),
ready AS MATERIALIZED (
  SELECT one.place
  FROM plain
  CROSS JOIN open
  CROSS JOIN LATERAL (
    SELECT * FROM (
      SELECT ctid AS place, rollout FROM waiting
      WHERE
        run = open.key AND again AND ready_ms <= coalesce($4::bigint, (SELECT seen_ms FROM signed))
      ORDER BY rollout
      LIMIT cardinality($8::bigint[])
      FOR UPDATE SKIP LOCKED
    ) AS tried
    UNION ALL
    SELECT * FROM (
      SELECT ctid AS place, rollout FROM waiting
      WHERE run = open.key AND NOT again AND rollout >= open.low
      ORDER BY rollout
      LIMIT cardinality($8::bigint[])
      FOR UPDATE SKIP LOCKED
    ) AS untried
  ) AS one
  WHERE (SELECT sum(queuing + requeuing) FROM tally WHERE tally.run = open.key) > 0
  ORDER BY one.rollout
  LIMIT cardinality($8::bigint[])
),
taken AS (
  DELETE FROM waiting WHERE ctid = ANY(ARRAY(SELECT place FROM ready)) RETURNING *
),
placed AS MATERIALIZED (
  SELECT
    rollout, run, attempts, counted, again,
    CASE WHEN charged THEN 0 ELSE reserve_rollouts END AS reserve_rollouts,
    reserve_calls, reserve_tokens, reserve_cost, row_number() OVER (ORDER BY rollout) AS place
  FROM taken
),
begun AS (
  INSERT INTO held (
    rollout, run, n, worker, started_unix_ms, counted,
    reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost
  )
  SELECT
    rollout, run, attempts + 1, ($8::bigint[])[place],
    coalesce($5::bigint, (SELECT seen_ms FROM signed)), counted,
    reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost
  FROM placed
),
counters AS (
  INSERT INTO tally AS t (
    run, slot, queuing, requeuing, running,
    reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost
  )
  SELECT
    run, $3::integer, -count(*) FILTER (WHERE NOT again), -count(*) FILTER (WHERE again), count(*),
    sum(reserve_rollouts), sum(reserve_calls), sum(reserve_tokens), sum(reserve_cost)
  FROM placed
  GROUP BY run
  ORDER BY run
  ON CONFLICT (run, slot) DO UPDATE SET
    queuing = t.queuing + excluded.queuing, requeuing = t.requeuing + excluded.requeuing,
    running = t.running + excluded.running,
    reserved_rollouts = t.reserved_rollouts + excluded.reserved_rollouts,
    reserved_calls = t.reserved_calls + excluded.reserved_calls,
    reserved_tokens = t.reserved_tokens + excluded.reserved_tokens,
    reserved_cost = t.reserved_cost + excluded.reserved_cost
)
SELECT
  signed.seen_ms AS now_ms, EXISTS (SELECT 1 FROM plain) AS plain,
  p.rollout AS key, p.run, p.again, p.attempts, p.counted,
  p.reserve_rollouts, p.reserve_calls, p.reserve_tokens, p.reserve_cost, asked.*
FROM signed
LEFT JOIN placed AS p ON true
LEFT JOIN LATERAL (
  SELECT
    run.id AS run_id, r.kind, r.ordinal, r.proposal, r.subject, s.hash,
    e.id AS example_id, e.split, e.content AS example_content, e.digest AS example_digest
  FROM request AS r
  JOIN run ON run.key = r.run
  JOIN resources AS s ON s.key = r.resources
  LEFT JOIN example AS e ON e.key = r.example
  WHERE r.key = p.rollout
  LIMIT 1
) AS asked ON true
ORDER BY p.place;

-- name: complete
-- Sign, and record successes of attempts that are live; told are those that were.
WITH signed AS MATERIALIZED (
  UPDATE receipt
  SET last = $2, seen_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
  WHERE key = $1
  RETURNING seen_ms
),
done AS MATERIALIZED (
  SELECT
    g.*, h.*,
    h.limited AND (h.reserved_calls, h.reserved_tokens, h.reserved_cost)
      IS DISTINCT FROM (g.calls, g.tokens, g.cost) AS freed
  FROM unnest(
    $5::bigint[], $6::bigint[], $7::text[], $8::double precision[], $9::bigint[], $10::bigint[],
    $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::bytea[], $16::bigint[],
    $17::bytea[], $18::bytea[]
  ) AS g (
    rollout, n, run_id, score, duration, calls, tokens, cost, output, rewards, digest,
    span_count, span_data, span_digest
  )
  CROSS JOIN LATERAL (
    SELECT
      h.ctid AS place, h.run, h.worker, h.started_unix_ms, h.counted,
      h.reserved_rollouts, h.reserved_calls, h.reserved_tokens, h.reserved_cost,
      coalesce(run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL AS limited
    FROM held AS h
    JOIN run ON run.key = h.run
    WHERE h.rollout = g.rollout AND h.n = g.n AND run.id = g.run_id AND h.spans IS NULL
    FOR UPDATE OF h
  ) AS h
),
freed AS (
  DELETE FROM held WHERE ctid = ANY(ARRAY(SELECT place FROM done))
),
tries AS (
  INSERT INTO ended (
    rollout, n, worker, status, started_unix_ms, ended_unix_ms,
    reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost,
    spent_rollouts, spent_calls, spent_tokens, spent_cost
  )
  SELECT
    rollout, n, worker, 'succeeded', started_unix_ms,
    coalesce($4::bigint, (SELECT seen_ms FROM signed)),
    reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost,
    reserved_rollouts, calls, tokens, cost
  FROM done
),
results AS (
  INSERT INTO outcome (
    rollout, run, updated_unix_ms, attempts, counted, duration_ms, score, status,
    output, rewards, digest
  )
  SELECT
    rollout, run, coalesce($4::bigint, (SELECT seen_ms FROM signed)), n, counted, duration, score,
    'succeeded', output, rewards, digest
  FROM done
),
blocks AS (
  INSERT INTO span_block (rollout, n, first, count, data, digest)
  SELECT rollout, n, 1, span_count, span_data, span_digest FROM done WHERE span_count IS NOT NULL
),
counters AS (
  INSERT INTO tally AS t (
    run, slot, running, succeeded, spent_rollouts, spent_calls, spent_tokens, spent_cost,
    reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost
  )
  SELECT
    run, $3::integer, -count(*), count(*),
    sum(reserved_rollouts), sum(calls), sum(tokens), sum(cost),
    -sum(reserved_rollouts), -sum(reserved_calls), -sum(reserved_tokens), -sum(reserved_cost)
  FROM done
  GROUP BY run
  ORDER BY run
  ON CONFLICT (run, slot) DO UPDATE SET
    running = t.running + excluded.running, succeeded = t.succeeded + excluded.succeeded,
    spent_rollouts = t.spent_rollouts + excluded.spent_rollouts,
    spent_calls = t.spent_calls + excluded.spent_calls,
    spent_tokens = t.spent_tokens + excluded.spent_tokens,
    spent_cost = t.spent_cost + excluded.spent_cost,
    reserved_rollouts = t.reserved_rollouts + excluded.reserved_rollouts,
    reserved_calls = t.reserved_calls + excluded.reserved_calls,
    reserved_tokens = t.reserved_tokens + excluded.reserved_tokens,
    reserved_cost = t.reserved_cost + excluded.reserved_cost
)
SELECT signed.seen_ms AS now_ms, d.rollout, d.n, d.run_id, d.freed
FROM signed LEFT JOIN done AS d ON true;

-- name: held_attempts
-- Attempts in flight with everything that decides what may become of them; kept from others' hands.
SELECT
  h.rollout, h.n, 'running' AS status, false AS taken, false AS assumed, NULL::bigint AS late_calls,
  h.reserved_rollouts, h.reserved_calls, h.reserved_tokens, h.reserved_cost,
  0::bigint AS spent_rollouts, 0::bigint AS spent_calls, 0::bigint AS spent_tokens,
  0::bigint AS spent_cost,
  h.run, 'running' AS rollout_status, h.n AS live, h.counted, run.id AS run_id, run.max_attempts,
  coalesce(run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL AS limited,
  'live' AS worker_state, h.spans AS last_sequence
FROM held AS h
JOIN run ON run.key = h.run
WHERE h.rollout = ANY($1::bigint[])
ORDER BY h.rollout
FOR UPDATE OF h;

-- name: ended_attempts
-- Attempts that are over; each is kept from others' hands, as its real spend may come late.
SELECT
  a.rollout, a.n, a.status, a.taken, a.assumed, a.late_calls,
  a.reserved_rollouts, a.reserved_calls, a.reserved_tokens, a.reserved_cost,
  a.spent_rollouts, a.spent_calls, a.spent_tokens, a.spent_cost,
  r.run, r.status AS rollout_status, r.live, r.counted, run.id AS run_id, run.max_attempts,
  coalesce(run.limit_calls, run.limit_tokens, run.limit_cost) IS NOT NULL AS limited,
  w.state AS worker_state, NULL::bigint AS last_sequence
FROM unnest($1::bigint[], $2::bigint[]) AS asked (rollout, n)
JOIN ended AS a ON a.rollout = asked.rollout AND a.n = asked.n
JOIN rollout AS r ON r.key = a.rollout
JOIN run ON run.key = r.run
JOIN worker AS w ON w.key = a.worker
ORDER BY a.rollout, a.n
FOR UPDATE OF a;

-- name: held_by_worker
-- What a worker holds, oldest first.
SELECT rollout, n FROM held WHERE worker = $1 ORDER BY rollout;

-- name: held_of_run
-- What workers hold of a run, oldest first.
SELECT rollout, n FROM held WHERE run = $1 ORDER BY rollout;

-- name: end_attempt
-- The one way attempts end that are no plain successes: status, failure and what they spent.
INSERT INTO ended (
  rollout, n, worker, status, counted, started_unix_ms, ended_unix_ms, failure,
  reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost,
  spent_rollouts, spent_calls, spent_tokens, spent_cost, assumed, taken
)
SELECT
  h.rollout, h.n, h.worker, g.status, g.counted, h.started_unix_ms, g.ended, g.failure,
  h.reserved_rollouts, h.reserved_calls, h.reserved_tokens, h.reserved_cost,
  g.rollouts, g.calls, g.tokens, g.cost, g.assumed, g.taken
FROM unnest(
  $1::bigint[], $2::bigint[], $3::text[], $4::boolean[], $5::bigint[], $6::text[], $7::bigint[],
  $8::bigint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::boolean[]
) AS g (rollout, n, status, counted, ended, failure, rollouts, calls, tokens, cost, assumed, taken)
CROSS JOIN LATERAL (SELECT * FROM held WHERE rollout = g.rollout AND n = g.n LIMIT 1) AS h;

-- name: let_go
-- Attempts that are over are in nobody's hands.
DELETE FROM held WHERE rollout = ANY($1::bigint[]);

-- name: book_late
-- The real spend of attempts that had been taken from their workers replaces what was assumed.
UPDATE ended AS a
SET
  spent_calls = g.calls, spent_tokens = g.tokens, spent_cost = g.cost,
  late_calls = g.late_calls, late_tokens = g.late_tokens, late_cost = g.late_cost, assumed = false
FROM unnest(
  $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
  $8::bigint[]
) AS g (rollout, n, calls, tokens, cost, late_calls, late_tokens, late_cost)
WHERE a.rollout = g.rollout AND a.n = g.n;

-- name: settle_rollout
-- What came of rollouts whose attempts end with it.
INSERT INTO outcome (
  rollout, run, status, attempts, counted, score, failure, duration_ms, updated_unix_ms,
  output, rewards, digest
)
SELECT
  h.rollout, h.run, g.status, h.n, g.counted, g.score, g.failure, g.duration, g.now,
  g.output, g.rewards, g.digest
FROM unnest(
  $1::bigint[], $2::text[], $3::bigint[], $4::double precision[], $5::text[], $6::bigint[],
  $7::bigint[], $8::text[], $9::text[], $10::bytea[]
) AS g (key, status, counted, score, failure, duration, now, output, rewards, digest)
CROSS JOIN LATERAL (SELECT * FROM held WHERE rollout = g.key LIMIT 1) AS h;

-- name: requeue_rollout
-- Back to the queue, ready at a time (0 = now).
INSERT INTO waiting (
  run, rollout, ready_ms, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, attempts,
  counted, since_unix_ms, again, charged
)
SELECT
  h.run, h.rollout, g.ready, h.reserve_rollouts, h.reserve_calls, h.reserve_tokens,
  h.reserve_cost, h.n, g.counted, g.now, true, g.charged <> 0
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS g (key, counted, charged, ready, now)
CROSS JOIN LATERAL (
  SELECT held.*, r.reserve_rollouts, r.reserve_calls, r.reserve_tokens, r.reserve_cost
  FROM held JOIN request AS r ON r.key = held.rollout
  WHERE held.rollout = g.key
  LIMIT 1
) AS h;

-- name: recorded
-- The outcome that stands of an attempt which its worker ended itself.
SELECT o.digest
FROM ended AS a
LEFT JOIN outcome AS o ON o.rollout = a.rollout AND o.attempts = a.n
WHERE a.rollout = $1 AND a.n = $2 AND NOT a.taken;

-- name: insert_spans
-- Blocks of spans.
INSERT INTO span_block (rollout, n, first, count, data, digest)
SELECT * FROM unnest(
  $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[]
) AS g (rollout, n, first, count, data, digest);

-- name: number_spans
-- The last span of an attempt so far.
UPDATE held SET spans = $3 WHERE rollout = $1 AND n = $2;
