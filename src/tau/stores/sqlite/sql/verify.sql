-- name: check_words
-- a rollout or attempt has a kind or status that does not exist
SELECT 'rollout ' || key FROM rollout
WHERE
  kind NOT IN ('evaluate', 'propose')
  OR status NOT IN
  ('queuing', 'preparing', 'running', 'succeeded', 'failed', 'cancelled', 'requeuing')
UNION ALL
SELECT 'attempt ' || n || ' at rollout ' || rollout FROM attempt
WHERE status NOT IN ('preparing', 'running', 'failed', 'succeeded', 'timeout', 'unresponsive');

-- name: check_counters
-- counters of a run differ from its rollouts
SELECT run.id FROM run LEFT JOIN tally AS t ON t.run = run.key
WHERE (
  t.queuing, t.preparing, t.running, t.succeeded, t.failed, t.cancelled, t.requeuing
) IS NOT (
  SELECT
    count(*) FILTER (WHERE status = 'queuing'), count(*) FILTER (WHERE status = 'preparing'),
    count(*) FILTER (WHERE status = 'running'), count(*) FILTER (WHERE status = 'succeeded'),
    count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'cancelled'),
    count(*) FILTER (WHERE status = 'requeuing')
  FROM rollout WHERE rollout.run = run.key
);

-- name: check_reserved
-- what a run has reserved differs from its attempts in flight
SELECT run.id FROM run LEFT JOIN tally AS t ON t.run = run.key
WHERE (t.reserved_rollouts, t.reserved_calls, t.reserved_tokens, t.reserved_cost) IS NOT (
  SELECT
    ifnull(sum(a.reserved_rollouts), 0), ifnull(sum(a.reserved_calls), 0),
    ifnull(sum(a.reserved_tokens), 0), ifnull(sum(a.reserved_cost), 0)
  FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key
  WHERE r.run = run.key AND a.status IN ('preparing', 'running')
);

-- name: check_spent
-- what a run has spent differs from its attempts and what it brought along
SELECT run.id FROM run LEFT JOIN tally AS t ON t.run = run.key
WHERE (t.spent_rollouts, t.spent_calls, t.spent_tokens, t.spent_cost) IS NOT (
  SELECT
    t.brought_rollouts + ifnull(sum(a.spent_rollouts), 0),
    t.brought_calls + ifnull(sum(a.spent_calls + ifnull(a.late_calls, 0)), 0),
    t.brought_tokens + ifnull(sum(a.spent_tokens + ifnull(a.late_tokens, 0)), 0),
    t.brought_cost + ifnull(sum(a.spent_cost + ifnull(a.late_cost, 0)), 0)
  FROM rollout AS r JOIN attempt AS a ON a.rollout = r.key
  WHERE r.run = run.key
);

-- name: check_attempt_numbers
-- attempts of a rollout are not numbered 1, 2, ...
SELECT r.key FROM rollout AS r
WHERE (r.attempts, r.attempts) IS NOT (
  SELECT count(*), ifnull(max(a.n), 0) FROM attempt AS a WHERE a.rollout = r.key
);

-- name: check_live_attempts
-- a rollout in flight has no live attempt of its own, or one at rest has a live attempt
SELECT r.key FROM rollout AS r
WHERE
  (
    SELECT group_concat(a.n) FROM attempt AS a
    WHERE a.rollout = r.key AND a.status IN ('preparing', 'running')
  ) IS NOT CAST(r.live AS TEXT);

-- name: check_live_workers
-- an attempt in flight belongs to a worker that was given up
SELECT a.rollout FROM attempt AS a JOIN worker AS w ON w.key = a.worker
WHERE a.status IN ('preparing', 'running') AND w.state <> 'live';

-- name: check_success
-- a rollout succeeded without one successful attempt, or has one without having succeeded
SELECT r.key FROM rollout AS r
WHERE
  (SELECT count(*) FROM attempt AS a WHERE a.rollout = r.key AND a.status = 'succeeded')
  <> (r.status = 'succeeded');

-- name: check_results
-- a succeeded or failed rollout has no result, or another one has
SELECT r.key FROM rollout AS r LEFT JOIN result AS x ON x.rollout = r.key
WHERE (r.status IN ('succeeded', 'failed')) <> (x.rollout IS NOT NULL);

-- name: check_span_blocks
-- spans of an attempt are not numbered without gaps
SELECT b.rollout FROM span_block AS b
WHERE b.first <> 1 + (
  SELECT ifnull(sum(p.count), 0) FROM span_block AS p
  WHERE p.rollout = b.rollout AND p.n = b.n AND p.first < b.first
);

-- name: check_publications
-- publications are not numbered 1, 2, ...
SELECT max(number) FROM resources_version HAVING max(number) <> count(*);

-- name: all_runs
-- Runs with their snapshots.
SELECT * FROM run JOIN tally ON tally.run = run.key;

-- name: all_resources
-- Resources with their content.
SELECT hash, parent, content, digest FROM resources;

-- name: all_examples
-- Examples with their content.
SELECT id AS example_id, split, content AS example_content, digest AS example_digest FROM example;

-- name: all_proposals
-- Proposals with their request.
SELECT key, subject, proposal FROM rollout WHERE kind = 'propose';

-- name: all_results
-- Results with what else their digest covers.
SELECT x.rollout, x.output, x.rewards, x.digest, r.score, r.failure
FROM result AS x JOIN rollout AS r ON r.key = x.rollout;

-- name: all_failures
-- Failures of attempts and rollouts.
SELECT failure FROM attempt WHERE failure IS NOT NULL
UNION ALL
SELECT failure FROM rollout WHERE failure IS NOT NULL;

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
  v.number, v.published_unix_ms, NULL AS run_id, s.hash, s.parent, s.content, s.digest,
  0 AS latest
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
