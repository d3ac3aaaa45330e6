-- name: facts
-- How big the store is.
SELECT
  (SELECT count(*) FROM run) AS runs,
  (
    SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
  ) AS size_bytes,
  current_setting('server_version') AS server,
  (SELECT value FROM schema_meta WHERE name = 'version') AS version;

-- name: all_tallies
-- Counters of all runs together.
SELECT
  sum(queuing)::bigint AS queuing, sum(preparing)::bigint AS preparing,
  sum(running)::bigint AS running, sum(succeeded)::bigint AS succeeded,
  sum(failed)::bigint AS failed, sum(cancelled)::bigint AS cancelled,
  sum(requeuing)::bigint AS requeuing
FROM tally;

-- name: rollout_by_key
-- One rollout with the name of its run.
SELECT r.key, run.id AS run_id
FROM request AS r JOIN run ON run.key = r.run
WHERE r.key = $1;

-- name: listing
-- Rollouts that fit what is asked; null means any.
SELECT
  r.key, run.id AS run_id, r.kind, r.status, e.split, r.attempts, r.score, r.failure,
  r.duration_ms, r.updated_unix_ms,
  (
    SELECT
      json_build_array(
        sum(a.spent_rollouts)::bigint, sum(a.spent_calls + coalesce(a.late_calls, 0))::bigint,
        sum(a.spent_tokens + coalesce(a.late_tokens, 0))::bigint,
        sum(a.spent_cost + coalesce(a.late_cost, 0))::bigint
      )::text
    FROM ended AS a
    WHERE a.rollout = r.key
  ) AS spent
FROM rollout AS r
JOIN run ON run.key = r.run
LEFT JOIN example AS e ON e.key = r.example

-- name: reused
-- How many evaluations of a run took nothing from its budget: their results were known already.
SELECT count(*) FROM request WHERE run = $1 AND reserve_rollouts = 0;

-- name: costs
-- What scored evaluations of a run cost in the mean, by resources and split.
SELECT
  s.hash, e.split, count(*), avg(o.duration_ms)::double precision,
  avg(CASE WHEN r.reserve_rollouts = 0
    THEN coalesce((given.metadata ->> 'reused_usd')::double precision * 1e9, 0)
    ELSE coalesce((
      SELECT sum(a.spent_cost + coalesce(a.late_cost, 0)) FROM ended AS a WHERE a.rollout = r.key
    ), 0)::double precision END),
  avg(CASE WHEN json_typeof(given.metadata -> 'output_tokens') = 'number'
    THEN (given.metadata ->> 'output_tokens')::double precision END),
  bool_or(position('"name":"safety.hard_gate_triggered"' IN o.rewards) > 0)
FROM request AS r
JOIN outcome AS o ON o.rollout = r.key
JOIN resources AS s ON s.key = r.resources
JOIN example AS e ON e.key = r.example
CROSS JOIN LATERAL (
  SELECT replace(o.output, '\u0000', '\ufffd')::json -> 'metadata' AS metadata
) AS given
WHERE r.run = $1 AND r.kind = 'evaluate' AND o.status = 'succeeded' AND o.score IS NOT NULL
GROUP BY 1, 2;

