-- name: all_tallies
-- Counters of all runs together.
SELECT
  sum(queuing) AS queuing, sum(preparing) AS preparing, sum(running) AS running,
  sum(succeeded) AS succeeded, sum(failed) AS failed, sum(cancelled) AS cancelled,
  sum(requeuing) AS requeuing
FROM tally;

-- name: number_of_runs
-- How many runs there are.
SELECT count(*) FROM run;

-- name: rollout_by_key
-- One rollout with the name of its run.
SELECT r.key, run.id AS run_id
FROM rollout AS r JOIN run ON run.key = r.run
WHERE r.key = ?1;

-- name: attempts
-- All tries at a rollout, in order.
SELECT a.*, w.name AS worker_name
FROM attempt AS a JOIN worker AS w ON w.key = a.worker
WHERE a.rollout = ?1
ORDER BY a.n;

-- name: spans
-- Blocks of spans of a rollout's attempts, in order.
SELECT rollout, n, first, count, data, digest FROM span_block WHERE rollout = ?1 ORDER BY n, first;

-- name: scored
-- Settled evaluations of a run in submission order.
SELECT r.status, r.score, r.resources, e.split, e.id AS example_id, s.hash
FROM rollout AS r INDEXED BY rollout_run
JOIN example AS e ON e.key = r.example
JOIN resources AS s ON s.key = r.resources
WHERE r.run = ?1 AND r.kind = 'evaluate'
ORDER BY r.key;

-- name: measurements_of_run
-- Evaluations of a run in submission order, of some resources alone where asked.
SELECT
  r.key, run.id AS run_id, s.hash, e.id AS example_id, e.split, r.ordinal, r.status, r.score,
  r.failure ->> '$.kind' AS failure_kind, r.reserve_rollouts = 0 AS reused
FROM rollout AS r INDEXED BY rollout_run
JOIN run ON run.key = r.run
JOIN example AS e ON e.key = r.example
JOIN resources AS s ON s.key = r.resources
WHERE r.run = ?1 AND r.kind = 'evaluate' AND (?2 IS NULL OR s.hash = ?2)
ORDER BY r.key;

-- name: measurements_of_resources
-- Evaluations of resources in any run, run by run.
SELECT
  r.key, run.id AS run_id, s.hash, e.id AS example_id, e.split, r.ordinal, r.status, r.score,
  r.failure ->> '$.kind' AS failure_kind, r.reserve_rollouts = 0 AS reused
FROM resources AS s
CROSS JOIN run
CROSS JOIN rollout AS r INDEXED BY rollout_evaluate
  ON r.run = run.key AND r.resources = s.key AND r.kind = 'evaluate'
CROSS JOIN example AS e ON e.key = r.example
WHERE s.hash = ?1
ORDER BY run.key;

-- name: reused
-- How many evaluations of a run took nothing from its budget: their results were known already.
SELECT count(*) FROM rollout INDEXED BY rollout_run WHERE run = ?1 AND reserve_rollouts = 0;

-- name: costs
-- What scored evaluations of a run cost in the mean, by resources and split.
SELECT
  s.hash, e.split, count(*), avg(r.duration_ms),
  avg(CASE WHEN r.reserve_rollouts = 0 THEN ifnull((x.output ->> '$.metadata.reused_usd') * 1e9, 0)
           ELSE (
             SELECT sum(a.spent_cost + ifnull(a.late_cost, 0)) FROM attempt AS a
             WHERE a.rollout = r.key
           ) END),
  avg(CASE WHEN json_type(x.output, '$.metadata.output_tokens') IN ('integer', 'real')
           THEN x.output ->> '$.metadata.output_tokens' END),
  max(instr(x.rewards, '"name":"safety.hard_gate_triggered"') > 0)
FROM rollout AS r INDEXED BY rollout_run
CROSS JOIN resources AS s ON s.key = r.resources
CROSS JOIN example AS e ON e.key = r.example
CROSS JOIN result AS x ON x.rollout = r.key
WHERE r.run = ?1 AND r.kind = 'evaluate' AND r.status = 'succeeded' AND r.score IS NOT NULL
GROUP BY 1, 2;

