-- name: run_key
-- The integer key of a run.
SELECT key FROM run WHERE id = ?1;

-- name: insert_example
-- Store an example that is not there; ids are derived from the content.
INSERT INTO example (key, id, split, content, digest) VALUES (?, ?, ?, ?, ?);

-- name: last_example
-- The highest key of an example.
SELECT max(key) FROM example;

-- name: example_keys
-- Keys and digests of examples by id.
SELECT id, key, digest FROM example WHERE id IN (SELECT value FROM json_each(?1));

-- name: insert_rollout
-- Queue a rollout; one that is there already keeps its row.
INSERT INTO rollout (
  key, run, kind, resources, example, subject, ordinal, proposal, reserve_rollouts, reserve_calls,
  reserve_tokens, reserve_cost, created_unix_ms, updated_unix_ms
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: last_rollout
-- The highest key of a rollout.
SELECT max(key) FROM rollout;

-- name: rollout_by_evaluation
-- The rollout of an evaluation's key.
SELECT key FROM rollout
WHERE kind = 'evaluate' AND run = ?1 AND resources = ?2 AND example = ?3 AND ordinal = ?4;

-- name: rollout_by_proposal
-- The rollout of a proposal's key.
SELECT key FROM rollout
WHERE kind = 'propose' AND run = ?1 AND resources = ?2 AND subject = ?3 AND ordinal = ?4;

-- name: collect
-- Settled rollouts among those asked for, with what came of them.
SELECT
  r.key, r.run, r.kind, r.status, r.ordinal, r.subject, r.proposal, r.score, r.failure,
  r.duration_ms, r.attempts, r.created_unix_ms, r.updated_unix_ms,
  s.hash, s.parent, s.content,
  e.id AS example_id, e.split, e.content AS example_content, e.digest AS example_digest,
  x.output, x.rewards, x.digest,
  (
    SELECT
      json_array(
        sum(a.spent_rollouts), sum(a.spent_calls + ifnull(a.late_calls, 0)),
        sum(a.spent_tokens + ifnull(a.late_tokens, 0)), sum(a.spent_cost + ifnull(a.late_cost, 0))
      )
    FROM attempt AS a
    WHERE a.rollout = r.key
  ) AS spent
FROM json_each(?1) AS asked
CROSS JOIN rollout AS r ON r.key = asked.value
JOIN resources AS s ON s.key = r.resources
LEFT JOIN example AS e ON e.key = r.example
LEFT JOIN result AS x ON x.rollout = r.key;

-- name: tally
-- Counters of one run.
SELECT tally.* FROM run JOIN tally ON tally.run = run.key WHERE run.id = ?1;

-- name: queued_rollouts
-- What of a run waits, now or for its retry.
SELECT key, status FROM rollout
WHERE run = ?1 AND status IN ('queuing', 'requeuing');

-- name: queued_among
-- What of a list belongs to the run and waits.
SELECT r.key, r.status
FROM json_each(?2) AS asked CROSS JOIN rollout AS r ON r.key = asked.value
WHERE r.run = ?1 AND r.status IN ('queuing', 'requeuing');

-- name: failed_among
-- What of a list belongs to the run and failed.
SELECT r.key
FROM json_each(?2) AS asked CROSS JOIN rollout AS r ON r.key = asked.value
WHERE r.run = ?1 AND r.status = 'failed';

-- name: cancel_rollouts
-- Cancel what waits or was just taken from its worker.
UPDATE rollout
SET status = 'cancelled', live = NULL, ready_ms = 0, failure = ?2, updated_unix_ms = ?3
WHERE key IN (SELECT value FROM json_each(?1));

-- name: requeue_rollouts
-- Put failed rollouts back with a fresh count.
UPDATE rollout
SET
  status = 'requeuing', counted = 0, ready_ms = 0, score = NULL, failure = NULL,
  duration_ms = 0, updated_unix_ms = ?2
WHERE key IN (SELECT value FROM json_each(?1));

-- name: delete_results
-- Results of rollouts that are tried anew.
DELETE FROM result WHERE rollout IN (SELECT value FROM json_each(?1));

-- name: next_delayed
-- The monotonic time of a run's next scheduled retry.
SELECT min(ready_ms) FROM rollout WHERE run = ?1 AND status = 'requeuing' AND ready_ms > 0;

-- name: first_ready
-- The oldest ready rollout of a run.
SELECT key, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, charged
FROM rollout
WHERE run = ?1 AND status IN ('queuing', 'requeuing') AND ready_ms = 0
ORDER BY key
LIMIT 1;

-- name: first_due
-- The oldest of a run's retries whose time has come and that no claim has noticed yet.
SELECT key, reserve_rollouts, reserve_calls, reserve_tokens, reserve_cost, charged
FROM rollout
WHERE run = ?1 AND status = 'requeuing' AND ready_ms > 0 AND ready_ms <= ?2
ORDER BY key
LIMIT 1;

-- name: run_budget
-- The limits of a run with what is spent and reserved of them.
SELECT
  run.key, run.limit_rollouts, run.limit_calls, run.limit_tokens, run.limit_cost,
  tally.spent_rollouts + tally.reserved_rollouts AS rollouts,
  tally.spent_calls + tally.reserved_calls AS calls,
  tally.spent_tokens + tally.reserved_tokens AS tokens,
  tally.spent_cost + tally.reserved_cost AS cost
FROM run JOIN tally ON tally.run = run.key
WHERE run.id = ?1;