-- name: settled
-- Settled rollouts of a run beyond a place, one line per attempt.
SELECT
  r.key, o.updated_unix_ms, r.kind, o.status, e.split, s.hash, e.id, r.ordinal, o.score,
  (o.failure::json ->> 'kind'), o.attempts, o.duration_ms,
  a.spent_calls + coalesce(a.late_calls, 0), a.spent_tokens + coalesce(a.late_tokens, 0),
  a.spent_cost + coalesce(a.late_cost, 0),
  coalesce(position('"name":"safety.hard_gate_triggered"' IN o.rewards) > 0, false),
  CASE WHEN position('"reason_codes":["' IN o.output) > 0
    THEN (replace(o.output, '\u0000', '\ufffd')::json -> 'reason_codes')::text END,
  CASE WHEN o.status = 'failed'
    THEN (replace(o.failure, '\u0000', '\ufffd')::json -> 'message')::text
    WHEN o.status = 'succeeded' AND r.kind = 'evaluate' AND o.score IS NULL
    THEN coalesce((
      SELECT CASE WHEN (given.rewards #> '{0,error}')::text NOT IN ('null', '""')
        THEN (given.rewards #> '{0,error}')::text ELSE (given.rewards #> '{0,reason}')::text END
      FROM (SELECT replace(o.rewards, '\u0000', '\ufffd')::json AS rewards) AS given
    ), 'null') END
FROM (
  SELECT * FROM outcome
  WHERE run = $1 AND (updated_unix_ms, rollout) > ($2, $3)
  ORDER BY updated_unix_ms, rollout
  LIMIT $4
) AS o
JOIN request AS r ON r.key = o.rollout
JOIN resources AS s ON s.key = r.resources
LEFT JOIN example AS e ON e.key = r.example
LEFT JOIN ended AS a ON a.rollout = o.rollout
ORDER BY o.updated_unix_ms, o.rollout, a.n;

-- name: stints
-- Attempts at the rollouts of a run that settled last, and those in flight, the oldest first.
SELECT a.rollout, a.n, w.name, a.status, a.started_unix_ms, a.ended_unix_ms
FROM (
  (
    SELECT rollout AS key FROM outcome WHERE run = $1 ORDER BY updated_unix_ms DESC LIMIT $2
  )
  UNION
  SELECT rollout FROM held WHERE run = $1
) AS page
JOIN attempt AS a ON a.rollout = page.key
JOIN worker AS w ON w.key = a.worker
ORDER BY a.started_unix_ms, a.rollout, a.n;

-- name: attempts
-- All tries at a rollout, in order.
SELECT a.*, w.name AS worker_name
FROM attempt AS a JOIN worker AS w ON w.key = a.worker
WHERE a.rollout = $1
ORDER BY a.n;

-- name: spans
-- Blocks of spans of a rollout's attempts, in order.
SELECT rollout, n, first, count, data, digest FROM span_block WHERE rollout = $1 ORDER BY n, first;

-- name: scored
-- Evaluations of a run in submission order; the status is that of settled ones, else null.
SELECT o.status, o.score, r.resources, e.split, e.id AS example_id, s.hash
FROM request AS r
LEFT JOIN outcome AS o ON o.rollout = r.key
JOIN example AS e ON e.key = r.example
JOIN resources AS s ON s.key = r.resources
WHERE r.run = $1 AND r.kind = 'evaluate'
ORDER BY r.key;

-- name: measurements
-- Evaluations of a run, of some resources, or of both, run by run in submission order.
SELECT
  r.key, run.id AS run_id, s.hash, e.id AS example_id, e.split, r.ordinal, r.status, r.score,
  (r.failure::json ->> 'kind') AS failure_kind, r.reserve_rollouts = 0 AS reused
FROM rollout AS r
JOIN run ON run.key = r.run
JOIN example AS e ON e.key = r.example
JOIN resources AS s ON s.key = r.resources
WHERE
  r.kind = 'evaluate' AND ($1::bigint IS NULL OR r.run = $1) AND ($2::text IS NULL OR s.hash = $2)
ORDER BY r.run, r.key;

-- name: unscored
-- Why evaluations of a run have no score though they succeeded: what the first grader said, as JSON.
SELECT
  CASE WHEN (given.rewards #> '{0,error}')::text NOT IN ('null', '""')
    THEN (given.rewards #> '{0,error}')::text ELSE (given.rewards #> '{0,reason}')::text END
    AS why,
  count(*) AS number
FROM outcome AS o
JOIN request AS r ON r.key = o.rollout
CROSS JOIN LATERAL (SELECT replace(o.rewards, '\u0000', '\ufffd')::json AS rewards) AS given
WHERE o.run = $1 AND r.kind = 'evaluate' AND o.status = 'succeeded' AND o.score IS NULL
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20;

-- name: failed_why
-- The commonest messages of a run's rollouts that failed, by kind and class.
SELECT r.kind, told.failure ->> 'kind' AS failure_kind, (told.failure -> 'message')::text AS why,
  count(*) AS number
FROM outcome AS o
JOIN request AS r ON r.key = o.rollout
CROSS JOIN LATERAL (SELECT replace(o.failure, '\u0000', '\ufffd')::json AS failure) AS told
WHERE o.run = $1 AND o.status = 'failed'
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3 LIMIT 40;

-- name: answer_codes
-- Reason codes of outputs of a run's evaluations; most outputs have none, and are not parsed.
SELECT code.value::text AS why, count(*) AS number
FROM outcome AS o
JOIN request AS r ON r.key = o.rollout
CROSS JOIN LATERAL json_array_elements(
  CASE WHEN position('"reason_codes":["' IN o.output) > 0
    THEN replace(o.output, '\u0000', '\ufffd')::json -> 'reason_codes' ELSE '[]'::json END
) AS code
WHERE o.run = $1 AND r.kind = 'evaluate'
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100;

-- name: failures
-- Final failures of a run by class.
SELECT failure::json ->> 'kind' AS kind, count(*) AS number
FROM outcome
WHERE run = $1 AND status = 'failed'
GROUP BY 1 ORDER BY 1;

-- name: workers
-- Everyone who registered, in order, with what they hold.
SELECT
  w.*,
  coalesce(h.number, 0) AS in_flight
FROM worker AS w
LEFT JOIN (SELECT worker, count(*) AS number FROM held GROUP BY worker) AS h ON h.worker = w.key
WHERE $1::boolean OR w.state = 'live'
ORDER BY w.key;
