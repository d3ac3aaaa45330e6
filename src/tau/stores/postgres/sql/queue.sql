-- name: insert_examples
-- Store examples unless they are there; ids are derived from the content.
INSERT INTO example (id, split, content, digest)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS given (id, s, c, d)
ORDER BY id
ON CONFLICT (id) DO NOTHING;

-- name: example_keys
-- Keys and digests of examples by id.
SELECT id, key, digest FROM example WHERE id = ANY($1::text[]);

-- name: insert_rollouts
-- Queue rollouts in their order; a key that exists keeps its row and returns nothing.
WITH made AS (
  INSERT INTO request (
    run, kind, resources, example, subject, ordinal, proposal, reserve_rollouts, reserve_calls,
    reserve_tokens, reserve_cost, created_unix_ms
  )
  SELECT
    run, kind, resources, example, subject, ordinal, proposal, reserve_rollouts, reserve_calls,
    reserve_tokens, reserve_cost, now
  FROM unnest(
    $1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[]
  ) WITH ORDINALITY AS given (
    run, kind, resources, example, subject, ordinal, proposal, reserve_rollouts, reserve_calls,
    reserve_tokens, reserve_cost, now, place
  )
  ORDER BY place
  ON CONFLICT DO NOTHING
  RETURNING *
)
INSERT INTO waiting (
  run, rollout, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, since_unix_ms
)
SELECT
  run, key, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, created_unix_ms
FROM made
ORDER BY key
RETURNING rollout AS key;

-- name: last_request
-- The highest key of a rollout so far.
SELECT max(key) FROM request;

-- name: evaluation_keys
-- The rollouts of evaluations' keys.
SELECT r.key, r.resources, r.example, r.ordinal
FROM request AS r
JOIN unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS g (resources, example, ordinal)
  ON r.resources = g.resources AND r.example = g.example AND r.ordinal = g.ordinal
WHERE r.kind = 'evaluate' AND r.run = $1;

-- name: proposal_keys
-- The rollouts of proposals' keys.
SELECT r.key, r.resources, r.subject, r.ordinal
FROM request AS r
JOIN unnest($2::bigint[], $3::text[], $4::bigint[]) AS g (resources, subject, ordinal)
  ON r.resources = g.resources AND r.subject = g.subject AND r.ordinal = g.ordinal
WHERE r.kind = 'propose' AND r.run = $1;

-- name: collect
-- Rollouts asked for, with what came of them.
SELECT
  r.key, r.run, r.kind, r.status, r.ordinal, r.subject, r.proposal, r.score, r.failure,
  r.duration_ms, r.attempts, r.created_unix_ms, r.updated_unix_ms,
  s.hash, s.parent, s.content,
  e.id AS example_id, e.split, e.content AS example_content, e.digest AS example_digest,
  x.output, x.rewards, x.digest,
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
JOIN resources AS s ON s.key = r.resources
LEFT JOIN example AS e ON e.key = r.example
LEFT JOIN outcome AS x ON x.rollout = r.key
WHERE r.key = ANY($1::bigint[]);

-- name: queued_rollouts
-- What of a run waits, now or for its retry; kept from others' hands.
SELECT rollout AS key, CASE WHEN again THEN 'requeuing' ELSE 'queuing' END AS status FROM waiting
WHERE run = $1
ORDER BY rollout
FOR UPDATE;

-- name: queued_among
-- What of a list belongs to the run and waits; kept from others' hands.
SELECT rollout AS key, CASE WHEN again THEN 'requeuing' ELSE 'queuing' END AS status FROM waiting
WHERE run = $1 AND rollout = ANY($2::bigint[])
ORDER BY rollout
FOR UPDATE;

-- name: failed_among
-- What of a list belongs to the run and failed; kept from others' hands.
SELECT rollout AS key FROM outcome
WHERE rollout = ANY($2::bigint[]) AND run = $1 AND status = 'failed'
ORDER BY rollout
FOR UPDATE;

-- name: cancel_rollouts
-- Cancel what waits.
WITH gone AS (
  DELETE FROM waiting WHERE run = $1 AND rollout = ANY($2::bigint[]) RETURNING *
)
INSERT INTO outcome (
  rollout, run, status, attempts, counted, charged, failure, updated_unix_ms
)
SELECT rollout, run, 'cancelled', attempts, counted, charged, $3, $4 FROM gone;

-- name: requeue_rollouts
-- Put failed rollouts back with a fresh count; their results go.
WITH gone AS (
  DELETE FROM outcome WHERE rollout = ANY($1::bigint[]) RETURNING *
)
INSERT INTO waiting (
  run, rollout, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, attempts, counted,
  since_unix_ms, again, charged
)
SELECT
  gone.run, gone.rollout, r.reserve_rollouts, r.reserve_calls, r.reserve_tokens, r.reserve_cost,
  gone.attempts, 0, $2, true, gone.charged
FROM gone JOIN request AS r ON r.key = gone.rollout;


-- name: next_ready
-- When the first of a run's waiting rollouts is ready; 0 or what is past means now. Untried ones are
-- looked for from the newest, as what was taken has left dead entries where the oldest are.
SELECT coalesce(
  (
    SELECT 0::bigint FROM waiting
    WHERE
      run = $1 AND ready_ms = 0
      AND (SELECT sum(queuing + requeuing) FROM tally WHERE run = $1) > 0
    ORDER BY rollout DESC
    LIMIT 1
  ),
  (SELECT min(ready_ms) FROM waiting WHERE run = $1 AND ready_ms > 0)
);

-- name: first_ready
-- The rollout of a run that is claimed next, if it is untried from a mark on.
SELECT rollout AS key, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, charged
FROM (
  SELECT * FROM (
    SELECT * FROM waiting WHERE run = $1 AND again AND ready_ms <= $2 ORDER BY rollout LIMIT 1
  ) AS tried
  UNION ALL
  SELECT * FROM (
    SELECT * FROM waiting WHERE run = $1 AND NOT again AND rollout >= $3 ORDER BY rollout LIMIT 1
  ) AS untried
) AS w
ORDER BY rollout
LIMIT 1;

-- name: run_budget
-- The limits of a run with what is spent and reserved of them.
SELECT
  run.key, run.limit_rollouts, run.limit_calls, run.limit_tokens, run.limit_cost,
  t.spent_rollouts + t.reserved_rollouts AS rollouts,
  t.spent_calls + t.reserved_calls AS calls,
  t.spent_tokens + t.reserved_tokens AS tokens,
  t.spent_cost + t.reserved_cost AS cost
FROM run JOIN run_tally AS t ON t.run = run.key
WHERE run.id = $1;