-- name: settled
-- Settled rollouts of a run beyond a place in time, one line per attempt.
SELECT
  page.key, page.updated_unix_ms, page.kind, page.status, e.split, s.hash, e.id, page.ordinal, page.score,
  page.failure ->> '$.kind', page.attempts, page.duration_ms,
  a.spent_calls + ifnull(a.late_calls, 0), a.spent_tokens + ifnull(a.late_tokens, 0),
  a.spent_cost + ifnull(a.late_cost, 0),
  ifnull(instr(x.rewards, '"name":"safety.hard_gate_triggered"') > 0, 0),
  CASE WHEN instr(x.output, '"reason_codes":["') > 0 THEN x.output -> '$.reason_codes' END,
  CASE WHEN page.status = 'failed' THEN page.failure -> '$.message'
       WHEN page.status = 'succeeded' AND page.kind = 'evaluate' AND page.score IS NULL THEN
         ifnull(CASE WHEN (x.rewards ->> '$[0].error') <> '' THEN x.rewards -> '$[0].error'
                     ELSE x.rewards -> '$[0].reason' END, 'null') END
FROM
  (
    SELECT * FROM rollout INDEXED BY rollout_settled
    WHERE
      run = ?1 AND (status = 'succeeded' OR status = 'failed' OR status = 'cancelled')
      AND (updated_unix_ms, key) > (?2, ?3)
    ORDER BY updated_unix_ms, key
    LIMIT ?4
  ) AS page
CROSS JOIN resources AS s ON s.key = page.resources
LEFT JOIN example AS e ON e.key = page.example
LEFT JOIN result AS x ON x.rollout = page.key
LEFT JOIN attempt AS a ON a.rollout = page.key;

-- name: stints
-- Attempts at the rollouts of a run that settled last, and those in flight, the oldest first.
SELECT a.rollout, a.n, w.name, a.status, a.started_unix_ms, a.ended_unix_ms
FROM
  (
    SELECT key FROM (
      SELECT key FROM rollout INDEXED BY rollout_settled
      WHERE run = ?1 AND (status = 'succeeded' OR status = 'failed' OR status = 'cancelled')
      ORDER BY updated_unix_ms DESC
      LIMIT ?2
    )
    UNION
    SELECT live.rollout
    FROM attempt AS live INDEXED BY attempt_live CROSS JOIN rollout AS r ON r.key = live.rollout
    WHERE live.status IN ('preparing', 'running') AND r.run = ?1
  ) AS page
CROSS JOIN attempt AS a ON a.rollout = page.key
CROSS JOIN worker AS w ON w.key = a.worker
ORDER BY a.started_unix_ms, a.rollout, a.n;

-- name: failures
-- Final failures of a run by class.
SELECT json_extract(failure, '$.kind') AS kind, count(*)
FROM rollout
WHERE run = ?1 AND status = 'failed'
GROUP BY 1 ORDER BY 1;

-- name: unscored
-- Why evaluations of a run have no score though they succeeded: what the first grader said, as JSON.
SELECT
  CASE WHEN (x.rewards ->> '$[0].error') <> '' THEN x.rewards -> '$[0].error'
       ELSE x.rewards -> '$[0].reason' END AS why,
  count(*) AS number
FROM rollout AS r INDEXED BY rollout_run LEFT JOIN result AS x ON x.rollout = r.key
WHERE r.run = ?1 AND r.kind = 'evaluate' AND r.status = 'succeeded' AND r.score IS NULL
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20;

-- name: failed_why
-- The commonest messages of a run's rollouts that failed, by kind and class.
SELECT
  kind, failure ->> '$.kind' AS failure_kind, failure -> '$.message' AS why, count(*) AS number
FROM rollout INDEXED BY rollout_failed
WHERE run = ?1 AND status = 'failed'
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3 LIMIT 40;

-- name: answer_codes
-- Reason codes of outputs of a run's evaluations; most outputs have none, and are not parsed.
SELECT json_quote(code.value) AS why, count(*) AS number
FROM rollout AS r INDEXED BY rollout_run
CROSS JOIN result AS x ON x.rollout = r.key
CROSS JOIN json_each(x.output, '$.reason_codes') AS code
WHERE r.run = ?1 AND r.kind = 'evaluate' AND instr(x.output, '"reason_codes":["') > 0
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100;

-- name: workers
-- Everyone who registered, in order, with what they hold.
SELECT
  w.*,
  (
    SELECT count(*) FROM attempt AS a
    WHERE a.worker = w.key AND a.status IN ('preparing', 'running')
  ) AS in_flight
FROM worker AS w
WHERE ?1 OR w.state = 'live'
ORDER BY w.key;
