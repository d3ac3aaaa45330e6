-- name: check_counters
-- counters of a run differ from its rollouts
SELECT run.id FROM run LEFT JOIN run_tally AS t ON t.run = run.key
LEFT JOIN LATERAL (
  SELECT
    count(*) FILTER (WHERE status = 'queuing') AS a,
    count(*) FILTER (WHERE status = 'preparing') AS b,
    count(*) FILTER (WHERE status = 'running') AS c,
    count(*) FILTER (WHERE status = 'succeeded') AS d,
    count(*) FILTER (WHERE status = 'failed') AS e,
    count(*) FILTER (WHERE status = 'cancelled') AS f,
    count(*) FILTER (WHERE status = 'requeuing') AS g
  FROM rollout WHERE rollout.run = run.key
) AS n ON true
WHERE (t.queuing, t.preparing, t.running, t.succeeded, t.failed, t.cancelled, t.requeuing)
  IS DISTINCT FROM (n.a, n.b, n.c, n.d, n.e, n.f, n.g);

-- name: check_reserved
-- what a run has reserved differs from its attempts in flight
SELECT run.id FROM run LEFT JOIN run_tally AS t ON t.run = run.key
LEFT JOIN LATERAL (
  SELECT
    coalesce(sum(a.reserved_rollouts), 0)::bigint AS w, coalesce(sum(a.reserved_calls), 0)::bigint AS x,
    coalesce(sum(a.reserved_tokens), 0)::bigint AS y, coalesce(sum(a.reserved_cost), 0)::bigint AS z
  FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key
  WHERE r.run = run.key AND a.status IN ('preparing', 'running')
) AS n ON true
WHERE (t.reserved_rollouts, t.reserved_calls, t.reserved_tokens, t.reserved_cost)
  IS DISTINCT FROM (n.w, n.x, n.y, n.z);

-- name: check_spent
-- what a run has spent differs from its attempts and what it brought along
SELECT run.id FROM run LEFT JOIN run_tally AS t ON t.run = run.key
LEFT JOIN LATERAL (
  SELECT
    coalesce(sum(a.spent_rollouts), 0)::bigint AS w,
    coalesce(sum(a.spent_calls + coalesce(a.late_calls, 0)), 0)::bigint AS x,
    coalesce(sum(a.spent_tokens + coalesce(a.late_tokens, 0)), 0)::bigint AS y,
    coalesce(sum(a.spent_cost + coalesce(a.late_cost, 0)), 0)::bigint AS z
  FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key
  WHERE r.run = run.key
) AS n ON true
WHERE (t.spent_rollouts, t.spent_calls, t.spent_tokens, t.spent_cost) IS DISTINCT FROM (
  t.brought_rollouts + n.w, t.brought_calls + n.x, t.brought_tokens + n.y, t.brought_cost + n.z
);

-- name: check_attempt_numbers
-- attempts of a rollout are not numbered 1, 2, ...
SELECT r.key FROM rollout AS r
LEFT JOIN (SELECT rollout, count(*) AS number, max(n) AS last FROM attempt GROUP BY rollout) AS a
  ON a.rollout = r.key
WHERE (r.attempts, r.attempts) IS DISTINCT FROM (coalesce(a.number, 0), coalesce(a.last, 0));

-- name: check_places
-- a rollout is nowhere or in two places: it waits, or it is held, or it has an outcome
SELECT coalesce(r.key, p.rollout)
FROM request AS r
FULL JOIN (
  SELECT run, rollout FROM waiting
  UNION ALL
  SELECT run, rollout FROM held
  UNION ALL
  SELECT run, rollout FROM outcome
) AS p ON p.rollout = r.key AND p.run = r.run
GROUP BY 1
HAVING count(r.key) <> 1 OR count(p.rollout) <> 1;

-- name: check_live_workers
-- an attempt in flight belongs to a worker that was given up
SELECT h.rollout FROM held AS h LEFT JOIN worker AS w ON w.key = h.worker
WHERE w.state IS DISTINCT FROM 'live';

-- name: check_success
-- a rollout succeeded without one successful attempt, or has one without having succeeded
SELECT coalesce(o.rollout, a.rollout)
FROM (SELECT rollout FROM outcome WHERE status = 'succeeded') AS o
FULL JOIN (
  SELECT rollout, count(*) AS number FROM ended WHERE status = 'succeeded' GROUP BY rollout
) AS a ON a.rollout = o.rollout
WHERE o.rollout IS NULL OR a.number IS DISTINCT FROM 1;

-- name: check_results
-- a succeeded or failed rollout has no result, or another one has
SELECT rollout FROM outcome
WHERE (status IN ('succeeded', 'failed')) <> (digest IS NOT NULL AND rewards IS NOT NULL);

-- name: check_span_blocks
-- spans of an attempt are not numbered without gaps
SELECT rollout FROM span_block
GROUP BY rollout, n
HAVING min(first) <> 1 OR max(first + count - 1) <> sum(count);

-- name: check_publications
-- publications are not numbered 1, 2, ...
SELECT max(number) FROM resources_version HAVING max(number) <> count(*);

-- name: all_runs
-- Runs with their snapshots.
SELECT run.*, t.* FROM run JOIN run_tally AS t ON t.run = run.key;

-- name: all_resources
-- Resources with their content.
SELECT hash, parent, content, digest FROM resources;

-- name: all_examples
-- Examples with their content.
SELECT id AS example_id, split, content AS example_content, digest AS example_digest FROM example;

-- name: all_proposals
-- Proposals with their request.
SELECT key, subject, proposal FROM request WHERE kind = 'propose';

-- name: all_results
-- Results with what else their digest covers.
SELECT rollout, output, rewards, digest, score, failure FROM outcome WHERE digest IS NOT NULL;

-- name: all_failures
-- Failures of attempts and rollouts.
SELECT failure FROM ended WHERE failure IS NOT NULL
UNION ALL
SELECT failure FROM outcome WHERE failure IS NOT NULL;

-- name: all_spans
-- Blocks of spans.
SELECT rollout, n, first, count, data, digest FROM span_block;

-- name: all_checkpoints
-- Checkpoints with their best resources.
SELECT
  run.id AS run_id, c.algorithm, c.waves, c.rollouts, c.state, c.saved_unix_ms,
  c.hash AS checkpoint_hash, s.hash, s.parent, s.content, s.digest
FROM checkpoint AS c
JOIN run ON run.key = c.run
JOIN resources AS s ON s.key = c.best;

-- name: all_aliases
-- What names were pointed at.
SELECT
  n.name, n.principal, n.reason, n.evidence, n.set_unix_ms, n.digest AS alias_digest,
  v.number, v.published_unix_ms, NULL::text AS run_id, s.hash, s.parent, s.content, s.digest,
  false AS latest
FROM alias AS n
JOIN resources_version AS v ON v.number = n.version
JOIN resources AS s ON s.key = v.resources;

-- name: all_verdicts
-- What runs recommended.
SELECT
  run.id AS run_id, d.decision, d.evidence, d.caveats, d.reached_unix_ms,
  d.digest AS verdict_digest, s.hash, s.parent, s.content, s.digest
FROM verdict AS d
JOIN run ON run.key = d.run
JOIN resources AS s ON s.key = d.resources;

-- name: all_policies
-- Who might do what.
SELECT number, content, principal, reason, installed_unix_ms, digest FROM policy;
