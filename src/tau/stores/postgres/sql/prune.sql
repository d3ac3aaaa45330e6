-- name: prunable
-- Ended runs by name, or those last changed before a time, with what would be deleted of them.
SELECT
  run.key, run.id, run.status, run.updated_unix_ms,
  (SELECT count(*) FROM request AS r WHERE r.run = run.key) AS rollouts
FROM run
WHERE
  run.id = ANY($1::text[])
  OR (run.status IN ('completed', 'cancelled') AND run.updated_unix_ms < $2::bigint)
ORDER BY run.key;

-- name: prune_spans
-- Spans of a run.
DELETE FROM span_block AS b USING request AS r WHERE r.key = b.rollout AND r.run = $1;

-- name: prune_results
-- What came of a run's rollouts, with outputs and rewards.
DELETE FROM outcome AS o USING request AS r WHERE r.key = o.rollout AND r.run = $1;

-- name: prune_attempts
-- Attempts of a run that are over.
DELETE FROM ended AS a USING request AS r WHERE r.key = a.rollout AND r.run = $1;

-- name: prune_rollouts
-- Rollouts of a run, and what of it still waits or is held.
WITH waits AS (DELETE FROM waiting WHERE run = $1), held_ AS (DELETE FROM held WHERE run = $1)
DELETE FROM request WHERE run = $1;

-- name: prune_run_checkpoints
-- Checkpoints of a run.
DELETE FROM checkpoint WHERE run = $1;

-- name: prune_tally
-- A pruned run has no rollouts; what it spent is kept as brought along.
UPDATE tally
SET
  queuing = 0, preparing = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0, requeuing = 0,
  brought_rollouts = spent_rollouts, brought_calls = spent_calls, brought_tokens = spent_tokens,
  brought_cost = spent_cost
WHERE run = $1;
